package payment

import (
	"cmp"
	"context"
	"iter"
	"time"

	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
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

// EventID is where a stream that was cut goes on.
func (e Event) EventID() string { return e.ID }

// EventType tells those who listen what kind an event is.
func (e Event) EventType() string { return string(e.Type) }

// An EventType says what happened.
type EventType string

// What can happen to a payment.
const (
	WasAuthorized event.Topic[Payment] = "payment.authorized"
	WasDeclined   event.Topic[Payment] = "payment.declined"
	WasCaptured   event.Topic[Payment] = "payment.captured"
	WasVoided     event.Topic[Payment] = "payment.voided"
	WasExpired    event.Topic[Payment] = "payment.expired"
	WasRefunded   event.Topic[Payment] = "payment.refunded" // in part or in full
)

// EventKey keeps the events of a payment in order.
func (p Payment) EventKey() string { return p.ID }

// EventScope says whose events they are.
func (p Payment) EventScope() string { return p.MerchantID }

// eventID is what the id of an event looks like.
const eventID = `^evt_[0-9a-z]{26}$`

// After asks for the events that follow one.
type After struct {
	// After is the id of the last event seen; without it the list starts with
	// the first event.
	After string `json:"after,omitzero"`
	Limit int    `json:"limit,omitzero"` // 20 if not given
}

// Rules bounds both.
func (in *After) Rules(r *rule.Set) {
	rule.Text(r, &in.After).Match(eventID)
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
	feed := Feed{Data: []Event{}}
	q := event.Query{Filter: visible(ctx), AfterID: in.After, Limit: limit + 1}
	for more := true; more && !feed.HasMore; {
		page, err := s.events.Read(ctx, q)
		if err != nil {
			return Feed{}, err
		}
		for _, r := range page.Records {
			if feed.HasMore = len(feed.Data) == limit; feed.HasMore {
				break
			}
			e, err := EventOf(&r)
			if err != nil {
				return Feed{}, err
			}
			feed.Data = append(feed.Data, e)
		}
		q.After, more = page.Next, page.More
	}
	return feed, nil
}

// Follow asks for the events from now on, or for those that follow one.
type Follow struct {
	// After is the id of the last event seen; without it the stream starts
	// with what happens next.
	After string `json:"after,omitzero"`
}

// Rules bounds the id.
func (in *Follow) Rules(r *rule.Set) { rule.Text(r, &in.After).Match(eventID) }

// Follow sends what happens as it happens, and first what has happened since
// an event: without a gap and nothing twice, whichever instance was listened to
// before. It fails if that is not kept any more. Load the present state then
// and begin anew.
func (s *Service) Follow(ctx context.Context, in Follow) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for r, err := range s.events.Records(ctx, visible(ctx), event.AfterID(in.After)) {
			var e Event
			if err == nil {
				e, err = EventOf(r)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// visible are the events that the caller may see.
func visible(ctx context.Context) event.Filter {
	return event.Filter{Topics: []string{"payment.*"}, Scope: merchant.Scope(ctx)}
}

// EventOf is an event of the log as merchants see it.
func EventOf(r *event.Record) (Event, error) {
	p, err := event.Decode[Payment](r)
	return Event{r.ID, EventType(r.Topic), r.Scope, r.Key, p, r.At}, err
}
