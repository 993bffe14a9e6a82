package event_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
)

func TestReadGoesThroughTheLog(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bench) {
		if p := b.read(event.Query{}); len(p.Records) != 0 || p.More || p.Next != 0 {
			t.Errorf("an empty log has %+v", p)
		}
		for n := range 25 {
			b.count(n + 1)
		}
		var all []event.Record
		q, pages := event.Query{Limit: 10}, 0
		for more := true; more; pages++ {
			p := b.read(q)
			all = append(all, p.Records...)
			q.After, more = p.Next, p.More
		}
		if got := payloads(all); got != numbers(1, 25) || pages != 3 {
			t.Errorf("%d pages: %s", pages, got)
		}
		for i, r := range all {
			if r.Position != int64(i+1) {
				t.Errorf("%d. event at %d", i+1, r.Position)
			}
		}
		if p := b.read(event.Query{AfterID: all[19].ID}); payloads(p.Records) != numbers(21, 25) || p.More {
			t.Errorf("after an id: %+v", p)
		}
		if p := b.read(event.Query{After: 25}); len(p.Records) != 0 || p.More || p.Next != 25 {
			t.Errorf("after the last: %+v", p)
		}
	})
}

func TestFilters(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bench) {
		b.tx(func(tx *db.Tx) error {
			ctx := t.Context()
			return errors.Join(
				placed.Publish(ctx, tx, Order{ID: "a", Shop: "s1"}),
				placed.Publish(ctx, tx, Order{ID: "b", Shop: "s2"}),
				paid.Publish(ctx, tx, Order{ID: "a", Shop: "s1"}),
				counted.Publish(ctx, tx, 1, event.WithKey("a")),
				named.Publish(ctx, tx, "x", event.WithScope("s1"), event.WithKey("n")),
			)
		})
		for name, c := range map[string]struct {
			filter event.Filter
			want   string
		}{
			"all":               {event.Filter{}, "a b a a n"},
			"all by *":          {event.Filter{Topics: []string{"*"}}, "a b a a n"},
			"a topic":           {event.Filter{Topics: []string{"order.placed"}}, "a b"},
			"topics":            {event.Filter{Topics: []string{"order.placed", "stock.counted"}}, "a b a"},
			"a beginning":       {event.Filter{Topics: []string{"order.*"}}, "a b a"},
			"part of a word":    {event.Filter{Topics: []string{"order.p*", "s*"}}, "a b a a n"},
			"unknown":           {event.Filter{Topics: []string{"order"}}, ""},
			"a scope":           {event.Filter{Scope: "s1"}, "a a n"},
			"a key":             {event.Filter{Key: "a"}, "a a a"},
			"a scope and topic": {event.Filter{Scope: "s1", Topics: []string{"order.*"}}, "a a"},
			"all of them":       {event.Filter{Scope: "s1", Key: "a", Topics: []string{"order.paid"}}, "a"},
		} {
			p := b.read(event.Query{Filter: c.filter})
			if got := keys(p.Records); got != c.want || p.More || p.Next != 5 && len(p.Records) < 100 {
				t.Errorf("%s: %q up to %d, want %q", name, got, p.Next, c.want)
			}
			// What is live is filtered alike.
			s, err := b.Subscribe(t.Context(), c.filter, event.Oldest())
			if err != nil {
				t.Fatal(err)
			}
			var live []event.Record
			for c.want != "" && len(live) < len(strings.Fields(c.want)) {
				more, err := s.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range more {
					live = append(live, *r)
				}
			}
			if got := keys(live); got != c.want {
				t.Errorf("%s, subscribed: %q, want %q", name, got, c.want)
			}
			s.Close()
		}
	})
}

func TestRareEventsAreFoundInBoundedSteps(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bench) {
		b.place("first", "s")
		for from := range 5 { // more than a window looks at
			b.count(make([]int, 1000+from)...)
		}
		b.place("last", "s")
		p := b.read(event.Query{Filter: event.Filter{Topics: []string{"order.placed"}}})
		if got := keys(p.Records); got != "first last" || p.More || p.Next != 5012 {
			t.Errorf("%q up to %d, more %t", got, p.Next, p.More)
		}
		p = b.read(event.Query{Filter: event.Filter{Topics: []string{"order.placed"}}, Limit: 1})
		if got := keys(p.Records); got != "first" || !p.More || p.Next != 1 {
			t.Errorf("%q up to %d, more %t", got, p.Next, p.More)
		}
	})
}

func TestLargeEventsEndAPageEarly(t *testing.T) {
	t.Parallel()
	b := onSQLite(t, event.Config{})
	big := strings.Repeat("x", 200<<10)
	for n := range 50 {
		b.tx(func(tx *db.Tx) error { return named.Publish(t.Context(), tx, big, event.WithKey(fmt.Sprint(n))) })
	}
	total, q := 0, event.Query{Limit: event.MaxLimit}
	for more := true; more; {
		p := b.read(q)
		size := 0
		for _, r := range p.Records {
			size += len(r.Payload)
		}
		if size > 5<<20 || len(p.Records) == 0 {
			t.Errorf("a page of %d events and %d bytes", len(p.Records), size)
		}
		total += len(p.Records)
		q.After, more = p.Next, p.More
	}
	if total != 50 {
		t.Errorf("%d events", total)
	}
}

func TestWhatIsNotKeptIsAReset(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bench) {
		for n := range 20 {
			b.count(n + 1)
		}
		first := b.read(event.Query{Limit: 3}).Records
		b.exec(`DELETE FROM ashlar_event_log WHERE position <= 10`)

		for name, q := range map[string]event.Query{
			"a position":             {After: 5},
			"an id":                  {AfterID: first[2].ID},
			"an id that never was":   {AfterID: "evt_00000000000000000000000000"},
			"no id at all":           {AfterID: "'; DROP TABLE"},
			"a position not reached": {After: 21},
			"with a filter":          {After: 5, Filter: event.Filter{Topics: []string{"stock.counted"}}},
			"with a scope":           {After: 5, Filter: event.Filter{Scope: "s"}},
		} {
			if p, err := b.Read(t.Context(), q); !errors.Is(err, event.ErrReset) {
				t.Errorf("%s: %+v, %v", name, p, err)
			}
		}
		for name, q := range map[string]event.Query{
			"from the start":          {},
			"just before the oldest":  {After: 10},
			"from the start, a topic": {Filter: event.Filter{Topics: []string{"stock.counted"}}},
		} {
			if p := b.read(q); payloads(p.Records) != numbers(11, 20) {
				t.Errorf("%s: %s", name, payloads(p.Records))
			}
		}
		if p := b.read(event.Query{After: 12}); payloads(p.Records) != numbers(13, 20) {
			t.Errorf("after one that is kept: %s", payloads(p.Records))
		}
	})
}

func TestQueriesAreChecked(t *testing.T) {
	t.Parallel()
	b := onSQLite(t, event.Config{})
	for want, q := range map[string]event.Query{
		"a limit of -1":       {Limit: -1},
		"a limit of 1001":     {Limit: 1001},
		`"" is no topic`:      {Filter: event.Filter{Topics: []string{""}}},
		`"a b" is no topic`:   {Filter: event.Filter{Topics: []string{"a b*"}}},
		`"a*b" is no topic`:   {Filter: event.Filter{Topics: []string{"a*b"}}},
		"a filter of 33 topi": {Filter: event.Filter{Topics: make([]string, 33)}},
	} {
		if _, err := b.Read(t.Context(), q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	b := onSQLite(t, event.Config{})
	for want, c := range map[string]event.Config{
		"DB is missing": {},
		"not negative":  {DB: b.db, Poll: -1},
		"a second":      {DB: b.db, Lease: 5},
	} {
		if _, err := event.Open(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
