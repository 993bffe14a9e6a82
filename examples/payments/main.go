// Payments is a payments backend that a small company could start from:
// merchants take card payments, capture, void and refund them, and every
// movement of money is in a ledger that balances. It shows what a program
// built with Ashlar looks like.
//
//	go run ./examples/payments
package main

import (
	"context"
	"os"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/examples/payments/internal/desk"
	"github.com/ashlar-go/ashlar/examples/payments/internal/hook"
	"github.com/ashlar-go/ashlar/examples/payments/internal/ledger"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/network"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
	"github.com/ashlar-go/ashlar/examples/payments/internal/report"
	"github.com/ashlar-go/ashlar/examples/payments/internal/user"
	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/trace/otlp"
	"github.com/ashlar-go/ashlar/webhook"
)

func main() { ashlar.Main(run) }

func run(ctx context.Context) error {
	cfg, err := config.Load[Config](os.LookupEnv)
	if err != nil {
		return err // names every missing or malformed variable at once
	}
	app, err := ashlar.Open(ctx, cfg.Config)
	if err != nil {
		return err
	}
	defer app.Close()
	app.Trace(otlp.New(ctx)) // to where OTEL_EXPORTER_OTLP_ENDPOINT says
	build(app, cfg)
	return app.Run(ctx) // serves until ctx ends, drains, returns nil
}

// build puts the application together: who may do what, and what there is to do.
func build(app *ashlar.App, cfg Config) {
	app.GrantAll(merchant.RoleAdmin)
	app.Grant(merchant.RoleMerchant, payment.Read, payment.Write, payment.WriteRefunds, payment.ReadEvents, hook.Write, report.Read)
	app.Grant(merchant.RoleSupport, payment.Read, payment.WriteRefunds, payment.ReadEvents)
	app.Grant(merchant.RoleAuditor, payment.Read, ledger.Read, report.Read)

	cards := network.NewSimulated(app.DB)
	issuers := network.NewClient(cards)
	app.Dependency(issuers.Policy())
	merchants := merchant.New(app.DB)
	endpoints := hook.New(app.Webhooks(webhook.Config{Types: hook.Types()}), merchants)
	payments := payment.New(payment.Config{
		DB: app.DB, Events: app.Events, Network: issuers, Merchants: merchants,
		FingerprintKey: cfg.cardKey(), Lease: cfg.SettleAfter,
	})
	app.Mount(payments.Module())
	app.Mount(ledger.New(app.DB).Module())
	app.Mount(report.New(report.Config{DB: app.DB, Merchants: merchants}).Module())
	app.Mount(merchants.Module())
	app.Mount(endpoints.Module())
	app.Mount(user.New(app.Accounts, merchants).Module())
	app.Mount(ashlar.SignIn(app))
	app.Mount(cards.Module())
	app.Mount(demo(app, payments))
	desk.Serve(app, !cfg.Production())
	app.GraphQL(graphql.Limits{})
}
