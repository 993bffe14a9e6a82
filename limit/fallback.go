package limit

import (
	"context"
	"sync/atomic"
	"time"
)

// A Fallback is a [Store] that counts in one which instances have in common as
// long as that one answers, and in the memory of this process while it does
// not. It never fails, and waits only as long as the common store does before
// it says that it cannot decide.
//
// The memory follows each decision of the common store, so a key that has
// spent its units there has spent them here too when the other falls away.
// Meanwhile each instance grants its own: together at most so many times the
// rate. When the common store is back it decides by what it remembers.
type Fallback struct {
	common Store
	local  *Memory
	locals atomic.Uint64
}

// NewFallback returns a store that decides by common, else by local.
func NewFallback(common Store, local *Memory) *Fallback {
	return &Fallback{common: common, local: local}
}

// Locals returns how many decisions were made locally because the common
// store could not make them.
func (f *Fallback) Locals() uint64 { return f.locals.Load() }

// Take implements [Store].
func (f *Fallback) Take(ctx context.Context, key Key, rate Rate, n int) (Result, error) {
	if rate.unlimited {
		return f.local.Take(ctx, key, rate, n)
	}
	r, err := f.common.Take(ctx, key, rate, n)
	if err != nil {
		f.locals.Add(1)
		return f.local.Take(ctx, key, rate, n)
	}
	f.local.follow(key, r.Reset)
	return r, nil
}

// TakeAll implements [Batcher], whether or not the common store does.
func (f *Fallback) TakeAll(ctx context.Context, claims []Claim) (refused int, err error) {
	refused, err = TakeAll(ctx, f.common, claims)
	if err != nil {
		f.locals.Add(1)
		return TakeAll(ctx, f.local, claims)
	}
	for i := range claims {
		// A store leaves zero what it did not decide.
		if c := &claims[i]; !c.Rate.unlimited && c.Result != (Result{}) {
			f.local.follow(c.Key, c.Result.Reset)
		}
	}
	return refused, nil
}

// follow has a key recover when it does in another store.
func (m *Memory) follow(key Key, reset time.Duration) {
	s, h := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := m.clock()
	at, known := s.find(h, now)
	m.put(s, at, known, slot{h, now + int64(reset)}, now)
}
