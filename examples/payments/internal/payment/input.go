package payment

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/examples/payments/internal/card"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// Authorize asks for money to be held on a card.
type Authorize struct {
	Amount      int64           `json:"amount"`
	Currency    money.Currency  `json:"currency"`
	Card        card.Card       `json:"card"`
	Reference   string          `json:"reference"` // the merchant's own order number
	Description string          `json:"description,omitzero"`
	Metadata    map[string]Note `json:"metadata,omitzero"`
	// Capture takes the money at once.
	Capture bool `json:"capture,omitzero"`
	// MerchantID says for whom the payment is. Staff must give it; merchants
	// must not, since their payments are their own.
	MerchantID string `json:"merchant_id,omitzero"`
}

// Rules says what a valid Authorize is.
func (in *Authorize) Rules(r *rule.Set) {
	rule.Number(r, &in.Amount).Between(1, money.Max).Example(50_00)
	rule.Text(r, &in.Reference).Len(1, 64).Example("order-1")
	rule.Text(r, &in.Description).Len(0, 500)
	rule.Entries(r, &in.Metadata).Len(0, 20)
}

// Validate refuses a card number in free text, which is kept and shown.
func (in *Authorize) Validate() error {
	found := slices.Concat(card.NoNumber("/reference", in.Reference), card.NoNumber("/description", in.Description))
	for _, name := range slices.Sorted(maps.Keys(in.Metadata)) {
		inName := card.NoNumber("/metadata", name)
		if inName == nil { // so that the pointer may repeat it
			found = append(found, card.NoNumber("/metadata/"+pointerEscapes.Replace(name), string(in.Metadata[name]))...)
		}
		found = append(found, inName...)
	}
	return found.Err()
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1") // RFC 6901

// ByID names one payment.
type ByID struct {
	ID string `json:"id"`
}

// Capture takes held money. Without an amount it takes all of it; the rest of a
// partial capture is released.
type Capture struct {
	ID     string `json:"id"`
	Amount int64  `json:"amount,omitzero"`
}

// Rules bounds the amount.
func (in *Capture) Rules(r *rule.Set) { rule.Number(r, &in.Amount).Between(1, money.Max) }

// Return gives captured money back. Without an amount it gives back all that is
// left.
type Return struct {
	ID     string `json:"id"`
	Amount int64  `json:"amount,omitzero"`
	Reason string `json:"reason,omitzero"`
}

// Rules bounds amount and reason.
func (in *Return) Rules(r *rule.Set) {
	rule.Number(r, &in.Amount).Between(1, money.Max)
	rule.Text(r, &in.Reason).Len(0, 200)
}

// Validate refuses a card number in the reason, which is kept and shown.
func (in *Return) Validate() error { return card.NoNumber("/reason", in.Reason).Err() }

// List asks for a page of payments, newest first.
type List struct {
	Status   Status         `json:"status,omitzero"`
	Currency money.Currency `json:"currency,omitzero"`
	// CreatedAfter and CreatedBefore bound the time; neither is included.
	CreatedAfter  time.Time `json:"created_after,omitzero"`
	CreatedBefore time.Time `json:"created_before,omitzero"`
	op.Paging
}

// ListRefunds asks for a page of a payment's refunds, newest first.
type ListRefunds struct {
	ID string `json:"id"`
	op.Paging
}
