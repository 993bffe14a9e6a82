// Package access says who is asking and what they may do.
//
// A [Permission] is a typed constant, "payments:read". A [Policy] gives
// permissions to roles; it is built once, at start, and gives each permission
// a bit. A [Principal] is whoever makes the request: it carries the bits it
// was granted, so that a check costs an AND.
//
// A service asks for the principal of its context:
//
//	me := access.From(ctx)
//	if me.Account != payment.Account { … }
package access
