// Package fault holds the errors that callers are meant to see.
//
// A fault is a typed constant. Its type says what kind of refusal it is, and
// so its HTTP status; its text is the stable code that clients branch on:
//
//	const (
//		ErrNotFound fault.NotFound = "payment_not_found"   // 404
//		ErrState    fault.Conflict = "payment_wrong_state" // 409
//	)
//
// An error has three readers, and each gets its own part. Machines read the
// code. The caller reads the detail given to [Code.Because]. Whoever operates
// the service reads the cause given to [Code.Wrap], which goes to the log and
// never to the caller. An error that carries no fault is an internal error:
// the caller learns that something failed and a trace id, nothing else.
//
// [Problem] is the form in which faults travel: RFC 9457 problem details.
//
// Everything here is safe for concurrent use.
package fault
