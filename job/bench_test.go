package job_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/job"
)

// BenchmarkJobs runs jobs that do nothing, through the whole of their life: one
// after another, as a loop that takes a job, runs it and ends it would, and by
// workers whose claims and endings share transactions.
func BenchmarkJobs(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *db.DB{"sqlite": openSQLite, "postgres": openPostgres} {
		for shape, workers := range map[string]int{"one at a time": 1, "64 at once": 64} {
			b.Run(name+"/"+shape, func(b *testing.B) {
				k := newKit(b, open(b))
				var left atomic.Int64
				done := make(chan bool)
				r := k.runner(func(c *job.Config) { c.Now, c.Workers, c.Log = nil, workers, nil }, job.On(settle, func(context.Context, payment) error {
					if left.Add(-1) == 0 {
						close(done)
					}
					return nil
				}, job.Concurrency(workers)))
				left.Store(int64(b.N))
				fill(k, b.N)
				b.ResetTimer()
				began := time.Now()
				stop := k.start(r)
				<-done
				stop()
				b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "jobs/s")
			})
		}
	}
}

func fill(k *kit, n int, options ...job.AddOption) {
	for n > 0 {
		k.tx(func(ctx context.Context, tx *db.Tx) error {
			for range min(n, 1000) {
				if err := settle.Add(ctx, tx, payment{"p", 7}, options...); err != nil {
					return err
				}
			}
			return nil
		})
		n -= min(n, 1000)
	}
}

// BenchmarkAdd adds a job in a transaction of its own.
func BenchmarkAdd(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *db.DB{"sqlite": openSQLite, "postgres": openPostgres} {
		for shape, options := range map[string][]job.AddOption{"plain": nil, "twin": {job.Unique("k")}} {
			b.Run(name+"/"+shape, func(b *testing.B) {
				k := newKit(b, open(b))
				b.ReportAllocs()
				for b.Loop() {
					k.tx(func(ctx context.Context, tx *db.Tx) error { return settle.Add(ctx, tx, payment{"p", 7}, options...) })
				}
			})
		}
	}
}

// BenchmarkPoll is what an idle runner does each second, beside a hundred
// thousand jobs that wait for their time.
func BenchmarkPoll(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *db.DB{"sqlite": openSQLite, "postgres": openPostgres} {
		b.Run(name, func(b *testing.B) {
			k := newKit(b, open(b))
			fill(k, 100_000, job.After(1000*time.Hour))
			idle := func(context.Context, payment) error { return nil }
			r := k.stepped(nil, job.On(settle, idle), job.On(notify, idle))
			k.step(r, r)
			b.ReportAllocs()
			for b.Loop() {
				k.clock.advance(time.Second)
				if err := r.Step(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
