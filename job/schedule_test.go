package job_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
	_ "time/tzdata" // the same zones on every machine

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/job"
)

// ticks collects when the ticks were whose jobs ran.
type ticks struct {
	mu   sync.Mutex
	list []string
	fail error
}

func (s *ticks) run(ctx context.Context, _ struct{}) error {
	run, _ := job.Current(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, run.DueAt.Format("02 15:04:05"))
	return s.fail
}

func (s *ticks) are(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) != len(want) {
		t.Fatalf("ran for %q, want %q", s.list, want)
	}
	for i := range want {
		if s.list[i] != want[i] {
			t.Fatalf("ran for %q, want %q", s.list, want)
		}
	}
	s.list = nil
}

// at puts the kit's clock.
func (k *kit) at(text string) {
	k.t.Helper()
	t, err := time.Parse("2006-01-02 15:04:05", text)
	if err != nil {
		k.t.Fatal(err)
	}
	k.clock.set(t)
}

// due runs what is due on each of the runners.
func (k *kit) due(runners ...*job.Runner) {
	k.t.Helper()
	for _, r := range runners {
		if _, err := r.RunDue(k.t.Context(), 0); err != nil {
			k.t.Fatal(err)
		}
	}
}

// TestAScheduleFiresOncePerTick, however many processes look.
func TestAScheduleFiresOncePerTick(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		var s ticks
		k.at("2026-11-22 16:59:30")
		var runners []*job.Runner
		for range 3 {
			runners = append(runners, k.runner(nil, job.On(tidy, s.run, job.Every(time.Minute), job.Cron("0 3 * * *", "Europe/Berlin"))))
		}
		k.due(runners...)
		s.are(t) // the first tick is still to come
		for range 3 {
			k.clock.advance(time.Minute)
			k.due(runners...)
			k.due(runners...)
		}
		s.are(t, "22 17:00:00", "22 17:01:00", "22 17:02:00")
		k.at("2026-11-23 02:00:00")
		k.due(runners...)
		s.are(t, "23 02:00:00", "23 02:00:00") // both schedules, one made up for
		k.clock.advance(-time.Hour)            // a clock that was put back fires nothing again
		k.due(runners...)
		s.are(t)
	})
}

// TestTicksRace: processes that look at the same moment add one job.
func TestTicksRace(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		var s ticks
		k.at("2026-11-22 16:59:30")
		var runners []*job.Runner
		for range 4 {
			runners = append(runners, k.runner(nil, job.On(tidy, s.run, job.Every(time.Minute))))
		}
		k.due(runners...)
		for range 10 {
			k.clock.advance(time.Minute)
			var all sync.WaitGroup
			for _, r := range runners {
				all.Go(func() { k.due(r) })
			}
			all.Wait()
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.list) != 10 {
			t.Errorf("10 ticks ran for %q", s.list)
		}
	})
}

func TestMissedTicks(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		var made, skipped, dense ticks
		k.at("2026-11-20 12:00:00")
		start := func() *job.Runner {
			return k.runner(nil,
				job.On(tidy, made.run, job.Cron("0 3 * * *", "UTC")),
				job.On(job.Queue[struct{}]("books.skip"), skipped.run, job.Cron("0 3 * * *", "UTC", job.SkipLate(time.Minute))),
				job.On(job.Queue[struct{}]("books.dense"), dense.run, job.Every(time.Second)))
		}
		k.due(start())
		k.at("2026-11-25 12:00:00") // nobody was there for five days
		r := start()
		k.due(r)
		made.are(t, "25 03:00:00")
		skipped.are(t)
		dense.are(t, "25 12:00:00")
		k.at("2026-11-26 03:00:30")
		k.due(r)
		made.are(t, "26 03:00:00")
		skipped.are(t, "26 03:00:00")
		k.at("2026-11-27 03:01:30")
		k.due(r)
		skipped.are(t)
	})
}

// TestATickDoesNotOverlap: while the job of one tick is not over the next are
// dropped, and one that waits for another attempt gets it.
func TestATickDoesNotOverlap(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		k.at("2026-11-22 16:59:30")
		h := newHand()
		r := k.stepped(nil, job.On(tidy, func(ctx context.Context, _ struct{}) error { return h.run(ctx, payment{}) },
			job.Every(time.Minute), job.Timeout(time.Hour), job.Backoff(time.Hour, time.Hour), job.Attempts(3)))
		k.step(r)
		k.clock.advance(30 * time.Second)
		k.step(r)
		first := receive(t, h.begun, "the first tick")
		for range 12 {
			k.clock.advance(10 * time.Second)
			k.step(r)
		}
		if list, err := job.List(t.Context(), k.db, job.Filter{}); len(list) != 1 || err != nil {
			t.Fatalf("there are %+v, %v", list, err)
		}
		k.logged("this tick is dropped", "17:02:00")

		fail := func() {
			t.Helper()
			h.outcome <- errors.New("failed")
			k.await(func() bool { return r.Ended() == 1 }, "the end")
			k.step(r)
		}
		fail()
		k.is(first.ID, job.Retrying, 1)
		for range 2 {
			k.clock.advance(time.Minute)
			k.step(r)
			if run := receive(t, h.begun, "another attempt with the next tick"); run.ID != first.ID {
				t.Errorf("runs as %+v", run)
			}
			fail()
		}
		k.is(first.ID, job.Dead, 3)

		// Of the dead letters of a schedule the last is kept.
		k.clock.advance(time.Minute)
		k.step(r)
		second := receive(t, h.begun, "the next tick's job")
		fail()
		k.is(first.ID, job.Dead, 3)
		for range 2 {
			k.clock.advance(time.Minute)
			k.step(r)
			receive(t, h.begun, "another attempt")
			fail()
		}
		k.is(second.ID, job.Dead, 3)
		if _, err := job.Get(t.Context(), k.db, first.ID); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("the first dead letter is kept: %v", err)
		}
	})
}

// TestAScheduleOfLocalTime runs through the days on which Berlin changes its
// clocks.
func TestAScheduleOfLocalTime(t *testing.T) {
	t.Parallel()
	k := newKit(t, openSQLite(t))
	var s ticks
	k.at("2026-03-27 12:00:00")
	r := k.runner(nil, job.On(tidy, s.run, job.Cron("30 2 * * *", "Europe/Berlin")))
	k.due(r)
	for range 4 * 24 {
		k.clock.advance(time.Hour)
		k.due(r)
	}
	s.are(t, "28 01:30:00", "29 01:00:00", "30 00:30:00", "31 00:30:00")
	k.at("2026-10-23 12:00:00")
	k.due(r)
	s.are(t, "23 00:30:00")
	for range 3 * 24 {
		k.clock.advance(time.Hour)
		k.due(r)
	}
	s.are(t, "24 00:30:00", "25 00:30:00", "26 01:30:00")
}

// TestAnotherScheduleBeginsAnew: one that was changed makes nothing up for.
func TestAnotherScheduleBeginsAnew(t *testing.T) {
	t.Parallel()
	k := newKit(t, openSQLite(t))
	var s ticks
	k.at("2026-11-22 12:00:00")
	k.due(k.runner(nil, job.On(tidy, s.run, job.Cron("0 3 * * *", "UTC"))))
	k.at("2026-11-22 14:30:00")
	r := k.runner(nil, job.On(tidy, s.run, job.Cron("0 * * * *", "UTC")))
	k.due(r)
	s.are(t)
	k.at("2026-11-22 15:00:00")
	k.due(r)
	s.are(t, "22 15:00:00")
}

// TestOldJobsGo: what is over is kept for its time, and no longer.
func TestOldJobsGo(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		r := k.runner(func(c *job.Config) { c.KeepDead = 3 * time.Hour },
			job.On(settle, func(_ context.Context, p payment) error {
				return map[string]error{"dies": job.Permanent(errors.New("dead"))}[p.ID]
			}, job.Keep(time.Hour)),
			job.On(notify, func(context.Context, payment) error { return nil }, job.Keep(0)))
		done, dead := add(k, settle, payment{}), add(k, settle, payment{ID: "dies"})
		gone, held := add(k, notify, payment{}), add(k, notify, payment{}, job.UniqueFor("k", 2*time.Hour))
		waits := add(k, settle, payment{}, job.After(1000*time.Hour))
		k.due(r)
		there := func(id string) bool {
			_, err := job.Get(t.Context(), k.db, id)
			if err != nil && !errors.Is(err, job.ErrNotFound) {
				t.Fatal(err)
			}
			return err == nil
		}
		for hour, want := range [][4]bool{{true, true, false, true}, {false, true, false, true}, {false, true, false, false}, {false, false, false, false}} {
			if got := [4]bool{there(done), there(dead), there(gone), there(held)}; got != want || !there(waits) {
				t.Errorf("after %d hours there are %v, want %v", hour, got, want)
			}
			k.clock.advance(time.Hour)
			k.due(r)
		}
		many := make([]string, 1200)
		k.tx(func(ctx context.Context, tx *db.Tx) error {
			for i := range many {
				var receipt job.Receipt
				if err := settle.Add(ctx, tx, payment{}, job.Into(&receipt)); err != nil {
					return err
				}
				many[i] = receipt.ID
			}
			_, err := db.Exec(ctx, tx, `UPDATE ashlar_jobs SET state = 'done', expires_at = 1 WHERE state = 'queued'`)
			return err
		})
		for range 3 {
			k.due(r)
		}
		if list, err := job.List(t.Context(), k.db, job.Filter{State: job.Done}); len(list) != 0 || err != nil {
			t.Errorf("%d old jobs are left, %v", len(list), err)
		}
	})
}
