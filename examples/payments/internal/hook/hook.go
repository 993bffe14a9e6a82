// Package hook lets merchants have their own servers told what happens to
// their payments. Sending, signing and trying again is the framework's: see
// [webhook.Hooks].
package hook

import (
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
	"github.com/ashlar-go/ashlar/webhook"
)

// Write is the permission for all of this package.
const Write access.Permission = "webhooks:write"

// A Subscription asks for an endpoint.
type Subscription struct {
	// URL is where events are sent: https, on a public host.
	URL string `json:"url"`
	// Events are types of events such as payment.captured, a group such as
	// payment.*, or * for all.
	Events      []Filter `json:"events"`
	Description string   `json:"description,omitzero"`
	// MerchantID says whose events are sent. Staff must give it; merchants must
	// not, since they get their own.
	MerchantID string `json:"merchant_id,omitzero"`
}

// Rules bounds the fields.
func (in *Subscription) Rules(r *rule.Set) {
	rule.Text(r, &in.URL).Len(1, 2000)
	rule.Items(r, &in.Events).Len(1, 50)
	rule.Text(r, &in.Description).Len(0, 200)
	rule.Text(r, &in.MerchantID).Len(1, 64)
}

// A Filter lets types of events through.
type Filter string

// Rules bounds a filter.
func (f *Filter) Rules(r *rule.Set) { rule.Text(r, f).Len(1, 100) }

// An Endpoint is where a merchant's events are sent.
type Endpoint struct {
	ID          string        `json:"id"`
	MerchantID  string        `json:"merchant_id"`
	URL         string        `json:"url"`
	Events      []string      `json:"events"`
	Description string        `json:"description"`
	Status      webhook.State `json:"status"`
	// DisabledReason is by_owner, gone (it answered 410) or failing.
	DisabledReason webhook.Reason `json:"disabled_reason,omitzero"`
	CreatedAt      time.Time      `json:"created_at"`
}

// A Created endpoint shows its secret, this once.
type Created struct {
	Endpoint

	// Secret verifies the signatures of what is sent.
	Secret string `json:"secret"`
}

func show(e webhook.Endpoint) Endpoint {
	return Endpoint{e.ID, e.Account, e.URL, e.Types, e.Description, e.State, e.Reason, e.CreatedAt}
}

// ByID names an endpoint.
type ByID struct {
	ID string `json:"id"`
}

// List asks for a page of endpoints, newest first.
type List struct{ op.Paging }

// ListDeliveries asks for a page of an endpoint's deliveries, newest first.
type ListDeliveries struct {
	op.Paging

	ID string `json:"id"`
}

// ByDelivery names a delivery of an endpoint.
type ByDelivery struct {
	ID         string `json:"id"`
	DeliveryID string `json:"delivery_id"`
}

// A Delivery is one event at one endpoint.
type Delivery struct {
	ID        string                `json:"id"`
	EventID   string                `json:"event_id"`
	EventType string                `json:"event_type"`
	Status    webhook.DeliveryState `json:"status"`
	// AttemptCount counts all attempts; Attempts are the last ten of them.
	AttemptCount int       `json:"attempt_count"`
	Attempts     []Attempt `json:"attempts"`
	// NextAttemptAt is missing if there will be none, or another event of the
	// same payment is to be delivered before.
	NextAttemptAt *time.Time `json:"next_attempt_at,omitzero"`
	CreatedAt     time.Time  `json:"created_at"`
}

// An Attempt is one try at a delivery.
type Attempt struct {
	At         time.Time       `json:"at"`
	Outcome    webhook.Outcome `json:"outcome"`
	Status     int             `json:"status"` // of the answer; 0 without one
	DurationMS int64           `json:"duration_ms"`
	// Response is how the answer's body begins.
	Response string `json:"response"`
}

func showDelivery(d webhook.Delivery, attempts []webhook.Attempt) Delivery {
	out := Delivery{
		ID: d.ID, EventID: d.Message, EventType: d.Type, Status: d.State, AttemptCount: d.Attempts,
		Attempts: []Attempt{}, CreatedAt: d.CreatedAt,
	}
	if !d.DueAt.IsZero() {
		out.NextAttemptAt = &d.DueAt
	}
	for _, a := range attempts {
		out.Attempts = append(out.Attempts, Attempt{a.At, a.Outcome, a.Status, a.Took.Milliseconds(), a.Response})
	}
	return out
}
