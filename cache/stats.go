package cache

import (
	"errors"
	"sync/atomic"
	"time"
)

// Stats is a snapshot of a cache, or of one of its views. Counters grow for as
// long as the cache lives.
type Stats struct {
	Hits     int64 // served while fresh; so was that there is none
	Stale    int64 // served while it was loaded anew
	Excused  int64 // served because loading failed
	Misses   int64 // had to wait for a load
	Late     int64 // of Misses: kept, but the journal was silent for too long
	Loads    int64 // calls of a load function
	Failures int64 // of Loads: those that failed or panicked
	Unkept   int64 // values that could not be kept because of their tags

	RemoteHits    int64
	RemoteMisses  int64 // what was there and could not be used is one
	RemoteErrors  int64 // calls that failed
	RemoteSkipped int64 // calls that were not made, after failures
	Unsent        int64 // values that are too large for the remote tier, or could not be encoded

	// Of the cache as a whole; zero in the Stats of a View.
	Entries       int
	Bytes         int64 // an estimate
	MaxBytes      int64
	Evictions     int64         // values given up for want of room
	Invalidations int64         // of this process and of others
	Resets        int64         // times that everything was dropped, as something may have been missed
	Behind        time.Duration // since what was committed elsewhere is known for certain
}

// counts are those of a view.
type counts struct {
	_             [64]byte // hits are on a cache line of their own
	hits          atomic.Int64
	_             [56]byte
	stale         atomic.Int64
	excused       atomic.Int64
	misses        atomic.Int64
	late          atomic.Int64
	loads         atomic.Int64
	failures      atomic.Int64
	unkept        atomic.Int64
	remoteHits    atomic.Int64
	remoteMisses  atomic.Int64
	remoteErrors  atomic.Int64
	remoteSkipped atomic.Int64
	unsent        atomic.Int64
}

func (c *counts) remoteFailed(err error) {
	if errors.Is(err, errShut) {
		c.remoteSkipped.Add(1)
		return
	}
	c.remoteErrors.Add(1)
}

func (c *counts) addTo(s *Stats) {
	for to, from := range map[*int64]*atomic.Int64{
		&s.Hits: &c.hits, &s.Stale: &c.stale, &s.Excused: &c.excused, &s.Misses: &c.misses, &s.Late: &c.late,
		&s.Loads: &c.loads, &s.Failures: &c.failures, &s.Unkept: &c.unkept,
		&s.RemoteHits: &c.remoteHits, &s.RemoteMisses: &c.remoteMisses, &s.RemoteErrors: &c.remoteErrors,
		&s.RemoteSkipped: &c.remoteSkipped, &s.Unsent: &c.unsent,
	} {
		*to += from.Load()
	}
}

// Stats is a snapshot of what happened to this view.
func (v *View[T]) Stats() Stats {
	var s Stats
	v.kind.counts.addTo(&s)
	return s
}

// Stats is a snapshot of what happened to all views together.
func (c *Cache) Stats() Stats {
	s := Stats{
		Entries: c.kept.EstimatedSize(), Bytes: int64(c.kept.WeightedSize()), MaxBytes: int64(c.kept.GetMaximum()),
		Evictions: c.evicted.n.Load(), Invalidations: c.invalidations.Load(), Resets: c.resets.Load(),
	}
	if c.journal != nil {
		s.Behind = time.Duration(c.now() - c.tags.asOf.Load())
	}
	c.naming.Lock()
	defer c.naming.Unlock()
	for _, k := range c.views {
		k.counts.addTo(&s)
	}
	return s
}
