package event

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// Stats is a snapshot of a [Log]. What stands in the database is as old as
// [Log.Run] last looked, at most 10 seconds.
type Stats struct {
	// Of this process, since the start.
	Published int64 // events it committed
	Placed    int64 // events it gave their positions, of any process; on SQLite the insert does that
	Read      int64 // events it read for those who listen
	CatchUps  int64 // pages it read for those who were further behind than its memory
	Dropped   int64 // subscriptions that were too slow
	Failures  int64 // attempts at which a consumer's handler failed
	// Of this process, now.
	Subscribers int
	Recent      int       // events in memory
	Looked      time.Time // it last read what is new for those who listen; zero if nobody ever did
	// In the database.
	Oldest    int64         // position
	Head      int64         // position: as many events were ever published
	Backlog   int64         // committed events without a position
	Waiting   time.Duration // the oldest of them
	Consumers []ConsumerStats
}

// ConsumerStats is a snapshot of one of this process's consumers.
type ConsumerStats struct {
	Name   string
	Here   bool          // this process works on it
	Lag    int64         // events it has still to handle, up to 10 000
	Behind time.Duration // the age of the oldest of them
	Parked int64         // events that were set aside, dead ones included
	Dead   int64         // of them, those that nobody tries again
	Paused bool
	Halted bool // it stands still because of an error
}

// watchEvery is how often the database is asked for what Stats tells.
const watchEvery = 10 * time.Second

// Stats returns a snapshot, for metrics.
func (l *Log) Stats() Stats {
	s := Stats{}
	if seen := l.seen.Load(); seen != nil {
		s = *seen
		s.Consumers = slices.Clone(s.Consumers)
	}
	h := l.hub
	s.Published, s.Placed, s.Failures = l.committed.Load(), l.positions.Load(), l.failures.Load()
	s.Read, s.CatchUps, s.Dropped = h.read.Load(), h.behind.Load(), h.dropped.Load()
	if at := h.looked.Load(); at > 0 {
		s.Looked = time.UnixMilli(at)
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	s.Subscribers, s.Recent = h.members, len(h.recent)
	return s
}

// watch keeps up with the database for Stats, until ctx ends.
func (l *Log) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	failing := false
	for {
		err := l.Refresh(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			l.log.WarnContext(ctx, "the state of events cannot be read for metrics", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Refresh brings up to date what Stats tells of the database. [Log.Run] calls
// it every 10 seconds.
func (l *Log) Refresh(ctx context.Context) error {
	s := Stats{}
	var err error
	if s.Oldest, s.Head, err = l.bounds(ctx, l.db); err != nil {
		return err
	}
	now := time.Now()
	if l.sql.sequenced {
		waiting, err := db.One[struct{ N, At int64 }](ctx, l.db, `SELECT COUNT(*) AS n, COALESCE(MIN(at), 0) AS at FROM ashlar_event_outbox`)
		if err != nil {
			return fmt.Errorf("event: count what has no position: %w", err)
		}
		if s.Backlog = waiting.N; waiting.N > 0 {
			s.Waiting = max(0, now.Sub(time.UnixMilli(waiting.At)))
		}
	}
	l.consuming.mu.Lock()
	here := make([]*runner, 0, len(l.consuming.runners))
	for _, r := range l.consuming.runners {
		here = append(here, r)
	}
	l.consuming.mu.Unlock()
	slices.SortFunc(here, func(a, b *runner) int { return cmp.Compare(a.c.name, b.c.name) })
	if len(here) > 0 {
		states, err := l.Consumers(ctx)
		if err != nil {
			return err
		}
		for _, r := range here {
			i := slices.IndexFunc(states, func(s ConsumerState) bool { return s.Name == r.c.name })
			if i < 0 {
				continue
			}
			c, err := l.lag(ctx, &r.c.filter, states[i], s.Head)
			if err != nil {
				return err
			}
			c.Here = r.until.Load() > now.UnixMilli()
			s.Consumers = append(s.Consumers, c)
		}
	}
	l.seen.Store(&s)
	return nil
}

const (
	// maxLag bounds what is counted of a consumer's lag.
	maxLag = 10_000
	// lagWindow is how far from its position is looked for it: a consumer that
	// is worked on notes its progress every thousand events.
	lagWindow = 2 * maxLag
)

// lag counts what a consumer has still to handle.
func (l *Log) lag(ctx context.Context, f *Filter, state ConsumerState, head int64) (ConsumerStats, error) {
	c := ConsumerStats{
		Name: state.Name, Parked: state.Parked, Dead: state.Dead, Paused: state.Paused, Halted: state.Error != "",
	}
	if state.Position >= head {
		return c, nil
	}
	args := []any{state.Position, state.Position + lagWindow}
	where := f.where(&args)
	args = append(args, int64(maxLag))
	found, err := db.One[struct{ N, At int64 }](ctx, l.db, `
		SELECT COUNT(*) AS n, COALESCE(MIN(at), 0) AS at FROM (
			SELECT at FROM ashlar_event_log WHERE position > $1 AND position <= $2`+where+` ORDER BY position LIMIT $`+strconv.Itoa(len(args))+`) AS waiting`, args...)
	if err != nil {
		return c, fmt.Errorf("event: count what consumer %s has still to handle: %w", state.Name, err)
	}
	if c.Lag = found.N; found.N > 0 {
		c.Behind = max(0, time.Since(time.UnixMilli(found.At)))
	}
	return c, nil
}
