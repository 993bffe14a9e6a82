package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
)

// replicas are the standbys that may answer what need not be quite new.
//
// How old a standby's state is nobody there can tell: its clock is another one,
// and the time of the last transaction grows while nobody writes. So marks are
// taken on the primary, a moment and the position of its log then. A standby
// that has come to the position has everything that was committed before the
// moment, whatever its clock says, and also when it is cut off from the
// primary.
type replicas struct {
	primary *pool // of one connection, which looks
	list    []*replica
	began   time.Time
	turn    atomic.Uint32
	missed  atomic.Int64
	end     context.CancelFunc
	running sync.WaitGroup

	mu    sync.Mutex
	marks []mark // the newest last
}

// mark says that what was committed until at lies before the position. After a
// failover the new primary counts on from where it was, on another timeline: a
// standby that has more of the old one than it is no copy any more.
type mark struct {
	at       time.Duration // since began
	position int64
	timeline int64
}

const (
	// lookEvery is how often marks are taken, and standbys asked how far they
	// are. A bound below leastStale cannot be kept with that.
	lookEvery  = 500 * time.Millisecond
	leastStale = time.Second
	// maxMarks is for standbys that are five minutes behind.
	maxMarks = 600
	// unhurried bounds what is asked of a server that may hang.
	unhurried = time.Second
	// standbyWait is how long a query waits for a connection to a standby: the
	// primary can be asked instead.
	standbyWait = 100 * time.Millisecond
)

// follow returns the replicas of a database, which are looked at from now on,
// on connections that no query waits for.
func follow(cfg Config) (*replicas, error) {
	rs := &replicas{began: time.Now()}
	look := cfg
	look.MaxConns = 1
	var err error
	if rs.primary, err = newPool(look); err != nil {
		return nil, err
	}
	for _, url := range cfg.Replicas {
		c := cfg
		c.URL, c.standby, c.Wait = url, true, min(cfg.Wait, standbyWait)
		look.URL, look.standby = url, true
		r := &replica{all: rs, told: cfg.ReplicaChanged}
		if r.pool, err = newPool(c); err == nil {
			r.watch, err = newPool(look)
		}
		if err != nil {
			return nil, errors.Join(err, rs.close())
		}
		r.server = place(r.pool.conn)
		r.asOf.Store(never)
		rs.list = append(rs.list, r)
	}
	ctx, cancel := context.WithCancel(context.Background())
	rs.end = cancel
	rs.running.Go(func() { every(ctx, rs.look) })
	for _, r := range rs.list {
		rs.running.Go(func() { every(ctx, r.look) })
	}
	return rs, nil
}

// every calls look until ctx ends.
func every(ctx context.Context, look func(context.Context)) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (rs *replicas) close() error {
	if rs.end != nil {
		rs.end()
	}
	rs.running.Wait()
	errs := []error{rs.primary.close()}
	for _, r := range rs.list {
		errs = append(errs, r.pool.close(), r.watch.close())
	}
	return errors.Join(errs...)
}

// look takes a mark. While the primary does not answer there are none, and the
// standbys grow old.
func (rs *replicas) look(ctx context.Context) {
	at := time.Since(rs.began)
	var m mark
	err := rs.primary.ask(ctx, `SELECT CAST(pg_current_wal_lsn() - '0/0' AS BIGINT),
		CAST(CAST(CAST('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS BIT(32)) AS INTEGER) AS BIGINT)`, &m.position, &m.timeline)
	if err != nil {
		return
	}
	m.at = at
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if n := len(rs.marks); n > 0 && (rs.marks[n-1].timeline != m.timeline || rs.marks[n-1].position > m.position) {
		rs.marks = nil // another server is the primary now, or this one was put back
	}
	if len(rs.marks) == maxMarks {
		rs.marks = append(rs.marks[:0], rs.marks[1:]...)
	}
	rs.marks = append(rs.marks, m)
}

// known is the last moment of which a standby has everything that has come to
// a position.
func (rs *replicas) known(position, timeline int64) (at time.Duration, err error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, m := range slices.Backward(rs.marks) {
		switch {
		case m.timeline != timeline:
			return never, fmt.Errorf("the server is on timeline %d and the primary on %d, until its next checkpoint after a failover", timeline, m.timeline)
		case m.position <= position:
			return m.at, nil
		}
	}
	return never, nil
}

// read has a standby answer a query, or nobody: then there are neither rows nor
// an error, and the primary is to be asked.
func (rs *replicas) read(ctx context.Context, sql string, args []any) (db.Rows, error) {
	most := db.StaleOf(ctx)
	if most < leastStale {
		return nil, nil
	}
	first := int(rs.turn.Add(1))
	for i := range rs.list {
		r := rs.list[(first+i)%len(rs.list)]
		if !r.fits(most) {
			continue
		}
		rows, err := r.read(ctx, sql, args)
		if err == nil {
			return rows, nil
		}
		if final(ctx, err) {
			return nil, err
		}
		r.failures.Add(1)
	}
	rs.missed.Add(1)
	return nil, nil
}

// final reports whether the primary would say the same: that the statement
// writes, that nobody waits for it any more, or that it takes too long. About
// all else it may think differently: a standby may not have the table yet.
func final(ctx context.Context, err error) bool {
	if ctx.Err() != nil || errors.Is(err, db.ErrWrites) || errors.Is(err, db.ErrClosed) {
		return true
	}
	said, ok := errors.AsType[*refusal](err)
	return ok && said.pg.Code == codeCanceled && errors.Is(err, fault.ErrUnavailable)
}

func (rs *replicas) stats() (list []db.Replica, missed int64) {
	for _, r := range rs.list {
		s := db.Replica{Server: r.server, Age: -1, Answers: r.answers.Load(), Failures: r.failures.Load()}
		if age, ok := r.age(); ok {
			s.Age = age
		}
		r.mu.Lock()
		s.Err = cmp.Or(r.reason, r.late)
		r.mu.Unlock()
		list = append(list, s)
	}
	return list, rs.missed.Load()
}

// replica is one standby.
type replica struct {
	all    *replicas
	pool   *pool
	watch  *pool // of one connection, which looks
	server string
	told   func(server string, reason error)
	asOf   atomic.Int64 // nanoseconds since all.began

	answers, failures atomic.Int64

	mu     sync.Mutex
	life   context.Context    //nolint:containedctx // of what it is asked: it ends when the standby does
	end    context.CancelFunc // of life; nil while it cannot be used
	reason error              // why not, once that is known
	late   error              // it can be used, and is behind what was asked for
	bound  time.Duration      // that it missed
	calm   int                // how often it was found to keep the bound again, in a row
	same   bool               // it is known to be a copy of the primary, since it was lost last
}

// never stands for a moment that is not known.
const never = -1

// age is how old the standby's state is, at most.
func (r *replica) age() (age time.Duration, ok bool) {
	asOf := r.asOf.Load()
	return time.Since(r.all.began) - time.Duration(asOf), asOf != never
}

// fits reports whether the standby can be used and is young enough.
func (r *replica) fits(most time.Duration) bool {
	age, ok := r.age()
	r.mu.Lock()
	usable, late := r.end != nil, r.late
	r.mu.Unlock()
	switch {
	case !usable || !ok:
		return false
	case age <= most:
		return true
	case late == nil:
		r.behind(most, age)
	}
	return false
}

// read has the standby answer a query. The query ends with the standby, also
// with one that has become silent.
func (r *replica) read(ctx context.Context, sql string, args []any) (db.Rows, error) {
	r.mu.Lock()
	life, reason := r.life, r.reason
	r.mu.Unlock()
	if life == nil {
		return nil, reason
	}
	l, err := r.get(ctx)
	if err != nil {
		return nil, err
	}
	within, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(life, cancel)
	release := func() {
		stop()
		cancel()
		r.pool.put(l)
	}
	rows, err := l.read(within, sql, args)
	if err != nil {
		if l.gone && ctx.Err() == nil {
			r.lost(err)
		}
		release()
		return nil, err
	}
	rows.replica = true
	rows.release = func() {
		if rows.err == nil {
			r.answers.Add(1)
		} else if ctx.Err() == nil {
			r.failures.Add(1)
		}
		release()
	}
	return rows, nil
}

// get takes a connection, if it is to be had soon.
func (r *replica) get(ctx context.Context) (*link, error) {
	within, cancel := context.WithTimeout(ctx, unhurried)
	defer cancel()
	l, err := r.pool.get(within)
	if err != nil && ctx.Err() == nil && !errors.Is(err, db.ErrBusy) && !errors.Is(err, db.ErrClosed) {
		r.lost(err)
	}
	return l, err
}

// look asks the standby how far it is, and whether it is one.
func (r *replica) look(ctx context.Context) {
	var standby bool
	var position, timeline int64
	err := r.watch.ask(ctx, `SELECT pg_is_in_recovery(), CAST(coalesce(pg_last_wal_replay_lsn(), '0/0') - '0/0' AS BIGINT),
		(SELECT CAST(timeline_id AS BIGINT) FROM pg_control_checkpoint())`, &standby, &position, &timeline)
	switch {
	case ctx.Err() != nil:
		return
	case err == nil && !standby:
		err = fmt.Errorf("db/postgres: %w: server %s", errPrimary, r.server)
	case err == nil:
		err = r.compare(ctx)
	}
	var at time.Duration
	if err == nil {
		at, err = r.all.known(position, timeline)
	}
	if err != nil {
		r.lost(err)
		return
	}
	if at != never {
		r.asOf.Store(int64(at))
	}
	r.found()
}

// errStranger means that the standby follows another primary.
var errStranger = errors.New("the server is a copy of another database: name a standby of the one that DATABASE_URL or Config.URL names")

// compare makes sure, once after each outage, that the standby is a copy of the
// primary.
func (r *replica) compare(ctx context.Context) error {
	r.mu.Lock()
	same := r.same
	r.mu.Unlock()
	if same {
		return nil
	}
	const who = `SELECT system_identifier FROM pg_control_system()`
	var here, there int64
	if err := r.watch.ask(ctx, who, &there); err != nil {
		return err
	}
	if err := r.all.primary.ask(ctx, who, &here); err != nil {
		return err
	}
	if here != there {
		return fmt.Errorf("db/postgres: %w: server %s", errStranger, r.server)
	}
	r.mu.Lock()
	r.same = true
	r.mu.Unlock()
	return nil
}

// lost notes that the standby cannot be used, and ends what it was asked.
func (r *replica) lost(reason error) {
	r.mu.Lock()
	first := r.reason == nil
	r.reason, r.late, r.same = reason, nil, false
	r.asOf.Store(never) // it may come back as an older copy
	if r.end != nil {
		r.end()
		r.life, r.end = nil, nil
	}
	r.mu.Unlock()
	if first {
		r.tell(reason)
	}
}

// found notes that the standby works.
func (r *replica) found() {
	const enough = 4 // looks
	age, known := r.age()
	r.mu.Lock()
	back := r.reason != nil
	if r.end == nil {
		r.life, r.end = context.WithCancel(context.Background())
	}
	r.reason = nil
	if r.late != nil {
		if r.calm++; !known || age > r.bound {
			r.calm = 0
		}
		if r.calm >= enough {
			r.late, back = nil, true
		}
	}
	r.mu.Unlock()
	if back {
		r.tell(nil)
	}
}

// behind notes that the standby was too old for a query.
func (r *replica) behind(most, age time.Duration) {
	r.mu.Lock()
	first := r.late == nil && r.reason == nil
	if first {
		r.late = fmt.Errorf("db/postgres: %s behind, and at most %s were asked for: server %s", age.Round(time.Millisecond), most, r.server)
		r.bound, r.calm = most, 0
	}
	reason := r.late
	r.mu.Unlock()
	if first {
		r.tell(reason)
	}
}

func (r *replica) tell(reason error) {
	if r.told != nil {
		r.told(r.server, reason)
	}
}

// ask reads one row of values.
func (p *pool) ask(ctx context.Context, sql string, values ...any) error {
	ctx, cancel := context.WithTimeout(ctx, unhurried)
	defer cancel()
	rows, err := p.read(ctx, sql, nil)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		return cmp.Or(rows.Err(), errors.New("db/postgres: no answer to "+brief(sql)))
	}
	return rows.Scan(values...)
}
