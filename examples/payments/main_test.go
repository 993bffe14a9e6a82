package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/examples/payments/internal/card"
	"github.com/ashlar-go/ashlar/examples/payments/internal/ledger"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/trace"
)

// TestMain lets the test binary be the program itself, so that tests can run
// it as a process of its own and kill it.
func TestMain(m *testing.M) {
	if os.Getenv("ASHLAR_TEST_SERVE") != "" {
		os.Args = os.Args[:1]
		main()
		return
	}
	os.Exit(m.Run())
}

// The operations under test, by what they answer.
var (
	pay      = ashlartest.Call[payment.Payment]
	refund   = ashlartest.Call[payment.Refund]
	refunds  = ashlartest.Call[op.Page[payment.Refund]]
	payments = ashlartest.Call[op.Page[payment.Payment]]
	events   = ashlartest.Call[payment.Feed]
	balances = ashlartest.Call[ledger.Sheet]
	entries  = ashlartest.Call[op.Page[ledger.Entry]]
)

// service is the whole application, and people who use it.
type service struct {
	*ashlartest.App

	admin, shop, rival, support, auditor *ashlartest.Client
}

// open is the real application: its own migrated SQLite, no socket.
func open(t testing.TB, env ...string) service {
	t.Helper()
	return use(t, ashlartest.Open(t, env...))
}

// openTraced is open with every request traced. The traces are whole when the
// app is closed.
func openTraced(t testing.TB, env ...string) (service, *album) {
	t.Helper()
	app, traces := ashlartest.Open(t, env...), new(album)
	app.Trace(trace.Options{Exporter: traces, Sampler: trace.Ratio(1), Queue: 1 << 20}, nil)
	return use(t, app), traces
}

// album keeps what is traced, as text.
type album struct{ text bytes.Buffer }

func (a *album) Export(_ context.Context, spans []*trace.Record) error {
	for _, s := range spans {
		fmt.Fprintln(&a.text, s.Name, s.Error, s.Context.State)
		for _, f := range s.Attrs() {
			fmt.Fprintln(&a.text, f.Key, f.Value())
		}
	}
	return nil
}

func (*album) Close(context.Context) error { return nil }

// closed ends the app and returns its traces, which have to be of payments.
func (a *album) closed(t *testing.T, s service) []byte {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for _, span := range []string{"payments.authorize", "INSERT payments", "card network: authorize"} {
		if !strings.Contains(a.text.String(), span) {
			t.Errorf("the traces have no %s, so nothing is shown", span)
		}
	}
	return a.text.Bytes()
}

func use(t testing.TB, app *ashlartest.App) service {
	t.Helper()
	build(app.App, Config{SettleAfter: time.Minute})
	app.Migrate()
	s := service{
		App:     app,
		admin:   app.AsRole("usr_admin", "", merchant.RoleAdmin),
		shop:    app.AsRole("usr_shop", demoShop, merchant.RoleMerchant),
		rival:   app.AsRole("usr_rival", demoRival, merchant.RoleMerchant),
		support: app.AsRole("usr_support", "", merchant.RoleSupport),
		auditor: app.AsRole("usr_auditor", "", merchant.RoleAuditor),
	}
	s.knows(t, demoShop)
	s.knows(t, demoRival)
	return s
}

// knows makes a merchant with a given id.
func (s service) knows(t testing.TB, id string) {
	t.Helper()
	_, err := merchant.Add(t.Context(), s.DB, merchant.Merchant{
		ID: id, Name: "Corner Shop", Country: "DE", Currency: money.EUR, CreatedAt: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// order is a valid payment of 100 euros, or what spoil makes of it.
func order(spoil ...func(*payment.Authorize)) payment.Authorize {
	in := payment.Authorize{
		Amount: 100_00, Currency: money.EUR, Reference: "order-1",
		Card: card.Card{Number: "4242424242424242", ExpMonth: 12, ExpYear: 2040, CVC: "123"},
	}
	for _, s := range spoil {
		s(&in)
	}
	return in
}

func with(number card.Number) func(*payment.Authorize) {
	return func(in *payment.Authorize) { in.Card.Number = number }
}

func captured(in *payment.Authorize) { in.Capture = true }
