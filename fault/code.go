package fault

import (
	"fmt"
	"time"
)

// A Code names one way to fail. It is an error, so a bare constant can be
// returned and tested with [errors.Is]:
//
//	return Payment{}, ErrNotFound
//
// Declare codes with the named kinds of this package ([NotFound], [Conflict],
// …). A code is lower-case words joined by underscores; once published it is
// part of the contract, because clients branch on it.
type Code[K kind] string

// Coded is any code or an [Error] made from one.
type Coded interface {
	error
	// Code is the stable name that clients branch on.
	Code() string
	// Status is the HTTP status that the code's kind answers with.
	Status() int
}

// Code returns the code's own text.
func (c Code[K]) Code() string { return string(c) }

// Error returns the code, for logs.
func (c Code[K]) Error() string { return string(c) }

// Status returns the HTTP status of the code's kind.
func (c Code[K]) Status() int {
	var k K
	return k.status()
}

// Because returns the fault with a sentence for the caller. The sentence is
// sent as it is: never format a secret, a submitted value or an internal
// error into it.
func (c Code[K]) Because(format string, args ...any) *Error {
	return &Error{of: c, detail: fmt.Sprintf(format, args...)}
}

// With returns the fault with an extension member (RFC 9457, section 3.2)
// that the caller receives beside the code. Like [Error.With] it panics if the
// name is one that every problem has: type, title, status, detail, instance,
// code, trace_id or errors.
func (c Code[K]) With(name string, value any) *Error {
	return (&Error{of: c}).With(name, value)
}

// After returns the fault with how long to wait before the request is worth
// repeating. The caller gets it as the header Retry-After.
func (c Code[K]) After(d time.Duration) *Error {
	return &Error{of: c, after: d}
}

// Wrap returns the fault with its cause. The cause reaches the log and
// [errors.Is], never the caller.
func (c Code[K]) Wrap(cause error) *Error {
	return &Error{of: c, cause: cause}
}
