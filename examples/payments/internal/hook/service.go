package hook

import (
	"context"
	"errors"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/page"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/webhook"
)

// Merchants knows whose events there can be.
type Merchants interface {
	Exists(ctx context.Context, id string) (bool, error)
}

// Service offers what merchants do with their endpoints.
type Service struct {
	hooks     *webhook.Hooks
	merchants Merchants
}

// New returns a service; mount its Module.
func New(hooks *webhook.Hooks, merchants Merchants) *Service { return &Service{hooks, merchants} }

// Types are the types of events that are sent.
func Types() []string {
	return []string{
		string(payment.WasAuthorized), string(payment.WasDeclined), string(payment.WasCaptured),
		string(payment.WasVoided), string(payment.WasExpired), string(payment.WasRefunded),
	}
}

// Module brings the operations.
func (s *Service) Module() ashlar.Module {
	return ashlar.Module{
		Name: "webhooks",
		Operations: []op.Operation{
			op.Command("webhooks.create", "POST /v1/webhooks", s.Create,
				op.Allow(Write), op.Created(""), op.Fails(webhook.ErrTooMany)),
			op.Query("webhooks.list", "GET /v1/webhooks", s.List,
				op.Allow(Write)),
			op.Command("webhooks.delete", "DELETE /v1/webhooks/{id}", s.Delete,
				op.Allow(Write), op.Fails(webhook.ErrNotFound)),
			op.Command("webhooks.enable", "POST /v1/webhooks/{id}/enable", s.Enable,
				op.Allow(Write), op.Fails(webhook.ErrNotFound)),
			op.Query("webhooks.deliveries", "GET /v1/webhooks/{id}/deliveries", s.Deliveries,
				op.Allow(Write), op.Fails(webhook.ErrNotFound)),
			op.Command("webhooks.redeliver", "POST /v1/webhooks/{id}/deliveries/{delivery_id}/redeliver", s.Redeliver,
				op.Allow(Write), op.Accepted(""), op.Fails(webhook.ErrNotFound, webhook.ErrNoDelivery, webhook.ErrDisabled, webhook.ErrExhausted)),
		},
		Consumers: []event.Consumer{event.OnAny([]string{"payment.*"}, "webhooks", s.announce)},
		Docs:      docs(),
	}
}

// announce has an event sent to the endpoints of its merchant, in order for
// each payment. The consumer's progress commits with what is enqueued, so each
// event is announced once.
func (s *Service) announce(ctx context.Context, tx *db.Tx, r *event.Record, _ int) error {
	e, err := payment.EventOf(r)
	if err != nil {
		return err
	}
	text, err := webhook.JSON(e)
	if err != nil {
		return err
	}
	return s.hooks.Enqueue(ctx, tx, webhook.Message{
		ID: e.ID, Type: string(e.Type), Key: e.PaymentID, Account: e.MerchantID, Payload: text,
	})
}

// Create makes an endpoint. Its secret is shown this once.
func (s *Service) Create(ctx context.Context, in Subscription) (Created, error) {
	owner, err := merchant.Subject(ctx, s.merchants, in.MerchantID, "endpoints")
	if err == nil && owner == "" {
		err = fault.At("/merchant_id", "required", "is required from staff: say whose events are sent")
	}
	if err != nil {
		return Created{}, err
	}
	filters := make([]string, len(in.Events))
	for i, f := range in.Events {
		filters[i] = string(f)
	}
	e, secret, err := s.hooks.Create(ctx, owner, webhook.NewEndpoint{URL: in.URL, Types: filters, Description: in.Description})
	if bad, ok := errors.AsType[fault.Violations](err); ok {
		named := make(fault.Violations, len(bad))
		for i, v := range bad {
			if v.Pointer == "/types" { // as it is called here
				v.Pointer = "/events"
			}
			named[i] = v
		}
		return Created{}, named
	}
	if err != nil {
		return Created{}, err
	}
	return Created{show(e), secret.Reveal()}, nil
}

// find returns an endpoint that the caller may see.
func (s *Service) find(ctx context.Context, id string) (webhook.Endpoint, error) {
	if scope := merchant.Scope(ctx); scope != "" {
		return s.hooks.Get(ctx, scope, id)
	}
	return s.hooks.Find(ctx, id)
}

// List shows endpoints, newest first.
func (s *Service) List(ctx context.Context, in List) (op.Page[Endpoint], error) {
	before, err := page.After(in.Cursor, "wh_")
	if err != nil {
		return op.Page[Endpoint]{}, err
	}
	list, err := s.list(ctx, before, in.Size()+1)
	out := make([]Endpoint, len(list))
	for i, e := range list {
		out[i] = show(e)
	}
	return op.PageOf(out, in.Size(), func(e Endpoint) string { return e.ID }), err
}

// list is a page of what the caller may see. A merchant has so few that they
// are read at once.
func (s *Service) list(ctx context.Context, before string, limit int) ([]webhook.Endpoint, error) {
	scope := merchant.Scope(ctx)
	if scope == "" {
		return s.hooks.All(ctx, before, limit)
	}
	all, err := s.hooks.List(ctx, scope)
	for before != "" && len(all) > 0 && all[0].ID >= before {
		all = all[1:]
	}
	return all[:min(len(all), limit)], err
}

// Delete ends an endpoint. What waits for it is never sent.
func (s *Service) Delete(ctx context.Context, in ByID) (struct{}, error) {
	e, err := s.find(ctx, in.ID)
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, s.hooks.Delete(ctx, e.Account, e.ID)
}

// Enable turns an endpoint on that was disabled, and sends what has waited.
func (s *Service) Enable(ctx context.Context, in ByID) (Endpoint, error) {
	e, err := s.find(ctx, in.ID)
	if err == nil {
		e, err = s.hooks.Enable(ctx, e.Account, e.ID)
	}
	if err != nil {
		return Endpoint{}, err
	}
	return show(e), nil
}

// Deliveries shows what was and is to be sent to an endpoint, newest first.
func (s *Service) Deliveries(ctx context.Context, in ListDeliveries) (op.Page[Delivery], error) {
	none := op.Page[Delivery]{}
	before, err := page.After(in.Cursor, "whd_")
	if err != nil {
		return none, err
	}
	e, err := s.find(ctx, in.ID)
	if err != nil {
		return none, err
	}
	list, err := s.hooks.Deliveries(ctx, e.Account, e.ID, before, in.Size()+1)
	if err != nil {
		return none, err
	}
	attempts, err := s.hooks.LastAttempts(ctx, list)
	out := make([]Delivery, len(list))
	for i, d := range list {
		out[i] = showDelivery(d, attempts[d.ID])
	}
	return op.PageOf(out, in.Size(), func(d Delivery) string { return d.ID }), err
}

// Redeliver sends an event to an endpoint again, under the same id.
func (s *Service) Redeliver(ctx context.Context, in ByDelivery) (Delivery, error) {
	e, err := s.find(ctx, in.ID)
	if err != nil {
		return Delivery{}, err
	}
	d, err := s.hooks.Redeliver(ctx, e.Account, e.ID, in.DeliveryID)
	if err != nil {
		return Delivery{}, err
	}
	return showDelivery(d, nil), nil
}
