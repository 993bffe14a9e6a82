package cache_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

const benchKeys = 10_000

// What a hit costs beside a map with a lock whose values have a time, which is
// what a program without a cache would write.
func BenchmarkHit(b *testing.B) {
	keys := make([]string, benchKeys)
	for i := range keys {
		keys[i] = "pay_" + strconv.Itoa(i)
	}
	load := func(ctx context.Context) (payment, error) { return payment{ID: "pay"}, nil }
	tagged := func(ctx context.Context) (payment, error) {
		cache.Tag(ctx, "payment/1", "merchant/1")
		return load(ctx)
	}
	j := newJournal()
	for name, bench := range map[string]struct {
		cfg  cache.Config
		load func(context.Context) (payment, error)
	}{
		"plain": {cache.Config{}, load}, "tags": {cache.Config{Journal: j, Bound: time.Hour}, tagged},
	} {
		v := view(b, open(b, bench.cfg), cache.Rules[payment]{TTL: time.Hour})
		for _, key := range keys {
			v.Get(b.Context(), key, bench.load)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				ctx, i := context.Background(), 0
				for pb.Next() {
					i = (i + 7919) % benchKeys
					if p, _ := v.Get(ctx, keys[i], bench.load); p.ID == "" {
						b.Error("no value")
					}
				}
			})
		})
	}
	m := &byHand{values: map[string]dated{}}
	for _, key := range keys {
		m.set(key, payment{ID: "pay"}, time.Hour)
	}
	b.Run("map", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			i := 0
			for pb.Next() {
				i = (i + 7919) % benchKeys
				if p, ok := m.get(keys[i]); !ok || p.ID == "" {
					b.Error("no value")
				}
			}
		})
	})
}

// byHand is a map with a lock.
type byHand struct {
	mu     sync.RWMutex
	values map[string]dated
}

type dated struct {
	value payment
	until time.Time
}

func (m *byHand) get(key string) (payment, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	d, ok := m.values[key]
	return d.value, ok && time.Now().Before(d.until)
}

func (m *byHand) set(key string, value payment, ttl time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = dated{value, time.Now().Add(ttl)}
}

// The budget of a hit in the process is 0.05 ms for all but one in a hundred.
func BenchmarkHitPercentiles(b *testing.B) {
	v := view(b, open(b, cache.Config{}), cache.Rules[payment]{TTL: time.Hour})
	load := func(context.Context) (payment, error) { return payment{ID: "pay"}, nil }
	for i := range benchKeys {
		v.Get(b.Context(), fmt.Sprint(i), load)
	}
	took := make([]time.Duration, 0, b.N)
	ctx, i := b.Context(), 0
	for b.Loop() {
		i = (i + 7919) % benchKeys
		key := strconv.Itoa(i)
		began := time.Now()
		v.Get(ctx, key, load)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	for name, at := range map[string]int{"p50-ns": 50, "p99-ns": 99} {
		b.ReportMetric(float64(took[(len(took)-1)*at/100]), name)
	}
	b.ReportMetric(float64(took[(len(took)-1)*999/1000]), "p99.9-ns")
}

// What a miss costs beside the load itself.
func BenchmarkMiss(b *testing.B) {
	v := view(b, open(b, cache.Config{}), cache.Rules[payment]{TTL: time.Hour})
	load := func(context.Context) (payment, error) { return payment{ID: "pay"}, nil }
	b.ReportAllocs()
	ctx, i := b.Context(), 0
	for b.Loop() {
		i++
		v.Get(ctx, strconv.Itoa(i), load)
	}
}
