package main

import (
	"context"
	"embed"
	"errors"
	"iter"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/bench/peers/shop"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

const (
	read  access.Permission = "payments:read"
	write access.Permission = "payments:write"

	errNotFound fault.NotFound = "payment_not_found"
)

type (
	// order is shop.Order with its rules in the place of tags.
	order struct {
		Amount      int64             `json:"amount"`
		Currency    string            `json:"currency"`
		Card        card              `json:"card"`
		Reference   string            `json:"reference"`
		Description string            `json:"description,omitzero"`
		Metadata    map[string]string `json:"metadata,omitzero"`
		Capture     bool              `json:"capture,omitzero"`
		MerchantID  string            `json:"merchant_id,omitzero"`
	}

	card struct {
		Number   string `json:"number"`
		ExpMonth int    `json:"exp_month"`
		ExpYear  int    `json:"exp_year"`
		CVC      string `json:"cvc"`
	}

	byID struct {
		ID string `json:"id"`
	}

	burning struct {
		Rounds int `json:"rounds"`
	}
)

func (in *order) Rules(r *rule.Set) {
	rule.Number(r, &in.Amount).Between(1, 99_999_999_999)
	rule.OneOf(r, &in.Currency, "EUR", "GBP", "USD")
	rule.Text(r, &in.Reference).Len(1, 64).Match(`^[A-Za-z0-9-]+$`)
	rule.Text(r, &in.Description).Len(0, 500)
	rule.Entries(r, &in.Metadata).Len(0, 20)
}

func (c *card) Rules(r *rule.Set) {
	rule.Text(r, &c.Number).Match(`^[0-9]{12,19}$`).Secret()
	rule.Number(r, &c.ExpMonth).Between(1, 12)
	rule.Number(r, &c.ExpYear).Between(2000, 2099)
	rule.Text(r, &c.CVC).Match(`^[0-9]{3,4}$`).Secret()
}

func (in *burning) Rules(r *rule.Set) { rule.Number(r, &in.Rounds).Between(1, shop.MostRounds) }

func (in *order) quote() shop.Payment {
	return shop.Quote(&shop.Order{
		Amount: in.Amount, Currency: in.Currency, Card: shop.Card(in.Card), Reference: in.Reference,
		Description: in.Description, Metadata: in.Metadata, Capture: in.Capture, MerchantID: in.MerchantID,
	})
}

//go:embed migrations/*.sql
var migrations embed.FS

// service is the business.
type service struct{ db *db.DB }

func (s service) module() ashlar.Module {
	return ashlar.Module{
		Name: "shop",
		Operations: []op.Operation{
			op.Query("state", "GET /v1/state", s.state, op.Public()),
			op.Query("burn", "GET /v1/burn", s.burn, op.Public(), op.CPU()),
			op.Command("payments.quote", "POST /v1/quotes", s.quote, op.Allow(write), op.Created("")),
			op.Command("payments.create", "POST /v1/payments", s.create, op.Allow(write), op.Created("")),
			op.Query("payments.list", "GET /v1/payments", s.list, op.Allow(read)),
			op.Query("payments.get", "GET /v1/payments/{id}", s.get, op.Allow(read), op.Fails(errNotFound)),
			op.Stream("payments.watch", "GET /v1/events", s.watch, op.Allow(read)),
			op.Query("payments.recent", "GET /v1/recent", s.recent, op.Allow(read)),
			op.Query("categories", "GET /v1/categories", s.categories, op.Public()),
			op.Query("payments.cached", "GET /v1/cached/{id}", s.get, op.Allow(read), op.Fails(errNotFound),
				op.Cache(0, op.Keep(5*time.Second), op.OneForAccount())),
		},
		Migrations: migrations,
	}
}

func (service) state(context.Context, struct{}) (shop.State, error) { return shop.OK, nil }

func (service) burn(_ context.Context, in burning) (shop.Sum, error) {
	return shop.Burn(in.Rounds), nil
}

func (service) quote(_ context.Context, in order) (shop.Payment, error) { return in.quote(), nil }

func (s service) create(ctx context.Context, in order) (shop.Payment, error) {
	return db.InTx(ctx, s.db, func(tx *db.Tx) (shop.Payment, error) {
		p := in.quote()
		p.ID, p.CreatedAt = id.New("pay_"), time.Now().UTC().Truncate(time.Millisecond)
		p.UpdatedAt = p.CreatedAt
		if err := insert(ctx, tx, p); err != nil {
			return shop.Payment{}, err
		}
		return p, tx.Send(ctx, `INSERT INTO entries (id, payment_id, account, amount, created_at) VALUES ($1, $2, $3, $4, $5)`,
			id.New("ent_"), p.ID, "held", p.Amount, p.CreatedAt)
	})
}

// watch is a stream on which nothing happens.
func (service) watch(ctx context.Context, _ struct{}) iter.Seq2[shop.Payment, error] {
	return func(func(shop.Payment, error) bool) {
		op.Opened(ctx)
		<-ctx.Done()
	}
}

func (s service) get(ctx context.Context, in byID) (shop.Payment, error) {
	r, err := db.One[row](ctx, s.db, `SELECT `+columns+` FROM payments WHERE id = $1`, in.ID)
	if errors.Is(err, db.ErrNoRows) {
		return shop.Payment{}, errNotFound
	}
	return r.payment(), err
}

func (s service) list(ctx context.Context, in op.Paging) (op.Page[shop.Payment], error) {
	after, err := in.Cursor.Key()
	if err != nil {
		return op.Page[shop.Payment]{}, err
	}
	rows, err := db.All[row](ctx, s.db, `SELECT `+columns+` FROM payments WHERE merchant_id = $1 AND id > $2 ORDER BY id LIMIT $3`,
		access.From(ctx).Account, after, in.Size()+1)
	if err != nil {
		return op.Page[shop.Payment]{}, err
	}
	payments := make([]shop.Payment, len(rows))
	for i := range rows {
		payments[i] = rows[i].payment()
	}
	return op.PageOf(payments, in.Size(), func(p shop.Payment) string { return p.ID }), nil
}

// recent is a list from memory.
func (service) recent(_ context.Context, in op.Paging) (op.Page[shop.Entry], error) {
	after, err := in.Cursor.Key()
	if err != nil {
		return op.Page[shop.Entry]{}, err
	}
	return op.PageOf(shop.Recent(after, in.Size()+1), in.Size(), func(e shop.Entry) string { return e.ID }), nil
}

func (service) categories(context.Context, struct{}) (shop.Category, error) {
	return shop.Categories(), nil
}

func (s service) seed(ctx context.Context) error {
	_, err := db.InTx(ctx, s.db, func(tx *db.Tx) (struct{}, error) {
		for i := range shop.Seeds {
			if err := insert(ctx, tx, shop.Seeded(i)); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

const columns = `id, merchant_id, status, amount, captured_amount, refunded_amount, currency, brand, last4, exp_month, exp_year, reference, description, metadata, created_at, updated_at, version`

// row is a payment as its table has it.
type row struct {
	ID, MerchantID, Status                 string
	Amount, CapturedAmount, RefundedAmount int64
	Currency, Brand, Last4                 string
	ExpMonth, ExpYear                      int
	Reference, Description                 string
	Metadata                               map[string]string
	CreatedAt, UpdatedAt                   time.Time
	Version                                int64
}

func (r *row) payment() shop.Payment {
	return shop.Payment{
		ID: r.ID, MerchantID: r.MerchantID, Status: r.Status, Amount: r.Amount, CapturedAmount: r.CapturedAmount,
		RefundedAmount: r.RefundedAmount, Currency: r.Currency, Card: shop.CardShown{Brand: r.Brand, Last4: r.Last4, ExpMonth: r.ExpMonth, ExpYear: r.ExpYear},
		Reference: r.Reference, Description: r.Description, Metadata: r.Metadata, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, Version: r.Version,
	}
}

func insert(ctx context.Context, tx *db.Tx, p shop.Payment) error {
	return tx.Send(ctx, `INSERT INTO payments (`+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		p.ID, p.MerchantID, p.Status, p.Amount, p.CapturedAmount, p.RefundedAmount, p.Currency, p.Card.Brand, p.Card.Last4, p.Card.ExpMonth, p.Card.ExpYear,
		p.Reference, p.Description, p.Metadata, p.CreatedAt, p.UpdatedAt, p.Version)
}
