//go:build !race

// The race detector makes sync.Pool forget, so allocations are only exact
// without it.

package ashlar_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/op"
)

// keptGets is an app that answers GET /plain/a by its function and GET /kept/a
// from what is kept, as its client sees them.
func keptGets(tb testing.TB) func(path string) {
	tb.Helper()
	app := ashlartest.Open(tb, "ASHLAR_LIMIT_PRINCIPAL", "off")
	app.App.Log = slog.New(slog.DiscardHandler)
	app.Grant("reader", readPages)
	get := func(_ context.Context, in pageID) (page, error) { return page{in.ID, "text"}, nil }
	app.Mount(ashlar.Module{Name: "m", Operations: []op.Operation{
		op.Query("plain", "GET /plain/{id}", get, op.Allow(readPages)),
		op.Query("kept", "GET /kept/{id}", get, op.Allow(readPages), op.Cache(0, op.Keep(time.Hour), op.Tags("page/{id}"))),
	}})
	h := app.Handler()
	requests := map[string]*http.Request{}
	for _, path := range []string{"/plain/a", "/kept/a"} {
		r := httptest.NewRequest("GET", path, nil)
		requests[path] = r.WithContext(access.With(r.Context(), app.Policy.Principal("ann", "acme", "reader")))
	}
	w := discard{http.Header{}}
	return func(path string) {
		clear(w.header)
		h.ServeHTTP(w, requests[path])
	}
}

// An answer that is kept costs no allocation beyond those of any request: it
// saves the one or two of encoding, and its tag and key cost none.
func TestKeptAnswersAllocateNothing(t *testing.T) {
	get := keptGets(t)
	get("/kept/a")
	count := func(path string) float64 { return testing.AllocsPerRun(200, func() { get(path) }) }
	if plain, kept := count("/plain/a"), count("/kept/a"); kept != plain {
		t.Errorf("a kept answer allocates %v times, one that is made %v", kept, plain)
	}
}

// What a cached read costs beside a bare handler with a cache in a map, which
// encodes what it finds.
func BenchmarkCachedRead(b *testing.B) {
	get := keptGets(b)
	for _, path := range []string{"/plain/a", "/kept/a"} {
		b.Run(path[1:5], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				get(path)
			}
		})
	}
	var mu sync.RWMutex
	values := map[string]page{"a": {"a", "text"}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /kept/{id}", func(w http.ResponseWriter, r *http.Request) {
		mu.RLock()
		p := values[r.PathValue("id")]
		mu.RUnlock()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(p)
	})
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		r, w := httptest.NewRequest("GET", "/kept/a", nil), discard{http.Header{}}
		for b.Loop() {
			clear(w.header)
			mux.ServeHTTP(w, r)
		}
	})
}
