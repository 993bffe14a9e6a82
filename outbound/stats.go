package outbound

import (
	"context"
	"sync/atomic"
	"time"
)

// Stats is a snapshot of a [Policy]. Counters grow for as long as it lives.
type Stats struct {
	Succeeded int64 // calls that got an answer, a refusal among them
	Failed    int64 // calls whose last try failed
	Cancelled int64 // calls that their callers gave up
	Tries     int64 // of all calls; what is above the calls are retries
	Unpaid    int64 // retries that the budget did not allow
	Refused   int64 // calls that the breaker refused
	Busy      int64 // calls that found no place in time
	Inside    int   // calls under way
	Waiting   int   // calls that wait for a place
	State     State // of the breaker
	Opened    int64 // times that the breaker opened
}

// Calls is how many calls have ended that were tried at all.
func (s Stats) Calls() int64 { return s.Succeeded + s.Failed + s.Cancelled }

type counts struct {
	ended                     [3]atomic.Int64 // by verdict
	tries, unpaid, open, busy atomic.Int64
}

// Stats returns a snapshot, for metrics.
func (p *Policy) Stats() Stats {
	state, opened, _ := p.breaker.look()
	return Stats{
		Succeeded: p.counts.ended[good].Load(), Failed: p.counts.ended[bad].Load(), Cancelled: p.counts.ended[nothing].Load(),
		Tries: p.counts.tries.Load(), Unpaid: p.counts.unpaid.Load(),
		Refused: p.counts.open.Load(), Busy: p.counts.busy.Load(),
		Inside: int(p.bulkhead.inside.Load()), Waiting: int(p.bulkhead.waiting.Load()),
		State: state, Opened: opened,
	}
}

// Step says what an [Event] tells of.
type Step uint8

// The steps.
const (
	Called Step = iota // a call has ended, with all its tries; one over HTTP, with its body
	Moved              // the breaker has changed its state
)

// Event is a call that has ended, or a breaker that moved.
type Event struct {
	Step   Step
	Took   time.Duration // of the call
	Tries  int           // of the call
	Failed bool          // the other side did; not if it was the caller who gave up
	Err    error         // of the call; nil for an answer of HTTP, whatever its status
	State  State         // of the breaker
}

// Watch has fn told of each step, on the goroutine that took it: the place for
// metrics and for a line in the log, and for nothing slow. Call it before the
// policy is used; several are told in order.
func (p *Policy) Watch(fn func(ctx context.Context, e Event)) { p.watchers = append(p.watchers, fn) }

func (p *Policy) tell(ctx context.Context, e Event) {
	for _, fn := range p.watchers {
		fn(ctx, e)
	}
}

func (p *Policy) moved(ctx context.Context) {
	if len(p.watchers) > 0 {
		state, _, _ := p.breaker.look()
		p.tell(ctx, Event{Step: Moved, State: state})
	}
}
