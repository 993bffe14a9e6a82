package auth

import (
	"sync"
	"time"
)

// cache remembers verified tokens, because a signature costs hundreds of
// times what a lookup does. It never remembers a refusal: those are unbounded.
//
// It holds the tokens themselves and not their hashes. A hash would cost ten
// times the lookup and guard against someone who reads this process's memory,
// where the signing key lies as well. They are found by the end of their
// signature, which is as good as random, and then compared as a whole.
//
// What it remembers is that the signature and the times hold, no more: whether
// the session, the subject's epoch and its role still stand is asked of the
// revocations on each hit. That is what takes the place of a purge on logout
// and change of role, here and on every other instance: a purge would have to
// find the tokens of one subject among all, or throw all out for one.
type cache struct {
	most   int // of a generation, in each shard
	shards [16]shard
}

// shard has two generations: when the young one is full it becomes the old
// one, and the old one goes. That bounds it without a list to keep in order.
type shard struct {
	mu         sync.RWMutex
	young, old map[string]*entry // by the key of their token
	_          [64]byte          // keep the locks of two shards off one cache line
}

type entry struct {
	claims Claims
	keys   *keySet // that it was verified with; with others it is verified anew
	until  time.Time
	token  string
}

func newCache(size int) *cache {
	switch {
	case size < 0:
		return nil
	case size == 0:
		size = 10_000
	}
	c := &cache{}
	c.most = max(1, size/2/len(c.shards))
	for i := range c.shards {
		c.shards[i].young = map[string]*entry{}
	}
	return c
}

// shard picks by the last letters of a signature, which are random. The very
// last holds two bits.
func (c *cache) shard(token string) *shard {
	if len(token) < 2 {
		return &c.shards[0]
	}
	return &c.shards[int(token[len(token)-2])%len(c.shards)]
}

// keyOf is what a token is found by: the last letters of its signature.
func keyOf(token string) string { return token[max(0, len(token)-32):] }

func (c *cache) get(token string, keys *keySet, now time.Time) (Claims, bool) {
	if c == nil || len(token) > maxToken {
		return Claims{}, false
	}
	s, key := c.shard(token), keyOf(token)
	s.mu.RLock()
	e := s.young[key]
	if e == nil {
		e = s.old[key]
	}
	s.mu.RUnlock()
	if e == nil || e.token != token || e.keys != keys || !now.Before(e.until) {
		return Claims{}, false
	}
	return e.claims, true
}

func (c *cache) put(token string, e entry) {
	if c == nil {
		return
	}
	e.token = token
	s := c.shard(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.young) >= c.most {
		s.old, s.young = s.young, make(map[string]*entry, c.most)
	}
	s.young[keyOf(token)] = &e
}

func (c *cache) purge() {
	if c == nil {
		return
	}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.young, s.old = map[string]*entry{}, nil
		s.mu.Unlock()
	}
}
