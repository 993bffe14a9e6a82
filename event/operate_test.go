package event_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/trace"
)

func TestAConsumerIsPausedAndResumed(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		stop := b.consume(noting("one", nil))
		after(time.Second)
		b.count(1)
		after(time.Second)
		if err := b.Pause(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		b.count(2)
		after(time.Hour)
		if s := b.consumer("one"); b.noted("one") != "1" || !s.Paused || s.Position != 1 {
			t.Errorf("%s, %+v", b.noted("one"), s)
		}
		if err := b.Resume(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		after(time.Second)
		if s := b.consumer("one"); b.noted("one") != "1 2" || s.Paused {
			t.Errorf("%s, %+v", b.noted("one"), s)
		}
		stop()
	})
}

func TestAConsumerIsRewound(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		bad := true
		stop := b.consume(noting("one", func(r *event.Record, _ int) error {
			if string(r.Payload) == "2" && bad {
				return event.Permanent(errTest)
			}
			return nil
		}))
		after(time.Second)
		for n := 1; n <= 4; n++ {
			b.count(n)
		}
		after(time.Second)
		if got := b.noted("one"); got != "1 3 4" {
			t.Fatal(got)
		}
		bad = false
		first := b.read(event.Query{Limit: 1}).Records[0]
		for _, c := range []struct {
			to   event.Start
			want string
		}{
			{event.AfterID(first.ID), "1 3 4 2 3 4"},
			{event.After(3), "1 3 4 2 3 4 4"},
			{event.Now(), "1 3 4 2 3 4 4"},
			{event.Oldest(), "1 3 4 2 3 4 4 1 2 3 4"},
		} {
			if err := b.Rewind(t.Context(), "one", c.to); err != nil {
				t.Fatal(err)
			}
			after(time.Second)
			if got := b.noted("one"); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		}
		if s := b.consumer("one"); s.Parked != 0 || s.Position != 4 {
			t.Errorf("%+v", s)
		}
		b.exec(`DELETE FROM ashlar_event_log WHERE position < 3`)
		for _, to := range []event.Start{event.After(1), event.AfterID(first.ID)} {
			if err := b.Rewind(t.Context(), "one", to); !errors.Is(err, event.ErrReset) {
				t.Errorf("rewound to what is not there: %v", err)
			}
		}
		if err := b.Rewind(t.Context(), "one", event.Oldest()); err != nil {
			t.Error(err)
		}
		after(time.Second)
		if got := b.noted("one"); !strings.HasSuffix(got, "1 2 3 4 3 4") {
			t.Error(got)
		}
		stop()
	})
}

func TestAConsumerIsForgotten(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		stop := b.consume(noting("one", func(r *event.Record, _ int) error { return event.Permanent(errTest) }))
		after(time.Second)
		b.count(1)
		after(time.Second)
		if s := b.consumer("one"); s.Dead != 1 {
			t.Errorf("%+v", s)
		}
		if err := b.Forget(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		b.count(2)
		after(time.Minute) // it is still here, and begins as a new one
		if s := b.consumer("one"); s.Parked > 1 {
			t.Errorf("%+v", s)
		}
		stop()
		if err := b.Forget(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		if list, err := b.Consumers(t.Context()); len(list) != 0 || err != nil {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func TestUnknownConsumers(t *testing.T) {
	t.Parallel()
	b := onSQLite(t, event.Config{})
	_, retry := b.Retry(t.Context(), "no")
	_, discard := b.Discard(t.Context(), "no", "evt_1")
	for name, err := range map[string]error{
		"Retry": retry, "Discard": discard,
		"Pause": b.Pause(t.Context(), "no"), "Resume": b.Resume(t.Context(), "no"),
		"Rewind": b.Rewind(t.Context(), "no", event.Oldest()), "Forget": b.Forget(t.Context(), strings.Repeat("no", 1000)),
	} {
		if !errors.Is(err, event.ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := b.Parked(t.Context(), "no", true, 0, 0); len(list) != 0 || list == nil || err != nil {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := b.Parked(t.Context(), "no", true, 0, 1001); err == nil {
		t.Error("any limit is taken")
	}
}

func TestDrainDoesWhatThereIs(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bench) {
		b.effects()
		again := event.On(counted, "again", func(ctx context.Context, tx *db.Tx, e event.Of[int]) error {
			if e.Data > 5 {
				return nil
			}
			return counted.Publish(ctx, tx, e.Data+1)
		})
		bad := noting("bad", func(r *event.Record, _ int) error {
			if string(r.Payload) == "3" {
				return errTest
			}
			return nil
		})
		list := []event.Consumer{noting("all", nil), again, bad}
		if err := b.Drain(t.Context(), list...); err != nil {
			t.Fatal(err)
		}
		for range 3 { // it can be called again at once
			b.count(1)
			if err := b.Drain(t.Context(), list...); err != nil {
				t.Fatal(err)
			}
		}
		if got := b.noted("all"); got != strings.Join([]string{numbers(1, 6), numbers(1, 6), numbers(1, 6)}, " ") {
			t.Error(got)
		}
		if s := b.consumer("bad"); s.Parked != 3 || s.Position != 18 {
			t.Errorf("%+v", s)
		}
		if err := b.Pause(t.Context(), "all"); err != nil {
			t.Fatal(err)
		}
		b.count(9)
		if err := b.Drain(t.Context(), list...); err != nil {
			t.Fatal(err)
		}
		if got := b.noted("all"); strings.HasSuffix(got, "9") {
			t.Error("a paused consumer works")
		}
		b.exec(`UPDATE ashlar_event_consumers SET owner = 'another', paused = 0, leased_until = $1`, time.Now().Add(time.Minute).UnixMilli())
		if err := b.Drain(t.Context(), list[0]); err == nil || !strings.Contains(err.Error(), "another process works on it") {
			t.Error(err)
		}
	})
}

func TestAHandlerIsPartOfThePublishersTrace(t *testing.T) {
	t.Parallel()
	b := onSQLite(t, event.Config{})
	if err := b.Drain(t.Context(), noting("warm", nil)); err != nil {
		t.Fatal(err)
	}
	published := trace.New()
	b.tx(func(tx *db.Tx) error { return counted.Publish(trace.With(t.Context(), published), tx, 1) })
	b.tx(func(tx *db.Tx) error { return counted.Publish(t.Context(), tx, 2) })
	var seen []trace.Context
	err := b.Drain(t.Context(), event.On(counted, "traced", func(ctx context.Context, _ *db.Tx, e event.Of[int]) error {
		seen = append(seen, trace.From(ctx))
		return nil
	}, event.FromOldest()))
	if err != nil || len(seen) != 2 || seen[0].TraceID != published.TraceID || seen[1].Valid() {
		t.Errorf("%v, %v, %v", published, seen, err)
	}
}
