package openapi_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/openapi"
	"github.com/ashlar-go/ashlar/rule"
)

// The shop is a small API that has one of everything.

const (
	shopRead  access.Permission = "payments:read"
	shopWrite access.Permission = "payments:write"

	errPayment  fault.NotFound = "payment_not_found"
	errState    fault.Conflict = "payment_wrong_state"
	errDeclined fault.Refused  = "card_declined"
)

type Currency string

func (c *Currency) Rules(r *rule.Set) { rule.OneOf(r, c, "EUR", "GBP", "USD") }

type Status string

func (s *Status) Rules(r *rule.Set) { rule.OneOf(r, s, "authorized", "captured", "voided") }

type Tag string

func (t *Tag) Rules(r *rule.Set) { rule.Text(r, t).Len(1, 32) }

type Payment struct {
	ID        string            `json:"id"`
	Status    Status            `json:"status"`
	Amount    int64             `json:"amount"`
	Currency  Currency          `json:"currency"`
	Card      CardSummary       `json:"card"`
	Note      *string           `json:"note"`
	Metadata  map[string]string `json:"metadata"`
	Refunds   []Refund          `json:"refunds,omitempty"`
	CreatedAt time.Time         `json:"created_at"`
}

func (Payment) ETag() string { return "1" }

func (p Payment) EventID() string { return p.ID }

func (p Payment) EventType() string { return "payment." + string(p.Status) }

type CardSummary struct {
	Brand string `json:"brand"`
	Last4 string `json:"last4"`
}

type Refund struct {
	ID     string  `json:"id"`
	Amount int64   `json:"amount"`
	Parent *Refund `json:"parent,omitzero"`
}

type Authorize struct {
	Amount    int64             `json:"amount"`
	Currency  Currency          `json:"currency"`
	Card      Card              `json:"card"`
	Reference string            `json:"reference"`
	Note      *string           `json:"note"`
	Email     string            `json:"email,omitzero"`
	Tags      []Tag             `json:"tags,omitzero"`
	Metadata  map[string]string `json:"metadata,omitzero"`
	Capture   bool              `json:"capture,omitzero"`
	Receipt   []byte            `json:"receipt,omitzero"`
	Discount  float64           `json:"discount,omitzero"`
	NotBefore time.Time         `json:"not_before,omitzero"`
}

func (in *Authorize) Rules(r *rule.Set) {
	rule.Number(r, &in.Amount).Between(1, 999_999_99)
	rule.Text(r, &in.Reference).Len(1, 64).Match(`^[A-Za-z0-9-]+$`)
	rule.Text(r, in.Note).Len(0, 500).Multiline()
	rule.Text(r, &in.Email).Format(rule.Email)
	rule.Items(r, &in.Tags).Len(0, 5).Unique()
	rule.Entries(r, &in.Metadata).Len(0, 10)
	rule.Number(r, &in.Discount).Between(0, 0.5)
}

type Card struct {
	Number string `json:"number"`
	Month  uint8  `json:"exp_month"`
	Year   int    `json:"exp_year"`
	CVC    string `json:"cvc"`
}

func (c *Card) Rules(r *rule.Set) {
	rule.Text(r, &c.Number).Match(`^[0-9]{12,19}$`).Secret()
	rule.Number(r, &c.Month).Between(1, 12)
	rule.Number(r, &c.Year).Between(2000, 2099)
	rule.Text(r, &c.CVC).Match(`^[0-9]{3,4}$`).Secret()
}

type ByID struct {
	ID string `json:"id"`
}

func (in *ByID) Rules(r *rule.Set) { rule.Text(r, &in.ID).Match(`^pay_[0-9a-z]{1,32}$`) }

type Capture struct {
	ID     string `json:"id"`
	Amount *int64 `json:"amount"`
}

func (in *Capture) Rules(r *rule.Set) { rule.Number(r, in.Amount).Min(1) }

type ListPayments struct {
	Status       *Status    `json:"status"`
	Currencies   []Currency `json:"currency,omitzero"`
	CreatedAfter *time.Time `json:"created_after"`
	Limit        int        `json:"limit,omitzero"`
	Cursor       op.Cursor  `json:"cursor,omitzero"`
}

func (in *ListPayments) Rules(r *rule.Set) { rule.Number(r, &in.Limit).Between(1, 100) }

type Annotate struct {
	ID       string                `json:"id"`
	Note     rule.Optional[string] `json:"note"`
	Card     *Card                 `json:"card"`
	Currency *Currency             `json:"currency"`
}

func answer[In, Out any](context.Context, In) (out Out, err error) { return out, nil }

// items gives one payment and waits for others.
func items(ctx context.Context, _ struct{}) iter.Seq2[Payment, error] {
	return func(yield func(Payment, error) bool) {
		if yield(Payment{ID: "pay_1", Status: "captured"}, nil) {
			<-ctx.Done()
		}
	}
}

// here has the doc comments as the ashlar command would collect them.
const here = "github.com/ashlar-go/ashlar/openapi_test."

func shop() []op.Operation {
	old := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	all := []op.Operation{
		op.Command("payments.authorize", "POST /v1/payments", answer[Authorize, Payment],
			op.Allow(shopWrite), op.Idempotent(24*time.Hour), op.Created("/v1/payments/{id}"), op.Limit(50, time.Second), op.Fails(errDeclined)),
		op.Query("payments.list", "GET /v1/payments", answer[ListPayments, op.Page[Payment]], op.Allow(shopRead)),
		op.Query("payments.get", "GET /v1/payments/{id}", answer[ByID, Payment],
			op.Allow(shopRead), op.Cache(5*time.Second), op.Fails(errPayment)),
		op.Command("payments.capture", "POST /v1/payments/{id}/capture", answer[Capture, Payment],
			op.Allow(shopWrite), op.Idempotent(24*time.Hour), op.IfMatch(), op.Fails(errPayment, errState)),
		op.Command("payments.annotate", "PATCH /v1/payments/{id}", answer[Annotate, Payment],
			op.Allow(shopWrite), op.RequireIfMatch(), op.Fails(errPayment)),
		op.Command("payments.void", "DELETE /v1/payments/{id}", answer[ByID, struct{}],
			op.Allow(shopWrite), op.Fails(errPayment, errState)),
		op.Stream("payments.watch", "GET /v1/payments/watch", items, op.Allow(shopRead)),
		op.Query("reports.download", "GET /v1/reports/{id}/file", answer[struct {
			ID int `json:"id"`
		}, op.File], op.Authenticated(), op.Media("text/csv", "image/svg+xml"), op.Deprecated(old, old.AddDate(1, 0, 0))),
		op.Query("health", "GET /v1/health", answer[struct{}, struct {
			OK bool `json:"ok"`
		}], op.Public()),
	}
	docs := op.Docs{
		here + "Payment":            "Payment is one card payment.",
		here + "Payment.Amount":     "Amount in minor units: 50_00 is fifty euros.",
		here + "Payment.Note":       "Note is free text of the merchant's, or null.",
		here + "Authorize":          "Authorize asks for money to be reserved on a card.",
		here + "Authorize.Amount":   "Amount in minor units: 50_00 is fifty euros.",
		here + "Card":               "Card is what is printed on the card. It is never stored.",
		here + "ListPayments.Limit": "Limit is how many payments a page has; 20 if it is absent.",
		here + "ByID.ID":            "ID names the payment.",
		here + "Currency":           "Currency is an ISO 4217 code.",
	}
	for i, text := range []string{
		"Authorize reserves money on a card. Nothing is moved until the payment is captured.\n\nA declined card is kept as a payment too.",
		"List returns the payments, newest first.",
		"Get returns one payment.",
		"Capture takes the money, or a part of it. The rest is released.",
		"Annotate changes the note of a payment.",
		"Void releases the money.",
		"Watch streams payments.",
		"Download returns the report as CSV.",
		"Health says that the API answers.",
	} {
		s := all[i].Spec()
		key := s.Package + "." + s.Handler
		op.Explain(all[i:i+1], op.Docs{key: text})
		s.Docs = docs
	}
	return all
}

func shopDocument(t testing.TB) []byte {
	t.Helper()
	doc, err := openapi.Document(openapi.Info{Title: "Shop", Version: "1.2.3", Description: "Takes card payments."}, shop())
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
