package payment

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/card"
	"github.com/ashlar-go/ashlar/examples/payments/internal/ledger"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/examples/payments/internal/network"
	"github.com/ashlar-go/ashlar/op"
)

// line is a connection to a network that can be cut: before the request arrives
// there, or behind it, where only the answer is lost.
type line struct {
	network.Network

	cutBefore, cutBehind, unavailable atomic.Bool
	deafTo                            atomic.Pointer[string] // the key that is never recalled
}

func (l *line) Authorize(ctx context.Context, r network.Request) (network.Answer, error) {
	if l.cutBefore.Load() {
		return network.Answer{}, network.ErrUnavailable.Wrap(errors.New("cut before"))
	}
	answer, err := l.Network.Authorize(ctx, r)
	if l.cutBehind.Load() {
		return network.Answer{}, network.ErrUnavailable.Wrap(errors.New("cut behind"))
	}
	return answer, err
}

func (l *line) Recall(ctx context.Context, key string) (network.Answer, error) {
	if deaf := l.deafTo.Load(); deaf != nil && *deaf == key {
		return network.Answer{}, network.ErrUnavailable.Wrap(errors.New("no answer to this one"))
	}
	return l.Network.Recall(ctx, key)
}

func (l *line) Available() error {
	if l.unavailable.Load() {
		return network.ErrUnavailable
	}
	return nil
}

// anyone knows every merchant.
type anyone struct{}

func (anyone) Exists(context.Context, string) (bool, error) { return true, nil }

// setup is the payments alone, on a line that the test can cut.
type setup struct {
	*Service
	*line

	app  *ashlartest.App
	shop *ashlartest.Client
}

func open(t *testing.T) setup {
	t.Helper()
	return use(ashlartest.Open(t))
}

func use(app *ashlartest.App) setup {
	cards := network.NewSimulated(app.DB)
	l := &line{Network: cards}
	s := New(Config{DB: app.DB, Events: app.Events, Network: l, Merchants: anyone{}, Lease: -time.Second}) // any age is old enough to be settled
	app.Mount(s.Module())
	app.Mount(ledger.New(app.DB).Module())
	app.Mount(cards.Module())
	return setup{s, l, app, app.As("shop-1", Read, Write, WriteRefunds, ReadEvents)}
}

var (
	call = ashlartest.Call[Payment]
	list = ashlartest.Call[op.Page[Payment]]
	feed = ashlartest.Call[Feed]
)

func order() Authorize {
	return Authorize{
		Amount: 100_00, Currency: money.EUR, Reference: "order-1",
		Card: card.Card{Number: "4242424242424242", ExpMonth: 12, ExpYear: 2040, CVC: "123"},
	}
}

func TestRetryAfterALostAnswerGoesOn(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*line) *atomic.Bool{
		"the request was lost": func(l *line) *atomic.Bool { return &l.cutBefore },
		"the answer was lost":  func(l *line) *atomic.Bool { return &l.cutBehind },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			cut(s.line).Store(true)
			call(s.shop.Key("k1"), "payments.authorize", order()).Fails(network.ErrUnavailable)
			if page := list(s.shop, "payments.list", nil).OK(); len(page.Data) != 0 {
				t.Errorf("a payment without an outcome is shown: %+v", page.Data)
			}

			cut(s.line).Store(false)
			p := call(s.shop.Key("k1"), "payments.authorize", order()).OK()
			if page := list(s.shop, "payments.list", nil).OK(); len(page.Data) != 1 || page.Data[0].ID != p.ID {
				t.Errorf("after the retry there are %+v, want %s alone", page.Data, p.ID)
			}
		})
	}
}

func TestStrandedPaymentsAreSettled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cut     func(*line) *atomic.Bool
		capture bool
		status  Status
	}{
		"a request that never arrived is closed": {func(l *line) *atomic.Bool { return &l.cutBefore }, false, Declined},
		"an answer that got lost is asked again": {func(l *line) *atomic.Bool { return &l.cutBehind }, false, Authorized},
		"and captured, if that was asked for":    {func(l *line) *atomic.Bool { return &l.cutBehind }, true, Captured},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, in := open(t), order()
			in.Capture = c.capture
			c.cut(s.line).Store(true)
			call(s.shop.Key("k1"), "payments.authorize", in).Fails(network.ErrUnavailable)
			c.cut(s.line).Store(false)

			for range 2 { // the second time there is nothing left to do
				if _, err := s.settleStranded(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			page := list(s.shop, "payments.list", nil).OK()
			if len(page.Data) != 1 || page.Data[0].Status != c.status {
				t.Fatalf("settled as %+v, want one that is %s", page.Data, c.status)
			}
			retry := call(s.shop.Key("k1"), "payments.authorize", in) // it learns the outcome and changes nothing
			if c.status == Declined {
				retry.Fails(ErrDeclined)
			} else if p := retry.OK(); p.ID != page.Data[0].ID {
				t.Errorf("the retry made another payment, %s", p.ID)
			}
			if all := feed(s.shop, "events.list", nil).OK(); len(all.Data) != 1 {
				t.Errorf("one payment made the events %+v", all.Data)
			}
		})
	}
}

func TestOneStrandedPaymentDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.cutBehind.Store(true)
	for range 3 {
		call(s.shop, "payments.authorize", order()).Fails(network.ErrUnavailable)
	}
	oldest, err := db.One[string](t.Context(), s.db, `SELECT id FROM payments ORDER BY created_at, id LIMIT 1`)
	if err != nil {
		t.Fatal(err)
	}
	s.deafTo.Store(&oldest)
	if n, err := s.settleStranded(t.Context()); n != 2 || !errors.Is(err, network.ErrUnavailable) || !strings.Contains(err.Error(), oldest) {
		t.Errorf("settled %d, %v; want 2 and an error that names %s", n, err, oldest)
	}
	s.deafTo.Store(nil)
	if n, err := s.settleStranded(t.Context()); n != 1 || err != nil {
		t.Errorf("then settled %d, %v; want the one that was left", n, err)
	}
}

func TestNothingIsBegunWhileTheNetworkIsDown(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.unavailable.Store(true)
	call(s.shop, "payments.authorize", order()).Fails(network.ErrUnavailable)
	if n, err := db.One[int](t.Context(), s.db, `SELECT count(*) FROM payments`); n != 0 || err != nil {
		t.Errorf("%d payments were begun, %v", n, err)
	}
}

func TestOldHoldsExpire(t *testing.T) {
	t.Parallel()
	s := open(t)
	old := call(s.shop, "payments.authorize", order()).OK()
	fresh := call(s.shop, "payments.authorize", order()).OK()
	if _, err := db.Exec(t.Context(), s.db, `UPDATE payments SET created_at = $1 WHERE id = $2`,
		now().Add(-holdFor-time.Second), old.ID); err != nil {
		t.Fatal(err)
	}
	if n, err := s.expireHolds(t.Context()); n != 1 || err != nil {
		t.Fatalf("expired %d, %v", n, err)
	}
	if got := call(s.shop, "payments.get", ByID{old.ID}).OK(); got.Status != Expired {
		t.Errorf("the old hold is %s", got.Status)
	}
	call(s.shop, "payments.capture", ByID{old.ID}).Fails(ErrState)
	call(s.shop, "payments.capture", ByID{fresh.ID}).OK()
	if n, err := db.One[int](t.Context(), s.db, `SELECT count(*) FROM ledger_sums WHERE account IN ('authorized', 'held') AND balance <> 0`); n != 0 || err != nil {
		t.Errorf("%d accounts still hold money, %v", n, err)
	}
}

func TestDemoIsBalanced(t *testing.T) {
	t.Parallel()
	s := open(t)
	list(s.shop, "payments.list", nil).OK() // migrates
	if _, err := db.InTx(t.Context(), s.db, func(tx *db.Tx) (struct{}, error) {
		return struct{}{}, s.Demo(t.Context(), tx, 30, "shop-1", "shop-2")
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.events.Horizon(t.Context()); err != nil { // all of them have their places in the log
		t.Fatal(err)
	}
	for what, query := range map[string]string{
		"currencies whose balances do not sum to zero": `SELECT count(*) FROM (SELECT sum(balance) AS s FROM ledger_sums GROUP BY currency) AS b WHERE s <> 0`,
		"balances that are not the sum of entries": `SELECT count(*) FROM ledger_sums AS b WHERE balance <>
			(SELECT sum(amount) FROM ledger_entries AS e WHERE e.merchant_id = b.merchant_id AND e.currency = b.currency AND e.account = b.account)`,
		"payments whose events do not count their versions": `SELECT count(*) FROM payments AS p WHERE version <> (SELECT count(*) FROM ashlar_event_log WHERE key = p.id)`,
		"payments without an outcome":                       `SELECT count(*) FROM payments WHERE status = 'pending'`,
	} {
		if n, err := db.One[int](t.Context(), s.db, query); n != 0 || err != nil {
			t.Errorf("%d %s, %v", n, what, err)
		}
	}
	if n, err := db.One[int](t.Context(), s.db, `SELECT count(DISTINCT status) FROM payments`); n != 7 || err != nil {
		t.Errorf("%d statuses are shown, want all 7; %v", n, err)
	}
}

// TestAPaymentOfAClockAheadIsSettled: its process died, and nobody waits for the
// time at which that process's clock had it begin.
func TestAPaymentOfAClockAheadIsSettled(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.cutBehind.Store(true)
	call(s.shop, "payments.authorize", order()).Fails(network.ErrUnavailable)
	s.cutBehind.Store(false)
	s.lease = time.Minute
	if n, err := s.settleStranded(t.Context()); n != 0 || err != nil {
		t.Errorf("settled %d, %v; want none while its request may be under way", n, err)
	}
	if _, err := db.Exec(t.Context(), s.db, `UPDATE payments SET created_at = $1`, now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n, err := s.settleStranded(t.Context()); n != 1 || err != nil {
		t.Errorf("settled %d, %v; want the one that begins in two hours", n, err)
	}
}

// TestLateOutcomeChangesNothing lets the settler overtake a request that is
// still under way.
func TestLateOutcomeChangesNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	list(s.shop, "payments.list", nil).OK() // migrates
	ctx := access.With(t.Context(), access.Principal{ID: "usr_1", Account: "shop-1"})
	late, err := s.begin(ctx, order())
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.settleStranded(t.Context()); n != 1 || err != nil {
		t.Fatalf("settled %d, %v", n, err)
	}
	if _, err := s.settle(ctx, late, network.Answer{}); !errors.Is(err, ErrDeclined) {
		t.Errorf("the late request learns %v, want the outcome that stands: %v", err, ErrDeclined)
	}
	if all := feed(s.shop, "events.list", nil).OK(); len(all.Data) != 1 || all.Data[0].Type != EventType(WasDeclined) {
		t.Errorf("events are %+v, want one decline", all.Data)
	}
	if n, err := db.One[int](t.Context(), s.db, `SELECT count(*) FROM ledger_entries`); n != 0 || err != nil {
		t.Errorf("a declined payment has %d entries in the ledger, %v", n, err)
	}
}
