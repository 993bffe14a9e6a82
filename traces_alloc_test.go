//go:build !race

// The race detector makes sync.Pool forget, so allocations are only exact
// without it.

package ashlar_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/trace"
)

// asks is an app that answers without its database, with one statement, and
// with ten, as its client sees them. A share below 0 has no tracer.
func asks(tb testing.TB, share float64) func(path string) {
	tb.Helper()
	app := ashlartest.Open(tb, "ASHLAR_LIMIT_ADDRESS", "off", "DATABASE_URL", "sqlite::memory:") // where counts are exact
	app.App.Log = slog.New(slog.DiscardHandler)
	app.Untraced()
	if share >= 0 {
		app.Trace(trace.Options{Exporter: &forgetful{}, Sampler: trace.Ratio(share)}, nil)
	}
	type none struct{}
	ask := func(n int) func(context.Context, none) (none, error) {
		return func(ctx context.Context, _ none) (none, error) {
			for range n {
				if _, err := db.One[int](ctx, app.DB, "SELECT n FROM numbers WHERE n = $1", 1); err != nil {
					return none{}, err
				}
			}
			return none{}, nil
		}
	}
	app.Mount(ashlar.Module{
		Name:       "numbers",
		Migrations: fstest.MapFS{"1_numbers.sql": {Data: []byte("-- +goose Up\nCREATE TABLE numbers (n INTEGER PRIMARY KEY);\nINSERT INTO numbers VALUES (1);\n")}},
		Operations: []op.Operation{
			op.Query("numbers.none", "GET /none", ask(0), op.Public()),
			op.Query("numbers.one", "GET /one", ask(1), op.Public()),
			op.Query("numbers.ten", "GET /ten", ask(10), op.Public()),
		},
	})
	h := app.Handler()
	requests := map[string]*http.Request{}
	for _, path := range []string{"/none", "/one", "/ten"} {
		requests[path] = httptest.NewRequest("GET", path, nil)
	}
	w := discard{http.Header{}}
	return func(path string) {
		clear(w.header)
		h.ServeHTTP(w, requests[path])
	}
}

// forgetful is an exporter that costs nothing.
type forgetful struct{}

func (*forgetful) Export(context.Context, []*trace.Record) error { return nil }
func (*forgetful) Close(context.Context) error                   { return nil }

// TestUnsampledRequestsAllocateNothingMore holds what it costs to be ready to
// keep any request that turns out badly: no allocation, whatever it asks of the
// database.
func TestUnsampledRequestsAllocateNothingMore(t *testing.T) {
	with, without := asks(t, 0), asks(t, -1)
	for _, path := range []string{"/none", "/one", "/ten"} {
		count := func(get func(string)) float64 { return testing.AllocsPerRun(200, func() { get(path) }) }
		if a, b := count(with), count(without); a != b {
			t.Errorf("%s allocates %v times with a tracer and %v without", path, a, b)
		}
	}
}

func BenchmarkTracing(b *testing.B) {
	for _, path := range []string{"/none", "/one", "/ten"} {
		for _, c := range []struct {
			name  string
			share float64
		}{{"without", -1}, {"unsampled", 0}, {"one_in_a_hundred", 0.01}, {"sampled", 1}} {
			b.Run(path[1:]+"/"+c.name, func(b *testing.B) {
				get := asks(b, c.share)
				b.ReportAllocs()
				for b.Loop() {
					get(path)
				}
			})
		}
	}
}
