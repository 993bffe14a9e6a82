package main

import (
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// The vocabulary. Every name is a typed constant: nothing to initialise,
// nothing to reassign, and each fault knows its status.
const (
	Read  access.Permission = "payments:read"
	Write access.Permission = "payments:write"

	ErrNotFound fault.NotFound = "payment_not_found"
	ErrState    fault.Conflict = "payment_wrong_state"
)

// Payment is one card payment. Amounts are minor units: 50_00 is fifty euros.
type Payment struct {
	ID        string   `json:"id"`
	Amount    int64    `json:"amount"`
	Currency  Currency `json:"currency"`
	Reference string   `json:"reference"`
	State     State    `json:"state"`
}

// Currency is an ISO 4217 code that this shop takes.
type Currency string

// Rules lists the currencies.
func (c *Currency) Rules(r *rule.Set) { rule.OneOf(r, c, "EUR", "GBP", "USD") }

// State is how far a payment has come.
type State string

// The states of a payment.
const (
	Authorized State = "authorized"
	Captured   State = "captured"
)

// Authorize asks for money to be reserved on a card.
type Authorize struct {
	Amount    int64    `json:"amount"`
	Currency  Currency `json:"currency"`
	CardToken string   `json:"card_token"` // from the vault, never a card number
	Reference string   `json:"reference"`  // the merchant's own order number
}

// Rules says what a valid Authorize is. It runs once, at declaration; the
// decoder and the API document both read what it recorded.
func (in *Authorize) Rules(r *rule.Set) {
	rule.Number(r, &in.Amount).Between(1, 999_999_99)
	rule.Text(r, &in.CardToken).Len(8, 64).Secret()
	rule.Text(r, &in.Reference).Len(1, 64).Match(`^[A-Za-z0-9-]+$`)
}

// ByID names one payment; {id} in a route fills it.
type ByID struct {
	ID string `json:"id"`
}
