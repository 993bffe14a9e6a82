package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/examples/payments/internal/card"
	"github.com/ashlar-go/ashlar/examples/payments/internal/ledger"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
)

// model is what a payment should be, kept by rules so simple that they cannot
// be wrong in the same way as the code.
type model struct {
	amount, captured, refunded int64
	open, declined, voided     bool
	version                    int64
}

func (m *model) status() payment.Status {
	switch {
	case m.declined:
		return payment.Declined
	case m.voided:
		return payment.Voided
	case m.open:
		return payment.Authorized
	case m.refunded == 0:
		return payment.Captured
	case m.refunded < m.captured:
		return payment.PartiallyRefunded
	}
	return payment.Refunded
}

// TestMoneyRules runs random commands against the service and the model. After
// each one they must agree, and the books of the merchant must balance.
func TestMoneyRules(t *testing.T) {
	t.Parallel()
	s := open(t)
	runs := 0

	rapid.Check(t, func(rt *rapid.T) {
		runs++
		shop := s.AsRole(fmt.Sprint("usr_", runs), fmt.Sprint("mer_", runs), merchant.RoleMerchant)
		s.knows(t, fmt.Sprint("mer_", runs))
		known := map[string]*model{}
		some := func(rt *rapid.T) (string, *model) {
			if len(known) == 0 {
				rt.Skip("no payment yet")
			}
			id := rapid.SampledFrom(slices.Sorted(maps.Keys(known))).Draw(rt, "payment")
			return id, known[id]
		}
		amount := rapid.OneOf(rapid.Int64Range(1, 200), rapid.Just(money.Max))
		expect := func(rt *rapid.T, got, want int) {
			if got != want {
				rt.Fatalf("answered %d, want %d", got, want)
			}
		}

		rt.Repeat(map[string]func(*rapid.T){
			"authorize": func(rt *rapid.T) {
				in := order()
				in.Amount = amount.Draw(rt, "amount")
				in.Capture = rapid.Bool().Draw(rt, "capture")
				in.Card.Number = rapid.SampledFrom([]card.Number{"4242424242424242", "5555555555554444", "4000000000009995"}).Draw(rt, "card")
				r := pay(shop.Key(fmt.Sprint(len(known))), "payments.authorize", in)
				m := &model{amount: in.Amount, open: !in.Capture, version: 1}
				var id string
				if in.Card.Number == "4000000000009995" {
					expect(rt, r.Status(), http.StatusPaymentRequired)
					m.open, m.declined = false, true
					id, _ = r.Problem().Members["id"].(string)
				} else {
					expect(rt, r.Status(), http.StatusCreated)
					id = r.OK().ID
				}
				if in.Capture && !m.declined {
					m.captured = in.Amount
				}
				if again := pay(shop.Key(fmt.Sprint(len(known))), "payments.authorize", in); !again.Replayed() || again.Status() != r.Status() {
					rt.Fatalf("a retry answered %d", again.Status())
				}
				known[id] = m
			},
			"capture": func(rt *rapid.T) {
				id, m := some(rt)
				n := amount.Draw(rt, "amount")
				got := pay(shop, "payments.capture", payment.Capture{ID: id, Amount: n}).Status()
				switch {
				case !m.open:
					expect(rt, got, http.StatusConflict)
				case n > m.amount:
					expect(rt, got, http.StatusUnprocessableEntity)
				default:
					expect(rt, got, http.StatusOK)
					m.open, m.captured, m.version = false, n, m.version+1
				}
			},
			"void": func(rt *rapid.T) {
				id, m := some(rt)
				seen := m.version - rapid.Int64Range(0, 1).Draw(rt, "stale")
				got := pay(shop.With("If-Match", fmt.Sprintf(`"%d"`, seen)), "payments.void", payment.ByID{ID: id}).Status()
				switch {
				case seen != m.version:
					expect(rt, got, http.StatusPreconditionFailed)
				case !m.open:
					expect(rt, got, http.StatusConflict)
				default:
					expect(rt, got, http.StatusOK)
					m.open, m.voided, m.version = false, true, m.version+1
				}
			},
			"refund": func(rt *rapid.T) {
				id, m := some(rt)
				n := amount.Draw(rt, "amount")
				got := refund(shop, "payments.refund", payment.Return{ID: id, Amount: n}).Status()
				switch left := m.captured - m.refunded; {
				case left == 0:
					expect(rt, got, http.StatusConflict)
				case n > left:
					expect(rt, got, http.StatusUnprocessableEntity)
				default:
					expect(rt, got, http.StatusCreated)
					m.refunded, m.version = m.refunded+n, m.version+1
				}
			},
			"": func(rt *rapid.T) { // after each command
				var versions int64
				want := map[ledger.Account]int64{}
				for id, m := range known {
					p := pay(shop, "payments.get", payment.ByID{ID: id}).OK()
					if p.Status != m.status() || p.CapturedAmount != m.captured || p.RefundedAmount != m.refunded || p.Version != m.version {
						rt.Fatalf("got %+v, want %+v", p, m)
					}
					versions += m.version
					if m.open {
						want[ledger.Authorized] += m.amount
						want[ledger.Held] -= m.amount
					}
					want[ledger.Receivable] += m.captured - m.refunded
					want[ledger.Payable] -= m.captured - m.refunded
				}
				for _, b := range balances(s.auditor, "ledger.balances", ledger.Of{MerchantID: fmt.Sprint("mer_", runs)}).OK().Data {
					if b.Balance != want[b.Account] {
						rt.Fatalf("%s is %d, want %d", b.Account, b.Balance, want[b.Account])
					}
				}
				placed(t, s.DB)
				if n, err := db.One[int64](t.Context(), s.DB, `SELECT count(*) FROM ashlar_event_log WHERE scope = $1`, fmt.Sprint("mer_", runs)); n != versions || err != nil {
					rt.Fatalf("%d changes made %d events, %v", versions, n, err)
				}
			},
		})
	})
}

// TestMoneyRulesHoldForCrowds lets many clients loose on few payments. Nobody
// can say beforehand who wins, but what was acknowledged must be what is there.
func TestMoneyRulesHoldForCrowds(t *testing.T) {
	t.Parallel()
	s := open(t)
	var ids []string
	for range 8 {
		ids = append(ids, pay(s.shop, "payments.authorize", order()).OK().ID)
	}
	type tally struct{ captured, refunded, voided map[string]int64 }
	tallies := together(16, func(client int) tally {
		random := rand.New(rand.NewPCG(7, uint64(client)))
		sum := tally{map[string]int64{}, map[string]int64{}, map[string]int64{}}
		for range 60 {
			id, amount := ids[random.IntN(len(ids))], 1+random.Int64N(60_00)
			switch random.IntN(4) {
			case 0:
				if r := pay(s.shop, "payments.capture", payment.Capture{ID: id, Amount: amount}); r.Status() == http.StatusOK {
					sum.captured[id] += amount
				}
			case 1:
				if random.IntN(8) == 0 {
					if r := pay(s.shop, "payments.void", payment.ByID{ID: id}); r.Status() == http.StatusOK {
						sum.voided[id]++
					}
				}
			default:
				if r := refund(s.shop, "payments.refund", payment.Return{ID: id, Amount: amount}); r.Status() == http.StatusCreated {
					sum.refunded[id] += amount
				}
			}
		}
		return sum
	})
	for _, id := range ids {
		var sum struct{ captured, refunded, voided int64 }
		for _, one := range tallies {
			sum.captured += one.captured[id]
			sum.refunded += one.refunded[id]
			sum.voided += one.voided[id]
		}
		p := pay(s.shop, "payments.get", payment.ByID{ID: id}).OK()
		if p.CapturedAmount != sum.captured || p.RefundedAmount != sum.refunded || p.RefundedAmount > p.CapturedAmount || p.CapturedAmount > p.Amount || sum.voided > 1 {
			t.Errorf("acknowledged %+v, but the payment is %+v", sum, p)
		}
	}
	balanced(t, s.DB)
}

// placed waits until the events of all that is committed are in the log, by
// whichever process: on PostgreSQL they get their positions after the commit.
func placed(t testing.TB, d *db.DB) {
	t.Helper()
	log, err := event.Open(event.Config{DB: d})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if _, err := log.Horizon(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// balanced holds what must be true of any database at any moment.
func balanced(t testing.TB, d *db.DB) {
	t.Helper()
	placed(t, d)
	for what, query := range map[string]string{
		"currencies whose entries do not sum to zero": `
			SELECT count(*) FROM (SELECT sum(amount) AS s FROM ledger_entries GROUP BY currency) AS c WHERE s <> 0`,
		"balances that are not the sum of their entries": `
			SELECT count(*) FROM ledger_sums AS b WHERE balance <> (SELECT sum(amount) FROM ledger_entries AS e
				WHERE e.merchant_id = b.merchant_id AND e.currency = b.currency AND e.account = b.account)`,
		"payments whose money is not in the books": `
			SELECT count(*) FROM payments AS p WHERE captured_amount - refunded_amount <>
				(SELECT coalesce(sum(amount), 0) FROM ledger_entries AS e WHERE e.payment_id = p.id AND e.account = 'receivable')`,
		"payments whose refunds do not add up": `
			SELECT count(*) FROM payments AS p WHERE refunded_amount <>
				(SELECT coalesce(sum(amount), 0) FROM refunds AS r WHERE r.payment_id = p.id)`,
		"payments with more or fewer events than changes": `
			SELECT count(*) FROM payments AS p WHERE version <> (SELECT count(*) FROM ashlar_event_log AS e WHERE e.key = p.id)`,
	} {
		if n, err := db.One[int](t.Context(), d, query); n != 0 || err != nil {
			t.Errorf("%d %s, %v", n, what, err)
		}
	}
}
