// Package card holds what may be known of a payment card, and for how long.
//
// A [Card] is what a customer types. It lives in memory while one request is
// answered and is never stored, logged or sent back. [Details] is what stays:
// brand, last four digits and expiry. A [Fingerprint] tells that two payments
// used one card, to whoever has the key and to nobody else.
package card

import (
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// A Card is a payment card as it was typed.
type Card struct {
	Number   Number `json:"number"`
	ExpMonth int    `json:"exp_month"`
	ExpYear  int    `json:"exp_year"`
	CVC      CVC    `json:"cvc"`
}

// Rules bounds the fields one by one.
func (c *Card) Rules(r *rule.Set) {
	rule.Text(r, &c.Number).Match(`^[0-9]{12,19}$`).Secret().Example("4242424242424242")
	rule.Number(r, &c.ExpMonth).Between(1, 12).Example(12)
	rule.Number(r, &c.ExpYear).Between(2000, 2099).Example(2030)
	rule.Text(r, &c.CVC).Match(`^[0-9]{3,4}$`).Secret().Example("123")
}

// Validate refuses a number with a mistyped digit. An expired card is not
// refused here: that is for the issuer to say.
func (c *Card) Validate() error {
	if !c.Number.luhn() {
		return fault.At("/number", "checksum", "is not a card number: its check digit is wrong")
	}
	return nil
}

// Expired reports whether the month printed on the card is over.
func (c *Card) Expired(now time.Time) bool {
	over := time.Date(c.ExpYear, time.Month(c.ExpMonth)+1, 1, 0, 0, 0, 0, time.UTC)
	return !now.Before(over)
}

// Details returns what may be kept of the card.
func (c *Card) Details() Details {
	return Details{
		Brand:    c.Number.brand(),
		Last4:    string(c.Number[len(c.Number)-4:]),
		ExpMonth: c.ExpMonth,
		ExpYear:  c.ExpYear,
	}
}

// Details is what is kept and shown of a card.
type Details struct {
	// Brand is the card scheme, "visa", or "unknown".
	Brand string `json:"brand"`
	// Last4 is the last four digits of the number.
	Last4    string `json:"last4"`
	ExpMonth int    `json:"exp_month"`
	ExpYear  int    `json:"exp_year"`
}
