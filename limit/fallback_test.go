package limit_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/limit"
	"github.com/ashlar-go/ashlar/limit/limittest"
)

// common is a store that several share, and that falls away.
type common struct {
	*limit.Memory

	away  atomic.Bool
	calls atomic.Int64
}

var errAway = errors.New("away")

func (c *common) Take(ctx context.Context, key limit.Key, rate limit.Rate, n int) (limit.Result, error) {
	c.calls.Add(1)
	if c.away.Load() {
		return limit.Result{}, errAway
	}
	return c.Memory.Take(ctx, key, rate, n)
}

func fallbacks(n int) (*common, []*limit.Fallback, *clock) {
	var c clock
	shared := &common{Memory: limit.NewMemory(limit.MemoryConfig{Now: c.Now})}
	list := make([]*limit.Fallback, n)
	for i := range list {
		list[i] = limit.NewFallback(shared, limit.NewMemory(limit.MemoryConfig{Now: c.Now}))
	}
	return shared, list, &c
}

// A fallback is a store like others, by both of its ways.
func TestFallbackIsAStore(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]bool{"together": false, "alone": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limittest.Run(t, func(testing.TB) (limit.Store, func(time.Duration)) {
				shared, list, c := fallbacks(1)
				shared.away.Store(away)
				return list[0], c.step
			})
		})
	}
}

// P14.12: who has spent a limit does not get it anew when the common store
// falls away, and each instance then grants at most its own.
func TestFallbackGrantsNothingAnew(t *testing.T) {
	t.Parallel()
	shared, list, c := fallbacks(2)
	rate := limit.Per(10, 10*time.Second)
	spent, half := limit.Key{Limit: "l", Who: "spent"}, limit.Key{Limit: "l", Who: "half"}
	for i := range 10 {
		take(t, list[i%2], spent, rate, 1, 9-i)
	}
	for _, f := range list {
		if got, _ := f.Take(t.Context(), spent, rate, 1); got.OK {
			t.Fatalf("an eleventh: %+v", got)
		}
		take(t, f, half, rate, 1, 9)
		if _, err := f.Take(t.Context(), half, rate, -1); err != nil {
			t.Fatal(err)
		}
	}
	shared.away.Store(true)
	for i, f := range list {
		if got, err := f.Take(t.Context(), spent, rate, 1); err != nil || got.OK || got.RetryAfter != time.Second {
			t.Errorf("instance %d, alone, grants what was spent together: %+v, %v", i, got, err)
		}
		take(t, f, half, rate, 10, 0)
		if got, _ := f.Take(t.Context(), half, rate, 1); got.OK {
			t.Errorf("instance %d, alone, grants more than there is", i)
		}
		if got := f.Locals(); got != 3 {
			t.Errorf("instance %d decided %d times alone", i, got)
		}
	}
	c.step(time.Second)
	take(t, list[0], spent, rate, 1, 0)
	shared.away.Store(false)
	take(t, list[1], spent, rate, 1, 0) // the common store heard nothing of the other
	if got := list[1].Locals(); got != 3 {
		t.Errorf("alone %d times although the common store is back", got)
	}
}

// Claims fall back together.
func TestFallbackOfClaims(t *testing.T) {
	t.Parallel()
	shared, list, _ := fallbacks(1)
	rate := limit.Per(2, time.Minute)
	claim := func() (int, []limit.Claim) {
		t.Helper()
		both := []limit.Claim{{Key: limit.Key{Limit: "a"}, Rate: rate, N: 1}, {Key: limit.Key{Limit: "b"}, Rate: limit.Unlimited(), N: 1}, {Key: limit.Key{Limit: "c"}, Rate: rate, N: 1}}
		refused, err := limit.TakeAll(t.Context(), list[0], both)
		if err != nil {
			t.Fatal(err)
		}
		return refused, both
	}
	if refused, got := claim(); refused != -1 || got[2].Result.Remaining != 1 {
		t.Fatalf("got %d, %+v", refused, got)
	}
	shared.away.Store(true)
	if refused, got := claim(); refused != -1 || got[0].Result.Remaining != 0 || got[2].Result.Remaining != 0 {
		t.Errorf("alone: %d, %+v", refused, got)
	}
	if refused, got := claim(); refused != 0 || got[0].Result.OK {
		t.Errorf("alone, a third: %d, %+v", refused, got)
	}
	if got := list[0].Locals(); got != 2 {
		t.Errorf("alone %d times", got)
	}
}

// A store that cannot decide half way has taken nothing from the claims that
// follow, and says so.
func TestTakeAllFails(t *testing.T) {
	t.Parallel()
	shared, _, _ := fallbacks(1)
	shared.away.Store(true)
	list := []limit.Claim{{Rate: limit.Per(1, time.Second), N: 1}, {Rate: limit.Per(1, time.Second), N: 1}}
	if _, err := limit.TakeAll(t.Context(), shared, list); !errors.Is(err, errAway) || shared.calls.Load() != 1 {
		t.Errorf("got %v after %d calls", err, shared.calls.Load())
	}
}
