//go:build !race

// The race detector makes sync.Pool forget, so allocations are only exact
// without it.

package ashlar_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/trace"
)

// salesLists asks an app for a list of 10 with 5 fields, by REST and by
// GraphQL, as its client sees them.
func salesLists(tb testing.TB) (list, query func()) {
	tb.Helper()
	app := ashlartest.Open(tb, "ASHLAR_LIMIT_PRINCIPAL", "off")
	app.App.Log = slog.New(slog.DiscardHandler)
	app.Untraced()
	app.Trace(trace.Options{Exporter: &forgetful{}, Sampler: trace.Ratio(0)}, nil)
	app.Grant("reader", readPages)
	app.GraphQL(graphql.Limits{})
	var all sales
	for i := range 10 {
		all.Data = append(all.Data, sale{fmt.Sprintf("pay_%d", i), 1250, "EUR", "captured", time.Unix(1_760_000_000, 0).UTC(), "order"})
	}
	app.Mount(ashlar.Module{Name: "m", Operations: []op.Operation{
		op.Query("sales.list", "GET /sales", func(context.Context, listSales) (sales, error) { return all, nil }, op.Allow(readPages)),
	}})
	h := app.Handler()
	w := discard{http.Header{}}
	call := func(r *http.Request, body []byte) func() {
		r = r.WithContext(access.With(r.Context(), app.Policy.Principal("ann", "acme", "reader")))
		reader := bytes.NewReader(body)
		return func() {
			clear(w.header)
			reader.Reset(body)
			r.Body = io.NopCloser(reader)
			h.ServeHTTP(w, r)
		}
	}
	body, _ := json.Marshal(map[string]any{
		"query":     "query List($limit: Int!) { salesList(limit: $limit) { data { id amount currency state created_at } } }",
		"variables": map[string]any{"limit": 10},
	})
	post := httptest.NewRequest("POST", "/graphql", bytes.NewReader(body))
	post.Header.Set("Content-Type", "application/json")
	return call(httptest.NewRequest("GET", "/sales?limit=10", nil), nil), call(post, body)
}

// What GraphQL allocates besides the request that it asks does not grow with
// the answer.
func TestGraphQLAllocates(t *testing.T) {
	list, query := salesLists(t)
	list()
	query()
	if n := testing.AllocsPerRun(200, query); n > 16 {
		t.Errorf("a list by GraphQL allocates %v times", n)
	}
	if n := testing.AllocsPerRun(200, list); n > 3 {
		t.Errorf("a list by REST allocates %v times", n)
	}
}

// BenchmarkGraphQL compares the same list by REST and by GraphQL.
func BenchmarkGraphQL(b *testing.B) {
	list, query := salesLists(b)
	for _, c := range []struct {
		name string
		call func()
	}{{"rest", list}, {"graphql", query}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.call()
			}
		})
	}
}
