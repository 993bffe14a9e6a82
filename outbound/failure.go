package outbound

import (
	"fmt"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
)

// What a call fails with, apart from the end of the caller's own context.
// Test for them with errors.Is; the cause is for the log.
const (
	// ErrRefused says that the target may not be called. The cause is a
	// [*Refusal].
	ErrRefused fault.Upstream = "upstream_refused"
	// ErrUnreachable says that the call broke off: no such name, nobody
	// there, a certificate that is not good, no HTTP, no answer.
	ErrUnreachable fault.Upstream = "upstream_unreachable"
	// ErrSlow says that the answer was not complete in time.
	ErrSlow fault.Upstream = "upstream_timeout"
	// ErrTooLarge says that the answer is larger than Config.MaxBody. Reading
	// the body returns it too, in place of the first byte too many.
	ErrTooLarge fault.Upstream = "upstream_too_large"
	// ErrStatus says that the answer is no success. The cause is a [*Status].
	// Only [JSON] returns it: a client returns the answer itself.
	ErrStatus fault.Upstream = "upstream_status"
	// ErrGarbled says that the answer is not what it should be.
	ErrGarbled fault.Upstream = "upstream_garbled"
	// ErrOpen says that the dependency has failed too often of late and is
	// left alone for a while.
	ErrOpen fault.Unavailable = "upstream_unavailable"
	// ErrBusy says that as many calls are under way as may.
	ErrBusy fault.Unavailable = "upstream_busy"
)

// A Failure is the error of a call, and says how far it came. Its text is for
// the log: it names the dependency and the host, never a path, a query or a
// header, in which secrets travel.
type Failure struct {
	// Name is the dependency's, or empty.
	Name string
	// What was asked: the method and the host, or empty.
	What string
	// Tries is how often it was tried; 0 if it never was.
	Tries int
	// Sent reports whether the other side may have got the request, and so
	// whether it may have done what was asked. False is certain.
	Sent bool
	// Cause is one of the faults of this package, or what the caller's context
	// ended with.
	Cause error
}

// Error tells all of it.
func (f *Failure) Error() string {
	var b strings.Builder
	for _, part := range []string{f.Name, f.What} {
		if part != "" {
			b.WriteString(part)
			b.WriteString(": ")
		}
	}
	switch {
	case !f.Sent:
		b.WriteString("not sent")
	case f.Tries == 1:
		b.WriteString("may have arrived")
	default:
		fmt.Fprintf(&b, "may have arrived (%d tries)", f.Tries)
	}
	b.WriteString(": ")
	b.WriteString(f.Cause.Error())
	return b.String()
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// A Refusal says why a target may not be called, for the log: its text names
// the address, which is no business of whoever asked for the call.
type Refusal struct {
	Target string // the URL's host, or the address that it came to
	Reason string // "loopback", "port", …
}

func (r *Refusal) Error() string { return "refused to call " + r.Target + ": " + r.Reason }

// A Status is an answer that is no success. Its text has nothing of the answer
// but its number.
type Status struct {
	Code  int
	Start []byte // of the body, at most 4 KiB of it
}

func (s *Status) Error() string { return fmt.Sprintf("the answer is %d", s.Code) }
