// Package rest serves operations over HTTP.
//
// Each operation works alone in a plain program:
//
//	mux := http.NewServeMux()
//	mux.Handle(rest.Handler(o))
//
// A request passes these steps; each can end it with the faults named.
//
//	is there capacity    503 overloaded           before anything is read
//	who is asking        401 unauthenticated; with op.Recognized only 401 token_invalid
//	too often            429 rate_limited
//	may they             403 permission_denied
//	too often for this   429 rate_limited
//	what do they accept  406 not_acceptable
//	the body             408 request_timeout, 413 body_too_large, 415 media_type_unsupported, 400 on a query
//	path, query, body    400 malformed, 422 invalid (all violations at once)
//	is it kept           the answer, or 304, with op.Keep: before the path is read if there is no query
//	preconditions        428 precondition_required, 400 for one that the command does not know
//	is there a place     503 operation_busy       where op.Concurrency bounds it
//	idempotency key      400, 409, 422, or the stored answer
//	the function         what op.Fails lists, 412 stale, 500 internal, 504 deadline_exceeded
//	the answer           304 for a matching If-None-Match
//
// A failure that carries no fault is answered with 500 and a trace id; its
// text goes to the log and nowhere else.
package rest
