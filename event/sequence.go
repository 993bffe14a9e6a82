package event

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/trace"
)

// dialect is what cannot be said in one text for both databases: how events
// come into the log.
//
// SQLite has one writer, so the insert itself can give out positions. On
// PostgreSQL transactions commit in another order than that of any number they
// were given, and a counter that puts them in order would let one of them
// publish at a time. There they insert into an outbox, and after their commit a
// pass moves rows from there to the log.
//
// A pass takes the rows that it sees in the order in which they were inserted.
// Of two events of one key the second is inserted when the transaction of the
// first has committed, because it waited for a row that the first had changed.
// So a pass that sees the second sees the first, and puts it before.
type dialect struct {
	sequenced bool   // by passes
	publish   string // the arguments are those of a Record without its position
}

func statements(d db.Dialect) *dialect {
	if d == db.Postgres {
		return &postgres
	}
	return &sqlite
}

var sqlite = dialect{publish: `
	INSERT INTO ashlar_event_log (id, topic, key, scope, version, at, trace, payload)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`}

var postgres = dialect{sequenced: true, publish: `
	INSERT INTO ashlar_event_outbox (id, topic, key, scope, version, at, trace, payload)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`}

// One pass at a time, of all processes: positions have no gap. A process that
// hangs in the middle of one must not stop all others.
const begin = `SELECT pg_advisory_xact_lock(4705937512340120645), set_config('idle_in_transaction_session_timeout', '5000', true)`

const move = `
WITH moved AS (
	DELETE FROM ashlar_event_outbox WHERE seq IN (SELECT seq FROM ashlar_event_outbox ORDER BY seq LIMIT $1)
	RETURNING seq, id, topic, key, scope, version, at, trace, payload
), placed AS (
	INSERT INTO ashlar_event_log (position, id, topic, key, scope, version, at, trace, payload)
	SELECT (SELECT COALESCE(MAX(position), 0) FROM ashlar_event_log) + ROW_NUMBER() OVER (ORDER BY seq),
		id, topic, key, scope, version, at, trace, payload
	FROM moved ORDER BY seq
	RETURNING 1
)
SELECT COUNT(*) FROM placed`

const (
	// maxPass is how many events one pass moves.
	maxPass = 1000
	// passTimeout bounds one pass, the wait for those of others included.
	passTimeout = 10 * time.Second
	// passLinger is the longest that a pass waits for company.
	passLinger = 5 * time.Millisecond
	// orphans is how often a process looks for events whose publisher ended
	// before it could give them a position, in multiples of Config.Poll.
	orphans = 4
)

// settle gives positions to all that this process has committed by now, if
// that was not done yet: a process reads what it wrote.
func (l *Log) settle(ctx context.Context) error {
	if !l.sql.sequenced {
		return nil
	}
	for want := l.committed.Load(); l.placed.Load() < want; {
		if _, err := l.pass(ctx, want); err != nil {
			return err
		}
	}
	return nil
}

// pass moves a batch of committed events to the log, unless another pass of
// this process has done what the caller wants, and returns how many it were.
func (l *Log) pass(ctx context.Context, want int64) (int, error) {
	l.placing.Lock()
	defer l.placing.Unlock()
	if l.placed.Load() >= want {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, passTimeout)
	defer cancel()
	before := l.committed.Load()
	n, err := db.InTx(ctx, l.db, func(tx *db.Tx) (int, error) {
		if _, err := tx.Exec(ctx, begin); err != nil {
			return 0, err
		}
		return db.One[int](ctx, tx, move, maxPass)
	}, db.ReadCommitted)
	if err != nil {
		return 0, fmt.Errorf("event: give events their positions: %w", err)
	}
	if n < maxPass { // it saw everything that was committed before
		l.placed.Store(max(before, l.placed.Load()))
	}
	if n > 0 {
		l.positions.Add(int64(n))
		l.hub.wake()
		nudge(l.news) // also when it was a reader who could not wait
	}
	return n, nil
}

// sequence gives positions to what was committed, here and by processes that
// did not get to it, until ctx ends.
func (l *Log) sequence(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failing := false
	for {
		began := time.Now()
		n, err := l.advance(ctx)
		took := time.Since(began)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			l.log.ErrorContext(ctx, "committed events cannot be given their positions; nobody sees them until they are", "error", err)
		case err == nil && failing:
			l.log.InfoContext(ctx, "committed events are given their positions again")
		}
		failing = err != nil
		if n == maxPass {
			continue
		}
		if n > 0 {
			timer.Reset(min(took, passLinger))
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		}
		pause := orphans * l.poll
		if failing {
			pause = l.poll
		}
		timer.Reset(pause - time.Duration(rand.Int64N(int64(pause/4)+1))) //nolint:gosec // no secret
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-l.woken:
		}
	}
}

// advance does one pass, if there is something to do.
func (l *Log) advance(ctx context.Context) (n int, err error) {
	want := l.committed.Load()
	if l.placed.Load() >= want {
		some, err := db.One[bool](ctx, l.db, `SELECT EXISTS (SELECT 1 FROM ashlar_event_outbox)`)
		if !some || err != nil {
			return 0, err
		}
		want = math.MaxInt64
	}
	err = trace.Do(ctx, "ashlar.events.sequence", func(ctx context.Context) (err error) {
		n, err = l.pass(ctx, want)
		return err
	})
	return n, err
}
