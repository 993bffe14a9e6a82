// Package limittest proves that a [limit.Store] counts as all others do: it
// compares the store with a bucket that is filled drop by drop, and drives it
// from many sides at once.
package limittest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/limit"
)

// Run runs the suite. Open returns an empty store whose clock stands still,
// and a function that moves it, back as well if d is negative. The suite moves
// it by whole milliseconds; a store must count in microseconds or finer.
func Run(t *testing.T, open func(testing.TB) (store limit.Store, step func(d time.Duration))) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, bench){
		"counts as the model does":                     model,
		"lets exactly as many pass as there are":       crowd,
		"gives back what was taken and no more":        refund,
		"looks without taking":                         look,
		"keeps keys apart":                             apart,
		"never grants more than there ever is":         tooMany,
		"takes a whole burst to recover":               burst,
		"forgives a clock that is set back":            setBack,
		"clamps what was spent under a looser rate":    tightened,
		"grants everything under an unlimited rate":    unlimited,
		"takes any text for a key, and a long one too": texts,
		"takes claims all or none":                     claims,
		"takes claims of a crowd all or none":          claimsInACrowd,
		"counts by nanoseconds what is quick":          quick,
		"keeps what takes years to recover":            slow,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, step := open(t)
			test(t, bench{store, step})
		})
	}
}

type bench struct {
	store limit.Store
	step  func(time.Duration)
}

type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Context() context.Context
}

func (b bench) take(t tester, key limit.Key, r limit.Rate, n int) limit.Result {
	t.Helper()
	got, err := b.store.Take(t.Context(), key, r, n)
	if err != nil {
		t.Fatalf("take %d of %q: %v", n, key, err)
	}
	return got
}

// A bucket is the model: it holds at most a burst, and time fills it.
type bucket struct {
	rate  limit.Rate
	level time.Duration // what is in it, in the time that it took to get there
}

func (b *bucket) wait(d time.Duration) { b.level = min(b.level+d, b.rate.Window()) }

func (b *bucket) take(n int) limit.Result {
	every := b.rate.Every()
	need := time.Duration(max(n, 1)) * every
	r := limit.Result{OK: n < 0 || b.level >= need}
	switch {
	case n < 0:
		b.level = min(b.level+time.Duration(-n)*every, b.rate.Window())
	case !r.OK && n > b.rate.Most():
		r.RetryAfter = max(b.rate.Window()-b.level, 1)
	case !r.OK:
		r.RetryAfter = need - b.level
	case n > 0:
		b.level -= need
	}
	r.Remaining, r.Reset = int(b.level/every), b.rate.Window()-b.level
	return r
}

func model(t *testing.T, b bench) {
	var runs atomic.Int64
	rates := []limit.Rate{
		limit.Per(1, time.Second), limit.Per(5, time.Minute), limit.Per(100, time.Second),
		limit.Per(10, time.Second).Burst(3), limit.Per(1, time.Hour).Burst(20),
	}
	rapid.Check(t, func(rt *rapid.T) {
		run := runs.Add(1)
		buckets, keys := make([]bucket, len(rates)), make([]limit.Key, len(rates))
		for i, r := range rates {
			buckets[i] = bucket{r, r.Window()}
			keys[i] = limit.Key{Limit: fmt.Sprint("model ", i), Who: fmt.Sprint("run ", run)}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"take": func(rt *rapid.T) {
				i := rapid.IntRange(0, len(rates)-1).Draw(rt, "key")
				n := rapid.IntRange(-3, rates[i].Most()+1).Draw(rt, "n")
				got, want := b.take(rt, keys[i], rates[i], n), buckets[i].take(n)
				if got.RetryAfter > 0 && n > rates[i].Most() {
					got.RetryAfter, want.RetryAfter = 1, 1 // as long as it says to wait
				}
				if got != want {
					rt.Fatalf("take %d at %v: got %+v, the model %+v", n, rates[i], got, want)
				}
			},
			"wait": func(rt *rapid.T) {
				d := time.Duration(rapid.IntRange(1, 20_000).Draw(rt, "ms")) * time.Millisecond
				b.step(d)
				for i := range buckets {
					buckets[i].wait(d)
				}
			},
		})
	})
}

func crowd(t *testing.T, b bench) {
	const side, tries, there = 16, 50, 333
	rate := limit.Per(there, time.Hour)
	var passed atomic.Int64
	var all sync.WaitGroup
	for range side {
		all.Go(func() {
			for range tries {
				got, err := b.store.Take(t.Context(), limit.Key{Limit: "crowd", Who: "one"}, rate, 1)
				if err != nil {
					t.Error(err)
				}
				if got.OK {
					passed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if passed.Load() != there {
		t.Errorf("%d of %d passed, not %d", passed.Load(), side*tries, there)
	}
}

func refund(t *testing.T, b bench) {
	key, rate := limit.Key{Limit: "refund", Who: "one"}, limit.Per(5, time.Minute)
	for range 5 {
		b.take(t, key, rate, 1)
	}
	if got := b.take(t, key, rate, -2); !got.OK || got.Remaining != 2 {
		t.Errorf("after two of five were given back: %+v", got)
	}
	if got := b.take(t, key, rate, 3); got.OK {
		t.Errorf("took three of two: %+v", got)
	}
	if got := b.take(t, key, rate, 2); !got.OK || got.Remaining != 0 {
		t.Errorf("took two of two: %+v", got)
	}
	if got := b.take(t, key, rate, -1<<62); !got.OK || got.Remaining != 5 || got.Reset != 0 {
		t.Errorf("after everything was given back: %+v", got)
	}
	if got := b.take(t, key, rate, 5); !got.OK {
		t.Errorf("a full key has five: %+v", got)
	}
	if got := b.take(t, key, rate, 1); got.OK {
		t.Errorf("more was given back than there is: %+v", got)
	}
}

func look(t *testing.T, b bench) {
	key, rate := limit.Key{Limit: "look", Who: "one"}, limit.Per(2, time.Minute)
	for range 10 {
		if got := b.take(t, key, rate, 0); !got.OK || got.Remaining != 2 {
			t.Fatalf("a look at a fresh key: %+v", got)
		}
	}
	b.take(t, key, rate, 2)
	if got := b.take(t, key, rate, 0); got.OK || got.RetryAfter != 30*time.Second {
		t.Errorf("a look at a spent key: %+v", got)
	}
	b.step(30 * time.Second)
	if got := b.take(t, key, rate, 0); !got.OK || got.Remaining != 1 {
		t.Errorf("a look after one has recovered: %+v", got)
	}
}

func apart(t *testing.T, b bench) {
	rate := limit.Per(1, time.Minute)
	for _, pair := range [][2]string{{"a", "bc"}, {"ab", "c"}, {"abc", ""}, {"", "abc"}, {"a", "bc "}, {"bc", "a"}, {"a:", "bc"}, {"a", ":bc"}} {
		key := limit.Key{Limit: pair[0], Who: pair[1]}
		if got := b.take(t, key, rate, 1); !got.OK {
			t.Errorf("%q shares with another key: %+v", key, got)
		}
		if got := b.take(t, key, rate, 1); got.OK {
			t.Errorf("%q was granted twice: %+v", key, got)
		}
	}
}

func tooMany(t *testing.T, b bench) {
	key, rate := limit.Key{Limit: "many", Who: "one"}, limit.Per(5, time.Minute)
	for _, n := range []int{6, 1 << 30, 1<<63 - 1} {
		if got := b.take(t, key, rate, n); got.OK || got.Remaining != 5 || got.RetryAfter <= 0 {
			t.Errorf("took %d of five: %+v", n, got)
		}
	}
}

func burst(t *testing.T, b bench) {
	key, rate := limit.Key{Limit: "burst", Who: "one"}, limit.Per(10, time.Second).Burst(30)
	if got := b.take(t, key, rate, 30); !got.OK || got.Remaining != 0 || got.Reset != 3*time.Second {
		t.Fatalf("took all: %+v", got)
	}
	for i := range 30 {
		if got := b.take(t, key, rate, 1); got.OK || got.RetryAfter != 100*time.Millisecond {
			t.Fatalf("%d: nothing has recovered: %+v", i, got)
		}
		b.step(99 * time.Millisecond)
		if got := b.take(t, key, rate, 1); got.OK || got.RetryAfter != time.Millisecond {
			t.Fatalf("%d: a unit came early: %+v", i, got)
		}
		b.step(time.Millisecond)
		if got := b.take(t, key, rate, 1); !got.OK {
			t.Fatalf("%d: a unit came late: %+v", i, got)
		}
	}
	b.step(3 * time.Second)
	if got := b.take(t, key, rate, 30); !got.OK {
		t.Errorf("all have recovered: %+v", got)
	}
}

func setBack(t *testing.T, b bench) {
	key, rate := limit.Key{Limit: "back", Who: "one"}, limit.Per(5, time.Minute)
	b.take(t, key, rate, 5)
	b.step(-24 * time.Hour)
	if got := b.take(t, key, rate, 1); got.OK || got.RetryAfter != 12*time.Second {
		t.Errorf("a clock that is set back costs a burst at most: %+v", got)
	}
	b.step(12 * time.Second)
	if got := b.take(t, key, rate, 1); !got.OK {
		t.Errorf("a clock that was set back shuts a key out: %+v", got)
	}
	other := limit.Key{Limit: "forth", Who: "one"}
	b.take(t, other, rate, 5)
	b.step(48 * time.Hour)
	if got := b.take(t, other, rate, 5); !got.OK {
		t.Errorf("a clock that is set on recovers everything: %+v", got)
	}
}

func tightened(t *testing.T, b bench) {
	key, loose, tight := limit.Key{Limit: "tight", Who: "one"}, limit.Per(1, time.Hour), limit.Per(10, time.Second)
	b.take(t, key, loose, 1)
	if got := b.take(t, key, tight, 1); got.OK || got.RetryAfter != 100*time.Millisecond {
		t.Errorf("spent under another rate: %+v", got)
	}
}

func unlimited(t *testing.T, b bench) {
	for range 100 {
		if got := b.take(t, limit.Key{Limit: "off", Who: "one"}, limit.Unlimited(), 1<<40); !got.OK || got.RetryAfter != 0 {
			t.Fatalf("refused: %+v", got)
		}
	}
}

func texts(t *testing.T, b bench) {
	rate := limit.Per(1, time.Minute)
	long := strings.Repeat("a", 10_000)
	for _, who := range []string{"", " ", "\x00", "\x00\x00", "{a}", "*", "é", "\xff", long, long + "b"} {
		key := limit.Key{Limit: "texts", Who: who}
		if got := b.take(t, key, rate, 1); !got.OK {
			t.Errorf("%.20q shares with another key: %+v", who, got)
		}
		if got := b.take(t, key, rate, 1); got.OK {
			t.Errorf("%.20q was granted twice: %+v", who, got)
		}
	}
}

// quick is a rate beyond a million a second.
func quick(t *testing.T, b bench) {
	key, rate := limit.Key{Limit: "quick", Who: "one"}, limit.Per(3_000_000, time.Second).Burst(9000)
	for i := range 9 {
		if got := b.take(t, key, rate, 1000); !got.OK || got.Remaining != 8000-1000*i || got.Reset != time.Duration(334_000*(i+1)) {
			t.Fatalf("%d: a thousand of nine: %+v", i, got)
		}
	}
	if got := b.take(t, key, rate, 1); got.OK || got.RetryAfter != 334 {
		t.Errorf("nothing is left: %+v", got)
	}
	b.step(time.Millisecond)
	if got := b.take(t, key, rate, 2994); !got.OK || got.Remaining != 0 || got.Reset != 3_006_000-1_000_000+2994*334 {
		t.Errorf("what recovers in a millisecond: %+v", got)
	}
}

func slow(t *testing.T, b bench) {
	const year = 365 * 24 * time.Hour
	key, rate := limit.Key{Limit: "slow", Who: "one"}, limit.Per(2, 30*year)
	for left := 1; left >= 0; left-- {
		if got := b.take(t, key, rate, 1); !got.OK || got.Remaining != left {
			t.Fatalf("one of two in thirty years: %+v", got)
		}
	}
	b.step(14 * year)
	if got := b.take(t, key, rate, 1); got.OK || got.RetryAfter < year-time.Second || got.RetryAfter > year+time.Second {
		t.Errorf("after fourteen years: %+v", got)
	}
	b.step(year + time.Second)
	if got := b.take(t, key, rate, 1); !got.OK {
		t.Errorf("after fifteen years: %+v", got)
	}
}
