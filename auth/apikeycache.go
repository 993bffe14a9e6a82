package auth

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/access"
)

// rememberKey is how long a key that was good is remembered.
const rememberKey = time.Minute

// heldKeys remembers keys that were good, by their ids and without their
// secrets: unlike a token a key lives for months, so it is not left lying in
// memory, and its digest is compared each time. See [cache] for how it is
// bounded.
type heldKeys struct {
	most   int // of a generation, in each shard
	shards [16]keyShard
}

type keyShard struct {
	mu         sync.RWMutex
	young, old map[string]*heldKey
	_          [64]byte // keep the locks of two shards off one cache line
}

type heldKey struct {
	id, part string // with its prefix, and without
	digest   [sha256.Size]byte
	owner    Claims // as the database had them
	scope    access.Set
	expires  time.Time // zero: it does not
	until    time.Time
	noted    atomic.Int64 // its last use that was noted, in Unix nanoseconds
}

func newHeldKeys(size int) *heldKeys {
	switch {
	case size < 0:
		return nil
	case size == 0:
		size = 10_000
	}
	h := &heldKeys{}
	h.most = max(1, size/2/len(h.shards))
	for i := range h.shards {
		h.shards[i].young = map[string]*heldKey{}
	}
	return h
}

// shard picks by the last character of an id, which is random.
func (h *heldKeys) shard(part string) *keyShard {
	return &h.shards[int(part[len(part)-1])%len(h.shards)]
}

// get returns a key that is remembered, or nil.
func (h *heldKeys) get(part string, now time.Time) *heldKey {
	if h == nil {
		return nil
	}
	s := h.shard(part)
	s.mu.RLock()
	held := s.young[part]
	if held == nil {
		held = s.old[part]
	}
	s.mu.RUnlock()
	if held == nil || !now.Before(held.until) {
		return nil
	}
	return held
}

func (h *heldKeys) put(part string, held *heldKey) {
	if h == nil {
		return
	}
	s := h.shard(part)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.young) >= h.most {
		s.old, s.young = s.young, make(map[string]*heldKey, h.most)
	}
	s.young[part] = held
}
