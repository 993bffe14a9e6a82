package payment

import (
	"cmp"
	"context"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/rule"
)

// An Event tells that a payment changed. It is written in the transaction of
// the change, so there is exactly one for each.
type Event struct {
	ID         string    `json:"id"`
	Type       EventType `json:"type"`
	MerchantID string    `json:"merchant_id"`
	PaymentID  string    `json:"payment_id"`
	// Data is the payment as it was after the change.
	Data      Payment   `json:"data"`
	CreatedAt time.Time `json:"created_at"`
}

// An EventType says what happened.
type EventType string

// The types of events.
const (
	WasAuthorized EventType = "payment.authorized"
	WasDeclined   EventType = "payment.declined"
	WasCaptured   EventType = "payment.captured"
	WasVoided     EventType = "payment.voided"
	WasExpired    EventType = "payment.expired"
	WasRefunded   EventType = "payment.refunded" // in part or in full
)

// After asks for the events that follow one.
type After struct {
	// After is the id of the last event seen; without it the list starts with
	// the first event.
	After string `json:"after,omitzero"`
	Limit int    `json:"limit,omitzero"` // 20 if not given
}

// Rules bounds both.
func (in *After) Rules(r *rule.Set) {
	rule.Text(r, &in.After).Match(`^evt_[0-9a-z]{26}$`)
	rule.Number(r, &in.Limit).Between(1, 100)
}

// A Feed is a part of the events, oldest first. It is continued after its last
// event.
type Feed struct {
	Data    []Event `json:"data"`
	HasMore bool    `json:"has_more"`
}

// Events lists what happened since an event, oldest first.
func (s *Service) Events(ctx context.Context, in After) (Feed, error) {
	limit := cmp.Or(in.Limit, 20)
	scope := merchant.Scope(ctx)
	rows, err := db.All[Event](ctx, s.db, `
		SELECT id, type, merchant_id, payment_id, data, created_at FROM payment_events
		WHERE id > $1 AND `+within(scope, "$2")+`
		ORDER BY id LIMIT $3`, in.After, scope, limit+1)
	more := len(rows) > limit
	return Feed{rows[:min(len(rows), limit)], more}, err
}

// publish writes an event. Its id is made here, inside the transaction: the
// writer is held, so ids sort in the order in which events commit.
func publish(ctx context.Context, tx *db.Tx, what EventType, p Payment) error {
	_, err := db.Exec(ctx, tx, `
		INSERT INTO payment_events (id, type, merchant_id, payment_id, data, created_at)
		VALUES ($1, $2, $3, $4, $5, $6)`, id.New("evt_"), what, p.MerchantID, p.ID, p, p.UpdatedAt)
	return err
}
