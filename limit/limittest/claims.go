package limittest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/limit"
)

func claims(t *testing.T, b bench) {
	few, many := limit.Per(2, time.Minute), limit.Per(5, time.Minute)
	take := func(who ...string) (int, []limit.Claim) {
		t.Helper()
		list := make([]limit.Claim, len(who))
		for i, name := range who {
			list[i] = limit.Claim{Key: limit.Key{Limit: "claims", Who: name}, Rate: many, N: 1}
			if name == "few" {
				list[i].Rate = few
			}
		}
		refused, err := limit.TakeAll(t.Context(), b.store, list)
		if err != nil {
			t.Fatal(err)
		}
		return refused, list
	}
	for left := 1; left >= 0; left-- {
		refused, got := take("a", "few", "b")
		if refused != -1 || got[0].Result.Remaining != left+3 || got[1].Result.Remaining != left || got[2].Result.Remaining != left+3 {
			t.Fatalf("claims that all have enough: %d, %+v", refused, got)
		}
	}
	for range 5 { // whoever knocks at one that is spent does not spend the others
		refused, got := take("a", "few", "b")
		if refused != 1 || got[1].Result.OK || got[1].Result.RetryAfter != 30*time.Second {
			t.Fatalf("claims of which one has not enough: %d, %+v", refused, got)
		}
		for _, i := range []int{0, 2} {
			if r := got[i].Result; r != (limit.Result{}) && (!r.OK || r.Remaining != 3) {
				t.Fatalf("a claim that was not taken: %+v", r)
			}
		}
	}
	if refused, _ := take("a", "b"); refused != -1 {
		t.Errorf("claims were taken although one was refused")
	}
	if refused, got := take("a", "a", "a"); refused != 2 || got[2].Result.OK {
		t.Errorf("three of a key that has two: %d, %+v", refused, got)
	}
	if refused, got := take("a", "a"); refused != -1 || got[1].Result.Remaining != 0 {
		t.Errorf("two of a key that has two: %d, %+v", refused, got)
	}
	if refused, got := take(); refused != -1 || len(got) != 0 {
		t.Errorf("no claims at all: %d, %+v", refused, got)
	}
}

// Those who claim the same keys in another order neither block each other nor
// get more than there is.
func claimsInACrowd(t *testing.T, b bench) {
	const side, tries, there = 16, 25, 99
	wide, narrow := limit.Per(1000, time.Hour), limit.Per(there, time.Hour)
	a, z := limit.Claim{Key: limit.Key{Limit: "crowd", Who: "a"}, Rate: wide, N: 1}, limit.Claim{Key: limit.Key{Limit: "crowd", Who: "z"}, Rate: narrow, N: 1}
	var passed atomic.Int64
	var all sync.WaitGroup
	for i := range side {
		all.Go(func() {
			for range tries {
				list := []limit.Claim{a, z}
				if i%2 == 0 {
					list = []limit.Claim{z, a}
				}
				refused, err := limit.TakeAll(t.Context(), b.store, list)
				if err != nil {
					t.Error(err)
				}
				if refused < 0 {
					passed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if passed.Load() != there {
		t.Errorf("%d of %d passed, not %d", passed.Load(), side*tries, there)
	}
	if got := b.take(t, a.Key, wide, 0); got.Remaining != 1000-there {
		t.Errorf("of 1000, %d are left beside %d that were taken", got.Remaining, there)
	}
}
