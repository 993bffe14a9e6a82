package live

import (
	"context"
	"errors"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/sse"
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
	// Reasons is how many there are.
	Reasons
)

var reasonNames = [Reasons]string{"completed", "failed", "left", "slow", "revoked", "expired", "draining"}

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
}

// lastWords is the last event of a stream, if there is somebody to hear it.
func (e *ending) lastWords(traceID string) []byte {
	switch e.reason {
	case Completed, Expired:
		return sse.Append(nil, "", eventEnd, []byte(`{"code":"`+e.reason.String()+`"}`))
	case Draining:
		return sse.Append(sse.AppendRetry(nil, e.retry), "", eventEnd, []byte(`{"code":"draining"}`))
	case Failed:
		return sse.Append(nil, "", eventError, problemOf(e.err, traceID))
	case Revoked:
		return sse.Append(nil, "", eventEnd, problemOf(e.err, traceID))
	case Left, Slow, Reasons:
	}
	return nil
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
