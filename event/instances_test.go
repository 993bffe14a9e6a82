package event_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/event/eventtest"
)

// instances returns so many logs, each on a pool of its own, of one database.
func instances(t *testing.T, n int, c event.Config) []*bench {
	t.Helper()
	file := filepath.Join(t.TempDir(), "events.db")
	list := make([]*bench, n)
	for i := range list {
		d, err := sqlite.Open(t.Context(), sqlite.Config{Path: file})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		list[i] = on(t, d, c)
	}
	list[0].effects()
	return list
}

// start runs a log, with consumers, until the function it returns is called.
func (b *bench) start(consumers ...event.Consumer) (stop func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := b.Run(ctx); err != nil {
			b.t.Error(err)
		}
	})
	end := b.consume(consumers...)
	return func() { end(); cancel(); running.Wait() }
}

func TestOneInstanceWorksOnAConsumer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		list := instances(t, 3, event.Config{})
		var by []int
		var mu sync.Mutex
		var stops []func()
		for i, b := range list {
			stops = append(stops, b.start(noting("one", func(*event.Record, int) error {
				mu.Lock()
				defer mu.Unlock()
				by = append(by, i)
				return nil
			})))
		}
		after(time.Second)
		for n := range 100 {
			list[n%3].count(n + 1)
			time.Sleep(100 * time.Millisecond)
		}
		after(time.Minute)
		if got := list[0].noted("one"); got != numbers(1, 100) {
			t.Error(got)
		}
		for _, i := range by {
			if i != by[0] {
				t.Fatalf("it changed hands without need: %v", by)
			}
		}
		// The one that stops gives it away at once.
		stops[by[0]]()
		list[(by[0]+1)%3].count(101)
		after(time.Second)
		if got := list[0].noted("one"); got != numbers(1, 101) {
			t.Error("nobody took over")
		}
		for i, stop := range stops {
			if i != by[0] {
				stop()
			}
		}
	})
}

// TestAnotherTakesOverFromTheDead: a process that is not heard of loses the
// consumer after its lease, and whatever it still does is rolled back.
func TestAnotherTakesOverFromTheDead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		list := instances(t, 2, event.Config{Lease: 5 * time.Second})
		// The first works as of now, and is never heard of again: what a
		// killed process leaves behind.
		first := list[0].start(noting("one", nil))
		after(time.Second)
		list[0].count(1)
		after(time.Second)
		row := list[0].consumer("one")
		first()
		list[0].exec(`UPDATE ashlar_event_consumers SET owner = $1, leased_until = $2`, row.Owner, time.Now().Add(5*time.Second).UnixMilli())

		began := time.Now()
		var took time.Duration
		second := list[1].start(noting("one", func(*event.Record, int) error {
			took = time.Since(began)
			return nil
		}))
		list[1].count(2)
		after(time.Minute)
		if got := list[0].noted("one"); got != "1 2" {
			t.Error(got)
		}
		if took < 5*time.Second || took > 6*time.Second {
			t.Errorf("taken over after %v", took)
		}
		second()
	})
}

// TestALateOwnerCommitsNothing: its lease ran out while its handler stood still,
// another handled the event, and then it went on.
func TestALateOwnerCommitsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := onSQLite(t, event.Config{})
		b.effects()
		calls := 0
		stop := b.consume(event.On(counted, "one", func(ctx context.Context, tx *db.Tx, e event.Of[int]) error {
			if calls++; calls == 1 { // somebody else takes over while this runs
				if _, err := tx.Exec(ctx, `UPDATE ashlar_event_consumers SET fence = fence + 1`); err != nil {
					return err
				}
			}
			return note(ctx, tx, "one", &e.Record, calls)
		}))
		synctest.Wait()
		b.count(1)
		after(time.Minute)
		if got := b.noted("one"); got != "1" || calls != 2 {
			t.Errorf("%s after %d calls", got, calls)
		}
		if n, err := db.One[int](t.Context(), b.db, `SELECT attempt FROM effects`); n != 2 || err != nil {
			t.Errorf("the effect is of call %d, %v", n, err)
		}
		if n := b.Stats().Failures; n != 0 {
			t.Errorf("%d failures: the event is blamed", n)
		}
		stop()
	})
}

// TestConsumersSpread: who has more than its share offers some to others.
func TestConsumersSpread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := eventtest.NewBus()
		list := instances(t, 2, event.Config{Bus: bus})
		var mu sync.Mutex
		working := make([]map[string]bool, 2)
		consumers := func(i int) []event.Consumer {
			working[i] = map[string]bool{}
			var all []event.Consumer
			for name := range strings.FieldsSeq("a b c d") {
				all = append(all, noting(name, func(*event.Record, int) error {
					mu.Lock()
					defer mu.Unlock()
					working[i][name] = true
					return nil
				}))
			}
			return all
		}
		stops := []func(){list[0].start(consumers(0)...)}
		after(time.Second)
		n := 0
		publish := func(d time.Duration) {
			for until := time.Now().Add(d); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
				n++
				list[0].count(n)
			}
		}
		publish(5 * time.Second)
		mu.Lock()
		if len(working[0]) != 4 {
			t.Errorf("alone it works on %v", working[0])
		}
		mu.Unlock()
		stops = append(stops, list[1].start(consumers(1)...)) // a second process starts
		publish(time.Minute)
		mu.Lock()
		clear(working[0])
		clear(working[1])
		mu.Unlock()
		publish(10 * time.Second)
		after(time.Minute)
		mu.Lock()
		if len(working[0]) != 2 || len(working[1]) != 2 {
			t.Errorf("%v and %v", working[0], working[1])
		}
		mu.Unlock()
		for name := range strings.FieldsSeq("a b c d") {
			if got := list[0].noted(name); got != numbers(1, n) {
				t.Errorf("%s handled other events than were published, or not in order", name)
			}
		}
		for _, stop := range stops {
			stop()
		}
	})
}

// TestATurnOfTheFutureEnds: a process whose clock was ahead, and that is gone,
// keeps a consumer from others for two leases, and not until that time.
func TestATurnOfTheFutureEnds(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		stop := b.start(noting("patient", nil))
		after(time.Second)
		stop()
		if _, err := db.Exec(t.Context(), b.db, `UPDATE ashlar_event_consumers SET owner = 'gone', fence = fence + 1, leased_until = $1`,
			time.Now().Add(2*time.Hour).UnixMilli()); err != nil {
			t.Fatal(err)
		}
		b.count(1, 2)
		stop = b.start(noting("patient", nil))
		defer stop()
		after(event.DefaultLease / 2)
		if got := b.noted("patient"); got != "" {
			t.Errorf("%q was handled in the turn of another", got)
		}
		after(2 * event.DefaultLease)
		if got := b.noted("patient"); got != "1 2" {
			t.Errorf("%q was handled in the end", got)
		}
	})
}

// TestABusSavesLooking: with a bus an event of another process is there at once
// and the database is asked seldom; without it, or while it is cut, within
// Config.Poll.
func TestABusSavesLooking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := eventtest.NewBus()
		list := instances(t, 2, event.Config{Bus: bus})
		stops := []func(){list[0].start(), list[1].start()}
		s := list[1].subscribe(event.Filter{}, event.Now())
		after(time.Minute)
		arrives := func(n int, within time.Duration) {
			t.Helper()
			began := time.Now()
			list[0].count(n)
			if got := payloads(next(t, s, 1)); got != fmt.Sprint(n) {
				t.Error(got)
			}
			if took := time.Since(began); took > within {
				t.Errorf("after %v", took)
			}
		}
		arrives(1, 0)
		bus.Cut()
		arrives(2, event.DefaultPoll)
		list[0].count(3)
		synctest.Wait()
		bus.Mend()
		began := time.Now()
		if got := payloads(next(t, s, 1)); got != "3" || time.Since(began) > 0 {
			t.Errorf("%s after %v", got, time.Since(began))
		}
		arrives(4, 0)
		for _, stop := range stops {
			stop()
		}
		logged(t, list[0], "cannot be told of events", 1)
		logged(t, list[0], "are told of events again", 1)
	})
}
