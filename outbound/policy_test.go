package outbound_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/outbound"
)

var errBroken = errors.New("broken")

// other is the other side of calls: it fails while it is broken.
type other struct {
	broken atomic.Bool
	calls  atomic.Int64
	at     []time.Time
}

func (o *other) call(context.Context) (string, error) {
	o.calls.Add(1)
	o.at = append(o.at, time.Now())
	if o.broken.Load() {
		return "partial", errBroken
	}
	return "fine", nil
}

func broken() *other {
	o := &other{}
	o.broken.Store(true)
	return o
}

// never is a breaker that takes no part in a test.
var never = outbound.Breaker{Off: true}

func TestCallTriesWhatIsSafeAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := outbound.NewPolicy(outbound.PolicyConfig{Name: "bank"})
		o := broken()
		got, err := outbound.Call(t.Context(), p, o.call)
		failure, ok := errors.AsType[*outbound.Failure](err)
		if !ok || got != "" || !errors.Is(err, errBroken) || !errors.Is(err, outbound.ErrUnreachable) {
			t.Fatalf("got %q, %v", got, err)
		}
		if o.calls.Load() != 3 || failure.Tries != 3 || !failure.Sent || failure.Name != "bank" {
			t.Errorf("%d calls, %+v", o.calls.Load(), failure)
		}
		if text := err.Error(); text != "bank: may have arrived (3 tries): upstream_unreachable: broken" {
			t.Errorf("it says %q", text)
		}
		if first, second := o.at[1].Sub(o.at[0]), o.at[2].Sub(o.at[1]); first > 100*time.Millisecond || second > 200*time.Millisecond {
			t.Errorf("the pauses are %v and %v", first, second)
		}

		o.calls.Store(0)
		if _, err := outbound.Once(t.Context(), p, o.call); err == nil || o.calls.Load() != 1 {
			t.Errorf("what must not be repeated was called %d times: %v", o.calls.Load(), err)
		}
		o.broken.Store(false)
		if got, err := outbound.Call(t.Context(), p, o.call); got != "fine" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// TestPausesGrowAndDiffer holds full jitter: the mean of many pauses is half of
// the longest, and there are short ones.
func TestPausesGrowAndDiffer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := outbound.NewPolicy(outbound.PolicyConfig{
			Timeout: -1, Breaker: never,
			Retry: outbound.Retry{Tries: 6, Wait: time.Second, MaxWait: 4 * time.Second, Budget: 10},
		})
		var sums [5]time.Duration
		shortest := time.Hour
		const rounds = 400
		for range rounds {
			o := broken()
			_, _ = outbound.Call(t.Context(), p, o.call)
			for i := range sums {
				pause := o.at[i+1].Sub(o.at[i])
				sums[i] += pause
				shortest = min(shortest, pause)
			}
		}
		for i, longest := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second, 4 * time.Second} {
			if mean := sums[i] / rounds; mean < longest*4/10 || mean > longest*6/10 {
				t.Errorf("pause %d is %v in the mean, of at most %v", i+1, mean, longest)
			}
		}
		if shortest > 50*time.Millisecond {
			t.Errorf("no pause is shorter than %v", shortest)
		}
	})
}

func TestAnswersAreNotRepeated(t *testing.T) {
	t.Parallel()
	const errDeclined fault.Refused = "declined"
	for name, given := range map[string]error{
		"a fault below 500": errDeclined.Because("No money."),
		"a marked error":    outbound.Answered(errBroken),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := outbound.NewPolicy(outbound.PolicyConfig{Breaker: outbound.Breaker{Minimum: 1}})
			calls := 0
			got, err := outbound.Call(t.Context(), p, func(context.Context) (int, error) { calls++; return 7, given })
			if _, wrapped := errors.AsType[*outbound.Failure](err); wrapped || got != 7 || calls != 1 {
				t.Errorf("got %d, %v after %d calls", got, err, calls)
			}
			if name == "a marked error" && err != errBroken {
				t.Errorf("the mark is still on %v", err)
			}
			if s := p.Stats(); s.Succeeded != 1 || s.State != outbound.Closed {
				t.Errorf("%+v", s)
			}
		})
	}
	if outbound.Answered(nil) != nil {
		t.Error("Answered of nil is an error")
	}
}

// TestErrorsKeepTheirFault: a fault of the function's own stays, and what has
// none is a bad gateway, not an internal error.
func TestErrorsKeepTheirFault(t *testing.T) {
	t.Parallel()
	const errOwn fault.Unavailable = "vault_sealed"
	for want, given := range map[fault.Coded]error{
		errOwn:                  errOwn.Wrap(errBroken),
		outbound.ErrUnreachable: errBroken,
		outbound.ErrSlow:        context.DeadlineExceeded, // of a limit of its own
	} {
		p := outbound.NewPolicy(outbound.PolicyConfig{})
		_, err := outbound.Once(t.Context(), p, func(context.Context) (int, error) { return 0, given })
		if got := fault.ProblemOf(err, "").Code; got != want.Code() {
			t.Errorf("%v is %s, want %s", given, got, want.Code())
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v reads as the caller's own deadline", err)
		}
	}
}

func TestTimeLimits(t *testing.T) {
	t.Parallel()
	hang := func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() }
	for name, c := range map[string]struct {
		cfg   outbound.PolicyConfig
		call  func(context.Context, *outbound.Policy, func(context.Context) (int, error)) (int, error)
		tries int
		took  time.Duration
	}{
		"a try of several gets half":    {outbound.PolicyConfig{}, outbound.Call[int], 2, 10 * time.Second},
		"a single one gets all":         {outbound.PolicyConfig{}, outbound.Once[int], 1, 10 * time.Second},
		"a limit for tries of its own":  {outbound.PolicyConfig{TryTimeout: time.Second}, outbound.Call[int], 3, 3 * time.Second},
		"a limit for all of them":       {outbound.PolicyConfig{Timeout: 1500 * time.Millisecond, TryTimeout: time.Second}, outbound.Call[int], 2, 1500 * time.Millisecond},
		"no limit but that of tries":    {outbound.PolicyConfig{Timeout: -1, TryTimeout: time.Minute}, outbound.Call[int], 3, 3 * time.Minute},
		"no retry that cannot be begun": {outbound.PolicyConfig{Timeout: time.Second, TryTimeout: time.Second}, outbound.Call[int], 1, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c.cfg.Breaker = never
				began := time.Now()
				_, err := c.call(t.Context(), outbound.NewPolicy(c.cfg), hang)
				failure, ok := errors.AsType[*outbound.Failure](err)
				if !ok || !errors.Is(err, outbound.ErrSlow) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
					t.Fatalf("got %v", err)
				}
				if took := time.Since(began); failure.Tries != c.tries || took < c.took || took > c.took+400*time.Millisecond {
					t.Errorf("%d tries in %v, want %d in %v", failure.Tries, took, c.tries, c.took)
				}
			})
		})
	}
}

// TestTheCallersEnd: who gives up is told so by their own context's error, and
// nothing is held against the other side.
func TestTheCallersEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := outbound.NewPolicy(outbound.PolicyConfig{Breaker: outbound.Breaker{Minimum: 1}})
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := outbound.Call(ctx, p, func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, errBroken })
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errBroken) || fault.ProblemOf(err, "").Status != http.StatusGatewayTimeout {
				t.Fatalf("got %v", err)
			}
		}
		if s := p.Stats(); s.State != outbound.Closed || s.Cancelled != 20 || s.Tries != 20 {
			t.Errorf("%+v", s)
		}
		// In the pause between two tries.
		ctx, cancel := context.WithCancel(t.Context())
		p = outbound.NewPolicy(outbound.PolicyConfig{Timeout: -1, Retry: outbound.Retry{Wait: time.Hour, MaxWait: time.Hour}})
		time.AfterFunc(time.Millisecond, cancel)
		o := broken()
		if _, err := outbound.Call(ctx, p, o.call); !errors.Is(err, errBroken) || o.calls.Load() != 1 {
			t.Errorf("got %v after %d calls", err, o.calls.Load())
		}
	})
}

// TestRetriesHaveABudget: when everything fails, retries are a fifth of the
// calls and not twice as many.
func TestRetriesHaveABudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := outbound.NewPolicy(outbound.PolicyConfig{Breaker: never, Bulkhead: outbound.Bulkhead{Calls: -1}})
		var all sync.WaitGroup
		const calls = 2000
		var o other
		o.broken.Store(true)
		for range calls { // for 10 s, 200 a second
			all.Go(func() {
				_, _ = outbound.Call(t.Context(), p, func(context.Context) (int, error) { o.calls.Add(1); return 0, errBroken })
			})
			time.Sleep(5 * time.Millisecond)
		}
		all.Wait()
		retries := o.calls.Load() - calls
		if most := int64(calls*0.2 + 10 + 11); retries > most || retries < calls*0.2-10 {
			t.Errorf("%d retries of %d calls, want a fifth of them, one a second and ten that were saved: at most %d", retries, calls, most)
		}
		if s := p.Stats(); s.Tries != o.calls.Load() || s.Failed != calls || s.Unpaid == 0 {
			t.Errorf("%+v", s)
		}

		// A quiet caller has what one a second gives.
		time.Sleep(10 * time.Second)
		before := o.calls.Load()
		_, _ = outbound.Call(t.Context(), p, func(context.Context) (int, error) { o.calls.Add(1); return 0, errBroken })
		if got := o.calls.Load() - before; got != 3 {
			t.Errorf("after a quiet time there are %d tries, want 3", got)
		}
	})
}

func TestBulkhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := outbound.NewPolicy(outbound.PolicyConfig{
			Name: "bank", Bulkhead: outbound.Bulkhead{Calls: 2, Wait: 100 * time.Millisecond},
		})
		release := make(chan struct{})
		hold := func(context.Context) (int, error) { <-release; return 0, nil }
		var holding sync.WaitGroup
		for range 2 {
			holding.Go(func() { _, _ = outbound.Call(t.Context(), p, hold) })
		}
		synctest.Wait()
		if s := p.Stats(); s.Inside != 2 {
			t.Fatalf("%+v", s)
		}

		// Two wait in vain; a third is refused at once.
		began := time.Now()
		var waiting sync.WaitGroup
		for range 2 {
			waiting.Go(func() {
				_, err := outbound.Call(t.Context(), p, hold)
				failure, _ := errors.AsType[*outbound.Failure](err)
				if !errors.Is(err, outbound.ErrBusy) || failure == nil || failure.Sent || failure.Tries != 0 {
					t.Errorf("got %v", err)
				}
			})
		}
		synctest.Wait()
		if s := p.Stats(); s.Waiting != 2 {
			t.Errorf("%+v", s)
		}
		_, err := outbound.Call(t.Context(), p, hold)
		if problem := fault.ProblemOf(err, ""); problem.Status != http.StatusServiceUnavailable || problem.RetryAfter <= 0 || time.Since(began) != 0 {
			t.Errorf("got %+v after %v", problem, time.Since(began))
		}
		if text := err.Error(); text != "bank: not sent: upstream_busy" {
			t.Errorf("it says %q", text)
		}
		waiting.Wait()
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("they waited for %v", took)
		}

		// One that gives up, and one that gets its turn.
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := outbound.Call(ctx, p, hold); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		time.AfterFunc(50*time.Millisecond, func() { close(release) })
		if _, err := outbound.Call(t.Context(), p, hold); err != nil {
			t.Errorf("got %v", err)
		}
		holding.Wait()
		if s := p.Stats(); s.Inside != 0 || s.Waiting != 0 || s.Busy != 4 || s.Succeeded != 3 {
			t.Errorf("%+v", s)
		}
	})
}

// TestAPanicGivesEverythingBack: the place, and the trial of a breaker.
func TestAPanicGivesEverythingBack(t *testing.T) {
	t.Parallel()
	p := outbound.NewPolicy(outbound.PolicyConfig{Bulkhead: outbound.Bulkhead{Calls: 1, Wait: -1}})
	for range 3 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is gone")
				}
			}()
			_, _ = outbound.Call(t.Context(), p, func(context.Context) (int, error) { panic("boom") })
		}()
	}
	if got, err := outbound.Call(t.Context(), p, new(other).call); got != "fine" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := outbound.NewPolicy(outbound.PolicyConfig{Breaker: outbound.Breaker{Minimum: 3}})
		var heard []outbound.Event
		p.Watch(func(_ context.Context, e outbound.Event) { heard = append(heard, e) })
		o := broken()
		_, _ = outbound.Call(t.Context(), p, o.call) // opens
		_, err := outbound.Call(t.Context(), p, o.call)
		if !errors.Is(err, outbound.ErrOpen) || p.Available() == nil {
			t.Fatalf("got %v", err)
		}
		time.Sleep(5 * time.Second)
		o.broken.Store(false)
		_, _ = outbound.Call(t.Context(), p, o.call) // half open, and closed
		var steps []string
		for _, e := range heard {
			if e.Step == outbound.Moved {
				steps = append(steps, e.State.String())
				continue
			}
			if e.Failed != (e.Err != nil) || e.Failed && e.Tries != 3 {
				t.Errorf("%+v", e)
			}
			steps = append(steps, "call")
		}
		if got := strings.Join(steps, " "); got != "open call half_open closed call" {
			t.Errorf("heard of %s", got)
		}
		if s := p.Stats(); s.Opened != 1 || s.Refused != 1 || s.Calls() != 2 {
			t.Errorf("%+v", s)
		}
	})
}
