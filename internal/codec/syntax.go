package codec

import (
	"strconv"

	"github.com/ashlar-go/ashlar/fault"
)

// Syntax is the error of a body that is not one well-formed JSON text. It
// unwraps to a [fault.ErrMalformed] that says so to the caller, so it answers
// 400. It never holds a byte of the body.
type Syntax struct {
	// Offset is the position in the body, in bytes, where reading stopped.
	Offset int
	// Reason is a clause: "a colon is expected".
	Reason string
}

// Error returns the clause with the position.
func (e *Syntax) Error() string { return e.Reason + " at byte " + strconv.Itoa(e.Offset) }

// Unwrap returns the fault that the caller is answered with.
func (e *Syntax) Unwrap() error {
	return fault.ErrMalformed.Because("The body is not valid JSON: %s.", e.Error())
}

// fail records where and why the body cannot be read. It returns false, for
// the return statement that ends the reading.
func (r *Reading) fail(reason string) bool { return r.failAt(r.i, reason) }

func (r *Reading) failAt(offset int, reason string) bool {
	if r.syntax == nil {
		if offset >= len(r.b) {
			reason = "it ends too early"
		}
		r.syntax = &Syntax{Offset: min(offset, len(r.b)), Reason: reason}
	}
	return false
}
