package serve

import (
	"net/http"

	"github.com/ashlar-go/ashlar/internal/scope"
)

// A request that another one asks within the process is observed as one of its
// own: it has its span, its access line and its metrics. What is known of the
// other one, though, need not be found out again, and what is said to clients
// alone is said to nobody.

// Continues says that the trace of who asks is found by that, and has to be in no
// header.
func (*observer) Continues() {}

// asking returns the scope of the request that asks, or nil.
func asking(w http.ResponseWriter) *scope.Scope {
	if asks, ok := w.(interface{ Asking() *scope.Scope }); ok {
		return asks.Asking()
	}
	return nil
}

// within gives the request its place in the trace of the one that asks, its id
// and its origin.
func (o *observer) within(x *response, r *http.Request, by *scope.Scope) {
	s := &x.scope
	x.asked, x.dressed = true, true // nobody reads what every response says
	s.Trace = by.Trace.Child()
	s.Trace = s.Trace.WithSampled(o.tracer.Sample(s.Trace, true, o.follows(r.RemoteAddr)))
	o.tracer.Begin(&s.Spans, s.Trace, by.Trace.SpanID, s.Begin)
	s.TraceID, s.RequestID, s.Origin = by.TraceID, by.RequestID, by.Origin
}
