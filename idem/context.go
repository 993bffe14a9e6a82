package idem

import "context"

type (
	claimKey struct{}
	phaseKey struct{}
)

// WithClaim returns a ctx that carries the claim of the request to its
// handler.
func WithClaim(ctx context.Context, c *Claim) context.Context {
	return context.WithValue(ctx, claimKey{}, c)
}

// From returns the claim of the request, or nil if it has none.
func From(ctx context.Context) *Claim {
	c, _ := ctx.Value(claimKey{}).(*Claim)
	return c
}

// Phase returns a ctx for a transaction that is not the operation's last. The
// key commits with it, together with ref: what a later run of the handler needs
// to go on from here, such as the id of a payment. A ref is not empty and fits
// in a row: it is a reference, not a state.
func Phase(ctx context.Context, ref string) context.Context {
	return context.WithValue(ctx, phaseKey{}, ref)
}

// Phased returns the reference of [Phase]; ok is false in an operation's last
// transaction, which stores the response. Whoever ends the transactions asks.
func Phased(ctx context.Context) (ref string, ok bool) {
	ref, ok = ctx.Value(phaseKey{}).(string)
	return ref, ok
}

// Resumed tells a handler that an earlier run of the same request committed a
// phase and did not get to its end: ok is true, and ref is what that phase
// left. The handler goes on from there. It is false in a request that starts
// anew, and in one without a key.
func Resumed(ctx context.Context) (ref string, ok bool) {
	if c := From(ctx); c != nil {
		return c.Ref()
	}
	return "", false
}
