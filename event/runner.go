package event

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// consuming is what the consumers of a process share.
type consuming struct {
	mu      sync.Mutex
	runners map[string]*runner
	held    atomic.Int64 // how many of them this process works on
}

// Consume works on consumers until ctx ends, those that no other process works
// on. It fails at once if the consumers are mistaken, or if this process works
// on one of them already; later failures are logged, and tried again.
func (l *Log) Consume(ctx context.Context, consumers ...Consumer) error {
	if err := Check(consumers...); err != nil {
		return err
	}
	runners, err := l.enlist(consumers)
	if err != nil {
		return err
	}
	defer l.discharge(runners)
	var running sync.WaitGroup
	for _, r := range runners {
		running.Go(func() { r.run(ctx) })
	}
	running.Wait()
	return nil
}

func (l *Log) enlist(consumers []Consumer) ([]*runner, error) {
	l.consuming.mu.Lock()
	defer l.consuming.mu.Unlock()
	for _, c := range consumers {
		if l.consuming.runners[c.name] != nil {
			return nil, fmt.Errorf("event consumer %q: this process works on it already", c.name)
		}
	}
	if l.consuming.runners == nil {
		l.consuming.runners = map[string]*runner{}
	}
	runners := make([]*runner, len(consumers))
	for i, c := range consumers {
		runners[i] = &runner{l: l, c: c, asked: make(chan struct{}, 1)}
		l.consuming.runners[c.name] = runners[i]
	}
	return runners, nil
}

func (l *Log) discharge(runners []*runner) {
	l.consuming.mu.Lock()
	defer l.consuming.mu.Unlock()
	for _, r := range runners {
		delete(l.consuming.runners, r.c.name)
	}
}

// enlisted is how many consumers this process may work on.
func (l *Log) enlisted() int {
	l.consuming.mu.Lock()
	defer l.consuming.mu.Unlock()
	return len(l.consuming.runners)
}

// ask has the runner of a consumer look at its row, if it is here.
func (l *Log) ask(name string) {
	l.consuming.mu.Lock()
	defer l.consuming.mu.Unlock()
	if r := l.consuming.runners[name]; r != nil {
		nudge(r.asked)
	}
}

// runner works on one consumer in one process, while no other process does.
//
// Whose turn it is stands in the consumer's row: an owner, until when, and a
// fence that grows with each owner. Nothing is written while there is nothing
// to do: an owner's time runs out then, and whoever comes first when there is
// an event takes its place. The owner of before comes first, since others wait a
// moment. Clocks decide only who tries: what a handler wrote commits together
// with an update of the row under the owner's fence, so of two that both
// believe to be the owner one commits.
type runner struct {
	l     *Log
	c     Consumer
	s     *Subscription
	asked chan struct{} // somebody changed the consumer's row

	other   turn // another process's, as it was seen last
	fence   int64
	until   atomic.Int64 // the end of this process's turn, in Unix milliseconds; 0 where it is another's
	waited  bool         // long enough for others to come first
	since   time.Time    // the turn began
	offered time.Time    // it was last offered to others
	at      int64        // up to here there is nothing to do, as far as this turn knows
	wrote   int64        // the position in the row
	parked  parked
	halted  halted
	gone    bool  // what follows at is not kept any more
	doubt   bool  // the row may not be what this turn believes
	steps   int64 // transactions that took the consumer on
}

// turn is another process's, and since when it has stood in the row unchanged.
type turn struct {
	fence, until int64
	since        time.Time
}

// stale reports whether a turn ought to be over by now, whatever time the row
// names: whoever works prolongs it, so one that stands unchanged for a whole
// lease was written under a clock that was ahead.
func (r *runner) stale(row row) bool {
	if r.other.fence != row.Fence || r.other.until != row.LeasedUntil {
		r.other = turn{row.Fence, row.LeasedUntil, time.Now()}
	}
	return time.Since(r.other.since) > r.l.lease
}

// halted is an event at which the consumer stands still.
type halted struct {
	position int64
	attempts int
	until    time.Time
}

var (
	errLost    = errors.New("event: another process has taken the consumer over")
	errMissing = errors.New("event: the consumer's row is gone")
)

// pause is how long a runner waits: at most so long, and meanwhile for an
// event, unless it has to wait for others.
type pause struct {
	most time.Duration
	deaf bool // to events
}

// idle is how long a runner waits when it knows of nothing to do: for whatever
// could have been missed.
const idle = 30 * time.Second

// run works until ctx ends.
func (r *runner) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer r.close()
	defer r.release(ctx)
	failing := time.Duration(0)
	for ctx.Err() == nil {
		wait, err := r.round(ctx)
		switch {
		case err == nil:
			failing = 0
		case ctx.Err() != nil:
			return
		case errors.Is(err, errLost), errors.Is(err, errMissing), errors.Is(err, ErrReset):
			r.end()
			r.close()
			wait = pause{most: time.Millisecond}
		default:
			r.end()
			failing = min(max(2*failing, 100*time.Millisecond), 10*time.Second)
			r.l.log.ErrorContext(ctx, "a consumer of events cannot work", "consumer", r.c.name, "error", err, "retry_in", failing)
			wait = pause{most: failing, deaf: true}
		}
		ready := (chan struct{})(nil)
		if r.s != nil && !wait.deaf {
			ready = r.s.ready
		}
		timer.Reset(wait.most)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-ready:
		case <-r.asked:
			r.doubt = true
		}
	}
}

func (r *runner) close() {
	if r.s != nil {
		r.s.Close()
		r.s = nil
	}
}

// round does what there is to do now, if it is this process's turn.
func (r *runner) round(ctx context.Context) (pause, error) {
	if err := r.open(ctx); err != nil {
		return pause{}, err
	}
	mine := r.until.Load() > time.Now().UnixMilli()
	if mine && !r.doubt {
		return r.work(ctx)
	}
	row, err := r.look(ctx)
	if err != nil {
		return pause{}, err
	}
	if r.doubt = false; mine {
		if row.Fence == r.fence {
			return r.work(ctx)
		}
		r.end()
	}
	left := time.Until(time.UnixMilli(row.LeasedUntil))
	own := row.Owner == r.l.instance && row.Fence == r.fence
	switch {
	case row.Paused:
		r.end()
		return pause{relaxed * r.l.poll, true}, nil
	case !own && left > 0 && !r.stale(row):
		r.end()
		r.waited = true
		return pause{min(left, r.l.lease) + r.courtesy(), true}, nil
	}
	r.move(row.Position)
	due, err := r.l.due(ctx, r.c.name)
	if err != nil {
		return pause{}, err
	}
	if wait := time.Until(due); wait > 0 && !r.some() {
		r.waited = false
		return pause{most: min(wait, idle)}, nil
	}
	if !own && !r.waited && (row.Owner != "" || r.l.peers.count() > 0) {
		r.waited = true
		return pause{r.courtesy(), true}, nil
	}
	r.waited = false
	if err := r.claim(ctx, row); err != nil {
		return pause{}, err
	}
	return r.work(ctx)
}

// tenure is how long a turn lasts at least before it is offered to others, and
// offers how long a process waits after an offer before it makes another.
const (
	tenure = 10 * time.Second
	offers = 5 * time.Minute
)

// generous reports whether this process works on more than its share, while
// others are there who could take this consumer.
func (r *runner) generous() bool {
	others := r.l.peers.count()
	if others == 0 || time.Since(r.since) < tenure || time.Since(r.offered) < offers {
		return false
	}
	share := (r.l.enlisted() + others) / (others + 1)
	return r.l.consuming.held.Load() > int64(share)
}

// courtesy is how long a process lets others come first: the longer, the more
// consumers it works on.
func (r *runner) courtesy() time.Duration {
	held := min(r.l.consuming.held.Load(), 16)
	return time.Duration(50+50*held+rand.Int64N(50)) * time.Millisecond //nolint:gosec // no secret
}

// open makes the consumer's row, if it is new, and subscribes to its events.
func (r *runner) open(ctx context.Context) error {
	if r.s != nil {
		return nil
	}
	if err := r.l.register(ctx, &r.c); err != nil {
		return err
	}
	row, err := r.look(ctx)
	if err != nil {
		return err
	}
	r.s, err = r.l.Subscribe(ctx, r.c.filter, After(row.Position))
	return err
}

// Register has new consumers begin here, before anybody works on them: what is
// published from now on is theirs. [Log.Consume] registers its own.
func (l *Log) Register(ctx context.Context, consumers ...Consumer) error {
	if err := Check(consumers...); err != nil {
		return err
	}
	for _, c := range consumers {
		if err := l.register(ctx, &c); err != nil {
			return err
		}
	}
	return nil
}

// register makes a consumer's row, if it is new.
func (l *Log) register(ctx context.Context, c *Consumer) error {
	if err := l.settle(ctx); err != nil {
		return err
	}
	start := `COALESCE((SELECT MAX(position) FROM ashlar_event_log), 0)`
	if c.oldest {
		start = `COALESCE((SELECT MIN(position) FROM ashlar_event_log), 1) - 1`
	}
	_, err := l.db.Exec(ctx, `
		INSERT INTO ashlar_event_consumers (name, position, owner, fence, leased_until, paused, seen_at, error)
		VALUES ($1, `+start+`, '', 0, 0, 0, $2, '')
		ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at`, c.name, time.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("event: make the row of consumer %s: %w", c.name, err)
	}
	return nil
}

// row is what a runner has to know of its consumer's row.
type row struct {
	Position    int64
	Owner       string
	Fence       int64
	LeasedUntil int64
	Paused      bool
}

func (r *runner) look(ctx context.Context) (row, error) {
	found, err := db.One[row](ctx, r.l.db, `
		SELECT position, owner, fence, leased_until, paused = 1 AS paused FROM ashlar_event_consumers WHERE name = $1`, r.c.name)
	if errors.Is(err, db.ErrNoRows) {
		return found, errMissing
	}
	if err != nil {
		return found, fmt.Errorf("event: read the row of consumer %s: %w", r.c.name, err)
	}
	return found, nil
}

// claim begins this process's turn, if nobody was faster.
func (r *runner) claim(ctx context.Context, found row) error {
	now := time.Now()
	until := now.Add(r.l.lease).UnixMilli()
	n, err := db.Exec(ctx, r.l.db, `
		UPDATE ashlar_event_consumers SET owner = $1, fence = fence + 1, leased_until = $2, seen_at = $3
		WHERE name = $4 AND fence = $5 AND leased_until = $6 AND paused = 0`,
		r.l.instance, until, now.UnixMilli(), r.c.name, found.Fence, found.LeasedUntil)
	if err != nil {
		return fmt.Errorf("event: claim consumer %s: %w", r.c.name, err)
	}
	if n == 0 {
		return errLost
	}
	if r.until.Swap(until) == 0 {
		r.l.consuming.held.Add(1)
		r.since = now
	}
	r.fence, r.at, r.wrote = found.Fence+1, found.Position, found.Position
	if r.parked, err = r.l.parked(ctx, r.c.name); err != nil {
		return err
	}
	oldest, _, err := r.l.bounds(ctx, r.l.db)
	r.gone = oldest > r.at+1
	return err
}

// end ends this process's turn, as far as it knows.
func (r *runner) end() {
	if r.until.Swap(0) != 0 {
		r.l.consuming.held.Add(-1)
	}
	r.halted = halted{}
}

// release ends this process's turn for everybody to know.
func (r *runner) release(ctx context.Context) {
	if r.until.Load() == 0 {
		return
	}
	r.end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_, err := db.Exec(ctx, r.l.db, `
		UPDATE ashlar_event_consumers SET leased_until = 0 WHERE name = $1 AND fence = $2`, r.c.name, r.fence)
	if err != nil {
		r.l.log.WarnContext(ctx, "a consumer of events was not released; others wait for the end of its lease", "consumer", r.c.name, "error", err)
	}
	r.l.tell(ctx, aboutConsumer+r.c.name)
}

// renew prolongs this process's turn while a handler takes long, until ctx
// ends. It calls lost when the turn is another's.
func (r *runner) renew(ctx context.Context, lost func()) {
	tick := time.NewTicker(r.l.lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		until := time.Now().Add(r.l.lease).UnixMilli()
		n, err := db.Exec(ctx, r.l.db, `
			UPDATE ashlar_event_consumers SET leased_until = $1 WHERE name = $2 AND fence = $3`, until, r.c.name, r.fence)
		switch {
		case err != nil: // the next tick, or the commit, will tell
		case n == 0:
			lost()
			return
		default:
			r.until.Store(until)
		}
	}
}

// move has the subscription go on after a position.
func (r *runner) move(position int64) {
	r.l.hub.mu.RLock()
	defer r.l.hub.mu.RUnlock()
	r.s.seek(position)
}

// some reports whether there may be an event to handle.
func (r *runner) some() bool {
	r.l.hub.mu.RLock()
	defer r.l.hub.mu.RUnlock()
	return r.s.next != 0 || r.s.epoch != r.l.hub.epoch
}
