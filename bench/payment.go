package main

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// The payment of examples/payments, which is the body that both sides read:
// twelve fields, of which one is the card and one a map.
type (
	authorize struct {
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

	payment struct {
		ID             string            `json:"id"`
		MerchantID     string            `json:"merchant_id"`
		Status         string            `json:"status"`
		Amount         int64             `json:"amount"`
		CapturedAmount int64             `json:"captured_amount"`
		RefundedAmount int64             `json:"refunded_amount"`
		Currency       string            `json:"currency"`
		Card           cardShown         `json:"card"`
		Reference      string            `json:"reference"`
		Description    string            `json:"description"`
		Metadata       map[string]string `json:"metadata"`
		CreatedAt      time.Time         `json:"created_at"`
		UpdatedAt      time.Time         `json:"updated_at"`
		Version        int64             `json:"version"`
	}

	cardShown struct {
		Brand    string `json:"brand"`
		Last4    string `json:"last4"`
		ExpMonth int    `json:"exp_month"`
		ExpYear  int    `json:"exp_year"`
	}

	byID struct {
		ID string `json:"id"`
	}

	state struct {
		Status string `json:"status"`
	}
)

// paymentBody is what a client sends.
const paymentBody = `{"amount":125099,"currency":"EUR","card":{"number":"4242424242424242","exp_month":12,"exp_year":2030,"cvc":"123"},` +
	`"reference":"order-2026-000123456","description":"Two boxes of limestone setts, sawn on six sides",` +
	`"metadata":{"basket":"b_01JD8Z3K5Q","channel":"web","customer":"c_01JD8Z3K5QW8"},` +
	`"capture":true,"merchant_id":"mer_01JD8Z3K5QW8A7T2V9XN4M6P0R"}`

const paymentID = "pay_01JD8Z3K5QW8A7T2V9XN4M6P0R"

// answer is the whole business of the measured handlers: the same for both
// sides, and without any cost of its own worth measuring.
func answer(in *authorize) payment {
	return payment{
		ID: paymentID, MerchantID: in.MerchantID, Status: "captured",
		Amount: in.Amount, CapturedAmount: in.Amount, Currency: in.Currency,
		Card:      cardShown{"visa", in.Card.Number[len(in.Card.Number)-4:], in.Card.ExpMonth, in.Card.ExpYear},
		Reference: in.Reference, Description: in.Description, Metadata: in.Metadata,
		CreatedAt: answeredAt, UpdatedAt: answeredAt, Version: 2,
	}
}

var answeredAt = time.Date(2026, 11, 22, 17, 30, 5, 123e6, time.UTC)

// stored is what a read by key finds, in both sides' memory.
func stored() map[string]payment {
	return map[string]payment{paymentID: answer(&authorize{
		Amount: 125099, Currency: "EUR", Card: card{"4242424242424242", 12, 2030, "123"},
		Reference: "order-2026-000123456", Description: "Two boxes of limestone setts, sawn on six sides",
		Metadata:   map[string]string{"basket": "b_01JD8Z3K5Q", "channel": "web", "customer": "c_01JD8Z3K5QW8"},
		MerchantID: "mer_01JD8Z3K5QW8A7T2V9XN4M6P0R",
	})}
}

// Rules is what the framework checks.
func (in *authorize) Rules(r *rule.Set) {
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

// check is the same by hand, as a bare handler has it: the first fault ends it.
func (in *authorize) check() error {
	switch {
	case in.Amount < 1 || in.Amount > 99_999_999_999:
		return errors.New("amount out of range")
	case in.Currency != "EUR" && in.Currency != "GBP" && in.Currency != "USD":
		return errors.New("currency unknown")
	case len(in.Reference) < 1 || len(in.Reference) > 64 || !wordlike(in.Reference):
		return errors.New("reference malformed")
	case utf8.RuneCountInString(in.Description) > 500:
		return errors.New("description too long")
	case len(in.Metadata) > 20:
		return errors.New("too many entries in metadata")
	case !digits(in.Card.Number, 12, 19):
		return errors.New("card number malformed")
	case in.Card.ExpMonth < 1 || in.Card.ExpMonth > 12 || in.Card.ExpYear < 2000 || in.Card.ExpYear > 2099:
		return errors.New("card expiry out of range")
	case !digits(in.Card.CVC, 3, 4):
		return errors.New("card code malformed")
	}
	return nil
}

func digits(s string, least, most int) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) >= least && len(s) <= most
}

// wordlike is no regexp, which would make the bare side look worse than a
// careful author's.
func wordlike(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-':
		default:
			return false
		}
	}
	return true
}

const errNotFound fault.NotFound = "payment_not_found"

// shop holds the operations as a user of the framework writes them.
type shop struct{ payments map[string]payment }

func (s shop) authorize(_ context.Context, in authorize) (payment, error) { return answer(&in), nil }

func (s shop) get(_ context.Context, in byID) (payment, error) {
	p, ok := s.payments[in.ID]
	if !ok {
		return payment{}, errNotFound
	}
	return p, nil
}

func (s shop) state(context.Context, struct{}) (state, error) { return state{"ok"}, nil }
