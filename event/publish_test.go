package event_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/trace"
)

func TestAnEventIsThereWithItsTransaction(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bench) {
		tc := trace.New()
		ctx := trace.With(t.Context(), tc)
		before := time.Now().Truncate(time.Millisecond)
		b.tx(func(tx *db.Tx) error {
			return placed.Publish(ctx, tx, Order{ID: "o1", Shop: "s1", Amount: 5})
		})
		got := b.read(event.Query{})
		if len(got.Records) != 1 || got.More || got.Next != 1 {
			t.Fatalf("%+v", got)
		}
		r := got.Records[0]
		if r.Position != 1 || r.Topic != "order.placed" || r.Key != "o1" || r.Scope != "s1" || r.Version != 1 ||
			string(r.Payload) != `{"id":"o1","shop":"s1","amount":5}` || r.Trace != tc.Traceparent() {
			t.Errorf("%+v", r)
		}
		if err := id.Valid("evt_", r.ID); err != nil {
			t.Errorf("%s: %v", r.ID, err)
		}
		if r.At.Before(before) || r.At.After(time.Now()) || r.At.Location() != time.UTC {
			t.Errorf("at %v", r.At)
		}
		if head, err := b.Head(t.Context()); head != 1 || err != nil {
			t.Errorf("head %d, %v", head, err)
		}
		if s := b.Stats(); s.Published != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestARollbackPublishesNothing(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bench) {
		b.count(1)
		for _, fail := range []error{errTest, context.Canceled} {
			err := inTx(t.Context(), b.db, func(tx *db.Tx) error {
				return errors.Join(counted.Publish(t.Context(), tx, 13), fail)
			})
			if !errors.Is(err, fail) {
				t.Fatal(err)
			}
		}
		b.tx(func(tx *db.Tx) error { // a kept error commits
			return errors.Join(counted.Publish(t.Context(), tx, 2))
		})
		_, err := db.InTx(t.Context(), b.db, func(tx *db.Tx) (int, error) {
			return 0, errors.Join(counted.Publish(t.Context(), tx, 3), db.Keep(errTest))
		})
		if err != errTest {
			t.Fatal(err)
		}
		p := b.read(event.Query{})
		if got := payloads(p.Records); got != "1 2 3" || p.Next != 3 {
			t.Errorf("%s up to %d", got, p.Next)
		}
		if s := b.Stats(); s.Published != 3 {
			t.Errorf("%d published", s.Published)
		}
	})
}

func TestEventsOfATransactionKeepTheirOrder(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bench) {
		for from := 1; from <= 100; from += 20 {
			b.tx(func(tx *db.Tx) error {
				for n := from; n < from+20; n++ {
					if err := counted.Publish(t.Context(), tx, n); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if got := payloads(b.read(event.Query{}).Records); got != numbers(1, 100) {
			t.Error(got)
		}
	})
}

func TestOptionsWinOverThePayload(t *testing.T) {
	t.Parallel()
	b := onSQLite(t, event.Config{})
	b.tx(func(tx *db.Tx) error {
		return errors.Join(
			placed.Publish(t.Context(), tx, Order{ID: "o1", Shop: "s1"}, event.WithKey("k"), event.WithScope("s")),
			placed.Publish(t.Context(), tx, Order{ID: "o1", Shop: "s1"}, event.WithKey("")),
			counted.Publish(t.Context(), tx, 1, event.WithScope("s")),
			revised.Publish(t.Context(), tx, Revised{}),
		)
	})
	var got []string
	for _, r := range b.read(event.Query{}).Records {
		got = append(got, r.Key+"/"+r.Scope+"/"+string('0'+rune(r.Version)))
	}
	if s := strings.Join(got, " "); s != "k/s/1 /s1/1 /s/1 //3" {
		t.Error(s)
	}
}

// Revised is a payload of a later form, by a pointer's method.
type Revised struct{}

func (*Revised) EventVersion() int { return 3 }

const revised event.Topic[Revised] = "thing.revised"

// Wrong is a payload of no version.
type Wrong struct{}

func (Wrong) EventVersion() int { return 0 }

func TestWhatCannotBePublishedIsSaid(t *testing.T) {
	t.Parallel()
	b := onSQLite(t, event.Config{})
	big := strings.Repeat("x", event.MaxPayload)
	for want, publish := range map[string]func(ctx context.Context, tx *db.Tx) error{
		`"" is no topic`:        func(ctx context.Context, tx *db.Tx) error { return event.Topic[int]("").Publish(ctx, tx, 1) },
		`"Order" is no topic`:   func(ctx context.Context, tx *db.Tx) error { return event.Topic[int]("Order").Publish(ctx, tx, 1) },
		`"order." is no topic`:  func(ctx context.Context, tx *db.Tx) error { return event.Topic[int]("order.").Publish(ctx, tx, 1) },
		`".order" is no topic`:  func(ctx context.Context, tx *db.Tx) error { return event.Topic[int](".order").Publish(ctx, tx, 1) },
		`"a..b" is no topic`:    func(ctx context.Context, tx *db.Tx) error { return event.Topic[int]("a..b").Publish(ctx, tx, 1) },
		`"1a" is no topic`:      func(ctx context.Context, tx *db.Tx) error { return event.Topic[int]("1a").Publish(ctx, tx, 1) },
		`"a b" is no topic`:     func(ctx context.Context, tx *db.Tx) error { return event.Topic[int]("a b").Publish(ctx, tx, 1) },
		`"order.*" is no topic`: func(ctx context.Context, tx *db.Tx) error { return event.Topic[int]("order.*").Publish(ctx, tx, 1) },
		`of at most 100 bytes`: func(ctx context.Context, tx *db.Tx) error {
			return event.Topic[int](strings.Repeat("a", 101)).Publish(ctx, tx, 1)
		},
		`the key has 201 bytes; 200 is the most`: func(ctx context.Context, tx *db.Tx) error {
			return counted.Publish(ctx, tx, 1, event.WithKey(big[:201]))
		},
		`the scope is no text`: func(ctx context.Context, tx *db.Tx) error {
			return counted.Publish(ctx, tx, 1, event.WithScope("a\x00b"))
		},
		`the key is no text`: func(ctx context.Context, tx *db.Tx) error {
			return counted.Publish(ctx, tx, 1, event.WithKey("\xff"))
		},
		`the payload has 262146 bytes; 262144 is the most`: func(ctx context.Context, tx *db.Tx) error { return named.Publish(ctx, tx, big) },
		`write the payload`: func(ctx context.Context, tx *db.Tx) error {
			return event.Topic[float64]("thing.weighed").Publish(ctx, tx, math.NaN())
		},
		`channels.sent: write the payload`: func(ctx context.Context, tx *db.Tx) error {
			return event.Topic[chan int]("channels.sent").Publish(ctx, tx, nil)
		},
		`the version of the payload is 0`: func(ctx context.Context, tx *db.Tx) error {
			return event.Topic[Wrong]("thing.made").Publish(ctx, tx, Wrong{})
		},
	} {
		err := inTx(t.Context(), b.db, func(tx *db.Tx) error { return publish(t.Context(), tx) })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), big[:201]) {
			t.Error("the error quotes the payload")
		}
	}
	b.tx(func(tx *db.Tx) error { // what just fits
		return errors.Join(
			named.Publish(t.Context(), tx, big[2:], event.WithKey(big[:200]), event.WithScope("ü")),
			event.Topic[int]("a-1_.b2").Publish(t.Context(), tx, 1))
	})
	if p := b.read(event.Query{}); len(p.Records) != 2 {
		t.Errorf("%d events", len(p.Records))
	}
}

func TestPublishAfterTheEndOfATransaction(t *testing.T) {
	t.Parallel()
	b := onSQLite(t, event.Config{})
	var leaked *db.Tx
	b.tx(func(tx *db.Tx) error { leaked = tx; return nil })
	if err := counted.Publish(t.Context(), leaked, 1); !errors.Is(err, db.ErrTxDone) {
		t.Error(err)
	}
}
