package limit

import (
	"context"
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultMaxKeys is the bound of a [Memory] that sets none; its tables then
// take 32 MiB at most.
const DefaultMaxKeys = 3 << 19

// MemoryConfig says how a [Memory] is made. The zero value is the default.
type MemoryConfig struct {
	// MaxKeys is about how many keys are kept that have not recovered, each in
	// 22 to 43 bytes; zero means [DefaultMaxKeys]. When there are more, those
	// are forgotten that would recover soonest. So nobody is refused for want
	// of room, a flood of new keys pushes out its own, and whoever has spent
	// much, or spent what recovers slowly, is remembered longest.
	MaxKeys int
	// Now is the clock. Nil means the monotonic clock, which nobody can set.
	Now func() time.Time
}

// Memory is the [Store] of one process. It is safe for concurrent use, keeps
// sixteen bytes for a key (a keyed hash of 64 bits and a time) and forgets
// those that have recovered. Two keys that share a hash, one pair among 2⁶⁴,
// share their units.
type Memory struct {
	seed, limits maphash.Seed
	start        time.Time
	now          func() time.Time
	most         int // keys of a shard
	forgotten    atomic.Int64
	shards       [shards]shard
}

const shards = 128

// NewMemory returns an empty Memory.
func NewMemory(c MemoryConfig) *Memory {
	m := &Memory{seed: maphash.MakeSeed(), limits: maphash.MakeSeed(), now: c.Now, start: time.Now()}
	if c.Now != nil {
		m.start = c.Now()
	}
	if c.MaxKeys <= 0 {
		c.MaxKeys = DefaultMaxKeys
	}
	m.most = max(c.MaxKeys/shards, 16)
	return m
}

// Forgotten returns how many keys were forgotten before they had recovered,
// because there were more than MaxKeys.
func (m *Memory) Forgotten() int64 { return m.forgotten.Load() }

// Len returns how many keys are kept that have not recovered.
func (m *Memory) Len() int {
	n := 0
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += s.live(m.clock())
		s.mu.Unlock()
	}
	return n
}

// Take implements [Store]. It never fails.
func (m *Memory) Take(_ context.Context, key Key, rate Rate, n int) (Result, error) {
	if rate.unlimited {
		return Result{OK: true, Remaining: math.MaxInt}, nil
	}
	s, h := m.shard(key)
	s.mu.Lock()
	now := m.clock() // within the lock, or a later decision could see an earlier time
	at, known := s.find(h, now)
	tat := now
	if known {
		tat = s.slots[at].tat
	}
	next, result := rate.decide(now, tat, n)
	m.put(s, at, known, slot{h, next}, now)
	s.mu.Unlock()
	return result, nil
}

// shard returns where a key is kept, and by which hash.
func (m *Memory) shard(key Key) (s *shard, h uint64) {
	h = maphash.String(m.seed, key.Who) ^ maphash.String(m.limits, key.Limit)
	if h == 0 {
		h = 1 // zero marks an empty slot
	}
	return &m.shards[h>>(64-7)], h
}

// put keeps x in the slot that find returned, if it is worth it.
func (m *Memory) put(s *shard, at int, known bool, x slot, now int64) {
	switch {
	case known:
		s.slots[at].tat = x.tat
	case x.tat > now:
		m.insert(s, at, x, now)
	}
}

func (m *Memory) clock() int64 {
	if m.now != nil {
		return int64(m.now().Sub(m.start))
	}
	return int64(time.Since(m.start))
}

// shard is an open hash table with linear probing. A slot whose time has come
// counts as free for the next key that passes by, but its hash stays until
// then, because the probes of others lead over it.
type shard struct {
	mu    sync.Mutex
	slots []slot // a power of two of them, or none
	used  int    // those with a hash
	_     [24]byte
}

type slot struct {
	hash uint64
	tat  int64 // when the key will have recovered, on the Memory's clock
}

// find returns the slot that has the hash, or the one to put it into: -1 in an
// empty table.
func (s *shard) find(h uint64, now int64) (at int, known bool) {
	if len(s.slots) == 0 {
		return -1, false
	}
	mask := uint64(len(s.slots) - 1)
	at = -1
	for i := h & mask; ; i = (i + 1) & mask {
		switch x := &s.slots[i]; {
		case x.hash == h:
			return int(i), true
		case x.hash == 0:
			if at < 0 {
				at = int(i)
			}
			return at, false
		case at < 0 && x.tat <= now:
			at = int(i)
		}
	}
}

// insert puts a key into the slot that find returned, or into a table rebuilt
// for it.
func (m *Memory) insert(s *shard, at int, x slot, now int64) {
	if at >= 0 && s.slots[at].hash != 0 {
		s.slots[at] = x
		return
	}
	if at < 0 || s.used >= min(len(s.slots)/4*3, m.most) {
		m.rebuild(s, now)
		at, _ = s.find(x.hash, now)
	}
	s.slots[at] = x
	s.used++
}

// rebuild drops the keys that have recovered, and those nearest to it if there
// are too many, and gives the rest a table of the right size. There is room
// for an eighth more afterwards, so that rebuilding costs each key little.
func (m *Memory) rebuild(s *shard, now int64) {
	cutoff, live := now, s.live(now)
	if live > m.most/8*7 {
		cutoff = s.quarter(now)
	}
	old := s.slots
	s.slots, s.used = make([]slot, m.size(live)), 0
	for _, x := range old {
		if x.hash == 0 || x.tat <= cutoff {
			continue
		}
		at, _ := s.find(x.hash, math.MinInt64)
		s.slots[at] = x
		s.used++
	}
	if cutoff > now {
		m.forgotten.Add(int64(live - s.used))
	}
}

// size returns the size of a table for so many keys: half empty, unless that
// would be more than the bound needs.
func (m *Memory) size(live int) int {
	return min(ceilPower(max(2*live, 8)), ceilPower(m.most*4/3))
}

func ceilPower(n int) int { return 1 << bits.Len(uint(n-1)) }

func (s *shard) live(now int64) int {
	n := 0
	for i := range s.slots {
		if s.slots[i].hash != 0 && s.slots[i].tat > now {
			n++
		}
	}
	return n
}

// quarter returns the time before which about a quarter of the keys will have
// recovered, judged by some of them.
func (s *shard) quarter(now int64) int64 {
	var sample [256]int64
	some := sample[:0]
	for _, x := range s.slots { // in the order of their hashes, which is none
		if x.hash != 0 && x.tat > now {
			if some = append(some, x.tat); len(some) == len(sample) {
				break
			}
		}
	}
	slices.Sort(some)
	return some[len(some)/4]
}
