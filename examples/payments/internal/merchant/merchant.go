// Package merchant keeps the merchants: the businesses whose customers pay.
package merchant

import (
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/examples/payments/internal/card"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// What this package knows: its permissions and faults.
const (
	Read  access.Permission = "merchants:read"
	Write access.Permission = "merchants:write"

	ErrNotFound fault.NotFound = "merchant_not_found"
)

// A Prospect is a merchant to be.
type Prospect struct {
	Name    string  `json:"name"`
	Country Country `json:"country"`
	// Currency is the one that the merchant is paid out in.
	Currency money.Currency `json:"currency"`
}

// Rules bounds the name; the other types have rules of their own.
func (in *Prospect) Rules(r *rule.Set) { rule.Text(r, &in.Name).Len(1, 120) }

// Validate refuses a card number where a name belongs.
func (in *Prospect) Validate() error { return card.NoNumber("/name", in.Name).Err() }

// A Country is a two-letter code of ISO 3166-1.
type Country string

// Rules says what a country code looks like.
func (c *Country) Rules(r *rule.Set) { rule.Text(r, c).Match(`^[A-Z]{2}$`) }

// A Merchant is a business whose customers pay.
type Merchant struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Country   Country        `json:"country"`
	Currency  money.Currency `json:"currency"`
	CreatedAt time.Time      `json:"created_at"`
}

// ByID names one merchant.
type ByID struct {
	ID string `json:"id"`
}

// List asks for a page of merchants, newest first.
type List struct{ op.Paging }
