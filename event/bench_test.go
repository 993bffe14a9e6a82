package event_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
	"github.com/ashlar-go/ashlar/event"
)

func benchLog(b *testing.B, d *db.DB) *event.Log {
	b.Helper()
	if _, err := db.Up(b.Context(), d, db.Migrations{Name: "ashlar_event", FS: event.Migrations()}); err != nil {
		b.Fatal(err)
	}
	l, err := event.Open(event.Config{DB: d})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(l.Close)
	return l
}

func benchFile(b *testing.B) *db.DB {
	b.Helper()
	d, err := sqlite.Open(b.Context(), sqlite.Config{Path: filepath.Join(b.TempDir(), "bench.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return d
}

// BenchmarkPublish is a transaction that changes a row, with an event and
// without, by 64 callers at once. With a listener, somebody reads them.
func BenchmarkPublish(b *testing.B) {
	order := Order{ID: "ord_01m823j0trephsyemv5h6nwvvg", Shop: "shp_01m823j0trephsyemv5h6nwvvg", Amount: 12345}
	for _, name := range []string{"row only", "row and plain insert", "row and event", "row and event, one listens"} {
		b.Run(name, func(b *testing.B) {
			d := benchFile(b)
			l := benchLog(b, d)
			for _, s := range []string{
				`CREATE TABLE orders (id INTEGER PRIMARY KEY, n BIGINT NOT NULL)`,
				`CREATE TABLE plain (id TEXT PRIMARY KEY, topic TEXT NOT NULL, shop TEXT NOT NULL, data JSONB NOT NULL, at BIGINT NOT NULL)`,
				`CREATE INDEX plain_shop ON plain (shop, id)`,
				`INSERT INTO orders VALUES (1, 0)`,
			} {
				if _, err := d.Exec(b.Context(), s); err != nil {
					b.Fatal(err)
				}
			}
			if name == "row and event, one listens" {
				s, err := l.Subscribe(b.Context(), event.Filter{}, event.Now())
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				ctx, cancel := context.WithCancel(b.Context())
				defer cancel()
				go func() {
					for ctx.Err() == nil {
						_, _ = s.Next(ctx)
					}
				}()
			}
			var n atomic.Int64
			b.SetParallelism(32)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, err := db.InTx(b.Context(), d, func(tx *db.Tx) (struct{}, error) {
						if _, err := tx.Exec(b.Context(), `UPDATE orders SET n = n + 1 WHERE id = 1`); err != nil {
							return struct{}{}, err
						}
						switch name {
						case "row only":
							return struct{}{}, nil
						case "row and plain insert":
							_, err := tx.Exec(b.Context(), `INSERT INTO plain (id, topic, shop, data, at) VALUES ($1, $2, $3, $4, $5)`,
								fmt.Sprintf("evt_%026d", n.Add(1)), "order.paid", order.Shop, order, time.Now().UnixMilli())
							return struct{}{}, err
						}
						return struct{}{}, paid.Publish(b.Context(), tx, order)
					})
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkFanOut is an event that each of many subscribers gets, or one of
// them.
func BenchmarkFanOut(b *testing.B) {
	const many = 10_000
	for _, scoped := range []bool{false, true} {
		name := "to all"
		if scoped {
			name = "to one by its scope"
		}
		b.Run(name, func(b *testing.B) {
			d := benchFile(b)
			l := benchLog(b, d)
			ctx, cancel := context.WithCancel(b.Context())
			var all sync.WaitGroup
			var got atomic.Int64
			for n := range many {
				f := event.Filter{Topics: []string{"order.paid"}}
				if scoped {
					f.Scope = fmt.Sprint("shop", n)
				}
				s, err := l.Subscribe(ctx, f, event.Now())
				if err != nil {
					b.Fatal(err)
				}
				all.Go(func() {
					defer s.Close()
					for {
						list, err := s.Next(ctx)
						if err != nil {
							return
						}
						got.Add(int64(len(list)))
					}
				})
			}
			want := int64(0)
			b.ResetTimer()
			for range b.N {
				_, err := db.InTx(ctx, d, func(tx *db.Tx) (struct{}, error) {
					return struct{}{}, paid.Publish(ctx, tx, Order{ID: "o", Shop: "shop77"})
				})
				if err != nil {
					b.Fatal(err)
				}
				if want += many; scoped {
					want -= many - 1
				}
				for got.Load() < want {
					runtime.Gosched()
				}
			}
			b.StopTimer()
			cancel()
			all.Wait()
		})
	}
}

// TestIdleSubscribersAreCheap holds what each of many costs who wait, their
// goroutines included.
func TestIdleSubscribersAreCheap(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	b := onSQLite(t, event.Config{})
	const many = 10_000
	ctx, cancel := context.WithCancel(t.Context())
	used := func() (heap, all int64) {
		runtime.GC()
		runtime.GC() // what a pool keeps goes with the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc), int64(m.HeapAlloc + m.StackInuse)
	}
	var all sync.WaitGroup
	heap, before := used()
	list := make([]*event.Subscription, many)
	for n := range list {
		s, err := b.Subscribe(ctx, event.Filter{Topics: []string{"order.paid"}, Scope: fmt.Sprint("shop", n)}, event.Now())
		if err != nil {
			t.Fatal(err)
		}
		list[n] = s
	}
	now, _ := used()
	own := (now - heap) / many
	for _, s := range list {
		all.Go(func() {
			defer s.Close()
			_, _ = s.Next(ctx)
		})
	}
	waitFor(t, func() bool { return runtime.NumGoroutine() > many })
	_, total := used()
	each := (total - before) / many
	t.Logf("a subscription of a scope of its own takes %d bytes, and with a goroutine that waits %d", own, each)
	if own < 1 || own > 1500 || each > 6000 {
		t.Errorf("%d and %d bytes each", own, each)
	}
	cancel()
	all.Wait()
	if s := b.Stats(); s.Subscribers != 0 {
		t.Errorf("%d are left", s.Subscribers)
	}
}
