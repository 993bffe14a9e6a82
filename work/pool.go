package work

import (
	"container/list"
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/fault"
)

// Config bounds a [Pool].
type Config struct {
	// Slots is how many pieces of work run at once. Zero means half of
	// GOMAXPROCS and at least one.
	Slots int
	// Queue is how many more may wait. Zero means 16 for each slot; negative
	// means that none waits.
	Queue int
	// Now is the clock that work is timed by. Nil means time.Now.
	Now func() time.Time
}

// A Pool runs work on the callers' own goroutines, a bounded number at a time.
// Make it with [New]. Safe for concurrent use.
type Pool struct {
	slots, queue int
	now          func() time.Time

	mu      sync.Mutex
	running int
	waiting list.List // of chan struct{}, the longest waiting first
	stats   Stats

	// What a piece of work takes is the time that all slots were busy, divided
	// by the pieces that were done in it: nobody has to bring a watch.
	busy  time.Duration // since the last piece was done
	since time.Time     // when busy was brought up to date
}

// Stats is a snapshot of a [Pool].
type Stats struct {
	Slots            int
	Running, Waiting int
	Done, Refused    uint64        // since the start
	Typical          time.Duration // what a piece of work took of late
}

// New returns a pool.
func New(c Config) *Pool {
	p := &Pool{slots: c.Slots, queue: c.Queue, now: c.Now}
	if p.slots <= 0 {
		p.slots = max(1, runtime.GOMAXPROCS(0)/2)
	}
	switch {
	case p.queue == 0:
		p.queue = 16 * p.slots
	case p.queue < 0:
		p.queue = 0
	}
	if p.now == nil {
		p.now = time.Now
	}
	return p
}

// Do runs fn in the pool and returns what it returns. Its own errors are
// [fault.ErrBusy], when the queue is full or so long that the deadline of ctx
// would pass first, and the context's, when it ended before a slot was free. fn
// runs on the caller's goroutine and is not interrupted: long work should look
// at ctx now and then.
func Do[T any](ctx context.Context, p *Pool, fn func() (T, error)) (T, error) {
	if err := p.Enter(ctx); err != nil {
		var none T
		return none, err
	}
	defer p.Leave()
	return fn()
}

// Enter waits for a slot, for those who cannot put their work into a function.
// After nil, call [Pool.Leave] exactly once. Its errors are those of [Do].
func (p *Pool) Enter(ctx context.Context) error {
	p.mu.Lock()
	if err := ctx.Err(); err != nil {
		p.mu.Unlock()
		return err
	}
	if p.running < p.slots {
		p.pass()
		p.running++
		p.mu.Unlock()
		return nil
	}
	if err := p.refuse(ctx); err != nil {
		p.mu.Unlock()
		return err
	}
	turn := make(chan struct{})
	place := p.waiting.PushBack(turn)
	p.mu.Unlock()

	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-turn: // given a slot at the same moment: it goes to the next
		p.next()
	default:
		p.waiting.Remove(place)
	}
	return fmt.Errorf("wait for a free processor: %w", ctx.Err())
}

// refuse says whether one more may wait.
func (p *Pool) refuse(ctx context.Context) error {
	ahead := p.waiting.Len()
	wait := p.stats.Typical * time.Duration(ahead/p.slots+1)
	deadline, bounded := ctx.Deadline()
	late := bounded && p.now().Add(wait).After(deadline)
	if ahead < p.queue && !late {
		return nil
	}
	p.stats.Refused++
	return fault.ErrBusy.Because("More is to be computed than there are processors for. Try again later.").After(max(wait, time.Second))
}

// Leave gives a slot back that [Pool.Enter] gave.
func (p *Pool) Leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pass()
	if p.stats.Done == 0 {
		p.stats.Typical = p.busy
	}
	p.stats.Typical += (p.busy - p.stats.Typical) / 8 // a moving average of the last eight or so
	p.busy = 0
	p.stats.Done++
	p.next()
}

// pass counts the time since the last look for the slots that are busy.
func (p *Pool) pass() {
	now := p.now()
	p.busy += time.Duration(p.running) * now.Sub(p.since)
	p.since = now
}

// next hands a slot that was freed to whoever waits the longest.
func (p *Pool) next() {
	first := p.waiting.Front()
	if first == nil {
		p.pass()
		p.running--
		return
	}
	p.waiting.Remove(first)
	if turn, ok := first.Value.(chan struct{}); ok {
		close(turn)
	}
}

// Stats returns a snapshot, for metrics.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Slots, s.Running, s.Waiting = p.slots, p.running, p.waiting.Len()
	return s
}
