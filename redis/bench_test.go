package redis_test

import (
	"context"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/limit"
	"github.com/ashlar-go/ashlar/redis"
)

// What a decision costs: of one limit, of three in one step and one after the
// other, of a key that is known to be refused, and while Redis is away. A
// command is a round trip.
func BenchmarkTake(b *testing.B) {
	url, prefix := backing.Redis(b)
	client := up(b, redis.Config{URL: url, Prefix: prefix})
	limits, rate := client.Limits(), limit.Per(1_000_000_000, time.Second)
	key := limit.Key{Limit: "bench", Who: "one"}
	spent := limit.Key{Limit: "bench", Who: "spent"}
	claims := func() []limit.Claim {
		list := make([]limit.Claim, 3)
		for i := range list {
			list[i] = limit.Claim{Key: limit.Key{Limit: "bench", Who: strconv.Itoa(i)}, Rate: rate, N: 1}
		}
		return list
	}
	ctx := context.Background()
	gone := limit.NewFallback(open(b, redis.Config{URL: "redis://127.0.0.1:1"}).Limits(), limit.NewMemory(limit.MemoryConfig{}))
	for _, c := range []struct {
		name string
		call func() error
	}{
		{"one", func() error { _, err := limits.Take(ctx, key, rate, 1); return err }},
		{"three together", func() error { _, err := limit.TakeAll(ctx, limits, claims()); return err }},
		{"three in turn", func() error {
			for _, c := range claims() {
				if _, err := limits.Take(ctx, c.Key, c.Rate, 1); err != nil {
					return err
				}
			}
			return nil
		}},
		{"refused", func() error { _, err := limits.Take(ctx, spent, limit.Per(1, time.Hour), 1); return err }},
		{"away", func() error { _, err := gone.Take(ctx, key, rate, 1); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			before := client.Stats().Commands
			for b.Loop() {
				if err := c.call(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(client.Stats().Commands-before)/float64(b.N), "commands/op")
		})
	}
	b.Run("in parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if _, err := limits.Take(ctx, key, rate, 1); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// What an open client takes that nobody uses, with subscriptions and without.
func BenchmarkIdle(b *testing.B) {
	url, prefix := backing.Redis(b)
	for _, subscribed := range []bool{false, true} {
		b.Run("subscribed="+strconv.FormatBool(subscribed), func(b *testing.B) {
			const clients = 20
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				list := make([]*redis.Client, clients)
				ctx, cancel := context.WithCancel(b.Context())
				for i := range list {
					list[i] = up(b, redis.Config{URL: url, Prefix: prefix})
					if subscribed {
						heard := make(chan struct{}, 1)
						go func() { _ = list[i].Subscribe(ctx, "idle", func([]byte) { heard <- struct{}{} }) }()
						<-heard
					}
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc+after.StackInuse-before.StackInuse)/clients/1024, "KiB/client")
				cancel()
				for _, c := range list {
					c.Close()
				}
			}
		})
	}
}
