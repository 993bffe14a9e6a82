package payment

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
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

// RefundsOf lists what was given back of several payments, newest first.
func (s *Service) RefundsOf(ctx context.Context, ids []string, limit int) (map[string][]Refund, error) {
	keys, err := json.Marshal(ids) // one text, however many there are
	if err != nil {
		return nil, err
	}
	each := `SELECT value FROM json_each($3)`
	if s.db.Dialect() == db.Postgres {
		each = `SELECT jsonb_array_elements_text($3::text::jsonb)`
	}
	rows, err := db.All[Refund](ctx, s.db, `
		SELECT id, payment_id, amount, currency, reason, created_at FROM (
			SELECT r.id, r.payment_id, r.amount, r.currency, r.reason, r.created_at,
				row_number() OVER (PARTITION BY r.payment_id ORDER BY r.id DESC) AS place
			FROM refunds r JOIN payments p ON p.id = r.payment_id
			WHERE r.payment_id IN (`+each+`) AND p.status <> 'pending' AND ($1 = '' OR p.merchant_id = $1)
		) AS newest WHERE place <= $2 ORDER BY payment_id, id DESC`, merchant.Scope(ctx), limit, string(keys))
	if err != nil {
		return nil, err
	}
	found := map[string][]Refund{}
	for _, r := range rows {
		found[r.PaymentID] = append(found[r.PaymentID], r)
	}
	return found, nil
}
