package outbound_test

import (
	"net/http"
	"testing"

	"github.com/ashlar-go/ashlar/outbound"
	"github.com/ashlar-go/ashlar/trace"
)

// TestTellsOfItsTrace holds P13.1: the other side hears which trace calls.
func TestTellsOfItsTrace(t *testing.T) {
	t.Parallel()
	var heard http.Header
	s, _ := upstream(t, func(_ http.ResponseWriter, r *http.Request) { heard = r.Header })
	client := outbound.New(outbound.Config{Allow: loopback})
	at := trace.New().WithSampled(true)
	at.State = "congo=t61rcWkgMzE"
	call := func(at trace.Context, set ...string) *http.Request {
		t.Helper()
		req, err := http.NewRequestWithContext(trace.With(t.Context(), at), http.MethodGet, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(set); i += 2 {
			req.Header.Set(set[i], set[i+1])
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return req
	}

	req := call(at, "Accept", "text/plain")
	if heard.Get("Traceparent") != at.Traceparent() || heard.Get("Tracestate") != "congo=t61rcWkgMzE" || heard.Get("Accept") != "text/plain" {
		t.Errorf("heard %v", heard)
	}
	if len(req.Header) != 1 {
		t.Errorf("the caller's request was changed: %v", req.Header)
	}
	own := trace.New().Traceparent()
	if call(at, "Traceparent", own); heard.Get("Traceparent") != own || heard.Get("Tracestate") != "" {
		t.Errorf("the caller's own was replaced: %v", heard)
	}
	if call(trace.Context{}); heard.Get("Traceparent") != "" {
		t.Errorf("a trace out of nowhere: %v", heard)
	}
}
