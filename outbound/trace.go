package outbound

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"github.com/ashlar-go/ashlar/trace"
)

// traced begins the span of an exchange and returns the request that tells the
// other side of it: by traceparent and tracestate, unless the caller has set
// them. The span names the host and never the path, in which secrets travel:
// the address of a webhook is one.
func traced(req *http.Request) (*http.Request, trace.Span) {
	ctx := req.Context()
	at := trace.From(ctx)
	span := trace.Leaf(ctx, trace.Client, req.Method,
		trace.Text("http.request.method", req.Method),
		trace.Text("url.scheme", req.URL.Scheme),
		trace.Text("server.address", req.URL.Hostname()),
		trace.Int("server.port", int64(portOf(req.URL))),
	)
	if span.Recording() {
		at = span.Context()
	}
	if !at.Valid() || req.Header["Traceparent"] != nil {
		return req, span
	}
	told := new(http.Request)
	*told = *req // a RoundTripper must not change the request it was given
	if told.Header = maps.Clone(req.Header); told.Header == nil {
		told.Header = http.Header{}
	}
	told.Header["Traceparent"] = []string{at.Traceparent()}
	if at.State != "" {
		told.Header["Tracestate"] = []string{string(at.State)}
	}
	return told, span
}

// portOf is the port that a URL leads to.
func portOf(u *url.URL) uint16 {
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(n)
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}

// noted writes the status down: for whoever asks, 4xx is a failure too.
func noted(span trace.Span, status int) {
	span.Set(trace.Int("http.response.status_code", int64(status)))
	if status >= http.StatusBadRequest {
		span.Fail(refused(status))
	}
}

// refused is a status as the kind of failure.
type refused int

func (r refused) Error() string { return r.Code() }

// Code names the failure in a trace.
func (r refused) Code() string { return strconv.Itoa(int(r)) }
