package work_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/work"
)

// slow is a piece of work that takes a while by the bubble's clock.
func slow(d time.Duration) func() (struct{}, error) {
	return func() (struct{}, error) { time.Sleep(d); return struct{}{}, nil }
}

func TestDoReturnsWhatTheWorkReturns(t *testing.T) {
	t.Parallel()
	pool := work.New(work.Config{})
	if got, err := work.Do(t.Context(), pool, func() (int, error) { return 7, nil }); got != 7 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
	broken := errors.New("broken")
	if _, err := work.Do(t.Context(), pool, func() (int, error) { return 0, broken }); err != broken {
		t.Errorf("got %v, want the work's own error", err)
	}
	if s := pool.Stats(); s.Slots != max(1, runtime.GOMAXPROCS(0)/2) || s.Running != 0 || s.Done != 2 {
		t.Errorf("stats %+v", s)
	}
}

func TestAPanicGivesTheSlotBack(t *testing.T) {
	t.Parallel()
	pool := work.New(work.Config{Slots: 1, Queue: -1})
	func() {
		defer func() { _ = recover() }()
		_, _ = work.Do(t.Context(), pool, func() (int, error) { panic("broken") })
	}()
	if _, err := work.Do(t.Context(), pool, func() (int, error) { return 1, nil }); err != nil {
		t.Errorf("the pool is lost: %v", err)
	}
}

func TestWorkWaitsInTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := work.New(work.Config{Slots: 1, Queue: 10})
		var order []int
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				_, err := work.Do(t.Context(), pool, func() (struct{}, error) {
					time.Sleep(time.Second)
					order = append(order, i)
					return struct{}{}, nil
				})
				if err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		for i, got := range order {
			if got != i {
				t.Fatalf("done in the order %v", order)
			}
		}
	})
}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := work.New(work.Config{Slots: 2, Queue: 3})
		began := time.Now()
		var done, refused atomic.Int64
		var all sync.WaitGroup
		for range 9 {
			all.Go(func() {
				switch _, err := work.Do(t.Context(), pool, slow(time.Minute)); {
				case errors.Is(err, fault.ErrBusy):
					refused.Add(1)
					if time.Since(began) > 0 {
						t.Error("was let wait and then refused")
					}
				case err != nil:
					t.Error(err)
				default:
					done.Add(1)
				}
			})
		}
		synctest.Wait()
		if s := pool.Stats(); s.Running != 2 || s.Waiting != 3 || s.Refused != 4 {
			t.Errorf("stats %+v", s)
		}
		all.Wait()
		if done.Load() != 5 || refused.Load() != 4 {
			t.Errorf("%d done, %d refused", done.Load(), refused.Load())
		}
	})
}

// TestWorkThatWouldBeLateIsRefused: the pool has learned that a piece takes a
// second, so who has three and would be the fifth need not wait for nothing.
func TestWorkThatWouldBeLateIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := work.New(work.Config{Slots: 1, Queue: 100})
		if _, err := work.Do(t.Context(), pool, slow(time.Second)); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { _, _ = work.Do(t.Context(), pool, slow(time.Second)) })
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		_, err := work.Do(ctx, pool, slow(time.Second))
		if !errors.Is(err, fault.ErrBusy) || time.Since(began) != 0 {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		answer := httptest.NewRecorder()
		if err := fault.Write(answer, fault.ProblemOf(err, "")); err != nil || answer.Header().Get("Retry-After") != "4" {
			t.Errorf("to come back after %q seconds, want 4: one runs, three wait", answer.Header().Get("Retry-After"))
		}
		patient, cancel2 := context.WithTimeout(t.Context(), time.Minute)
		defer cancel2()
		if _, err := work.Do(patient, pool, slow(time.Second)); err != nil {
			t.Errorf("who has time is refused: %v", err)
		}
		all.Wait()
		if s := pool.Stats(); s.Typical != time.Second {
			t.Errorf("a piece is taken to take %v", s.Typical)
		}
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := work.New(work.Config{Slots: 1})
		var all sync.WaitGroup
		all.Go(func() { _, _ = work.Do(t.Context(), pool, slow(time.Hour)) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := pool.Enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if s := pool.Stats(); s.Waiting != 0 || s.Running != 1 {
			t.Errorf("stats %+v", s)
		}
		all.Wait()
		ended, cancel2 := context.WithCancel(t.Context())
		cancel2()
		if err := pool.Enter(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("who is gone is let in: %v", err)
		}
	})
}

// TestPoolHoldsItsBounds: whoever comes and goes, no more run than there are
// slots, and in the end every slot is free.
func TestPoolHoldsItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		slots := rapid.IntRange(1, 4).Draw(r, "slots")
		pieces := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) [3]int {
			return [3]int{rapid.IntRange(0, 50).Draw(r, "arrives"), rapid.IntRange(1, 50).Draw(r, "takes"), rapid.IntRange(1, 100).Draw(r, "patience")}
		}), 1, 40).Draw(r, "pieces")
		synctest.Test(t, func(t *testing.T) {
			pool := work.New(work.Config{Slots: slots, Queue: rapid.IntRange(1, 10).Draw(r, "queue")})
			var running, most atomic.Int64
			var all sync.WaitGroup
			for _, p := range pieces {
				all.Go(func() {
					time.Sleep(time.Duration(p[0]) * time.Millisecond)
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(p[2])*time.Millisecond)
					defer cancel()
					_, _ = work.Do(ctx, pool, func() (struct{}, error) {
						most.Store(max(most.Load(), running.Add(1)))
						time.Sleep(time.Duration(p[1]) * time.Millisecond)
						running.Add(-1)
						return struct{}{}, nil
					})
				})
			}
			all.Wait()
			if most.Load() > int64(slots) {
				r.Fatalf("%d ran at once in %d slots", most.Load(), slots)
			}
			if s := pool.Stats(); s.Running != 0 || s.Waiting != 0 {
				r.Fatalf("left behind: %+v", s)
			}
		})
	})
}

func BenchmarkDo(b *testing.B) {
	pool := work.New(work.Config{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := work.Do(b.Context(), pool, func() (int, error) { return 1, nil }); err != nil {
			b.Fatal(err)
		}
	}
}
