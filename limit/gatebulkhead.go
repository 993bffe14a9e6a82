package limit

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/fault"
)

// A Bulkhead bounds how many calls of one kind run at once, so that a flood of
// them takes a part of the machine and not all of it. As many as may run may
// also wait for a place, in order of arrival and for at most a second; the
// others are refused with [fault.ErrBusy] at once. Safe for concurrent use.
type Bulkhead struct {
	places  chan struct{}
	present atomic.Int64 // running and waiting
	refused atomic.Uint64
}

// NewBulkhead returns a bulkhead with n places, at least one.
func NewBulkhead(n int) *Bulkhead { return &Bulkhead{places: make(chan struct{}, max(n, 1))} }

// patience is how long a call waits for a place. A client that is told sooner
// can do something else.
const patience = time.Second

var errFull error = fault.ErrBusy.Because("As many calls of this operation run already as may. Try again in a moment.")

// Enter takes a place. Its error is [fault.ErrBusy], or that ctx ended while
// waiting. After nil, call [Bulkhead.Leave] exactly once.
func (b *Bulkhead) Enter(ctx context.Context) error {
	if b.present.Add(1) > 2*int64(cap(b.places)) {
		return b.refuse(errFull)
	}
	select {
	case b.places <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case b.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return b.refuse(ctx.Err())
	case <-timer.C:
		return b.refuse(errFull)
	}
}

func (b *Bulkhead) refuse(err error) error {
	b.present.Add(-1)
	b.refused.Add(1)
	return err
}

// Leave gives the place back.
func (b *Bulkhead) Leave() {
	<-b.places
	b.present.Add(-1)
}

// BulkheadStats is a snapshot of a [Bulkhead].
type BulkheadStats struct {
	Running, Waiting int
	Refused          uint64 // since the start
}

// Stats returns a snapshot, for metrics.
func (b *Bulkhead) Stats() BulkheadStats {
	running := len(b.places)
	return BulkheadStats{running, max(0, int(b.present.Load())-running), b.refused.Load()}
}
