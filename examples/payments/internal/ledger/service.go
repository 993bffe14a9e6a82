package ledger

import (
	"cmp"
	"context"
	"embed"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/examples/payments/internal/page"
	"github.com/ashlar-go/ashlar/op"
)

// Read lets a role see the books.
const Read access.Permission = "ledger:read"

//go:embed migrations
var migrations embed.FS

// Service shows the books.
type Service struct{ db *db.DB }

// New returns a service; mount its Module.
func New(d *db.DB) *Service { return &Service{d} }

// Module brings the ledger's operations and tables.
func (s *Service) Module() ashlar.Module {
	return ashlar.Module{
		Name: "ledger",
		Operations: []op.Operation{
			op.Query("ledger.balances", "GET /v1/ledger/balances", s.Balances,
				op.Allow(Read)),
			op.Query("ledger.entries", "GET /v1/ledger/entries", s.Entries,
				op.Allow(Read)),
		},
		Migrations: migrations,
		Docs:       docs(),
	}
}

// A Balance is the sum of an account's entries in one currency.
type Balance struct {
	Account  Account        `json:"account"`
	Currency money.Currency `json:"currency"`
	Balance  int64          `json:"balance"`
}

// Sheet is the trial balance. The balances of one currency sum to zero.
type Sheet struct {
	Data []Balance `json:"data"`
}

// Of narrows the balances to one merchant.
type Of struct {
	MerchantID string `json:"merchant_id,omitzero"`
}

// Balances shows what is on each account, of all merchants together or of one.
func (s *Service) Balances(ctx context.Context, in Of) (Sheet, error) {
	rows, err := db.All[Balance](ctx, s.db, `
		SELECT account, currency, CAST(sum(balance) AS BIGINT) AS balance FROM ledger_sums
		WHERE ($1 = '' OR merchant_id = $1) AND ($2 = '' OR merchant_id = $2)
		GROUP BY account, currency ORDER BY currency, account`, merchant.Scope(ctx), in.MerchantID)
	return Sheet{rows}, err
}

// An Entry is one side of a movement of money. A positive amount is a debit, a
// negative one a credit.
type Entry struct {
	ID         string         `json:"id"`
	PaymentID  string         `json:"payment_id"`
	MerchantID string         `json:"merchant_id"`
	Account    Account        `json:"account"`
	Currency   money.Currency `json:"currency"`
	Amount     int64          `json:"amount"`
	// Reason is the event that moved the money, "payment.captured".
	Reason    string    `json:"reason"`
	CreatedAt time.Time `json:"created_at"`
}

// List asks for a page of entries, newest first.
type List struct {
	PaymentID string `json:"payment_id,omitzero"`
	op.Paging
}

// Entries shows the entries, of all payments or of one, newest first.
func (s *Service) Entries(ctx context.Context, in List) (op.Page[Entry], error) {
	after, err := page.After(in.Cursor, "ent_")
	if err != nil {
		return op.Page[Entry]{}, err
	}
	of := `$3 = ''` // another text for each case, so that each gets its index
	if in.PaymentID != "" {
		of = `payment_id = $3`
	}
	rows, err := db.All[Entry](ctx, s.db, `
		SELECT id, payment_id, merchant_id, account, currency, amount, reason, created_at FROM ledger_entries
		WHERE id < $1 AND ($2 = '' OR merchant_id = $2) AND `+of+`
		ORDER BY id DESC LIMIT $4`, cmp.Or(after, "z"), // every id sorts before z
		merchant.Scope(ctx), in.PaymentID, in.Size()+1)
	return op.PageOf(rows, in.Size(), func(e Entry) string { return e.ID }), err
}
