package op

import (
	"context"
	"reflect"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
)

const (
	// ErrStreams refuses a stream to who has as many open as they may.
	ErrStreams fault.Limited = "too_many_streams"
	// ErrStreamsFull refuses a stream because the service has as many open as
	// it can bear.
	ErrStreamsFull fault.Unavailable = "streams_full"
	// ErrChanged ends a stream whose caller has other permissions than when it
	// began.
	ErrChanged fault.Unauthenticated = "permissions_changed"
)

// Identified is implemented by items of a [Stream] that a caller can go on
// after. The id names the place behind the item, holds no control character
// and has at most 256 bytes. It comes back as the input's member "after", if
// there is one, and from [LastEventID].
type Identified interface{ EventID() string }

// Named is implemented by items of a [Stream] that are of several kinds, for
// listeners that tell them apart: "payment.captured". Empty means the usual
// kind; "end" and "error" are taken.
type Named interface{ EventType() string }

// Broadcast is implemented by items that are sent to many callers alike, as
// those of a topic are. Same returns what all copies of one item have in common, a
// pointer as a rule, and nil for an item that is nobody else's. Such an item
// is encoded once for all streams of an operation. A copy that was changed is
// noticed if one of its own fields was, not what they point to.
type Broadcast interface{ Same() any }

// Opened says that the stream whose function runs with ctx is in place: all
// that could refuse it was looked at, and from now on it misses nothing. The
// caller is told that the stream is open, which otherwise happens with the
// first item, or after a moment. A fault from before that is answered as that of
// any operation, with its status; a later one is an event.
func Opened(ctx context.Context) { scope.Opened(ctx) }

type lastEventKey struct{}

// WithLastEventID returns a context that carries the id of the last item that
// the caller has seen, for [LastEventID].
func WithLastEventID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, lastEventKey{}, id)
}

// LastEventID returns the id of the last item that the caller has seen, of an
// earlier connection: the header Last-Event-ID. It is empty for who begins,
// and may be any text that a caller can send. A stream whose input has a
// member "after" finds it there too, checked by its rules.
func LastEventID(ctx context.Context) string {
	id, _ := ctx.Value(lastEventKey{}).(string)
	return id
}

// After is the name of the input's member that Last-Event-ID fills.
const After = "after"

func (s *Spec) describeItem(t reflect.Type) {
	p := reflect.PointerTo(t)
	s.Identified = p.Implements(reflect.TypeFor[Identified]())
	s.Named = p.Implements(reflect.TypeFor[Named]())
}

func (s *Spec) checkStream() {
	if s.Kind != IsStream {
		return
	}
	if s.Out != nil && s.Returns != JSON {
		s.mistake("sends nothing; give its items a type that is JSON")
	}
	if s.SetsCookies {
		s.mistake("items cannot set cookies")
	}
	if s.CPU {
		s.mistake("CPU would hold a processor for as long as somebody listens; use work.Do for what computes")
	}
}
