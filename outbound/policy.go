package outbound

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/fault"
)

// PolicyConfig says how one dependency is called. The zero PolicyConfig is
// bounded in every way.
type PolicyConfig struct {
	// Name is the dependency's, for errors and metrics.
	Name string
	// Timeout bounds a call with all its tries. Zero means 10s; negative means
	// that only the caller's context does.
	Timeout time.Duration
	// TryTimeout bounds one try of several. Zero means half of Timeout, so that
	// a try which hangs leaves time for another; negative means none.
	TryTimeout time.Duration
	Retry      Retry
	Breaker    Breaker
	Bulkhead   Bulkhead
}

// A Policy is how one dependency is called, over whatever protocol: [Call] and
// [Once] call a function by it, and each [Client] has one of its own. Make one
// for each dependency and keep it. Safe for concurrent use.
type Policy struct {
	name                string
	timeout, tryTimeout time.Duration
	retry               Retry
	budget              *budget
	breaker             breaker
	bulkhead            *bulkhead
	watchers            []func(context.Context, Event)
	counts              counts
}

// NewPolicy returns the policy that cfg describes.
func NewPolicy(cfg PolicyConfig) *Policy {
	or(&cfg.Timeout, 10*time.Second)
	or(&cfg.TryTimeout, cfg.Timeout/2)
	retry := cfg.Retry.withDefaults()
	return &Policy{
		name: cfg.Name, timeout: cfg.Timeout, tryTimeout: cfg.TryTimeout,
		retry: retry, budget: newBudget(retry.Budget),
		breaker:  breaker{Breaker: cfg.Breaker.withDefaults()},
		bulkhead: newBulkhead(cfg.Bulkhead.withDefaults()),
	}
}

// Name is the dependency's.
func (p *Policy) Name() string { return p.name }

// Available returns [ErrOpen] while the dependency is left alone, for callers
// who would rather not begin.
func (p *Policy) Available() error {
	if state, _, left := p.breaker.look(); state == Open && left > 0 {
		return p.failure("", 0, false, ErrOpen.After(left))
	}
	return nil
}

// Call calls fn by the policy, and again if it fails: it must be safe to
// repeat. What fn returns is its result, also with an error that is an answer:
// a fault below 500, or what [Answered] marks. Any other error is a
// [*Failure], and one that carries no fault is an [ErrUnreachable].
//
// fn must return when its ctx ends.
func Call[T any](ctx context.Context, p *Policy, fn func(ctx context.Context) (T, error)) (T, error) {
	return call(ctx, p, p.retry.Tries, fn)
}

// Once is [Call] for what must not be repeated.
func Once[T any](ctx context.Context, p *Policy, fn func(ctx context.Context) (T, error)) (T, error) {
	return call(ctx, p, 1, fn)
}

// Answered marks an error as the answer of the other side, which is well: it
// is neither repeated nor held against it. Answered of nil is nil.
func Answered(err error) error {
	if err == nil {
		return nil
	}
	return &answered{err}
}

type answered struct{ err error }

func (a *answered) Error() string { return a.err.Error() }
func (a *answered) Unwrap() error { return a.err }

// isAnswer reports whether err is the other side's word.
func isAnswer(err error) bool {
	if _, ok := errors.AsType[*answered](err); ok {
		return true
	}
	coded, ok := fault.Of(err)
	return ok && coded.Status() < 500
}

func call[T any](ctx context.Context, p *Policy, most int, fn func(context.Context) (T, error)) (out T, err error) {
	ctx, cancel := p.bound(ctx)
	defer cancel()
	c, err := p.enter(ctx, "")
	if err != nil {
		return out, err
	}
	defer c.leave()
	var answer T
	err = c.run(ctx, most, func(ctx context.Context, t *ticket) (o outcome) {
		v := nothing // if fn panics
		defer func() { c.settle(ctx, t, v) }()
		limit := p.tryTimeout
		if most == 1 {
			limit = 0
		}
		tryCtx, cancel := limited(ctx, limit)
		defer cancel()
		o.sent = true
		answer, o.err = fn(tryCtx)
		switch {
		case o.err == nil:
			v = good
		case isAnswer(o.err):
			v, o.answer = good, true
		case ended(ctx):
			o.err = byCaller(ctx, o.err)
		default:
			v, o.again = bad, true
			o.err = meaning(tryCtx, o.err)
		}
		return o
	})
	if c.err != nil {
		return out, err
	}
	return answer, err
}

// limited bounds a ctx, unless limit is none.
func limited(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, limit, errLate)
}

// bound is ctx for a call with all its tries.
func (p *Policy) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return limited(ctx, p.timeout)
}

// errLate is the cause of a context that a time limit of ours ended.
var errLate = errors.New("the time limit of the call passed")

// ended reports whether it was our caller who gave up.
func ended(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return cause != nil && !errors.Is(cause, errLate)
}

// byCaller says that a call ended because its caller's context did.
func byCaller(ctx context.Context, err error) error {
	if errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w: %w", ctx.Err(), err)
}

// meaning gives an error of a call the fault that it stands for.
func meaning(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, errLate):
		return ErrSlow.Wrap(err)
	case context.Cause(ctx) != nil, errors.Is(err, context.DeadlineExceeded):
		// Not in its chain, where it would read as the caller's own end.
		return ErrSlow.Wrap(fmt.Errorf("%w: %v", errLate, err)) //nolint:errorlint // see above
	}
	if _, ok := fault.Of(err); ok {
		return err
	}
	return ErrUnreachable.Wrap(err)
}

// An outcome is how a try ended.
type outcome struct {
	err    error
	answer bool          // err is the other side's word
	again  bool          // another try may end better
	after  time.Duration // as the other side asked
	sent   bool          // it may have got there
}

// A passage is one call on its way: it holds a place of the bulkhead until it
// leaves.
type passage struct {
	policy *Policy
	ctx    context.Context //nolint:containedctx // watchers are told with it when an answer's body ends
	what   string
	began  time.Time
	last   atomic.Uint32 // verdict
	tries  int
	sent   bool
	err    error
	left   atomic.Bool
}

// enter takes a place.
func (p *Policy) enter(ctx context.Context, what string) (*passage, error) {
	if !p.bulkhead.enter(ctx) {
		p.counts.busy.Add(1)
		cause := error(ErrBusy.After(time.Second))
		if ended(ctx) {
			cause = byCaller(ctx, errors.New("it waited for a place"))
		}
		return nil, p.failure(what, 0, false, cause)
	}
	return &passage{policy: p, ctx: ctx, what: what, began: time.Now()}, nil
}

// leave gives the place back and tells how the call ended. Only the first one
// counts.
func (c *passage) leave() {
	if c.left.Swap(true) {
		return
	}
	p := c.policy
	p.bulkhead.leave()
	if c.tries == 0 { // it was refused, which is counted
		return
	}
	p.counts.ended[min(c.last.Load(), uint32(bad))].Add(1)
	p.tell(c.ctx, Event{Step: Called, Took: time.Since(c.began), Tries: c.tries, Failed: verdict(c.last.Load()) == bad, Err: c.err})
}

// settle takes the verdict of a try.
func (c *passage) settle(ctx context.Context, t *ticket, v verdict) {
	first, moved := t.settle(v)
	if first {
		c.last.Store(uint32(v))
	}
	if moved {
		c.policy.moved(ctx)
	}
}

// run tries until it succeeds, there is no point in going on, or no time.
func (c *passage) run(ctx context.Context, most int, try func(context.Context, *ticket) outcome) error {
	p := c.policy
	p.budget.earn()
	var last outcome
	for {
		t, wait, moved := p.breaker.admit()
		if moved {
			p.moved(ctx)
		}
		if t == nil {
			if c.tries == 0 {
				p.counts.open.Add(1)
				last.err = ErrOpen.After(wait)
			}
			break
		}
		c.tries++
		p.counts.tries.Add(1)
		last = try(ctx, t)
		c.sent = c.sent || last.sent
		if !last.again || c.tries >= most || last.after > p.retry.MaxWait {
			break
		}
		pause := p.retry.pause(c.tries, last.after)
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
			break
		}
		if !p.budget.spend() {
			p.counts.unpaid.Add(1)
			break
		}
		if !sleep(ctx, pause) {
			break
		}
	}
	if a, ok := last.err.(*answered); ok { //nolint:errorlint // only what fn itself returned is taken out of its mark
		return a.err
	}
	if last.err == nil || last.answer {
		return last.err
	}
	c.err = p.failure(c.what, c.tries, c.sent, last.err)
	return c.err
}

// sleep reports whether the pause passed before ctx ended.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *Policy) failure(what string, tries int, sent bool, cause error) *Failure {
	return &Failure{Name: p.name, What: what, Tries: tries, Sent: sent, Cause: cause}
}
