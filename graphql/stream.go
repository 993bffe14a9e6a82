package graphql

import (
	"context"
	"maps"
	"net/http"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/ask"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/internal/sse"
	"github.com/ashlar-go/ashlar/internal/talk"
)

// A subscription is a request for a stream, of its own as every field of the
// root is. Who serves the stream sends its items, opens, counts and ends it; what
// this package adds is what an item looks like to who asked.

// stream answers a subscription with server-sent events, one connection for each
// subscription, as GraphQL over SSE has it.
func (h *Handler) stream(w http.ResponseWriter, x *exchange) {
	if x.r.Method == http.MethodHead {
		sendRaw(w, x.r, saidEvents, http.StatusOK, nil)
		return
	}
	// It is kept as long as the stream is, the answer's buffers need not be.
	observed := x.scope
	x.release()
	x.within = nil
	x.r, x.scope = x.r.WithContext(scope.Outside(x.r.Context())), nil
	x.r.Body = http.NoBody
	if observed != nil && observed.Trace.Valid() {
		x.r.Header = maps.Clone(x.r.Header)
		x.r.Header["Traceparent"] = []string{observed.Trace.Traceparent()}
	}
	answer, open := h.listen(x, &talk.Listener{Words: &events{h: h, x: x}, Name: "graphql-sse", Writer: w, Request: x.r})
	if open || x.r.Context().Err() != nil {
		return
	}
	st := x.plan.root[0]
	found := failures{problem(answer, st, &trail{name: st.name})}
	if observed != nil {
		observed.Code = found[0].code
	}
	if answer.Status == http.StatusTooManyRequests || answer.Status == http.StatusServiceUnavailable {
		// Who is told that the subscription is complete does not come back.
		if after := answer.Header()["Retry-After"]; len(after) > 0 {
			w.Header()["Retry-After"] = after
		}
		send(w, x.r, jsonType, answer.Status, found.alone())
		return
	}
	sendEvents(w, x.r, found.alone())
}

// listen asks for the stream of a subscription. If it is not open, the answer is
// why.
func (h *Handler) listen(x *exchange, l *talk.Listener) (answer *ask.Answer, open bool) {
	st := x.plan.root[0]
	r, err := h.request(x.r.Context(), x, st)
	if err != nil {
		return ask.Refusal(err), false
	}
	last := x.r.Header["Last-Event-Id"]
	if x.asked.after != "" {
		last = []string{x.asked.after}
	}
	if len(last) > 0 {
		r.Header["Last-Event-Id"] = last
	}
	answer, panicked := ask.Wrapped(h.operations, r, func(w http.ResponseWriter) http.ResponseWriter {
		l.ResponseWriter = w
		return l
	})
	h.note(x.r.Context(), st.call.spec, panicked)
	if _, open = l.Opened(); !open && answer.Status < http.StatusMultipleChoices { // nobody there who serves streams
		answer = ask.Refusal(fault.ErrInternal)
	}
	if open { // what is not needed any more is not kept for as long as the stream lasts
		if x.asked = (asked{}); x.plan.related == 0 {
			x.r = nil
		}
	}
	return answer, open
}

// appendResult appends the result that an item is.
func (h *Handler) appendResult(ctx context.Context, b []byte, x *exchange, id string, item []byte) []byte {
	st := x.plan.root[0]
	if x.plan.related > 0 { // they are asked as whoever asked for the subscription
		ctx = lasting{ctx, x.r.Context()}
	}
	data, found := h.projected(ctx, x, st, new([]byte), item, nil, &trail{name: st.name})
	b = append(b, '{')
	if len(found) > 0 {
		b = append(found.append(append(b, `"errors":`...)), ',')
	}
	b = append(append(append(b, `"data":{`...), st.key...), data...)
	b = append(b, '}')
	if id != "" {
		b = append(appendText(append(b, `,"extensions":{"id":`...), id), '}')
	}
	return append(b, '}')
}

// lasting is a context with the end of one and the values of another.
type lasting struct {
	context.Context

	values context.Context
}

func (l lasting) Value(key any) any { return l.values.Value(key) }

// The codes of ends that are no faults, as package live has them.
const (
	completed = "completed"
	draining  = "draining"
)

// endings are what else there is to say of an end that has no words of its own.
var endings = map[string]string{
	draining:  "The service shuts down. Subscribe again after a pause.",
	"expired": "The time of this subscription is over. Subscribe again.",
}

// failureAtEnd is an end as an entry of errors.
func failureAtEnd(x *exchange, e talk.End) failures {
	st := x.plan.root[0]
	return failures{failureOf(e.Data, endings[e.Code], st, &trail{name: st.name})}
}

// events are the words of a subscription that has a connection of its own.
type events struct {
	h *Handler
	x *exchange
}

func (v *events) Item(ctx context.Context, b []byte, id string, data []byte) []byte {
	b = sse.AppendHead(b, id, "next")
	from := len(b)
	return sse.AppendTail(v.h.appendResult(ctx, b, v.x, id, data), from)
}

// End tells whoever has to come back how soon, and does not say then that the
// subscription is complete: clients go on after that by themselves.
func (v *events) End(b []byte, e talk.End) []byte {
	if e.Code == completed {
		return append(b, complete...)
	}
	if e.Retry > 0 {
		b = sse.AppendRetry(b, e.Retry)
	}
	b = sse.Append(b, "", "next", failureAtEnd(v.x, e).alone())
	if e.Code == draining {
		return b
	}
	return append(b, complete...)
}

// complete is the last event. It has data, or browsers would not pass it on.
const complete = "event: complete\ndata:\n\n"

// sendEvents answers what is no subscription, or none that can be opened, in the
// form that was asked for.
func sendEvents(w http.ResponseWriter, r *http.Request, result []byte) {
	header := scope.Fields(w)
	header["Cache-Control"] = []string{"no-store"}
	sendRaw(w, r, saidEvents, http.StatusOK, append(sse.Append(nil, "", "next", result), complete...))
}
