package rest

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/op"
)

// DefaultMaxBody is the greatest request body, in bytes, of an operation that
// sets no limit of its own.
const DefaultMaxBody = 1 << 20

// DefaultTimeout bounds a call of an operation that sets no bound of its own.
const DefaultTimeout = 30 * time.Second

// Config is what handlers need from the app around them. The zero Config
// serves public operations, and none else: an operation that needs a
// principal or an idempotency store fails to compile without one.
type Config struct {
	// Policy gives permissions their bits. Its roles must be granted before
	// the first request.
	Policy *access.Policy
	// Authenticate returns the principal of a request. It returns
	// fault.ErrUnauthenticated if the request carries no credential, and
	// another fault of the kind Unauthenticated for a bad one.
	Authenticate func(*http.Request) (access.Principal, error)
	// Challenge returns the WWW-Authenticate header of a 401 or 403, or "".
	Challenge func(error) string
	// Gate is asked before anything of a request is read, while only the
	// operation is known; it refuses with fault.ErrOverloaded what the service
	// cannot do now. Nil, as a func or as a Room, lets everybody in.
	Gate func(*op.Spec) Room
	// Places holds an operation to its Concurrency. It is asked when all is
	// checked and only the function is left to run, so that nobody takes a
	// place who has no right to it.
	Places func(*op.Spec) Room
	// Limits hold callers to what the service can bear. Nil limits nobody,
	// and refuses operations that were declared with a limit.
	Limits Limits
	// Cache keeps the answers of queries. Nil refuses operations that were
	// declared with op.Keep or op.Invalidates.
	Cache Cache
	// Stale returns the context for a query that was declared with op.Stale, in
	// which the state of the database may be so old. Nil is for services where
	// it never is.
	Stale func(ctx context.Context, most time.Duration) context.Context
	// Idempotency keeps the answers of commands declared idempotent.
	Idempotency Idempotency
	// FingerprintKey keys the hashes by which a reused idempotency key is
	// told from a retry. They are stored, and an unkeyed hash of an input with
	// a card number in it could be reversed by trying. Instances that share a
	// store must share the key.
	FingerprintKey []byte
	// MaxBody and Timeout replace DefaultMaxBody and DefaultTimeout for
	// operations that set none; zero keeps those.
	MaxBody int64
	Timeout time.Duration
	// Log gets the causes of failures. Nil means [slog.Default].
	Log *slog.Logger
}
