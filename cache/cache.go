package cache

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// Cache keeps values of many types in one bounded memory; [Of] gives those of
// one type a [View]. Make it with [New]. Safe for concurrent use.
type Cache struct {
	kept    *otter.Cache[uint64, *entry]
	evicted evictions
	tags    *generations
	remote  *tier // nil for none
	journal Journal
	bound   time.Duration
	least   uint32 // weight of an entry
	log     *slog.Logger
	origin  string

	clock func() time.Time // nil for the real one
	start time.Time

	under func(ctx context.Context) context.Context // for loads; nil for the caller's own

	loading  [shards]loading
	renewing chan struct{} // a place for each renewal under way

	writing sync.Mutex
	written uint64              // invalidations of this cache
	own     map[uint64]struct{} // those that are applied here and have not come back from the journal

	naming sync.Mutex
	views  map[string]*kind

	invalidations, resets atomic.Int64
}

func (c *Cache) time() time.Time {
	if c.clock != nil {
		return c.clock()
	}
	return time.Now()
}

// now is the time since the cache was made, in nanoseconds.
func (c *Cache) now() int64 {
	if c.clock != nil {
		return int64(c.clock().Sub(c.start))
	}
	return int64(time.Since(c.start))
}

// An entry is one value, or that there is none. It does not change.
type entry struct {
	of    *kind
	key   string
	value any
	gone  error    // instead of a value
	tags  []uint32 // hashes
	born  uint64   // the turn in which the load began
	asOf  int64    // when it began: the value was right then
	fresh int64    // until when it is simply served
	stale int64    // until when it is served while it is loaded anew
	last  int64    // until when it is served if loading fails

	position int64 // that the journal had told when the load began
	weight   uint32

	renewal atomic.Int64 // when a caller may next have it loaded anew
	excused atomic.Int64 // until when it is served because loading failed
}

// evictions counts what was given up for want of room. It is otter's recorder.
type evictions struct{ n atomic.Int64 }

func (e *evictions) RecordHits(int)                  {}
func (e *evictions) RecordMisses(int)                {}
func (e *evictions) RecordEviction(uint32)           { e.n.Add(1) }
func (e *evictions) RecordLoadSuccess(time.Duration) {}
func (e *evictions) RecordLoadFailure(time.Duration) {}

// late reports whether an entry may have been invalidated elsewhere for longer
// than the bound without our knowing.
func (c *Cache) late(e *entry, now int64) bool {
	return c.journal != nil && len(e.tags) > 0 && now-max(e.asOf, c.tags.asOf.Load()) > int64(c.bound)
}
