//go:build !race

// The race detector makes sync.Pool forget, so allocations are only exact
// without it.

package serve_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ashlar-go/ashlar/logs"
	"github.com/ashlar-go/ashlar/serve"
)

func TestMuxHitAllocatesAsServeMuxDoes(t *testing.T) {
	var ours serve.Mux
	theirs := http.NewServeMux()
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	if err := ours.Handle("GET /payments/{id}", nothing); err != nil {
		t.Fatal(err)
	}
	theirs.Handle("GET /payments/{id}", nothing)
	r, w := httptest.NewRequest("GET", "/payments/pay_1", nil), httptest.NewRecorder()
	cost := func(h http.Handler) float64 {
		return testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) })
	}
	if a, b := cost(&ours), cost(theirs); a > b {
		t.Errorf("a hit allocates %v times, ServeMux %v", a, b)
	}
}

func TestObserveAllocates(t *testing.T) {
	// The request's scope and its trace id as text; a handler that is not of
	// package logs has the tail of the record too.
	for name, c := range map[string]struct {
		log  slog.Handler
		most float64
	}{
		"logs":  {logs.NewHandler(io.Discard, logs.Options{}), 2},
		"other": {slog.NewJSONHandler(io.Discard, nil), 4},
	} {
		h := serve.Observe(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		}), serve.Observer{Log: slog.New(c.log)})
		r, w := httptest.NewRequest("GET", "/payments/pay_1", nil), bare{http.Header{}}
		r.Header.Set("Traceparent", parent)
		if n := testing.AllocsPerRun(200, func() { h.ServeHTTP(w, r) }); n > c.most {
			t.Errorf("%s: observing a request allocates %v times, more than %v", name, n, c.most)
		}
	}
}

// TestCORSAllocatesNothing holds P12.9's price: all values are built once.
func TestCORSAllocatesNothing(t *testing.T) {
	nothing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	cors, err := serve.NewCORS(serve.CORSConfig{Origins: []string{page}, Credentials: true})
	if err != nil {
		t.Fatal(err)
	}
	cost := func(o serve.Observer, origin string) float64 {
		h := serve.Observe(nothing, o)
		r, w := httptest.NewRequest("GET", "/payments/pay_1", nil), bare{http.Header{}}
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		return testing.AllocsPerRun(200, func() { h.ServeHTTP(w, r) })
	}
	without := cost(serve.Observer{}, page)
	for _, origin := range []string{"", page, "https://evil.test"} {
		if n := cost(serve.Observer{CORS: cors}, origin); n != without {
			t.Errorf("origin %q: %v allocations, %v without CORS", origin, n, without)
		}
	}
}
