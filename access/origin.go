package access

import "context"

// An Origin is where a request came from, for whoever records or limits what
// was done from there.
type Origin struct {
	// Address is the client's IP address, as far as trusted proxies can tell.
	Address string
	// Agent is the User-Agent that the client sent: its own word, unchecked
	// and of any length.
	Agent string
}

// OriginKey is the context key of the origin. A context that answers it with
// a *Origin, as a request's own context does, saves the allocation of
// [WithOrigin].
type OriginKey struct{}

// OriginOf returns the origin of ctx, or the zero Origin where no request is
// behind it.
func OriginOf(ctx context.Context) Origin {
	if o, ok := ctx.Value(OriginKey{}).(*Origin); ok && o != nil {
		return *o
	}
	return Origin{}
}

// WithOrigin returns a context whose origin is o.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, OriginKey{}, &o)
}
