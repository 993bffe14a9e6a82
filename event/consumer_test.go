package event_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
)

// effects makes the table into which the tests' handlers write.
func (b *bench) effects() {
	b.t.Helper()
	serial := `INTEGER`
	if b.db.Dialect() == db.Postgres {
		serial = `BIGINT GENERATED ALWAYS AS IDENTITY`
	}
	b.exec(`CREATE TABLE effects (n ` + serial + ` PRIMARY KEY, consumer TEXT NOT NULL, event TEXT NOT NULL, key TEXT NOT NULL, payload TEXT NOT NULL, attempt BIGINT NOT NULL)`)
}

// note is the effect of an event.
func note(ctx context.Context, tx *db.Tx, consumer string, r *event.Record, attempt int) error {
	_, err := tx.Exec(ctx, `INSERT INTO effects (consumer, event, key, payload, attempt) VALUES ($1, $2, $3, $4, $5)`,
		consumer, r.ID, r.Key, string(r.Payload), attempt)
	return err
}

// noting is a consumer of everything that notes it, unless fail has an error.
func noting(name string, fail func(r *event.Record, attempt int) error, options ...event.ConsumerOption) event.Consumer {
	return event.OnAny([]string{"*"}, name, func(ctx context.Context, tx *db.Tx, r *event.Record, attempt int) error {
		if err := note(ctx, tx, name, r, attempt); err != nil {
			return err
		}
		if fail == nil {
			return nil
		}
		return fail(r, attempt)
	}, options...)
}

// noted returns the payloads that a consumer noted, in order.
func (b *bench) noted(consumer string) string {
	b.t.Helper()
	list, err := db.All[string](b.t.Context(), b.db, `SELECT payload FROM effects WHERE consumer = $1 ORDER BY n`, consumer)
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Join(list, " ")
}

// consume works on consumers until the function it returns is called.
func (b *bench) consume(list ...event.Consumer) (stop func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	var working sync.WaitGroup
	working.Go(func() {
		if err := b.Consume(ctx, list...); err != nil {
			b.t.Error(err)
		}
	})
	return func() { cancel(); working.Wait() }
}

// consumer returns the state of one.
func (b *bench) consumer(name string) event.ConsumerState {
	b.t.Helper()
	list, err := b.Consumers(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range list {
		if c.Name == name {
			return c
		}
	}
	b.t.Fatalf("no consumer %s", name)
	return event.ConsumerState{}
}

// inBubble runs a test on SQLite with a clock of its own.
func inBubble(t *testing.T, c event.Config, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := onSQLite(t, c)
		b.effects()
		test(t, b)
	})
}

// after waits until all is quiet d from now.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestAConsumerHandlesEachEventOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		b.count(0) // before it was known: not for it
		c := event.On(counted, "counter", func(ctx context.Context, tx *db.Tx, e event.Of[int]) error {
			if string(e.Payload) != fmt.Sprint(e.Data) || e.Attempt != 1 {
				t.Errorf("%+v", e)
			}
			return note(ctx, tx, "counter", &e.Record, e.Attempt)
		})
		stop := b.consume(c)
		synctest.Wait()
		b.count(1, 2, 3)
		b.place("a", "s")
		b.count(4)
		after(time.Second)
		if got := b.noted("counter"); got != "1 2 3 4" {
			t.Error(got)
		}
		stop()
		b.count(5)
		if s := b.consumer("counter"); s.Position != 6 || s.Until.UnixMilli() != 0 || s.Error != "" {
			t.Errorf("%+v", s)
		}
		stop = b.consume(c)
		after(time.Second)
		if got := b.noted("counter"); got != "1 2 3 4 5" {
			t.Error(got)
		}
		stop()
	})
}

func TestAConsumerMayBeginWithTheOldest(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		for n := range 300 {
			b.count(n + 1)
		}
		stop := b.consume(noting("all", nil, event.FromOldest(), event.Batch(7)))
		after(time.Second)
		if got := b.noted("all"); got != numbers(1, 300) {
			t.Error(got)
		}
		stop()
	})
}

func TestAFailureIsTriedAgainLater(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		var at []time.Duration
		began := time.Now()
		stop := b.consume(noting("picky", func(r *event.Record, attempt int) error {
			if string(r.Payload) != "2" {
				return nil
			}
			if at = append(at, time.Since(began)); attempt != len(at) {
				t.Errorf("attempt %d is called %d", len(at), attempt)
			}
			if attempt < 4 {
				return errTest
			}
			return nil
		}, event.FromOldest(), event.Backoff(time.Second, 3*time.Second)))
		synctest.Wait()
		b.tx(func(tx *db.Tx) error {
			return errors.Join(
				counted.Publish(t.Context(), tx, 1, event.WithKey("good")),
				counted.Publish(t.Context(), tx, 2, event.WithKey("bad")),
				counted.Publish(t.Context(), tx, 3, event.WithKey("good")),
				counted.Publish(t.Context(), tx, 4, event.WithKey("bad")),
				counted.Publish(t.Context(), tx, 5))
		})
		synctest.Wait()
		after(100 * time.Millisecond)
		if got := b.noted("picky"); got != "1 3 5" {
			t.Errorf("others were held up: %s", got)
		}
		list, err := b.Parked(t.Context(), "picky", false, 0, 0)
		if err != nil || len(list) != 2 || list[0].Attempts != 1 || list[0].Error != errTest.Error() || list[0].Dead ||
			list[1].Attempts != 0 || !list[1].Next.IsZero() || !list[1].Failed.IsZero() {
			t.Errorf("%+v, %v", list, err)
		}
		after(10 * time.Second)
		b.count(6)
		after(10 * time.Second)
		if got := b.noted("picky"); got != "1 3 5 2 4 6" {
			t.Error(got)
		}
		bounds := [][2]int64{{0, 0}, {500, 1000}, {1000, 2000}, {1500, 3000}} // milliseconds after the one before
		for i, last := 0, time.Duration(0); i < 4; i++ {
			if pause := (at[i] - last).Milliseconds(); pause < bounds[i][0] || pause > bounds[i][1]+50 {
				t.Errorf("attempt %d came after %d ms", i+1, pause)
			}
			last = at[i]
		}
		if s := b.consumer("picky"); s.Parked != 0 || s.Position != 6 {
			t.Errorf("%+v", s)
		}
		if n := b.Stats().Failures; n != 3 {
			t.Errorf("%d failures", n)
		}
		logged(t, b, "an event was not handled", 3)
		stop()
	})
}

// TestAPoisonEventIsADeadLetter: after its attempts it stays aside, with those
// of its key behind it, until somebody decides.
func TestAPoisonEventIsADeadLetter(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		calls := 0
		var poison atomic.Bool
		poison.Store(true)
		stop := b.consume(noting("picky", func(r *event.Record, attempt int) error {
			if string(r.Payload) != "13" || !poison.Load() {
				return nil
			}
			calls++
			if calls%2 == 0 {
				panic("poisoned")
			}
			return errTest
		}, event.Attempts(4), event.Backoff(time.Second, time.Second)))
		synctest.Wait()
		publish := func(n int, key string) {
			b.tx(func(tx *db.Tx) error { return counted.Publish(t.Context(), tx, n, event.WithKey(key)) })
		}
		publish(13, "k")
		publish(14, "k")
		publish(20, "other")
		after(time.Minute)
		publish(15, "k")
		publish(21, "other")
		after(time.Minute)
		if got := b.noted("picky"); got != "20 21" || calls != 4 {
			t.Errorf("%s after %d calls", got, calls)
		}
		dead, err := b.Parked(t.Context(), "picky", true, 0, 0)
		if err != nil || len(dead) != 1 || dead[0].Attempts != 4 || !strings.HasPrefix(dead[0].Error, "panic: poisoned") || string(dead[0].Payload) != "13" || dead[0].Failed.IsZero() {
			t.Fatalf("%+v, %v", dead, err)
		}
		if s := b.consumer("picky"); s.Parked != 3 || s.Dead != 1 {
			t.Errorf("%+v", s)
		}

		// Retried without a remedy it is a dead letter once more.
		if n, err := b.Retry(t.Context(), "picky"); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		after(time.Minute)
		if got := b.noted("picky"); got != "20 21" || calls != 8 {
			t.Errorf("%s after %d calls", got, calls)
		}
		poison.Store(false)
		if n, err := b.Retry(t.Context(), "picky", dead[0].ID); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		after(time.Minute)
		publish(16, "k")
		after(time.Second)
		if got := b.noted("picky"); got != "20 21 13 14 15 16" {
			t.Error(got)
		}
		stop()
	})
}

func TestADiscardedEventLetsOthersPass(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		stop := b.consume(noting("picky", func(r *event.Record, attempt int) error {
			if string(r.Payload) == "13" {
				return event.Permanent(errTest)
			}
			return nil
		}))
		synctest.Wait()
		for n := 12; n < 16; n++ {
			b.tx(func(tx *db.Tx) error { return counted.Publish(t.Context(), tx, n, event.WithKey("k")) })
		}
		after(time.Second)
		list, err := b.Parked(t.Context(), "picky", false, 0, 2)
		if err != nil || len(list) != 2 || !list[0].Dead || list[0].Attempts != 1 || list[1].Dead {
			t.Fatalf("%+v, %v", list, err)
		}
		if _, err := b.Retry(t.Context(), "picky", list[1].ID); !errors.Is(err, event.ErrUnknown) {
			t.Errorf("one that waits was retried: %v", err)
		}
		if _, err := b.Discard(t.Context(), "picky", "evt_other"); !errors.Is(err, event.ErrUnknown) {
			t.Error(err)
		}
		if n, err := b.Discard(t.Context(), "picky", list[0].ID); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		after(time.Second)
		if got := b.noted("picky"); got != "12 14 15" {
			t.Error(got)
		}
		stop()
	})
}

func TestSkipLetsLaterEventsOvertake(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		stop := b.consume(noting("loose", func(r *event.Record, attempt int) error {
			if string(r.Payload) == "2" && attempt < 3 {
				return errTest
			}
			return nil
		}, event.OnFailure(event.Skip)))
		synctest.Wait()
		for n := 1; n < 5; n++ {
			b.tx(func(tx *db.Tx) error { return counted.Publish(t.Context(), tx, n, event.WithKey("k")) })
		}
		after(time.Minute)
		if got := b.noted("loose"); got != "1 3 4 2" {
			t.Error(got)
		}
		stop()
	})
}

func TestHaltKeepsTheOrderOfAll(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		var poison atomic.Bool
		poison.Store(true)
		stop := b.consume(noting("strict", func(r *event.Record, attempt int) error {
			if string(r.Payload) == "2" && poison.Load() {
				return errTest
			}
			return nil
		}, event.OnFailure(event.Halt), event.Attempts(2)))
		synctest.Wait()
		b.count(1, 2, 3)
		after(time.Hour)
		s := b.consumer("strict")
		if got := b.noted("strict"); got != "1" || s.Error != errTest.Error() || s.Position != 1 || s.Parked != 0 {
			t.Errorf("%s, %+v", got, s)
		}
		if err := b.Refresh(t.Context()); err != nil || !b.Stats().Consumers[0].Halted || b.Stats().Consumers[0].Lag != 2 {
			t.Errorf("%+v, %v", b.Stats().Consumers, err)
		}
		poison.Store(false)
		after(event.DefaultLongest)
		s = b.consumer("strict")
		if got := b.noted("strict"); got != "1 2 3" || s.Error != "" || s.Position != 3 {
			t.Errorf("%s, %+v", got, s)
		}
		stop()
	})
}

func TestParkedEventsAreBounded(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		var poison atomic.Bool
		poison.Store(true)
		stop := b.consume(noting("full", func(r *event.Record, attempt int) error {
			if poison.Load() && r.Key == "bad" {
				return errTest
			}
			return nil
		}, event.MaxParked(3)))
		synctest.Wait()
		for n := range 6 {
			b.tx(func(tx *db.Tx) error { return counted.Publish(t.Context(), tx, n, event.WithKey("bad")) })
		}
		b.count(7)
		after(time.Hour)
		s := b.consumer("full")
		if got := b.noted("full"); got != "" || s.Parked != 3 || s.Position != 3 || s.Error == "" {
			t.Errorf("%s, %+v", got, s)
		}
		poison.Store(false)
		if _, err := b.Retry(t.Context(), "full"); err != nil {
			t.Error(err)
		}
		after(time.Hour)
		s = b.consumer("full")
		if got := b.noted("full"); got != "0 1 2 3 4 5 7" || s.Parked != 0 || s.Error != "" {
			t.Errorf("%s, %+v", got, s)
		}
		stop()
	})
}

func TestABatchIsHandledTogether(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		var sizes []int
		c := event.OnBatch(counted, "batch", func(ctx context.Context, tx *db.Tx, list []event.Of[int]) error {
			sizes = append(sizes, len(list))
			for _, e := range list {
				if err := note(ctx, tx, "batch", &e.Record, e.Attempt); err != nil {
					return err
				}
				if e.Data == 15 && e.Attempt < 2 {
					return errTest
				}
			}
			return nil
		}, event.Batch(10), event.FromOldest())
		for n := range 30 {
			b.count(n + 1)
		}
		stop := b.consume(c)
		after(time.Minute)
		if got := b.noted("batch"); got != numbers(1, 14)+" "+numbers(16, 30)+" 15" {
			t.Error(got)
		}
		if s := fmt.Sprint(sizes); s != "[10 10 1 1 1 1 1 5 10 1]" {
			t.Error(s)
		}
		stop()
	})
}

// TestACommitThatFailsIsTheEventsFault: what a handler wrote may be refused at
// the end only.
func TestACommitThatFailsIsTheEventsFault(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		b.exec(`CREATE TABLE parents (id BIGINT PRIMARY KEY)`)
		b.exec(`CREATE TABLE children (id BIGINT PRIMARY KEY, parent BIGINT REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)`)
		b.exec(`INSERT INTO parents VALUES (1)`)
		stop := b.consume(event.On(counted, "keys", func(ctx context.Context, tx *db.Tx, e event.Of[int]) error {
			if _, err := tx.Exec(ctx, `INSERT INTO children VALUES ($1, $2)`, e.Position, e.Data); err != nil {
				return err
			}
			return note(ctx, tx, "keys", &e.Record, e.Attempt)
		}, event.Attempts(2)))
		synctest.Wait()
		b.count(1, 1, 5, 1)
		after(time.Minute)
		dead, err := b.Parked(t.Context(), "keys", true, 0, 0)
		if got := b.noted("keys"); got != "1 1 1" || err != nil || len(dead) != 1 || string(dead[0].Payload) != "5" {
			t.Errorf("%s, %+v, %v", got, dead, err)
		}
		stop()
	})
}

func TestAnUnreadablePayloadIsADeadLetterAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		stop := b.consume(event.On(counted, "counter", func(ctx context.Context, tx *db.Tx, e event.Of[int]) error {
			return note(ctx, tx, "counter", &e.Record, e.Attempt)
		}))
		synctest.Wait()
		b.tx(func(tx *db.Tx) error { return event.Topic[string]("stock.counted").Publish(t.Context(), tx, "many") })
		b.count(1)
		after(time.Second)
		dead, err := b.Parked(t.Context(), "counter", true, 0, 0)
		if got := b.noted("counter"); got != "1" || err != nil || len(dead) != 1 || dead[0].Attempts != 1 {
			t.Errorf("%s, %+v, %v", got, dead, err)
		}
		stop()
	})
}

func TestAHandlerHasATimeout(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		stop := b.consume(noting("slow", func(r *event.Record, attempt int) error { return nil }),
			event.On(counted, "slower", func(ctx context.Context, tx *db.Tx, e event.Of[int]) error {
				if e.Attempt == 1 {
					<-ctx.Done()
					return ctx.Err()
				}
				return note(ctx, tx, "slower", &e.Record, e.Attempt)
			}, event.Timeout(time.Second)))
		synctest.Wait()
		b.count(1)
		after(time.Minute)
		if got := b.noted("slower"); got != "1" {
			t.Error(got)
		}
		stop()
	})
}

func TestAnOutageIsNobodysFault(t *testing.T) {
	t.Parallel()
	inBubble(t, event.Config{}, func(t *testing.T, b *bench) {
		stop := b.consume(noting("calm", nil))
		synctest.Wait()
		b.exec(`ALTER TABLE ashlar_event_consumers RENAME TO gone`)
		b.count(1)
		after(time.Hour)
		b.exec(`ALTER TABLE gone RENAME TO ashlar_event_consumers`)
		after(time.Minute)
		if got := b.noted("calm"); got != "1" || b.Stats().Failures != 0 {
			t.Errorf("%s after %d failures", got, b.Stats().Failures)
		}
		stop()
	})
}

func TestMistakesOfConsumersAreReportedTogether(t *testing.T) {
	t.Parallel()
	b := onSQLite(t, event.Config{})
	fn := func(context.Context, *db.Tx, event.Of[int]) error { return nil }
	err := b.Consume(t.Context(),
		event.On(counted, "Counter", fn),
		event.On(counted, "a", fn, event.Attempts(0), event.Timeout(-1), event.Batch(0), event.MaxParked(0), event.Backoff(5, 1)),
		event.On(counted, "a", fn),
		event.On[int](counted, "b", nil),
		event.OnBatch[int](counted, "c", nil),
		event.OnAny(nil, "d", nil),
		event.On(event.Topic[chan int]("e.f"), "e", func(context.Context, *db.Tx, event.Of[chan int]) error { return nil }),
		event.Consumer{})
	for _, want := range []string{
		`event consumer "Counter": its name`, `"a": 0 attempts`, `"a": a timeout of -1ns`, `"a": batches of 0`, `"a": 0 events may be parked`,
		`"a": pauses of 5ns to 1ns`, `"a": another one has its name`, `"b": it has no handler`, `"c": it has no handler`,
		`"d": it has no handler`, `"d": it names no topic`, `"e": its payload`, "not made by On",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	if c := event.On(counted, "a", fn); c.Name() != "a" || c.Topics()[0] != "stock.counted" {
		t.Error(c.Name(), c.Topics())
	}
}

// idly is a handler without effects.
func idly(context.Context, *db.Tx, *event.Record, int) error { return nil }
