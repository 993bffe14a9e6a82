// Package live serves streams: operations that go on sending.
//
// A stream works alone in a plain program:
//
//	ticks := op.Stream("clock.ticks", "GET /ticks", clock.Ticks, op.Public())
//	streams := live.New(live.Config{})
//	h, err := streams.Handler(ticks)
//	mux.Handle(ticks.Spec().Pattern(), h)
//
// It answers text/event-stream, as the HTML standard says it, which browsers
// read with EventSource and anybody with a GET:
//
//	retry: 2713
//
//	id: evt_1
//	event: payment.captured
//	data: {"id":"evt_1","amount":5000}
//
//	event: end
//	data: {"code":"draining","retry_ms":3105}
//
// An item is one event, written as JSON. Its id comes from [op.Identified] and
// its kind from [op.Named]. A caller who comes back says in Last-Event-ID what
// it saw last; the operation finds that in its input's member "after", or by
// [op.LastEventID].
//
// A request passes the steps of any operation, and is refused as that would
// be: with a problem document and its status, before the stream begins.
// Additionally
//
//	a stream too many    429 too_many_streams for the caller, 503 streams_full for all
//
// What the function fails with before it calls [op.Opened] or gives an item is
// such a refusal too, if it takes no longer than [Config.Grace]. Afterwards a
// failure is the event "error" with the same problem document, and every other
// end the event "end" with a code:
//
//	completed            the function has nothing more to send
//	draining             the service shuts down; come back after the pause in retry
//	expired              the time of op.Timeout is over; come back
//	token_invalid, permission_denied, permissions_changed, …
//	                     the caller may no more what it might; the data is a problem
//
// A caller that does not read is dropped, and comes back where it was. A caller
// that has gone is noticed at once, and a dead connection by the comments that
// are sent while there is nothing else to send.
//
// A handshake at the same path is answered with a WebSocket whose messages are
// the items, and [Server.Socket] has many streams and calls on one: see
// docs/live.md for what is said on it.
//
// [Server.Talk] keeps sockets on which another package speaks its own protocol,
// as graphql does.
//
// On HTTP/1 the connection is taken out of net/http's hands, so that a stream
// on which nothing happens costs two small goroutines and next to no buffers,
// events and WebSockets alike.
package live
