package limit_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/limit"
	"github.com/ashlar-go/ashlar/limit/limittest"
)

// clock is a clock that stands still until it is moved.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Time       { return time.Unix(1_800_000_000, c.now.Load()) }
func (c *clock) step(d time.Duration) { c.now.Add(int64(d)) }

func TestMemoryIsAStore(t *testing.T) {
	t.Parallel()
	limittest.Run(t, func(testing.TB) (limit.Store, func(time.Duration)) {
		var c clock
		return limit.NewMemory(limit.MemoryConfig{Now: c.Now}), c.step
	})
}

// The tables are small enough here that every operation meets a crowded one.
func TestMemoryRebuilds(t *testing.T) {
	t.Parallel()
	var c clock
	m, rate := limit.NewMemory(limit.MemoryConfig{Now: c.Now}), limit.Per(3, 3*time.Second)
	const keys, rounds = 20_000, 4
	for round := range rounds {
		for i := range keys {
			take(t, m, who(i), rate, 1, 2)
			take(t, m, who(i), rate, 2, 0)
		}
		if n := m.Len(); n != keys {
			t.Errorf("round %d: %d keys are kept, not %d", round, n, keys)
		}
		for i := range keys {
			if got, _ := m.Take(t.Context(), who(i), rate, 1); got.OK {
				t.Fatalf("round %d: key %d was forgotten", round, i)
			}
		}
		c.step(3 * time.Second)
		if n := m.Len(); n != 0 {
			t.Errorf("round %d: %d keys have not recovered", round, n)
		}
	}
	if n := m.Forgotten(); n != 0 {
		t.Errorf("%d keys were forgotten below the bound", n)
	}
}

// A flood beyond the bound pushes out its own keys, not those who have spent
// much, and the table grows no further.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	var c clock
	const most = 1 << 14
	m := limit.NewMemory(limit.MemoryConfig{Now: c.Now, MaxKeys: most})
	rate, spender := limit.Per(10, 10*time.Second), limit.Key{Limit: "spender", Who: "one"}
	take(t, m, spender, rate, 10, 0)
	for i := range 10 * most {
		if got, _ := m.Take(t.Context(), who(i), rate, 1); !got.OK {
			t.Fatalf("key %d was refused for want of room: %+v", i, got)
		}
	}
	if n := m.Len(); n > most {
		t.Errorf("%d keys are kept, more than %d", n, most)
	}
	if m.Forgotten() < 8*most {
		t.Errorf("only %d keys were forgotten", m.Forgotten())
	}
	if got, _ := m.Take(t.Context(), spender, rate, 1); got.OK {
		t.Errorf("the one who had spent everything was forgotten")
	}
	c.step(10 * time.Second)
	for i := range most {
		take(t, m, limit.Key{Limit: "later", Who: fmt.Sprint(i)}, rate, 1, 9)
	}
}

// Exactly as many pass as there are while other keys make the tables grow.
func TestMemoryCountsInACrowd(t *testing.T) {
	t.Parallel()
	var c clock
	m, rate := limit.NewMemory(limit.MemoryConfig{Now: c.Now}), limit.Per(100, time.Hour)
	var passed [20]atomic.Int64
	var all sync.WaitGroup
	for side := range 8 {
		all.Go(func() {
			for i := range 40 * len(passed) {
				if got, _ := m.Take(t.Context(), who(i%len(passed)), rate, 1); got.OK {
					passed[i%len(passed)].Add(1)
				}
				_, _ = m.Take(t.Context(), limit.Key{Limit: "noise", Who: fmt.Sprint(side, i)}, rate, 1)
			}
		})
	}
	all.Wait()
	for i := range passed {
		if n := passed[i].Load(); n != 100 {
			t.Errorf("key %d: %d passed, not 100", i, n)
		}
	}
}

func take(t *testing.T, s limit.Store, key limit.Key, rate limit.Rate, n, left int) {
	t.Helper()
	if got, err := s.Take(t.Context(), key, rate, n); err != nil || !got.OK || got.Remaining != left {
		t.Fatalf("take %d of %q: %+v, %v; want %d left", n, key, got, err, left)
	}
}

func who(i int) limit.Key { return limit.Key{Limit: "test", Who: fmt.Sprint(i)} }

func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("usr_%020d", i)
	}
	return list
}

// What one decision costs: with one key, with a million of which a thousand
// ask, and with a million that ask in turn, each of which is far from the cache.
func BenchmarkTake(b *testing.B) {
	for _, c := range []struct{ keys, asking int }{{1, 1}, {1_000_000, 1000}, {1_000_000, 1_000_000}} {
		b.Run(fmt.Sprintf("keys=%d/asking=%d", c.keys, c.asking), func(b *testing.B) {
			m, list := limit.NewMemory(limit.MemoryConfig{}), names(c.keys)
			l, err := limit.New(m, "principal", limit.Per(10, time.Hour).Burst(1_000_000))
			if err != nil {
				b.Fatal(err)
			}
			for _, name := range list {
				_, _ = l.Take(context.Background(), name)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				_, _ = l.Take(context.Background(), list[i])
				if i++; i == c.asking {
					i = 0
				}
			}
		})
	}
}

func BenchmarkTakeParallel(b *testing.B) {
	m, list := limit.NewMemory(limit.MemoryConfig{}), names(1000)
	l, err := limit.New(m, "principal", limit.Per(10, time.Hour).Burst(1_000_000))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i++ {
			_, _ = l.Take(context.Background(), list[i%len(list)])
		}
	})
}

// What a million live keys take, and what the slowest of the decisions that
// made them did.
func BenchmarkMillionKeys(b *testing.B) {
	list := names(1_000_000)
	rate := limit.Per(10, time.Hour)
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		m := limit.NewMemory(limit.MemoryConfig{})
		var slowest time.Duration
		for _, name := range list {
			began := time.Now()
			_, _ = m.Take(context.Background(), limit.Key{Limit: "principal", Who: name}, rate, 1)
			slowest = max(slowest, time.Since(began))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if n := m.Len(); n != len(list) {
			b.Fatalf("%d keys are kept", n)
		}
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(list)), "bytes/key")
		b.ReportMetric(float64(slowest.Microseconds()), "slowest-µs")
		runtime.KeepAlive(m)
	}
}
