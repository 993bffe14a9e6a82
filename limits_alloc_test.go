//go:build !race

// The race detector makes sync.Pool forget, so allocations are only exact
// without it.

package ashlar_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/op"
)

// discard is a response that costs nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// gets is an app that answers GET /open/a, and /limited/a under a limit of its
// own, as its client sees them.
func gets(tb testing.TB, env ...string) func(path string) {
	tb.Helper()
	app := ashlartest.Open(tb, env...)
	app.Untraced() // a request whose trace is sent allocates for it
	app.App.Log = slog.New(slog.DiscardHandler)
	app.Mount(ashlar.Module{Name: "m", Operations: []op.Operation{
		op.Query("open", "GET /open/{name}", greet, op.Public()),
		op.Query("limited", "GET /limited/{name}", greet, op.Public(), op.Limit(1_000_000_000, time.Second)),
	}})
	h := app.Handler()
	requests := map[string]*http.Request{}
	for _, path := range []string{"/open/a", "/limited/a"} {
		requests[path] = httptest.NewRequest("GET", path, nil)
	}
	w := discard{http.Header{}}
	return func(path string) {
		clear(w.header)
		h.ServeHTTP(w, requests[path])
	}
}

// What every request allocates for the limits that every app has: nothing. An
// operation that declares one says what is left of it: a text, and the slice
// around it.
func TestLimitsAllocate(t *testing.T) {
	on, off := gets(t, "ASHLAR_LIMIT_ADDRESS", "1000000000/1s"), gets(t, "ASHLAR_LIMIT_ADDRESS", "off")
	count := func(get func(string), path string) float64 {
		return testing.AllocsPerRun(200, func() { get(path) })
	}
	bare := count(off, "/open/a")
	if got := count(on, "/open/a"); got != bare {
		t.Errorf("the limits of all operations allocate %v times", got-bare)
	}
	if got := count(off, "/limited/a"); got != bare+2 {
		t.Errorf("a declared limit allocates %v times", got-bare)
	}
}

func BenchmarkLimits(b *testing.B) {
	for _, c := range []struct{ name, path, setting string }{
		{"none", "/open/a", "off"}, {"of all operations", "/open/a", "1000000000/1s"}, {"declared", "/limited/a", "off"},
	} {
		b.Run(c.name, func(b *testing.B) {
			get := gets(b, "ASHLAR_LIMIT_ADDRESS", c.setting)
			b.ReportAllocs()
			for b.Loop() {
				get(c.path)
			}
		})
	}
}
