package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/outbound"
	"pgregory.net/rapid"
)

// TestBreakerWithItsDefaults holds P14.9: down for twenty calls, then refused
// at once, and closed again within ten seconds of recovery.
func TestBreakerWithItsDefaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := outbound.NewPolicy(outbound.PolicyConfig{Name: "bank"})
		o := broken()
		for range 20 {
			_, _ = outbound.Call(t.Context(), p, o.call)
		}
		calls := o.calls.Load()
		began := time.Now()
		_, err := outbound.Call(t.Context(), p, o.call)
		failure, ok := errors.AsType[*outbound.Failure](err)
		problem := fault.ProblemOf(err, "")
		if !ok || failure.Sent || failure.Tries != 0 || problem.Status != http.StatusServiceUnavailable || problem.RetryAfter <= 0 {
			t.Errorf("got %v, %+v", err, problem)
		}
		if took := time.Since(began); took != 0 || o.calls.Load() != calls {
			t.Errorf("it took %v and %d calls", took, o.calls.Load()-calls)
		}
		if calls > 12 { // the tenth failure opens it
			t.Errorf("it was asked %d times", calls)
		}

		o.broken.Store(false)
		for p.Stats().State != outbound.Closed {
			_, _ = outbound.Call(t.Context(), p, o.call)
			if time.Since(began) > 10*time.Second {
				t.Fatal("still not closed")
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// TestLateNewsDoNotMoveABreaker: what was let through before it opened says
// nothing about a trial after it.
func TestLateNewsDoNotMoveABreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := outbound.NewPolicy(outbound.PolicyConfig{Timeout: -1, Breaker: outbound.Breaker{Minimum: 2, Rest: time.Second}})
		call := func(took time.Duration, err error) {
			_, _ = outbound.Once(t.Context(), p, func(context.Context) (int, error) { time.Sleep(took); return 0, err })
		}
		go call(1500*time.Millisecond, errBroken) // ends in the trial
		go call(3*time.Second, nil)               // ends in the second rest
		call(0, errBroken)
		call(0, errBroken)
		time.Sleep(time.Second)
		go call(time.Second, nil) // the trial
		time.Sleep(750 * time.Millisecond)
		if s := p.Stats().State; s != outbound.HalfOpen {
			t.Errorf("%v, while the trial is under way", s)
		}
		time.Sleep(500 * time.Millisecond)
		if s := p.Stats().State; s != outbound.Closed {
			t.Errorf("%v, after the trial succeeded", s)
		}
		call(0, errBroken)
		call(0, errBroken)
		time.Sleep(900 * time.Millisecond)
		if s := p.Stats(); s.State != outbound.Open || s.Opened != 2 {
			t.Errorf("%+v, after a success that was let through long ago", s)
		}
		time.Sleep(time.Minute)
	})
}

// TestALostTrialDoesNotKeepTheOthersOut: one that never ends.
func TestALostTrialDoesNotKeepTheOthersOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := outbound.NewPolicy(outbound.PolicyConfig{Timeout: -1, Breaker: outbound.Breaker{Minimum: 1, Rest: time.Second}})
		_, _ = outbound.Once(t.Context(), p, broken().call)
		time.Sleep(time.Second)
		lost, end := make(chan struct{}), make(chan struct{})
		go func() {
			_, _ = outbound.Once(t.Context(), p, func(context.Context) (int, error) { <-lost; return 0, nil })
			close(end)
		}()
		synctest.Wait()
		if _, err := outbound.Once(t.Context(), p, new(other).call); !errors.Is(err, outbound.ErrOpen) {
			t.Errorf("a second trial beside the first: %v", err)
		}
		time.Sleep(time.Second)
		if _, err := outbound.Once(t.Context(), p, new(other).call); err != nil || p.Stats().State != outbound.Closed {
			t.Errorf("got %v, %v", err, p.Stats().State)
		}
		close(lost)
		<-end
	})
}

// TestBreakerAgainstAModel: whatever is called and however it ends, nothing
// goes through an open breaker, no more than the trials through one that is
// half open, and it is closed exactly when it should be.
func TestBreakerAgainstAModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		cfg := outbound.Breaker{
			Ratio:   rapid.SampledFrom([]float64{0.1, 0.5, 1}).Draw(r, "ratio"),
			Minimum: rapid.IntRange(1, 5).Draw(r, "minimum"),
			Window:  10 * time.Second, Rest: 3 * time.Second,
			Trials: rapid.IntRange(1, 3).Draw(r, "trials"),
		}
		type step struct {
			fail  bool
			pause time.Duration
		}
		steps := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) step {
			return step{rapid.Bool().Draw(r, "fail"), time.Duration(rapid.SampledFrom([]int{0, 0, 1, 2, 5, 30}).Draw(r, "pause")) * time.Second}
		}), 1, 60).Draw(r, "steps")

		var wrong []string // rapid is told outside of the bubble, so that it can shrink
		synctest.Test(t, func(t *testing.T) {
			p := outbound.NewPolicy(outbound.PolicyConfig{Timeout: -1, Breaker: cfg, Retry: outbound.Retry{Tries: 1}})
			state, since, passed := outbound.Closed, time.Now(), 0
			type seen struct {
				at   time.Time
				fail bool
			}
			var past []seen
			for i, s := range steps {
				time.Sleep(s.pause)
				through := false
				_, _ = outbound.Once(t.Context(), p, func(context.Context) (int, error) {
					through = true
					if s.fail {
						return 0, errBroken
					}
					return 0, nil
				})
				now := time.Now()
				if state == outbound.Open && now.Sub(since) >= cfg.Rest {
					state, passed = outbound.HalfOpen, 0
				}
				if through != (state != outbound.Open) {
					wrong = append(wrong, fmt.Sprintf("step %d: through: %t, while %v", i, through, state))
				}
				switch {
				case state == outbound.HalfOpen && s.fail:
					state, since = outbound.Open, now
				case state == outbound.HalfOpen:
					if passed++; passed == cfg.Trials {
						state, past = outbound.Closed, nil
					}
				case state == outbound.Closed:
					past = append(past, seen{now, s.fail})
					all, failed := 0, 0
					for _, one := range past {
						// Pauses are whole seconds, as the slices of the window are.
						if now.Sub(one.at) < cfg.Window {
							all++
							if one.fail {
								failed++
							}
						}
					}
					if s.fail && all >= cfg.Minimum && float64(failed) >= cfg.Ratio*float64(all) {
						state, since = outbound.Open, now
					}
				}
				if got := p.Stats().State; got != state {
					wrong = append(wrong, fmt.Sprintf("step %d: %v, want %v", i, got, state))
				}
			}
		})
		if wrong != nil {
			r.Fatalf("%+v: %s", cfg, strings.Join(wrong, "; "))
		}
	})
}
