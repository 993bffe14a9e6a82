package webhook

import (
	"context"
	"time"
)

// Claim is what a dispatcher has taken.
type Claim = claim

// Message is the id of what is to be sent.
func (c *claim) Message() string { return c.delivery.Message }

// Delivery is the id of the delivery.
func (c *claim) Delivery() string { return c.delivery.ID }

// Take claims what is due at an endpoint.
func (h *Hooks) Take(ctx context.Context, endpoint string) (*Claim, error) {
	return h.claim(ctx, endpoint)
}

// Send makes the attempt of a claim and settles it. An end of working breaks
// the attempt off.
func (h *Hooks) Send(ctx, working context.Context, c *Claim) {
	d := &dispatcher{hooks: h, working: working}
	d.deliver(ctx, c)
}

// Due lists the endpoints that have something to be sent.
func (h *Hooks) Due(ctx context.Context, after string, limit int) ([]string, error) {
	return h.due(ctx, after, limit)
}

// Look reads what Stats tells of the database.
func (h *Hooks) Look(ctx context.Context) error { return h.look(ctx) }

// Delay and Rest are the pauses after failures.
func (h *Hooks) Delay(failures int, asked time.Duration) time.Duration {
	return h.delay(failures, asked)
}
func (h *Hooks) Rest(failures int) time.Duration { return h.rest(failures) }
