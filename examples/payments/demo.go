package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
)

// The merchants of the demonstration, and the password of all its users with
// its hash: computing five of them would be most of the time that a start takes.
const (
	demoShop     = "mer_00000000000000000000000001"
	demoRival    = "mer_00000000000000000000000002"
	demoPassword = "square-and-true"
	demoHash     = "$argon2id$v=19$m=19456,t=2,p=1$RuPBzebxqk2SzS+eGHmwuw$g/sGb951Dutuhg1zaha6F4h3eYT+Q989XUD0zj6trto"
)

// demo fills an empty database with two merchants, five users and a month of
// payments. Production never runs it.
func demo(app *ashlar.App, payments *payment.Service) ashlar.Module {
	return ashlar.Module{Name: "demo", Demo: func(ctx context.Context) (string, error) {
		if err := demoBusiness(ctx, app.DB, payments); err != nil {
			return "", err
		}
		return demoUsers(ctx, app.Accounts)
	}}
}

func demoBusiness(ctx context.Context, d *db.DB, payments *payment.Service) error {
	const days = 30
	opened := time.Now().AddDate(0, 0, -days)
	_, err := db.InTx(ctx, d, func(tx *db.Tx) (struct{}, error) {
		for _, m := range []merchant.Merchant{
			{ID: demoShop, Name: "Corner Shop", Country: "DE", Currency: money.EUR, CreatedAt: opened},
			{ID: demoRival, Name: "Rival & Sons", Country: "GB", Currency: money.GBP, CreatedAt: opened},
		} {
			if added, err := merchant.Add(ctx, tx, m); !added || err != nil {
				return struct{}{}, err // they are there, and all the rest with them
			}
		}
		return struct{}{}, payments.Demo(ctx, tx, days, demoShop, demoRival)
	})
	return err
}

func demoUsers(ctx context.Context, accounts *auth.Accounts) (note string, err error) {
	var b strings.Builder
	fmt.Fprintf(&b, "Sign in at POST /v1/auth/login with the password %s:\n", demoPassword)
	for _, u := range []auth.Account{
		{Email: "admin@demo.test", Role: merchant.RoleAdmin},
		{Email: "merchant@demo.test", Role: merchant.RoleMerchant, Tenant: demoShop},
		{Email: "rival@demo.test", Role: merchant.RoleMerchant, Tenant: demoRival},
		{Email: "support@demo.test", Role: merchant.RoleSupport},
		{Email: "auditor@demo.test", Role: merchant.RoleAuditor},
	} {
		u.PasswordHash = demoHash
		if err := accounts.Import(ctx, u); err != nil && !errors.Is(err, auth.ErrEmailTaken) {
			return "", err
		}
		fmt.Fprintf(&b, "  %s\n", u.Email)
	}
	return b.String(), nil
}
