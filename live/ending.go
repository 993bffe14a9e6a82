package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/sse"
	"github.com/ashlar-go/ashlar/internal/talk"
)

// A Reason says how a stream ended.
type Reason uint8

// The reasons.
const (
	// Completed is the end of what there was to send.
	Completed Reason = iota
	// Failed is a failure of the operation, which the caller was told.
	Failed
	// Left is a caller that went away.
	Left
	// Slow is a caller that did not read, and was dropped.
	Slow
	// Revoked is a caller that may no more what it might.
	Revoked
	// Expired is the end of the time that the operation gives a stream.
	Expired
	// Draining is a shutdown, after which the caller comes back elsewhere.
	Draining
	// Violated is a caller of a WebSocket that did what it must not.
	Violated
	// Reasons is how many there are.
	Reasons
)

var reasonNames = [Reasons]string{"completed", "failed", "left", "slow", "revoked", "expired", "draining", "violated"}

func (r Reason) String() string {
	if r < Reasons {
		return reasonNames[r]
	}
	return "unknown"
}

// ending is why a stream ended, and what its caller is told.
type ending struct {
	reason Reason
	err    error         // of Failed and Revoked: what the caller is told; of others for nobody
	retry  time.Duration // of Draining
	broken *violation    // of Violated
}

// copied is the same end of something else.
func (e *ending) copied() *ending {
	return &ending{reason: e.reason, err: e.err, retry: e.retry, broken: e.broken}
}

// told reports whether there is somebody to tell.
func (e *ending) told() bool { return e.reason != Left && e.reason != Slow && e.reason != Violated }

// kind is the kind of the last event.
func (e *ending) kind() string {
	if e.reason == Failed {
		return eventError
	}
	return eventEnd
}

// code is that of the end: of its fault, or the reason.
func (e *ending) code() string {
	if e.broken != nil {
		return e.broken.reason
	}
	if e.reason == Failed || e.reason == Revoked {
		return fault.ProblemOf(e.err, "").Code
	}
	return e.reason.String()
}

// data is what the last event says.
func (e *ending) data(traceID string) []byte {
	switch e.reason {
	case Failed, Revoked:
		return problemOf(e.err, traceID)
	case Draining:
		return fmt.Appendf(nil, `{"code":"draining","retry_ms":%d}`, e.retry.Milliseconds())
	case Completed, Left, Slow, Expired, Violated, Reasons:
	}
	return []byte(`{"code":"` + e.reason.String() + `"}`)
}

// lastEvent is the last event of a stream, or nil where nobody hears it.
func (e *ending) lastEvent(traceID string) []byte {
	if !e.told() {
		return nil
	}
	var b []byte
	if e.reason == Draining {
		b = sse.AppendRetry(nil, e.retry)
	}
	return sse.Append(b, "", e.kind(), e.data(traceID))
}

// end is the same for those who say it in other words.
func (e *ending) end(traceID string) talk.End {
	return talk.End{Code: e.code(), Data: e.data(traceID), Retry: e.retry}
}

// lastMessage is the same for a WebSocket.
func (e *ending) lastMessage(traceID string) []byte {
	return append(append(appendMember(nil, "", e.kind()), e.data(traceID)...), '}')
}

// problemOf writes the problem document that err is to a caller.
func problemOf(err error, traceID string) []byte {
	p := fault.ProblemOf(err, traceID)
	body, broken := p.MarshalJSON()
	if broken != nil {
		p.Members = nil
		body, _ = p.MarshalJSON() // the members were all that can fail
	}
	return body
}

// gone stands for the end of a context that ended with its stream.
func gone(err error) error {
	if errors.Is(err, context.Canceled) {
		return fault.ErrUnavailable.Wrap(err)
	}
	return err
}
