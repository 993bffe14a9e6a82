package event_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
)

func TestListenYieldsWhatIsWanted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := onSQLite(t, event.Config{})
		b.place("old", "mine")
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		var listening sync.WaitGroup
		listening.Go(func() {
			for o, err := range event.Listen(ctx, b.Log, placed, func(o Order) bool { return o.Shop == "mine" }) {
				if err != nil {
					t.Error(err)
				}
				got = append(got, o.ID)
			}
		})
		synctest.Wait()
		b.place("a", "mine")
		b.place("b", "other")
		b.count(1)
		b.place("c", "mine")
		synctest.Wait()
		time.Sleep(time.Second)
		cancel()
		listening.Wait()
		if s := strings.Join(got, " "); s != "a c" {
			t.Error(s)
		}
		if s := b.Stats(); s.Subscribers != 0 {
			t.Errorf("%d subscribers are left", s.Subscribers)
		}
	})
}

func TestListenGoesOnAfterAnEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := onSQLite(t, event.Config{})
		for id := range strings.FieldsSeq("a b c d e") {
			b.place(id, "s")
		}
		last := ""
		read := func(n int) (ids string) {
			from := event.AfterID(last)
			if last == "" {
				from = event.Oldest()
			}
			for e, err := range event.ListenFrom(t.Context(), b.Log, placed, from, nil) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Key != e.Data.ID || e.Attempt != 1 {
					t.Errorf("%+v", e)
				}
				ids, last = ids+e.Data.ID, e.ID
				if n--; n == 0 {
					break
				}
			}
			return ids
		}
		if got := read(2); got != "ab" {
			t.Error(got)
		}
		if got := read(2); got != "cd" {
			t.Error(got)
		}
		b.place("f", "s")
		if got := read(2); got != "ef" {
			t.Error(got)
		}
		for _, err := range event.ListenFrom(t.Context(), b.Log, placed, event.AfterID("evt_unknown"), nil) {
			if !errors.Is(err, event.ErrReset) {
				t.Error(err)
			}
		}
	})
}

// TestListenersDoNotShareWhatTheyGet: two get the same event, and one of them
// changes it.
func TestListenersDoNotShareWhatTheyGet(t *testing.T) {
	t.Parallel()
	b := onSQLite(t, event.Config{})
	b.tx(func(tx *db.Tx) error {
		return placed.Publish(t.Context(), tx, Order{ID: "a", Tags: map[string]string{"k": "v"}})
	})
	for range 2 {
		for o, err := range event.ListenFrom(t.Context(), b.Log, placed, event.Oldest(), func(o Order) bool { return o.Tags["k"] == "v" }) {
			if err != nil || o.Data.Tags["k"] != "v" {
				t.Errorf("%+v, %v", o.Data, err)
			}
			o.Data.Tags["k"] = "changed"
			break
		}
	}
}

func TestAPayloadOfAnotherFormEndsAListener(t *testing.T) {
	t.Parallel()
	b := onSQLite(t, event.Config{})
	b.tx(func(tx *db.Tx) error {
		return errors.Join(
			event.Topic[any]("order.placed").Publish(t.Context(), tx, map[string]any{"id": "a", "new": true}), // more than it knows
			event.Topic[any]("order.placed").Publish(t.Context(), tx, map[string]any{"id": 5}),
		)
	})
	var ids []string
	var last error
	for o, err := range event.ListenFrom(t.Context(), b.Log, placed, event.Oldest(), nil) {
		if last = err; err == nil {
			ids = append(ids, o.Data.ID)
		}
	}
	if len(ids) != 1 || ids[0] != "a" || last == nil || !strings.Contains(last.Error(), "order.placed evt_") {
		t.Errorf("%v, then %v", ids, last)
	}
}

func TestRecordsAreTheRawFeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := onSQLite(t, event.Config{})
		b.count(1, 2, 3)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var got []string
		for r, err := range b.Records(ctx, event.Filter{}, event.After(1)) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, string(r.Payload)); len(got) == 2 {
				cancel()
			}
		}
		if s := strings.Join(got, " "); s != "2 3" {
			t.Error(s)
		}
		for _, err := range b.Records(t.Context(), event.Filter{Topics: []string{"no topic"}}, event.Now()) {
			if err == nil {
				t.Error("a wrong filter is taken")
			}
		}
	})
}

// TestATailKnowsWhenItMayHaveMissedSomething: a cache that forgets what it is
// told of never keeps what is old.
func TestATailKnowsWhenItMayHaveMissedSomething(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := onSQLite(t, event.Config{})
		b.count(1)
		ctx, cancel := context.WithCancel(t.Context())
		var seen []string
		var tailing sync.WaitGroup
		tailing.Go(func() {
			err := b.Tail(ctx, event.Filter{Topics: []string{"stock.*"}},
				func() { seen = append(seen, "reset") },
				func(list []*event.Record) { seen = append(seen, payloads(list)) })
			if err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		b.count(2)
		b.place("a", "s")
		synctest.Wait()
		time.Sleep(time.Second)
		b.exec(`DELETE FROM ashlar_event_log`)
		time.Sleep(time.Second)
		b.count(3)
		time.Sleep(time.Second)
		cancel()
		tailing.Wait()
		if s := strings.Join(seen, ", "); s != "reset, 2, reset, 3" {
			t.Error(s)
		}
	})
}
