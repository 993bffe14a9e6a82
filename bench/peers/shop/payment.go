// Package shop is the business that every Go peer serves: the same types, the
// same statements, the same cache. What differs between peers is the framework
// around it.
package shop

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Order is what a client sends. Its tags are those of the validators that
// peers use: go-playground's (Gin, Echo, Fiber, net/http), and Huma's.
type Order struct {
	Amount      int64             `json:"amount" validate:"required,min=1,max=99999999999" minimum:"1" maximum:"99999999999"`
	Currency    string            `json:"currency" validate:"required,oneof=EUR GBP USD" enum:"EUR,GBP,USD"`
	Card        Card              `json:"card" validate:"required"`
	Reference   string            `json:"reference" validate:"required,min=1,max=64,reference" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9-]+$"`
	Description string            `json:"description,omitempty" validate:"max=500" maxLength:"500"`
	Metadata    map[string]string `json:"metadata,omitempty" validate:"max=20" maxProperties:"20"`
	Capture     bool              `json:"capture,omitempty"`
	MerchantID  string            `json:"merchant_id,omitempty"`
}

// Card is the card of an order.
type Card struct {
	Number   string `json:"number" validate:"required,min=12,max=19,number" pattern:"^[0-9]{12,19}$"`
	ExpMonth int    `json:"exp_month" validate:"required,min=1,max=12" minimum:"1" maximum:"12"`
	ExpYear  int    `json:"exp_year" validate:"required,min=2000,max=2099" minimum:"2000" maximum:"2099"`
	CVC      string `json:"cvc" validate:"required,min=3,max=4,number" pattern:"^[0-9]{3,4}$"`
}

// Payment is what is answered.
type Payment struct {
	ID             string            `json:"id"`
	MerchantID     string            `json:"merchant_id"`
	Status         string            `json:"status"`
	Amount         int64             `json:"amount"`
	CapturedAmount int64             `json:"captured_amount"`
	RefundedAmount int64             `json:"refunded_amount"`
	Currency       string            `json:"currency"`
	Card           CardShown         `json:"card"`
	Reference      string            `json:"reference"`
	Description    string            `json:"description"`
	Metadata       map[string]string `json:"metadata"`
	CreatedAt      time.Time         `json:"created_at"`
	UpdatedAt      time.Time         `json:"updated_at"`
	Version        int64             `json:"version"`
}

// CardShown is what may be shown of a card.
type CardShown struct {
	Brand    string `json:"brand"`
	Last4    string `json:"last4"`
	ExpMonth int    `json:"exp_month"`
	ExpYear  int    `json:"exp_year"`
}

// Page is one page of a list.
type Page struct {
	Data       []Payment `json:"data"`
	NextCursor string    `json:"next_cursor"`
	HasMore    bool      `json:"has_more"`
}

// State is the tiny answer.
type State struct {
	Status string `json:"status"`
}

// Sum is the answer to CPU work.
type Sum struct {
	Sum uint32 `json:"sum"`
}

// OK is the State of a running service.
var OK = State{"ok"}

// answeredAt stands in every answer that is not from the database, so that
// peers can be compared.
var answeredAt = time.Date(2026, 11, 22, 17, 30, 5, 123e6, time.UTC)

// Quote answers an order without storing anything.
func Quote(in *Order) Payment {
	return Payment{
		ID: "pay_01JD8Z3K5QW8A7T2V9XN4M6P0R", MerchantID: in.MerchantID, Status: "authorized",
		Amount: in.Amount, Currency: in.Currency,
		Card:      CardShown{"visa", in.Card.Number[len(in.Card.Number)-4:], in.Card.ExpMonth, in.Card.ExpYear},
		Reference: in.Reference, Description: in.Description, Metadata: in.Metadata,
		CreatedAt: answeredAt, UpdatedAt: answeredAt, Version: 1,
	}
}

// Burn is CPU work that every language does alike: rounds steps of a xorshift
// on 32 bits. It does not yield, as a report or a picture would not.
func Burn(rounds int) Sum {
	x := uint32(2463534242)
	for range rounds {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
	}
	return Sum{x}
}

// MostRounds bounds what a caller may ask of Burn.
const MostRounds = 1_000_000_000

// Check is the validation of a careful author without a library: the first
// fault ends it.
func (in *Order) Check() error {
	switch {
	case in.Amount < 1 || in.Amount > 99_999_999_999:
		return errors.New("amount out of range")
	case in.Currency != "EUR" && in.Currency != "GBP" && in.Currency != "USD":
		return errors.New("currency unknown")
	case !Reference(in.Reference):
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

// Reference reports whether s is a merchant's reference. It is no regexp,
// which would make a peer look worse than a careful author's.
func Reference(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-':
		default:
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 64
}

// Seeded is the i-th payment that every peer's database begins with.
func Seeded(i int) Payment {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Second)
	return Payment{
		ID: SeededID(i), MerchantID: "mer_1", Status: "captured", Amount: int64(1000 + i), CapturedAmount: int64(1000 + i),
		Currency: [...]string{"EUR", "GBP", "USD"}[i%3], Card: CardShown{"visa", "4242", 12, 2030},
		Reference: fmt.Sprintf("order-%06d", i), Description: "Two boxes of limestone setts, sawn on six sides",
		Metadata: map[string]string{"channel": "web"}, CreatedAt: at, UpdatedAt: at, Version: 2,
	}
}

// SeededID is its id.
func SeededID(i int) string { return fmt.Sprintf("pay_%020d", i) }

// Seeds is how many there are.
const Seeds = 2000
