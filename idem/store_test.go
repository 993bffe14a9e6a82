package idem_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/idem"
)

func TestExpiredKeyIsFree(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(b *bench, c *idem.Claim) error{
		"finished":       func(b *bench, c *idem.Claim) error { return b.pay(c, "k", "pay_1") },
		"between phases": func(b *bench, c *idem.Claim) error { return b.reserve(c, "k", "pay_1") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, "")
			b.must(first(b, b.begin(request("k"))))
			b.clock.advance(time.Hour)

			r := request("k")
			r.Fingerprint = [32]byte{1} // not even the content must be the same
			c := b.begin(r)
			if ref, ok := c.Ref(); ok {
				t.Errorf("an expired key resumed at %q", ref)
			}
			b.must(b.pay(c, "k", "pay_2"))
			if got := b.replayed(r).Location; got != "/payments/pay_2" {
				t.Errorf("replayed %s, want the response of the new use", got)
			}
		})
	}
}

func TestExpiredPhaseLeavesNoReference(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	b.must(b.reserve(b.begin(request("k")), "k", "pay_1"))
	b.clock.advance(time.Hour)
	c := b.begin(request("k"))
	b.must(b.inTx(func(tx idem.Conn) error { return c.Take(t.Context(), tx) }))
	b.clock.advance(2 * time.Minute)
	if ref, ok := b.begin(request("k")).Ref(); ok {
		t.Errorf("resumed at %q, a phase of the expired use", ref)
	}
}

func TestZeroTimesMeanTheDefaults(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	r := request("k")
	r.TTL, r.Lease = 0, 0
	b.must(b.reserve(b.begin(r), "k", "pay_1"))
	b.clock.advance(idem.DefaultLease - time.Millisecond)
	b.refused(r, idem.ErrInFlight)
	b.clock.advance(time.Millisecond)
	b.must(b.record(b.begin(r), "k", "pay_1"))
	b.clock.advance(idem.DefaultTTL - time.Millisecond)
	b.replayed(r)
	b.clock.advance(time.Millisecond)
	b.begin(r)
}

func TestKeyOutlivesItsLease(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	r := request("k")
	r.TTL, r.Lease = time.Second, time.Minute
	b.must(b.reserve(b.begin(r), "k", "pay_1"))
	b.clock.advance(30 * time.Second)
	b.refused(r, idem.ErrInFlight)
}

// A run under a clock that was ahead, which died, keeps retries away for no longer
// than its lease; and if it lives, it can't commit beside the retry.
func TestALeaseOfAClockAheadIsOver(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	b.clock.advance(2 * time.Hour)
	first := b.begin(request("k"))
	b.must(b.reserve(first, "k", "pay_1"))
	b.clock.advance(-2 * time.Hour)
	retry := b.begin(request("k"))
	if ref, ok := retry.Ref(); ref != "pay_1" || !ok {
		t.Fatalf("Ref() = %q, %v; want pay_1", ref, ok)
	}
	b.refused(request("k"), idem.ErrInFlight)
	if err := b.record(first, "k", "pay_1"); !errors.Is(err, idem.ErrInFlight) {
		t.Fatalf("the run that lost its lease ended with %v", err)
	}
	b.must(b.record(retry, "k", "pay_1"))
	b.replayed(request("k"))
}

func TestInFlightSaysWhenToRetry(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	b.must(b.reserve(b.begin(request("k")), "k", "pay_1"))
	for _, step := range []struct {
		advance time.Duration
		want    int
	}{
		{0, 5}, // a minute is left, but the first run is most likely about to answer
		{56*time.Second + 500*time.Millisecond, 4}, // 3.5 s are left
		{3*time.Second + 499*time.Millisecond, 1},  // 1 ms is left
	} {
		b.clock.advance(step.advance)
		err := b.refused(request("k"), idem.ErrInFlight)
		var f *fault.Error
		if !errors.As(err, &f) || len(f.Members()) != 1 || f.Members()[0] != (fault.Member{Name: "retry_after", Value: step.want}) {
			t.Errorf("%#v, want retry_after %d", f, step.want)
		}
		if got := fault.ProblemOf(err, "").RetryAfter; got != time.Duration(step.want)*time.Second {
			t.Errorf("Retry-After is %v, want %d s", got, step.want)
		}
	}
}

func TestSweepDeletesExpiredKeysInBatches(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	for i := range 5 {
		key := fmt.Sprintf("old-%d", i)
		b.must(b.pay(b.begin(request(key)), key, "pay_1"))
	}
	b.clock.advance(time.Hour)
	b.must(b.pay(b.begin(request("new")), "new", "pay_1"))
	for _, want := range []int64{3, 2, 0} {
		if n, err := b.store.Sweep(t.Context(), conn{b.db}, 3); n != want || err != nil {
			t.Errorf("Sweep = %d, %v; want %d", n, err, want)
		}
	}
	if n, err := b.store.Sweep(t.Context(), conn{b.db}, 0); n != 0 || err != nil {
		t.Errorf("Sweep with the usual limit = %d, %v", n, err)
	}
	b.replayed(request("new"))
}

func TestErrorsOfTheDatabaseAreReturned(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	c := b.begin(request("k"))
	gone := broken{errors.New("disk full")}
	_, _, begin := b.store.Begin(t.Context(), gone, request("k"))
	_, sweep := b.store.Sweep(t.Context(), gone, 0)
	_, settle := c.Settle(t.Context(), gone, fault.ErrDenied)
	for name, err := range map[string]error{
		"Begin":   begin,
		"Sweep":   sweep,
		"Settle":  settle,
		"Take":    c.Take(t.Context(), gone),
		"Phase":   c.Phase(t.Context(), gone, "ref"),
		"Finish":  c.Finish(t.Context(), gone, created("pay_1")),
		"Release": c.Release(t.Context(), gone),
	} {
		if !errors.Is(err, gone.err) {
			t.Errorf("%s = %v, want the database's error", name, err)
		}
	}
	// A twin may have had the effect that the handler failed for: who asks must
	// not hear that the request was refused, but the log may.
	if errors.Is(settle, fault.ErrDenied) || !strings.Contains(settle.Error(), fault.ErrDenied.Error()) {
		t.Errorf("Settle = %v, want the handler's failure in the text alone", settle)
	}
	if c.Stored() {
		t.Error("Stored() = true after a Finish that failed")
	}
}

// broken is a database that fails.
type broken struct{ err error }

func (b broken) Exec(context.Context, string, ...any) (int64, error)      { return 0, b.err }
func (b broken) Row(context.Context, string, []any, ...any) (bool, error) { return false, b.err }

func TestContextCarriesClaimAndPhase(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	if idem.From(t.Context()) != nil {
		t.Error("a claim from nowhere")
	}
	if _, ok := idem.Resumed(t.Context()); ok {
		t.Error("resumed without a claim")
	}
	if _, ok := idem.Phased(t.Context()); ok {
		t.Error("a phase from nowhere")
	}

	c := b.begin(request("k"))
	ctx := idem.WithClaim(t.Context(), c)
	if idem.From(ctx) != c {
		t.Error("From does not return the claim")
	}
	if _, ok := idem.Resumed(ctx); ok {
		t.Error("a new request is resumed")
	}
	if ref, ok := idem.Phased(idem.Phase(ctx, "pay_1")); ref != "pay_1" || !ok {
		t.Errorf("Phased = %q, %v", ref, ok)
	}

	b.must(b.reserve(c, "k", "pay_1"))
	b.clock.advance(2 * time.Minute)
	if ref, ok := idem.Resumed(idem.WithClaim(t.Context(), b.begin(request("k")))); ref != "pay_1" || !ok {
		t.Errorf("Resumed = %q, %v; want pay_1", ref, ok)
	}
}
