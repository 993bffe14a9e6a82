package main

import (
	"context"
	"embed"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/op"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Service takes payments.
type Service struct{ db *db.DB }

// Module is the whole of what this package brings to an application.
func (s Service) Module() ashlar.Module {
	return ashlar.Module{
		Name: "payments",
		Operations: []op.Operation{
			op.Command("payments.authorize", "POST /payments", s.Authorize,
				op.Allow(Write), op.Idempotent(24*time.Hour), op.Created("/payments/{id}")),
			op.Command("payments.capture", "POST /payments/{id}/capture", s.Capture,
				op.Allow(Write), op.Idempotent(24*time.Hour), op.Fails(ErrNotFound, ErrState)),
			op.Query("payments.get", "GET /payments/{id}", s.Get,
				op.Allow(Read), op.Cache(0), op.Fails(ErrNotFound)),
		},
		Migrations: migrations,
	}
}

// Authorize reserves money on a card. The payment, the idempotency key and
// this answer commit together.
func (s Service) Authorize(ctx context.Context, in Authorize) (Payment, error) {
	return db.InTx(ctx, s.db, func(tx *db.Tx) (Payment, error) {
		p := Payment{ID: id.New("pay_"), Amount: in.Amount, Currency: in.Currency, Reference: in.Reference, State: Authorized}
		return p, store{}.insert(ctx, tx, p)
	})
}

// Capture takes an authorized payment. A second capture is refused, a retry of
// the first one gets its answer again.
func (s Service) Capture(ctx context.Context, in ByID) (Payment, error) {
	return db.InTx(ctx, s.db, func(tx *db.Tx) (Payment, error) {
		p, err := store{}.find(ctx, tx, in.ID)
		if err != nil {
			return Payment{}, err
		}
		if p.State != Authorized {
			return Payment{}, ErrState.Because("The payment is %s.", p.State)
		}
		p.State = Captured
		return p, store{}.save(ctx, tx, p)
	})
}

// Get returns a payment of the caller's own account.
func (s Service) Get(ctx context.Context, in ByID) (Payment, error) {
	return store{}.find(ctx, s.db, in.ID)
}
