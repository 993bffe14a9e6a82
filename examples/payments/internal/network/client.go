package network

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ashlar-go/ashlar/trace"
)

// Client asks a [Network] with patience that ends: each try has a time-out, a
// try without an answer is repeated with the same key, and a network that
// keeps failing is left alone for a while. It is a Network itself, one that
// fails with [ErrUnavailable] only.
type Client struct {
	remote  Network
	timeout time.Duration // of one try
	tries   int
	breaker breaker
}

// NewClient returns a client of the network with the limits of production:
// three tries of four seconds; after five failures in a row it answers at once
// for ten seconds.
func NewClient(remote Network) *Client {
	return &Client{
		remote:  remote,
		timeout: 4 * time.Second,
		tries:   3,
		breaker: breaker{trip: 5, rest: 10 * time.Second},
	}
}

// Available returns [ErrUnavailable] while there is no point in asking.
func (c *Client) Available() error {
	if c.breaker.open() {
		return ErrUnavailable.Because("The card network does not answer. Nothing was charged; try again in a moment.")
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

func (c *Client) ask(ctx context.Context, what string, call func(context.Context) (Answer, error)) (Answer, error) {
	var failures error
	for try := range c.tries {
		if !c.breaker.admit() {
			failures = errors.Join(failures, errors.New("circuit breaker is open"))
			break
		}
		answer, err := c.once(ctx, what, call)
		if err == nil {
			c.breaker.succeeded()
			return answer, nil
		}
		failures = errors.Join(failures, fmt.Errorf("try %d: %w", try+1, err))
		if ctx.Err() != nil { // our caller's impatience says nothing about the network
			c.breaker.release()
			break
		}
		c.breaker.failed()
		if try+1 < c.tries {
			pause(ctx, 100*time.Millisecond<<try)
		}
	}
	return Answer{}, ErrUnavailable.
		Because("The card network did not answer. Repeat the request with the same Idempotency-Key to learn the outcome.").
		Wrap(failures)
}

func (c *Client) once(ctx context.Context, what string, call func(context.Context) (Answer, error)) (answer Answer, err error) {
	ctx, span := trace.Call(ctx, what)
	defer func() {
		span.Fail(err)
		span.End()
	}()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return call(ctx)
}

// pause waits for half of d to d: clients that failed together must not come
// back together.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d/2 + rand.N(d/2)): //nolint:gosec // spread, not secrecy
	case <-ctx.Done():
	}
}
