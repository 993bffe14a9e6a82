package network

import (
	"context"
	"time"

	"github.com/ashlar-go/ashlar/outbound"
	"github.com/ashlar-go/ashlar/trace"
)

// Client asks a [Network] with patience that ends: each try has a time-out, a
// try without an answer is repeated with the same key, and a network that
// keeps failing is left alone for a while. It is a Network itself, one that
// fails with [ErrUnavailable] only.
type Client struct {
	remote Network
	policy *outbound.Policy
}

// NewClient returns a client of the network with the limits of production:
// three tries of four seconds; after five failures, at least half of the tries
// of late, it answers at once for ten seconds.
func NewClient(remote Network) *Client {
	return &Client{remote, outbound.NewPolicy(outbound.PolicyConfig{
		Name: "card_network", Timeout: 13 * time.Second, TryTimeout: 4 * time.Second,
		Breaker: outbound.Breaker{Minimum: 5, Window: 30 * time.Second, Rest: 10 * time.Second},
	})}
}

// Policy is how the network is called, for metrics.
func (c *Client) Policy() *outbound.Policy { return c.policy }

// Available returns [ErrUnavailable] while there is no point in asking.
func (c *Client) Available() error {
	if err := c.policy.Available(); err != nil {
		return ErrUnavailable.Because("The card network does not answer. Nothing was charged; try again in a moment.").Wrap(err)
	}
	return nil
}

// Authorize implements [Network].
func (c *Client) Authorize(ctx context.Context, r Request) (Answer, error) {
	return c.ask(ctx, "card network: authorize", func(ctx context.Context) (Answer, error) { return c.remote.Authorize(ctx, r) })
}

// Recall implements [Network].
func (c *Client) Recall(ctx context.Context, key string) (Answer, error) {
	return c.ask(ctx, "card network: recall", func(ctx context.Context) (Answer, error) { return c.remote.Recall(ctx, key) })
}

// ask asks as often as the policy says: the key makes it safe to.
func (c *Client) ask(ctx context.Context, what string, call func(context.Context) (Answer, error)) (Answer, error) {
	answer, err := outbound.Call(ctx, c.policy, func(ctx context.Context) (answer Answer, err error) {
		ctx, span := trace.Call(ctx, what)
		defer span.End()
		answer, err = call(ctx)
		span.Fail(err)
		return answer, err
	})
	if err != nil {
		return Answer{}, ErrUnavailable.
			Because("The card network did not answer. Repeat the request with the same Idempotency-Key to learn the outcome.").
			Wrap(err)
	}
	return answer, nil
}
