package redis

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/limit"
)

// refusals remembers which keys were refused of late. It has so many places,
// and a key that finds its own taken displaces the other, so it is bounded
// whoever calls.
type refusals struct {
	who, limit maphash.Seed
	clock      func() time.Duration // since some moment, always growing
	shards     [16]refusalShard
}

type refusalShard struct {
	mu    sync.Mutex
	slots []refusal // none until a key is refused
}

const refusalSlots = 256 // of a shard

type refusal struct {
	hash   uint64
	at     time.Duration // when it was refused, by the clock
	result limit.Result
}

// trust is how long a refusal is believed at most. What was given back to a
// key elsewhere meanwhile is not known here.
const trust = time.Second

func (r *refusals) open(start time.Time) {
	r.who, r.limit = maphash.MakeSeed(), maphash.MakeSeed()
	r.clock = func() time.Duration { return time.Since(start) }
}

// find returns the refusal of a key as it would be answered now.
func (r *refusals) find(key limit.Key) (limit.Result, bool) {
	shard, h := r.shard(key)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	slot := shard.slot(h)
	if slot == nil {
		return limit.Result{}, false
	}
	since := r.clock() - slot.at
	if since >= min(trust, slot.result.RetryAfter) {
		*slot = refusal{}
		return limit.Result{}, false
	}
	result := slot.result
	result.RetryAfter -= since
	result.Reset -= since
	return result, true
}

func (r *refusals) note(key limit.Key, result limit.Result) {
	shard, h := r.shard(key)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.slots == nil {
		shard.slots = make([]refusal, refusalSlots)
	}
	shard.slots[h%refusalSlots] = refusal{h, r.clock(), result}
}

func (r *refusals) forget(key limit.Key) {
	shard, h := r.shard(key)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if slot := shard.slot(h); slot != nil {
		*slot = refusal{}
	}
}

func (r *refusals) shard(key limit.Key) (*refusalShard, uint64) {
	h := maphash.String(r.who, key.Who) ^ maphash.String(r.limit, key.Limit)
	return &r.shards[h>>60], h
}

// slot returns the place of a key that was refused.
func (s *refusalShard) slot(h uint64) *refusal {
	if s.slots == nil {
		return nil
	}
	if slot := &s.slots[h%refusalSlots]; slot.hash == h && slot.result != (limit.Result{}) {
		return slot
	}
	return nil
}
