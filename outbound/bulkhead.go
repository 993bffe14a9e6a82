package outbound

import (
	"context"
	"sync/atomic"
	"time"
)

// Bulkhead says how many calls may be under way at once, so that a dependency
// that hangs holds a part of the callers and not all of them.
type Bulkhead struct {
	// Calls is how many. Zero means 64; negative means no limit.
	Calls int
	// Wait is how long a call beyond them waits for its turn; as many as Calls
	// may wait. Zero means 250ms; negative means not at all.
	Wait time.Duration
}

func (b Bulkhead) withDefaults() Bulkhead {
	or(&b.Calls, 64)
	or(&b.Wait, 250*time.Millisecond)
	return b
}

// bulkhead are the places of a [Bulkhead].
type bulkhead struct {
	wait    time.Duration
	places  chan struct{} // nil without a limit
	inside  atomic.Int64
	waiting atomic.Int64
}

func newBulkhead(cfg Bulkhead) *bulkhead {
	b := &bulkhead{wait: cfg.Wait}
	if cfg.Calls > 0 {
		b.places = make(chan struct{}, cfg.Calls)
	}
	return b
}

// enter takes a place and reports whether there was one before patience or ctx
// ended.
func (b *bulkhead) enter(ctx context.Context) bool {
	if b.places != nil && !b.take(ctx) {
		return false
	}
	b.inside.Add(1)
	return true
}

func (b *bulkhead) take(ctx context.Context) bool {
	select {
	case b.places <- struct{}{}:
		return true
	default:
	}
	defer b.waiting.Add(-1)
	if b.waiting.Add(1) > int64(cap(b.places)) || b.wait <= 0 {
		return false
	}
	timer := time.NewTimer(b.wait)
	defer timer.Stop()
	select {
	case b.places <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// leave gives the place back.
func (b *bulkhead) leave() {
	b.inside.Add(-1)
	if b.places != nil {
		<-b.places
	}
}
