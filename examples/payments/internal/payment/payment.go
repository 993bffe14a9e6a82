// Package payment takes card payments: it authorises, captures, voids and
// refunds them, and never moves money twice.
//
// A payment is first recorded as pending. Then the card network is asked, under
// the payment's id, outside any transaction. Then the outcome, its ledger
// entries and its event commit together. A crash in between leaves a pending
// payment, which a retry of the request or the settler brings to its end: both
// ask the network again under the same id.
package payment

import (
	"strconv"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/examples/payments/internal/card"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/examples/payments/internal/network"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// What this package knows: its permissions and faults.
const (
	Read         access.Permission = "payments:read"
	Write        access.Permission = "payments:write"
	WriteRefunds access.Permission = "refunds:write"
	ReadEvents   access.Permission = "events:read"

	ErrNotFound fault.NotFound = "payment_not_found"
	ErrState    fault.Conflict = "payment_wrong_state"
	ErrDeclined fault.Refused  = "card_declined"
)

// A Payment is one card payment. Amounts are minor units: 50_00 is fifty euros.
type Payment struct {
	ID             string          `json:"id"`
	MerchantID     string          `json:"merchant_id"`
	Status         Status          `json:"status"`
	Amount         int64           `json:"amount"`
	CapturedAmount int64           `json:"captured_amount"`
	RefundedAmount int64           `json:"refunded_amount"`
	Currency       money.Currency  `json:"currency"`
	Card           card.Details    `json:"card"`
	Reference      string          `json:"reference"`
	Description    string          `json:"description"`
	Metadata       map[string]Note `json:"metadata"`
	DeclineCode    network.Decline `json:"decline_code,omitzero"`
	CreatedAt      time.Time       `json:"created_at"`
	UpdatedAt      time.Time       `json:"updated_at"`
	Version        int64           `json:"version"`
}

// ETag changes with each change of the payment.
func (p Payment) ETag() string { return strconv.FormatInt(p.Version, 10) }

// A Status is where a payment stands.
type Status string

// The statuses. A pending payment is not shown to anybody: whether there is one
// is not known before the network has answered.
const (
	Authorized        Status = "authorized"
	Captured          Status = "captured"
	PartiallyRefunded Status = "partially_refunded"
	Refunded          Status = "refunded"
	Voided            Status = "voided"
	Declined          Status = "declined"
	Expired           Status = "expired"

	pending Status = "pending"
)

// statuses are those that are shown.
func statuses() []Status {
	return []Status{Authorized, Captured, PartiallyRefunded, Refunded, Voided, Declined, Expired}
}

// Rules lists the statuses that are shown.
func (s *Status) Rules(r *rule.Set) { rule.OneOf(r, s, statuses()...) }

// A Note is a value of a payment's metadata.
type Note string

// Rules bounds a note.
func (n *Note) Rules(r *rule.Set) { rule.Text(r, n).Len(0, 500) }
