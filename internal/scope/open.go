package scope

import "context"

// OpenKey is the key under which the context of a stream answers with its
// [Opener].
type OpenKey struct{}

// Opener is told that a stream is in place.
type Opener interface{ Open() }

// Opened tells the stream that ctx belongs to that nothing is left that could
// refuse it: what it waits for is in place. Elsewhere it does nothing.
func Opened(ctx context.Context) {
	if o, ok := ctx.Value(OpenKey{}).(Opener); ok {
		o.Open()
	}
}
