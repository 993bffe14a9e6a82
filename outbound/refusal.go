package outbound

import "github.com/ashlar-go/ashlar/fault"

// What a call fails with, apart from the end of the request's own context.
// Test for them with errors.Is; the cause is for the log.
const (
	// ErrRefused says that the target may not be called. The cause is a
	// [*Refusal].
	ErrRefused fault.Upstream = "upstream_refused"
	// ErrUnreachable says that the call broke off: no such name, nobody
	// there, a certificate that is not good, no HTTP.
	ErrUnreachable fault.Upstream = "upstream_unreachable"
	// ErrSlow says that the answer was not complete within Config.Timeout.
	ErrSlow fault.Upstream = "upstream_timeout"
	// ErrTooLarge says that the answer is larger than Config.MaxBody. Reading
	// the body returns it too, in place of the first byte too many.
	ErrTooLarge fault.Upstream = "upstream_too_large"
)

// A Refusal says why a target may not be called, for the log: its text names
// the address, which is no business of whoever asked for the call.
type Refusal struct {
	Target string // the URL's host, or the address that it came to
	Reason string // "loopback", "port", …
}

func (r *Refusal) Error() string { return "refused to call " + r.Target + ": " + r.Reason }
