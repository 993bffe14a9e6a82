package payment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/network"
	"github.com/ashlar-go/ashlar/internal/backing"
)

// bound is how long another instance may show what a payment was, whatever
// fails: half of what it keeps answers for. The promise is five seconds, but the
// machine may be busy.
const bound = 30 * time.Second

// twoInstances runs a test on two instances with one database.
func twoInstances(t *testing.T, test func(t *testing.T, both [2]setup)) {
	t.Helper()
	for name, url := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + t.TempDir() + "/app.db" },
		"postgres": func(t *testing.T) string { return backing.PostgresSchema(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			where := url(t)
			ctx, stop := context.WithCancel(context.Background())
			var running sync.WaitGroup
			t.Cleanup(func() { stop(); running.Wait() })
			var both [2]setup
			for i := range both {
				app := ashlartest.Open(t, "DATABASE_URL", where, "ASHLAR_LIMIT_PRINCIPAL", "off")
				both[i] = use(app)
				app.Migrate()
				running.Go(func() { _ = app.Cache.Run(ctx) })
				running.Go(func() { _ = app.Events.Run(ctx) })
			}
			test(t, both)
		})
	}
}

// TestKeptPaymentsAreNotOld: after whatever changes a payment, the next answer
// of the same instance has it, and the other's within the bound; those who ask
// with an ETag are told so as well.
func TestKeptPaymentsAreNotOld(t *testing.T) {
	t.Parallel()
	twoInstances(t, func(t *testing.T, both [2]setup) {
		var p Payment
		capture := func(s setup) error { call(s.shop, "payments.capture", ByID{p.ID}).OK(); return nil }
		void := func(s setup) error { call(s.shop, "payments.void", ByID{p.ID}).OK(); return nil }
		refund := func(amount int64) func(setup) error {
			return func(s setup) error {
				ashlartest.Call[Refund](s.shop, "payments.refund", Return{ID: p.ID, Amount: amount}).OK()
				return nil
			}
		}
		expire := func(s setup) error {
			_, err := db.Exec(t.Context(), s.db, `UPDATE payments SET created_at = $1 WHERE id = $2`, now().Add(-holdFor-time.Second), p.ID)
			if err == nil {
				_, err = s.expireHolds(t.Context())
			}
			return err
		}
		for _, life := range [][]struct {
			change func(setup) error
			want   Status
		}{
			{{capture, Captured}, {refund(60), PartiallyRefunded}, {refund(40), PartiallyRefunded}, {refund(0), Refunded}},
			{{void, Voided}},
			{{expire, Expired}},
		} {
			p = call(both[0].shop, "payments.authorize", order()).OK()
			for i, step := range life {
				version := p.Version
				writer, other := both[i%2], both[1-i%2]
				for range 2 {
					call(writer.shop, "payments.get", ByID{p.ID}).OK()
					call(other.shop, "payments.get", ByID{p.ID}).OK()
				}
				if err := step.change(writer); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				p = call(writer.shop, "payments.get", ByID{p.ID}).OK()
				if p.Status != step.want || p.Version != version+1 {
					t.Errorf("who made it %s reads %+v", step.want, p)
				}
				asking := other.shop.With("If-None-Match", fmt.Sprintf(`"%d"`, version))
				for {
					w := asking.Do(http.MethodGet, "/v1/payments/"+p.ID, "")
					if w.Code == http.StatusOK && w.Header().Get("ETag") == fmt.Sprintf(`"%d"`, p.Version) {
						break
					}
					if w.Code != http.StatusNotModified || time.Since(began) > bound {
						t.Fatalf("%v after it became %s the other instance answers %d, %s", time.Since(began), step.want, w.Code, w.Header().Get("ETag"))
					}
				}
				t.Logf("%s was %s elsewhere after %v", p.ID, step.want, time.Since(began))
				if got := call(other.shop, "payments.get", ByID{p.ID}).OK(); got.Status != step.want || got.Version != p.Version {
					t.Errorf("the other instance reads %+v, want %s", got, step.want)
				}
			}
		}
	})
}

// TestKeptAnswersStayWithTheirMerchant, and are what the events say they are.
func TestKeptAnswersStayWithTheirMerchant(t *testing.T) {
	t.Parallel()
	s := open(t)
	rival := s.app.As("shop-2", Read, Write)
	p := call(s.shop, "payments.authorize", order()).OK()
	before := s.app.Cache.Stats()
	for range 3 {
		call(s.shop, "payments.get", ByID{p.ID}).OK()
		call(rival, "payments.get", ByID{p.ID}).Fails(ErrNotFound)
	}
	if now := s.app.Cache.Stats(); now.Hits-before.Hits != 2 {
		t.Errorf("%d of three answers were kept ones, want 2", now.Hits-before.Hits)
	}
	n, err := db.One[int](t.Context(), s.db, `SELECT count(*) FROM ashlar_event_log WHERE topic NOT LIKE 'payment.%'`)
	if n != 0 || err != nil {
		t.Errorf("a change of a payment left %d rows for the cache, %v", n, err)
	}
}

// TestARecoveredPaymentIsShown, although it was not there when somebody looked.
func TestARecoveredPaymentIsShown(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.cutBehind.Store(true)
	call(s.shop, "payments.authorize", order()).Fails(network.ErrUnavailable)
	id, err := db.One[string](t.Context(), s.db, `SELECT id FROM payments`)
	if err != nil {
		t.Fatal(err)
	}
	call(s.shop, "payments.get", ByID{id}).Fails(ErrNotFound)
	s.cutBehind.Store(false)
	if _, err := s.settleStranded(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := call(s.shop, "payments.get", ByID{id}).OK(); p.Status != Authorized {
		t.Errorf("it is %+v", p)
	}
}

// TestARolledBackChangeEndsNothing of what is kept.
func TestARolledBackChangeEndsNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := call(s.shop, "payments.authorize", order()).OK()
	call(s.shop, "payments.get", ByID{p.ID}).OK()
	undone := errors.New("undone")
	_, err := db.InTx(t.Context(), s.db, func(tx *db.Tx) (Payment, error) {
		c, err := p.void()
		if err == nil {
			_, err = save(t.Context(), tx, p, c, now())
		}
		return p, errors.Join(err, undone)
	})
	before := s.app.Cache.Stats().Loads
	if got := call(s.shop, "payments.get", ByID{p.ID}).OK(); !errors.Is(err, undone) || got.Status != Authorized || s.app.Cache.Stats().Loads != before {
		t.Errorf("after a rollback with %v it is read anew, as %+v", err, got)
	}
}
