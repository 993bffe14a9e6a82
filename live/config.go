package live

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/op"
)

// Config is what streams need from the app around them. The zero Config
// serves public operations, and none else: an operation that needs a
// principal fails to compile without somebody who authenticates.
type Config struct {
	// Policy gives permissions their bits. Its roles must be granted before
	// the first request.
	Policy *access.Policy
	// Authenticate returns the principal of a request. It returns
	// fault.ErrUnauthenticated if the request carries no credential, and
	// another fault of that kind for a bad one. It is asked again, every
	// Recheck, for as long as a stream is open, with a request that has the
	// first one's address and those of its header fields that Credentials
	// names. When it then refuses, or the principal's permissions are others,
	// the stream ends; a failure of its own, a fault that is neither 401 nor
	// 403, ends nothing.
	Authenticate func(*http.Request) (access.Principal, error)
	// Credentials are the header fields that Authenticate reads, in canonical
	// form. Nil keeps all of a request for it, for as long as the stream lasts.
	Credentials []string
	// Challenge returns the WWW-Authenticate header of a 401 or 403, or "".
	Challenge func(error) string
	// Gate is asked before anything of a request is read, and left once the
	// stream is open: what is left of it then costs next to nothing. Nil, as a
	// func or as a Room, lets everybody in.
	Gate func(*op.Spec) Room
	// Places holds an operation to its Concurrency: streams that are open.
	Places func(*op.Spec) Room
	// Limits hold callers to what the service can bear. Nil limits nobody.
	Limits Limits
	// Quota returns what takes calls off the operation's own quotas. Nil
	// refuses operations that were declared with a limit.
	Quota func(*op.Spec) (Quota, error)

	// Most is how many streams may be open at once, 20 000 if zero. MostEach
	// is how many of them one principal may have, 100 if zero; where nobody is
	// signed in it counts the address, a network of IPv6 as one.
	Most, MostEach int
	// Beat is how long nothing may be sent before a comment is, so that both
	// sides and all between them know that the connection lives: 15s if zero.
	Beat time.Duration
	// Patience is how long a message may wait for the caller to read. Who takes
	// longer is dropped, to come back when it can. 10s if zero.
	Patience time.Duration
	// Recheck is how often it is asked whether a caller still may: 2s if zero.
	Recheck time.Duration
	// Grace is how long the answer waits for a function that says neither that
	// it is in place nor why it refuses: 100ms if zero.
	Grace time.Duration
	// Retry is how long a caller is told to wait before it comes back, and up
	// to as long again, so that not all come at once: 2s if zero.
	Retry time.Duration
	// Origins are the origins whose pages may open a WebSocket, as browsers
	// send them, beside those of the host that was asked. OriginCredentials lets
	// them come with cookies.
	Origins           []string
	OriginCredentials bool
	// MaxMessage is the greatest message of a WebSocket's caller, in bytes:
	// 64 KiB if zero. MessageRate is how many may come in a second, and twice as
	// many at once: 50 if zero.
	MaxMessage  int64
	MessageRate int
	// TokenWait is how long a WebSocket may be open before its caller has said
	// who it is: 10s if zero.
	TokenWait time.Duration
	// Compress lets messages of WebSockets be compressed, where the other side
	// can. It is off because it costs memory and time for each of them, and
	// because the length of what is compressed tells something of secrets in it.
	Compress bool
	// DrainRate is how many streams a second are ended at shutdown: 2 000 if
	// zero. What does not fit into the time there is goes faster.
	DrainRate int
	// Log gets a line for each stream that ended, and the causes of failures.
	// Nil means [slog.Default].
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Most = cmp.Or(max(c.Most, 0), 20_000)
	c.MostEach = cmp.Or(max(c.MostEach, 0), 100)
	c.MaxMessage = cmp.Or(max(c.MaxMessage, 0), 64<<10)
	c.MessageRate = cmp.Or(max(c.MessageRate, 0), 50)
	c.DrainRate = cmp.Or(max(c.DrainRate, 0), 2000)
	for _, d := range []struct {
		of       *time.Duration
		standard time.Duration
	}{
		{&c.Beat, 15 * time.Second},
		{&c.Patience, 10 * time.Second},
		{&c.Recheck, 2 * time.Second},
		{&c.Grace, 100 * time.Millisecond},
		{&c.Retry, 2 * time.Second},
		{&c.TokenWait, 10 * time.Second},
	} {
		*d.of = cmp.Or(max(*d.of, 0), d.standard)
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// A Room lets a bounded number of calls in.
type Room interface {
	// Enter returns nil, and then Leave is called once, or the fault that is
	// answered instead.
	Enter(ctx context.Context) error
	// Leave ends a call that was let in.
	Leave()
}

// Limits hold callers to what the service can bear. Its methods get the
// request's context and the header of the answer, to add fields to; an error
// ends the request. They are safe for concurrent use.
type Limits interface {
	// Knock is asked before a credential is looked at.
	Knock(ctx context.Context, header http.Header) error
	// Enter is told how that went: refused is the error of Knock or of
	// Config.Authenticate, or nil. When refused is not nil it returns refused or
	// another error.
	Enter(ctx context.Context, header http.Header, refused error) error
}

// A Quota takes a call off an operation's quotas: with a nil input once it is
// certain that the principal may call it, and again with a pointer to the
// input if a quota counts by that.
type Quota interface {
	Take(ctx context.Context, header http.Header, in any) error
}
