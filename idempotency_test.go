package ashlar_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/idem"
	"github.com/ashlar-go/ashlar/op"
)

// The orders of these tests are made in two transactions with a call to the
// outside between them, which a test can make fail.
type order struct {
	ID   string `json:"id"`
	Item string `json:"item"`
	Paid bool   `json:"paid"`
}

type newOrder struct {
	Item string `json:"item"`
}

type orders struct {
	db  *db.DB
	pay func(ctx context.Context, id string) error
}

const (
	placing    access.Permission = "orders:place"
	errSoldOut fault.Conflict    = "sold_out"
	errNoPay   fault.Upstream    = "payment_failed"
)

func (o *orders) place(ctx context.Context, in newOrder) (order, error) {
	id := id.New("ord_")
	if ref, resumed := idem.Resumed(ctx); resumed {
		id = ref
	} else if _, err := db.InTx(idem.Phase(ctx, id), o.db, func(tx *db.Tx) (struct{}, error) {
		_, err := db.Exec(ctx, tx, `INSERT INTO orders (id, item, paid) VALUES ($1, $2, $3)`, id, in.Item, false)
		return struct{}{}, err
	}); err != nil {
		return order{}, err
	}
	if err := o.pay(ctx, id); err != nil {
		return order{}, errNoPay.Wrap(err)
	}
	return db.InTx(ctx, o.db, func(tx *db.Tx) (order, error) {
		return db.One[order](ctx, tx, `UPDATE orders SET paid = $2 WHERE id = $1 RETURNING id, item, paid`, id, true)
	})
}

// wrong returns something else than its answer from its transaction.
func (o *orders) wrong(ctx context.Context, _ newOrder) (order, error) {
	_, err := db.Exec(ctx, o.db, `INSERT INTO orders (id, item, paid) VALUES ($1, $2, $3)`, id.New("ord_"), "wrong", false)
	return order{}, err
}

// bare has no transaction at all.
func (o *orders) bare(ctx context.Context, in newOrder) (order, error) {
	return order{ID: "1", Item: in.Item}, o.pay(ctx, "1")
}

func shop(t *testing.T, pay func(ctx context.Context, id string) error) (*ashlartest.App, *ashlartest.Client) {
	t.Helper()
	app := ashlartest.Open(t)
	o := &orders{app.DB, pay}
	command := func(name string, fn func(context.Context, newOrder) (order, error)) op.Operation {
		return op.Command("orders."+name, "POST /"+name, fn,
			op.Allow(placing), op.Idempotent(time.Hour), op.Fails(errNoPay, errSoldOut))
	}
	app.Mount(ashlar.Module{
		Name:       "orders",
		Operations: []op.Operation{command("place", o.place), command("wrong", o.wrong), command("bare", o.bare)},
		Migrations: fstest.MapFS{"1_orders.sql": {Data: []byte(
			"-- +goose Up\nCREATE TABLE orders (id TEXT PRIMARY KEY, item TEXT NOT NULL, paid BOOLEAN NOT NULL);\n")}},
	})
	ann := app.As("ann", placing)
	return app, ann
}

func countOrders(t *testing.T, app *ashlartest.App) int {
	t.Helper()
	n, err := db.One[int](t.Context(), app.DB, `SELECT count(*) FROM orders`)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRetryResumesAfterAPhase(t *testing.T) {
	t.Parallel()
	var paid []string
	app, ann := shop(t, func(_ context.Context, id string) error {
		if paid = append(paid, id); len(paid) == 1 {
			return errors.New("the network is down")
		}
		return nil
	})
	ann = ann.Key("k")
	call := ashlartest.Call[order]
	call(ann, "orders.place", newOrder{"tea"}).Fails(errNoPay)
	got := call(ann, "orders.place", newOrder{"tea"}).OK()
	again := call(ann, "orders.place", newOrder{"tea"})
	if !got.Paid || again.OK() != got || !again.Replayed() {
		t.Errorf("got %+v, then %s", got, again.Body())
	}
	if len(paid) != 2 || paid[0] != paid[1] || paid[0] != got.ID || countOrders(t, app) != 1 {
		t.Errorf("paid for %v; the order is %s of %d", paid, got.ID, countOrders(t, app))
	}
	call(ann, "orders.place", newOrder{"milk"}).Fails(fault.ErrKeyReused)
}

func TestPanicEndsTheLease(t *testing.T) {
	t.Parallel()
	first := true
	app, ann := shop(t, func(context.Context, string) error {
		if first {
			first = false
			panic("boom")
		}
		return nil
	})
	call := ashlartest.Call[order]
	call(ann.Key("k"), "orders.place", newOrder{"tea"}).Fails(fault.ErrInternal)
	call(ann.Key("k"), "orders.place", newOrder{"tea"}).OK() // not 409 until the lease is over
	if n := countOrders(t, app); n != 1 {
		t.Errorf("%d orders", n)
	}
	if !strings.Contains(app.Log(), "boom") {
		t.Error("the panic is not in the log")
	}
}

func TestTwinsHaveOneEffect(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	app, ann := shop(t, func(context.Context, string) error { calls.Add(1); return nil })
	app.Migrate()
	var group sync.WaitGroup
	var ok, waiting atomic.Int32
	for range 20 {
		group.Go(func() {
			switch r := ashlartest.Call[order](ann.Key("k"), "orders.place", newOrder{"tea"}); r.Status() {
			case http.StatusOK:
				ok.Add(1)
			case http.StatusConflict:
				r.Fails(fault.ErrKeyInFlight)
				waiting.Add(1)
			default:
				t.Errorf("got %d %s", r.Status(), r.Body())
			}
		})
	}
	group.Wait()
	if ok.Load() == 0 || calls.Load() != 1 || countOrders(t, app) != 1 {
		t.Errorf("%d answers, %d conflicts, %d calls, %d orders", ok.Load(), waiting.Load(), calls.Load(), countOrders(t, app))
	}
}

func TestTransactionThatForgetsTheAnswer(t *testing.T) {
	t.Parallel()
	app, ann := shop(t, nil)
	ashlartest.Call[order](ann, "orders.wrong", newOrder{"tea"}).Fails(fault.ErrInternal)
	if !strings.Contains(app.Log(), "idem.Phase") {
		t.Errorf("the log does not say what to do:\n%s", app.Log())
	}
	if n := countOrders(t, app); n != 0 {
		t.Errorf("%d orders were kept", n)
	}
}

func TestCommandWithoutATransaction(t *testing.T) {
	t.Parallel()
	calls := 0
	_, ann := shop(t, func(context.Context, string) error { calls++; return nil })
	for range 3 {
		ashlartest.Call[order](ann.Key("k"), "orders.bare", newOrder{"tea"}).OK()
	}
	if calls != 1 {
		t.Errorf("ran %d times", calls)
	}
}

func TestPrincipalOfAnOuterHandler(t *testing.T) {
	t.Parallel()
	app, _ := shop(t, func(context.Context, string) error { return nil })
	inner := app.Handler()
	outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r.WithContext(access.With(r.Context(), app.Policy.Holder("m", "m", placing))))
	})
	r := httptest.NewRequest(http.MethodPost, "/bare", strings.NewReader(`{"item":"tea"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "k")
	w := httptest.NewRecorder()
	outer.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
