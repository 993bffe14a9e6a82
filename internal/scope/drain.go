package scope

import "context"

type drainKey struct{}

// WithDrain returns a context whose descendants can ask whether the server
// has begun to shut down: drain is closed when it does.
func WithDrain(ctx context.Context, drain <-chan struct{}) context.Context {
	return context.WithValue(ctx, drainKey{}, drain)
}

// Drain returns the channel that closes when the server begins to shut down.
// A stream selects on it to end in good order. It is nil, and so never ready,
// outside a server that drains.
func Drain(ctx context.Context) <-chan struct{} {
	drain, _ := ctx.Value(drainKey{}).(<-chan struct{})
	return drain
}
