package payment

import (
	"cmp"
	"context"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/examples/payments/internal/page"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/op"
)

// A Refund is money given back.
type Refund struct {
	ID        string         `json:"id"`
	PaymentID string         `json:"payment_id"`
	Amount    int64          `json:"amount"`
	Currency  money.Currency `json:"currency"`
	Reason    string         `json:"reason"`
	CreatedAt time.Time      `json:"created_at"`
}

// Refund gives captured money back, in parts if need be, up to all of it.
func (s *Service) Refund(ctx context.Context, in Return) (Refund, error) {
	return db.InTx(ctx, s.db, func(tx *db.Tx) (Refund, error) {
		p, err := findToChange(ctx, tx, in.ID)
		if err != nil {
			return Refund{}, err
		}
		amount, c, err := p.refund(in.Amount)
		if err != nil {
			return Refund{}, err
		}
		if p, err = saveOrLose(ctx, tx, p, c); err != nil {
			return Refund{}, err
		}
		return insertRefund(ctx, tx, p, amount, in.Reason)
	}, db.ReadCommitted)
}

func insertRefund(ctx context.Context, tx *db.Tx, p Payment, amount int64, reason string) (Refund, error) {
	r := Refund{id.New("ref_"), p.ID, amount, p.Currency, reason, p.UpdatedAt}
	_, err := db.Exec(ctx, tx, `
		INSERT INTO refunds (id, payment_id, amount, currency, reason, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		r.ID, r.PaymentID, r.Amount, r.Currency, r.Reason, r.CreatedAt)
	return r, err
}

// Refunds lists what was given back of a payment, newest first.
func (s *Service) Refunds(ctx context.Context, in ListRefunds) (op.Page[Refund], error) {
	after, err := page.After(in.Cursor, "ref_")
	if err != nil {
		return op.Page[Refund]{}, err
	}
	if _, err := find(ctx, s.db, in.ID); err != nil {
		return op.Page[Refund]{}, err
	}
	rows, err := db.All[Refund](ctx, s.db, `
		SELECT id, payment_id, amount, currency, reason, created_at FROM refunds
		WHERE payment_id = $1 AND id < $2
		ORDER BY id DESC LIMIT $3`, in.ID, cmp.Or(after, "z"), in.Size()+1) // every id sorts before z
	return op.PageOf(rows, in.Size(), func(r Refund) string { return r.ID }), err
}
