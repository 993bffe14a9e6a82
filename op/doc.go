// Package op declares operations: what a backend offers, said once.
//
// An operation is a plain function with a name, a route and its policy:
//
//	op.Command("payments.capture", "POST /payments/{id}/capture", s.Capture,
//		op.Allow(Write), op.Idempotent(24*time.Hour), op.Fails(ErrNotFound, ErrState))
//
// [Query] reads, [Command] changes, [Stream] goes on sending. The kinds take
// different options, so that a cache on a command does not compile. Everything
// that was declared can be read from the operation's [Spec], and everything
// else is derived from it: the HTTP handler, the API document, the clients,
// the tests.
//
// One flat struct is the input. A field that the route names comes from the
// path; the others come from the query string of a Query or Stream, or from
// the body of a Command. An input or output of struct{} is none.
//
// Who may call must be said: an operation without [Allow], [Authenticated] or
// [Public] is refused by [Check], together with every other mistake.
package op
