package serve

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/trace"
)

// follows reports whether the peer's decision to sample is ours too.
func (o *observer) follows(peer string) bool {
	if len(o.peers) == 0 {
		return false
	}
	addr, err := netip.ParseAddr(withoutPort(peer))
	return err == nil && anyContains(o.peers, addr.Unmap())
}

// keep ends the recording of a request: its spans are exported if it was
// sampled, failed or was slow, and forgotten otherwise. A request that is kept
// counts as sampled from here on, so that who links to its trace finds one.
func (o *observer) keep(x *response, r *http.Request, e *Exchange) {
	s, took := &x.scope, e.Duration
	if s.Lasts || x.touched && strings.HasPrefix(x.Fields().Get("Content-Type"), "text/event-stream") {
		took = 0 // it is meant to last
	}
	// Load that is shed is no defect, and comes in floods.
	failed := e.Status >= 500 && e.Code != fault.ErrOverloaded.Code() || e.Code == codeAborted
	if !s.Spans.Keeps(failed, took) {
		s.Spans.Drop()
		return
	}
	own := trace.Record{Name: e.Operation, Kind: trace.Server, Duration: e.Duration}
	method := known(e.Method)
	if own.Name == "" {
		own.Name = method // never the path: it names one thing, not a kind
	}
	if failed {
		own.Error = e.Code
		if own.Error == "" {
			own.Error = http.StatusText(e.Status)
		}
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	own.Set(
		trace.Text("http.request.method", method),
		trace.Int("http.response.status_code", int64(e.Status)),
		trace.Text("url.path", e.Path),
		trace.Text("url.scheme", scheme),
		trace.Text("network.protocol.version", strings.TrimPrefix(r.Proto, "HTTP/")),
		trace.Text("client.address", e.ClientIP),
		trace.Int("http.response.body.size", e.Bytes),
		trace.Text("ashlar.request_id", e.RequestID),
	)
	if _, route, ok := strings.Cut(r.Pattern, " "); ok {
		own.Set(trace.Text("http.route", route))
	}
	if e.Principal != "" {
		own.Set(trace.Text("user.id", e.Principal))
	}
	if e.Code != "" {
		own.Set(trace.Text("ashlar.code", e.Code))
	}
	s.Trace = s.Trace.WithSampled(true)
	s.Spans.Keep(&own)
}

// known is a method as it may stand in the name of a span: anybody can invent
// others.
func known(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return method
	}
	return "_OTHER"
}
