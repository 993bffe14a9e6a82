package main

import (
	"context"
	"errors"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/db"
)

// store is the SQL. The caller decides whether it runs in a transaction;
// every statement is scoped to the caller's account.
type store struct{}

func (store) find(ctx context.Context, q db.Querier, id string) (Payment, error) {
	p, err := db.One[Payment](ctx, q, `
		SELECT id, amount, currency, reference, state
		FROM payments WHERE id = $1 AND account = $2`, id, access.From(ctx).Account)
	if errors.Is(err, db.ErrNoRows) {
		return Payment{}, ErrNotFound
	}
	return p, err
}

func (store) insert(ctx context.Context, tx *db.Tx, p Payment) error {
	_, err := db.Exec(ctx, tx, `
		INSERT INTO payments (id, account, amount, currency, reference, state)
		VALUES ($1, $2, $3, $4, $5, $6)`,
		p.ID, access.From(ctx).Account, p.Amount, p.Currency, p.Reference, p.State)
	return err
}

func (store) save(ctx context.Context, tx *db.Tx, p Payment) error {
	_, err := db.Exec(ctx, tx, `UPDATE payments SET state = $2 WHERE id = $1`, p.ID, p.State)
	return err
}
