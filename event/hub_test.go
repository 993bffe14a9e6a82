package event_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
)

// next returns so many events of a subscription.
func next(t *testing.T, s *event.Subscription, n int) []*event.Record {
	t.Helper()
	var all []*event.Record
	for len(all) < n {
		more, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(more) == 0 {
			t.Fatal("Next returned nothing")
		}
		all = append(all, more...)
	}
	return all
}

// none reports that nothing comes.
func none(t *testing.T, s *event.Subscription) {
	t.Helper()
	synctest.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if more, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s, %v: nothing was to come", payloads(more), err)
	}
}

func (b *bench) subscribe(f event.Filter, from event.Start) *event.Subscription {
	b.t.Helper()
	s, err := b.Subscribe(b.t.Context(), f, from)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(s.Close)
	return s
}

func TestSubscribersSeeWhatIsPublished(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := onSQLite(t, event.Config{})
		b.count(1)
		one, two := b.subscribe(event.Filter{}, event.Now()), b.subscribe(event.Filter{Topics: []string{"order.*"}}, event.Now())
		none(t, one)
		b.count(2, 3)
		b.place("a", "s")
		if got := payloads(next(t, one, 3)); got != `2 3 {"id":"a","shop":"s","amount":0}` {
			t.Error(got)
		}
		if got := next(t, two, 1); got[0].Key != "a" || got[0].Position != 4 {
			t.Errorf("%+v", got[0])
		}
		none(t, one)
		none(t, two)
		if s := b.Stats(); s.Subscribers != 2 || s.Read != 3 || s.CatchUps != 0 || s.Recent != 3 {
			t.Errorf("%+v", s)
		}
		one.Close()
		one.Close()
		two.Close()
		if s := b.Stats(); s.Subscribers != 0 || s.Recent != 0 {
			t.Errorf("%+v", s)
		}
		b.count(4)
		if got := payloads(next(t, b.subscribe(event.Filter{}, event.After(4)), 1)); got != "4" {
			t.Error(got)
		}
	})
}

// TestASubscriptionBeginsWithoutGapOrDuplicate: events are published all the
// time while readers come and go on where they were.
func TestASubscriptionBeginsWithoutGapOrDuplicate(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bench) {
		const total = 600
		var publishing sync.WaitGroup
		publishing.Go(func() {
			for n := range total {
				b.count(n + 1)
			}
		})
		var reading sync.WaitGroup
		for reader := range 6 {
			reading.Go(func() {
				position, seen := int64(0), int64(0)
				for seen < total {
					s, err := b.Subscribe(t.Context(), event.Filter{}, event.After(position))
					if err != nil {
						t.Error(err)
						return
					}
					for range reader + 1 { // so many pages, then it comes anew
						more, err := s.Next(t.Context())
						if err != nil {
							t.Error(err)
							return
						}
						for _, r := range more {
							if seen++; r.Position != seen || string(r.Payload) != fmt.Sprint(seen) {
								t.Errorf("position %d after %d", r.Position, seen-1)
								return
							}
						}
						if seen == total {
							break
						}
					}
					if position = s.Position(); position != seen {
						t.Errorf("at %d after %d", position, seen)
					}
					s.Close()
				}
			})
		}
		publishing.Wait()
		reading.Wait()
	})
}

func TestASlowSubscriberReadsTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := onSQLite(t, event.Config{Recent: 16})
		slow, rare := b.subscribe(event.Filter{}, event.Now()), b.subscribe(event.Filter{Scope: "s"}, event.Now())
		b.place("a", "s")
		for n := range 500 {
			b.count(n + 1)
			synctest.Wait()
		}
		if s := b.Stats(); s.Recent != 16 || s.Read != 501 {
			t.Errorf("%+v", s)
		}
		got := next(t, slow, 501)
		if payloads(got[1:]) != numbers(1, 500) {
			t.Error(payloads(got))
		}
		if got := next(t, rare, 1); got[0].Key != "a" {
			t.Errorf("%+v", got[0])
		}
		caughtUp := b.Stats().CatchUps
		if caughtUp == 0 {
			t.Error("nothing was read for the slow one")
		}
		// Who only waits for what is rare is not behind, however much else
		// there is.
		for n := range 500 {
			b.count(n + 1)
			synctest.Wait()
		}
		b.place("b", "s")
		if got := next(t, rare, 1); got[0].Key != "b" || b.Stats().CatchUps != caughtUp {
			t.Errorf("%+v after %d pages", got[0], b.Stats().CatchUps-caughtUp)
		}
		none(t, rare)
	})
}

func TestASlowSubscriberCanBeDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := onSQLite(t, event.Config{})
		s := b.subscribe(event.Filter{}, event.Now())
		s.Drop(10)
		for n := range 10 {
			b.count(n + 1)
		}
		synctest.Wait()
		next(t, s, 10)
		for n := range 11 {
			b.count(n + 11)
		}
		synctest.Wait()
		if _, err := s.Next(t.Context()); !errors.Is(err, event.ErrSlow) || b.Stats().Dropped != 1 {
			t.Errorf("%v", err)
		}
		if got := payloads(next(t, b.subscribe(event.Filter{}, event.After(s.Position())), 11)); got != numbers(11, 21) {
			t.Errorf("resumed with %s", got)
		}
	})
}

func TestMemoryForRecentEventsIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := onSQLite(t, event.Config{})
		s := b.subscribe(event.Filter{}, event.Now())
		big := string(make([]byte, 40<<10)) // six bytes each in JSON
		for n := range 100 {
			b.tx(func(tx *db.Tx) error { return named.Publish(t.Context(), tx, big, event.WithKey(fmt.Sprint(n))) })
			synctest.Wait()
		}
		if r := b.Stats().Recent; r < 60 || r > 70 { // 16 MiB of 240 KiB each
			t.Errorf("%d events in memory", r)
		}
		for i, r := range next(t, s, 100) {
			if r.Key != fmt.Sprint(i) {
				t.Fatalf("%d. is %s", i, r.Key)
			}
		}
	})
}

// TestAnotherProcessIsNoticed: two logs on one database know nothing of each
// other but what is in it.
func TestAnotherProcessIsNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := onSQLite(t, event.Config{})
		s := b.subscribe(event.Filter{}, event.Now())
		none(t, s) // it looks at its slowest by now
		synctest.Wait()
		began := time.Now()
		b.exec(`INSERT INTO ashlar_event_log (id, topic, key, scope, version, at, trace, payload) VALUES ('evt_1', 'a', '', '', 1, 0, '', '7')`)
		if got := payloads(next(t, s, 1)); got != "7" {
			t.Error(got)
		}
		if took := time.Since(began); took > event.DefaultPoll {
			t.Errorf("after %v", took)
		}
	})
}

func TestAnOtherHistoryIsAReset(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"put back":               `DELETE FROM ashlar_event_log WHERE position > 5`,
		"put back to nothing":    `DELETE FROM ashlar_event_log`,
		"another of its length":  `UPDATE ashlar_event_log SET id = id || 'x' WHERE position = 10`,
		"deleted before it read": `UPDATE ashlar_event_log SET position = position + 100`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := onSQLite(t, event.Config{})
				for n := range 10 {
					b.count(n + 1)
				}
				s := b.subscribe(event.Filter{Scope: "nobody"}, event.Now())
				old := b.subscribe(event.Filter{}, event.After(3))
				b.exec(change)
				for _, s := range []*event.Subscription{s, old} {
					if more, err := s.Next(t.Context()); !errors.Is(err, event.ErrReset) {
						t.Errorf("%s, %v", payloads(more), err)
					}
				}
				if _, err := s.Next(t.Context()); !errors.Is(err, event.ErrReset) {
					t.Errorf("asked again: %v", err)
				}
				again := b.subscribe(event.Filter{}, event.Now())
				b.count(77)
				if got := payloads(next(t, again, 1)); got != "77" {
					t.Error(got)
				}
			})
		})
	}
}

func TestOldEventsMayGoUnderAReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := onSQLite(t, event.Config{})
		b.count(1, 2, 3)
		s := b.subscribe(event.Filter{}, event.Now())
		b.exec(`DELETE FROM ashlar_event_log WHERE position < 3`)
		b.count(4)
		b.exec(`DELETE FROM ashlar_event_log WHERE position < 4`) // the head that the hub knows goes too
		if got := payloads(next(t, s, 1)); got != "4" {
			t.Error(got)
		}
		none(t, s)
	})
}

func TestReadingGoesOnAfterAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := onSQLite(t, event.Config{})
		s := b.subscribe(event.Filter{}, event.Now())
		b.exec(`ALTER TABLE ashlar_event_log RENAME TO gone`)
		none(t, s)
		b.exec(`ALTER TABLE gone RENAME TO ashlar_event_log`)
		b.count(1)
		if got := payloads(next(t, s, 1)); got != "1" {
			t.Error(got)
		}
		none(t, s)
		logged(t, b, "events cannot be read", 1)
		logged(t, b, "events are read again", 1)
	})
}

func TestACloseEndsSubscriptions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := onSQLite(t, event.Config{})
		s := b.subscribe(event.Filter{}, event.Now())
		done := make(chan error)
		go func() {
			_, err := s.Next(t.Context())
			done <- err
		}()
		synctest.Wait()
		b.Close()
		b.Close()
		if err := <-done; err == nil {
			t.Error("Next returned without an error")
		}
		if _, err := b.Subscribe(t.Context(), event.Filter{}, event.Now()); err == nil {
			t.Error("a closed log takes subscriptions")
		}
	})
}
