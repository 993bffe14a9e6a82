package job_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/job"
	"github.com/ashlar-go/ashlar/trace"
)

func TestAJobSharesTheTransaction(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		refused := errors.New("refused")
		err := k.try(func(ctx context.Context, tx *db.Tx) error {
			return errors.Join(settle.Add(ctx, tx, payment{ID: "lost"}), refused)
		})
		if !errors.Is(err, refused) {
			t.Fatal(err)
		}
		kept := add(k, settle, payment{"kept", 7})
		list, err := job.List(t.Context(), k.db, job.Filter{})
		if err != nil || len(list) != 1 || list[0].ID != kept || string(list[0].Payload) != `{"id":"kept","amount":7}` {
			t.Errorf("there are %+v, %v; want the one that was committed", list, err)
		}
	})
}

func TestWhatAnAddSays(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		tc := trace.New()
		now := k.clock.now()
		var id string
		k.tx(func(ctx context.Context, tx *db.Tx) error {
			var r job.Receipt
			err := settle.Add(trace.With(ctx, tc), tx, payment{ID: "p"}, job.High, job.After(time.Hour), job.Unique("p"), job.Into(&r))
			id = r.ID
			return err
		})
		info := k.is(id, job.Scheduled, 0)
		if info.Queue != "payment.settle" || info.Priority != job.High || !info.DueAt.Equal(now.Add(time.Hour)) ||
			info.UniqueKey != "p" || info.TraceID != tc.TraceIDString() || !info.AddedAt.Equal(now) || !info.StartedAt.IsZero() || !info.EndedAt.IsZero() {
			t.Errorf("got %+v", info)
		}
		k.is(add(k, settle, payment{}, job.At(now.Add(-time.Hour))), job.Queued, 0)
		soon := k.is(add(k, settle, payment{}, job.At(now.Add(time.Microsecond))), job.Scheduled, 0)
		if soon.DueAt.Before(now.Add(time.Microsecond)) {
			t.Errorf("is due at %s, before its time", soon.DueAt)
		}
	})
}

func TestAnAddIsRefused(t *testing.T) {
	t.Parallel()
	k := newKit(t, openSQLite(t))
	const nameless job.Queue[payment] = "Payment Settle"
	const loop job.Queue[chan int] = "payment.loop"
	for reason, c := range map[string]func(ctx context.Context, tx *db.Tx) error{
		"After(-1s): must not be negative": func(ctx context.Context, tx *db.Tx) error {
			return settle.Add(ctx, tx, payment{}, job.After(-time.Second))
		},
		"At: the time is not set": func(ctx context.Context, tx *db.Tx) error {
			return settle.Add(ctx, tx, payment{}, job.At(time.Time{}))
		},
		"says twice when to run": func(ctx context.Context, tx *db.Tx) error {
			return settle.Add(ctx, tx, payment{}, job.At(time.Now()), job.After(1))
		},
		"there is no priority 2": func(ctx context.Context, tx *db.Tx) error {
			return settle.Add(ctx, tx, payment{}, job.Priority(2))
		},
		"1 to 200 bytes": func(ctx context.Context, tx *db.Tx) error { return settle.Add(ctx, tx, payment{}, job.Unique("")) },
		"200 bytes of text": func(ctx context.Context, tx *db.Tx) error {
			return settle.Add(ctx, tx, payment{}, job.Unique(strings.Repeat("x", 201)))
		},
		"bytes of text": func(ctx context.Context, tx *db.Tx) error { return settle.Add(ctx, tx, payment{}, job.Unique("a\x00")) },
		"unique twice": func(ctx context.Context, tx *db.Tx) error {
			return settle.Add(ctx, tx, payment{}, job.Unique("a"), job.Unique("b"))
		},
		"UniqueFor(0s)": func(ctx context.Context, tx *db.Tx) error {
			return settle.Add(ctx, tx, payment{}, job.UniqueFor("a", 0))
		},
		"is above 65536": func(ctx context.Context, tx *db.Tx) error {
			return settle.Add(ctx, tx, payment{ID: strings.Repeat("x", 65536)})
		},
		"not of the form":    func(ctx context.Context, tx *db.Tx) error { return nameless.Add(ctx, tx, payment{}) },
		"unsupported type":   func(ctx context.Context, tx *db.Tx) error { return loop.Add(ctx, tx, nil) },
		"Payment Settle: th": func(ctx context.Context, tx *db.Tx) error { return nameless.Add(ctx, tx, payment{}) },
	} {
		if err := k.try(c); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("got %v, want an error that says %q", err, reason)
		}
	}
	if list, err := job.List(t.Context(), k.db, job.Filter{}); len(list) != 0 || err != nil {
		t.Errorf("there are %+v, %v", list, err)
	}
}

// TestTwins: a job with a unique key is there once, from its addition to its
// end, and for its time at least.
func TestTwins(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		first := addFor(k, settle, payment{ID: "1"}, job.Unique("k"))
		if twin := addFor(k, settle, payment{ID: "2"}, job.Unique("k")); !twin.Twin || twin.ID != first.ID || first.Twin {
			t.Errorf("got %+v beside %+v", twin, first)
		}
		if other := addFor(k, settle, payment{}, job.Unique("l")); other.Twin {
			t.Error("another key is the same")
		}
		if other := addFor(k, notify, payment{}, job.Unique("k")); other.Twin {
			t.Error("the same key of another queue is the same")
		}
		held := addFor(k, settle, payment{}, job.UniqueFor("held", time.Hour))

		r := k.runner(nil, job.On(settle, func(ctx context.Context, p payment) error {
			if p.ID == "1" { // still: it runs
				if twin := addFor(k, settle, payment{ID: "3"}, job.Unique("k")); !twin.Twin || twin.ID != first.ID {
					t.Errorf("while it runs there is a second one: %+v", twin)
				}
			}
			return nil
		}))
		if n, err := r.RunDue(t.Context(), 0); n != 3 || err != nil {
			t.Fatalf("%d runs, %v", n, err)
		}
		if next := addFor(k, settle, payment{}, job.Unique("k")); next.Twin {
			t.Error("a job that is done keeps its twins out")
		}
		k.clock.advance(time.Hour - time.Millisecond)
		if twin := addFor(k, settle, payment{}, job.Unique("held")); !twin.Twin || twin.ID != held.ID {
			t.Errorf("within its hour there is a second one: %+v", twin)
		}
		k.clock.advance(time.Millisecond)
		if next := addFor(k, settle, payment{}, job.UniqueFor("held", time.Hour)); next.Twin {
			t.Error("keeps twins out for more than its hour")
		}
		if twin := addFor(k, settle, payment{}, job.Unique("held")); !twin.Twin {
			t.Error("the next one does not keep twins out")
		}
	})
}

// TestTwinsRace adds one job from many sides at once.
func TestTwinsRace(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		const sides = 10
		receipts := make([]job.Receipt, sides)
		var all sync.WaitGroup
		for i := range sides {
			all.Go(func() {
				err := k.try(func(ctx context.Context, tx *db.Tx) error {
					return settle.Add(ctx, tx, payment{}, job.Unique("k"), job.Into(&receipts[i]))
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		firsts := 0
		for _, r := range receipts {
			if !r.Twin {
				firsts++
			}
			if r.ID != receipts[0].ID {
				t.Errorf("%+v is another job than %+v", r, receipts[0])
			}
		}
		if list, err := job.List(t.Context(), k.db, job.Filter{}); len(list) != 1 || err != nil || firsts != 1 {
			t.Errorf("%d were first, and there are %d jobs, %v", firsts, len(list), err)
		}
	})
}
