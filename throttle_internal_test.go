package ashlar

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/limit"
	"github.com/ashlar-go/ashlar/metric"
)

// throttled is a throttle whose clock is moved by hand.
func throttled(t *testing.T) (*throttle, func(time.Duration)) {
	t.Helper()
	now := time.Unix(1_800_000_000, 0)
	refusals, err := metric.New().Counter("refused_total", "Refused.", "limit")
	if err != nil {
		t.Fatal(err)
	}
	th, err := newThrottle(limit.NewMemory(limit.MemoryConfig{Now: func() time.Time { return now }}), refusals)
	if err != nil {
		t.Fatal(err)
	}
	return th, func(d time.Duration) { now = now.Add(d) }
}

// P6.12: ten failures in a row, then one for every 90 seconds.
func TestThrottleRecovers(t *testing.T) {
	t.Parallel()
	th, wait := throttled(t)
	try := func() error { return th.Try(t.Context(), "ann@b.test", "192.0.2.1") }
	for i := range 10 {
		if err := try(); err != nil {
			t.Fatalf("try %d: %v", i+1, err)
		}
	}
	for range 3 {
		err := try()
		if p := fault.ProblemOf(err, ""); !errors.Is(err, auth.ErrThrottled) || p.Status != 429 || p.RetryAfter != 90*time.Second {
			t.Fatalf("got %v, %+v", err, p)
		}
		wait(89 * time.Second)
		if err := try(); !errors.Is(err, auth.ErrThrottled) {
			t.Fatalf("a second too early: %v", err)
		}
		wait(time.Second)
		if err := try(); err != nil {
			t.Fatalf("in time: %v", err)
		}
	}
	wait(15 * time.Minute)
	for i := range 10 {
		if err := try(); err != nil {
			t.Fatalf("try %d after a pause: %v", i+1, err)
		}
	}
}

// P6.12: a hundred failures a day from one network, whatever the accounts. What
// succeeds or is not even tried does not count.
func TestThrottleOfADay(t *testing.T) {
	t.Parallel()
	th, wait := throttled(t)
	for i := range 100 {
		host := fmt.Sprintf("2001:db8::%x", i+1)
		if err := th.Try(t.Context(), fmt.Sprint(i/10, "@b.test"), host); err != nil {
			t.Fatalf("failure %d: %v", i+1, err)
		}
		if i%10 == 9 {
			if err := th.Try(t.Context(), fmt.Sprint(i/10, "@b.test"), host); !errors.Is(err, auth.ErrThrottled) {
				t.Fatalf("an eleventh for one account: %v", err)
			}
		}
		if i < 99 {
			if err := th.Try(t.Context(), "ann@b.test", host); err != nil {
				t.Fatalf("success after %d: %v", i+1, err)
			}
			th.Succeeded(t.Context(), "ann@b.test", host)
		}
	}
	err := th.Try(t.Context(), "ann@b.test", "2001:db8::ffff")
	if p := fault.ProblemOf(err, ""); !errors.Is(err, auth.ErrThrottled) || p.RetryAfter != 864*time.Second {
		t.Errorf("after a hundred: %v, %v", err, p.RetryAfter)
	}
	if err := th.Try(t.Context(), "ann@b.test", "2001:db8:0:1::1"); err != nil {
		t.Errorf("from another network: %v", err)
	}
	wait(864 * time.Second)
	if err := th.Try(t.Context(), "ann@b.test", "2001:db8::1"); err != nil {
		t.Errorf("one has recovered: %v", err)
	}
}

// What could not be tried for want of capacity does not count.
func TestThrottleSparesTheUntried(t *testing.T) {
	t.Parallel()
	th, _ := throttled(t)
	for i := range 300 {
		if err := th.Try(t.Context(), "ann@b.test", "192.0.2.1"); err != nil {
			t.Fatalf("try %d: %v", i+1, err)
		}
		th.Untried(t.Context(), "ann@b.test", "192.0.2.1")
	}
	for i := range 11 {
		if err := th.Try(t.Context(), "ann@b.test", "192.0.2.1"); (err != nil) != (i == 10) {
			t.Fatalf("try %d: %v", i+1, err)
		}
	}
}
