package event_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/event"
)

// sweepAll deletes until nothing is left to delete.
func (b *bench) sweepAll() (n int64) {
	b.t.Helper()
	for {
		more, err := b.Sweep(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		if more == 0 {
			return n
		}
		n += more
	}
}

func TestOldEventsAreDeleted(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{Keep: time.Hour}, func(t *testing.T, b *bench) {
		if n := b.sweepAll(); n != 0 {
			t.Errorf("%d of an empty log", n)
		}
		for n := range 1500 {
			b.count(n + 1)
		}
		time.Sleep(30 * time.Minute)
		for n := range 10 {
			b.count(n + 1501)
		}
		if n := b.sweepAll(); n != 0 {
			t.Errorf("%d that are young", n)
		}
		time.Sleep(31 * time.Minute)
		if n := b.sweepAll(); n != 1500 {
			t.Errorf("%d, want 1500", n)
		}
		time.Sleep(time.Hour)
		if n := b.sweepAll(); n != 9 {
			t.Errorf("%d, want all but the newest", n)
		}
		b.count(1511)
		if p := b.read(event.Query{}); payloads(p.Records) != "1510 1511" || p.Next != 1511 {
			t.Errorf("positions begin anew: %+v", p)
		}
	})
}

func TestSurplusEventsAreDeleted(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{Keep: -1, Most: 100}, func(t *testing.T, b *bench) {
		for n := range 2500 {
			b.count(n + 1)
		}
		time.Sleep(365 * 24 * time.Hour)
		if n := b.sweepAll(); n != 2400 {
			t.Errorf("%d, want 2400", n)
		}
		if p := b.read(event.Query{}); payloads(p.Records) != numbers(2401, 2500) {
			t.Errorf("%+v", p)
		}
	})
}

func TestEverythingCanBeKept(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{Keep: -1, Most: -1}, func(t *testing.T, b *bench) {
		b.count(1, 2, 3)
		time.Sleep(1000 * 24 * time.Hour)
		if n := b.sweepAll(); n != 0 {
			t.Error(n)
		}
	})
}

// TestEventsWaitForConsumers, but not for ever: then the consumer stands still
// and says so, instead of leaving them out.
func TestEventsWaitForConsumers(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{Keep: time.Hour}, func(t *testing.T, b *bench) {
		if err := b.Drain(t.Context(), noting("late", nil)); err != nil {
			t.Fatal(err)
		}
		for n := range 10 {
			b.count(n + 1)
		}
		seen := func() { b.exec(`UPDATE ashlar_event_consumers SET seen_at = $1`, time.Now().UnixMilli()) }
		time.Sleep(61 * time.Minute)
		seen()
		if n := b.sweepAll(); n != 0 {
			t.Errorf("%d that a consumer has still to handle", n)
		}
		time.Sleep(60 * time.Minute)
		seen()
		if n := b.sweepAll(); n != 9 {
			t.Errorf("%d, want all but the newest", n)
		}
		logged(t, b, "that a consumer has not handled", 1)

		stop := b.consume(noting("late", nil))
		after(time.Minute)
		if got := b.noted("late"); got != "" {
			t.Errorf("it leaves out what was deleted: %s", got)
		}
		if s := b.consumer("late"); s.Error == "" {
			t.Errorf("%+v", s)
		}
		if err := b.Rewind(t.Context(), "late", event.Oldest()); err != nil {
			t.Error(err)
		}
		after(time.Minute)
		if got := b.noted("late"); got != "10" {
			t.Error(got)
		}
		if s := b.consumer("late"); s.Error != "" {
			t.Errorf("%+v", s)
		}
		stop()
	})
}

// TestAConsumerThatIsGoneHoldsNothing: nobody has had it for as long as events
// are kept.
func TestAConsumerThatIsGoneHoldsNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{Keep: time.Hour}, func(t *testing.T, b *bench) {
		if err := b.Drain(t.Context(), noting("gone", nil)); err != nil {
			t.Fatal(err)
		}
		b.count(1, 2, 3)
		time.Sleep(61 * time.Minute)
		if n := b.sweepAll(); n != 2 {
			t.Error(n)
		}
	})
}

func TestRunSweeps(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{Keep: time.Hour}, func(t *testing.T, b *bench) {
		stop := b.start(noting("one", nil))
		after(time.Second)
		for n := range 3000 {
			b.count(n + 1)
		}
		after(2 * time.Hour)
		if p := b.read(event.Query{}); payloads(p.Records) != "3000" {
			t.Errorf("%d events are left", len(p.Records))
		}
		if got := b.noted("one"); got != numbers(1, 3000) {
			t.Error("the consumer missed some")
		}
		stop()
	})
}

func TestStatsTellWhatIsWaiting(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		var hold atomic.Bool
		hold.Store(true)
		stop := b.start(
			noting("held", func(*event.Record, int) error {
				if hold.Load() {
					return errTest
				}
				return nil
			}, event.OnFailure(event.Halt)),
			event.OnAny([]string{"order.placed"}, "rare", idly, event.FromOldest()))
		after(time.Second)
		b.count(make([]int, 50)...)
		after(15 * time.Second)
		s := b.Stats()
		if s.Published != 50 || s.Head != 50 || s.Oldest != 1 || s.Backlog != 0 || s.Read != 50 || s.Subscribers != 2 || len(s.Consumers) != 2 || s.Looked.IsZero() {
			t.Fatalf("%+v", s)
		}
		held, rare := s.Consumers[0], s.Consumers[1]
		if held.Name != "held" || held.Lag != 50 || held.Behind < 5*time.Second || held.Behind > 15*time.Second || !held.Halted || s.Failures == 0 {
			t.Errorf("%+v", held)
		}
		if rare.Name != "rare" || rare.Lag != 0 || rare.Behind != 0 || rare.Halted {
			t.Errorf("%+v", rare)
		}
		hold.Store(false)
		after(10 * time.Minute)
		if held := b.Stats().Consumers[0]; held.Lag != 0 || held.Halted {
			t.Errorf("%+v", held)
		}
		stop()
	})
}
