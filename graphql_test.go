package ashlar_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/trace"
)

// P15.7: the schema is shown in development, and in production to nobody unless
// the app is told to. So is the page that sends documents.
func TestTheGraphQLSchemaIsNotShownInProduction(t *testing.T) {
	t.Parallel()
	production := []string{"ASHLAR_ENV", "production", "ASHLAR_SIGNING_KEYS", auth.GenerateKey().Secret().Reveal()}
	for name, c := range map[string]struct {
		env   []string
		shown bool
	}{
		"development":                {nil, true},
		"production":                 {production, false},
		"production that was told":   {append(slices.Clip(production), "ASHLAR_PUBLIC_DOCS", "true"), true},
		"production that was denied": {append(slices.Clip(production), "ASHLAR_PUBLIC_DOCS", "false"), false},
	} {
		app := ashlartest.Open(t, c.env...)
		app.GraphQL(graphql.Limits{})
		furnish(t, app)
		for _, query := range []string{
			`{ __schema { types { name } } }`,
			`{ __type(name: "Query") { name } }`,
			`{ a: __schema { queryType { name } } }`,
			`query($on: Boolean!) { ...f @include(if: $on) } fragment f on Query { __type(name: "Query") { name } }`,
		} {
			body, err := json.Marshal(map[string]any{"query": query, "variables": map[string]any{"on": true}})
			if err != nil {
				t.Fatal(err)
			}
			answer := app.Anonymous().Do(http.MethodPost, "/graphql", string(body))
			text := answer.Body.String()
			if shown := strings.Contains(text, `"Query"`); shown != c.shown || !shown && !strings.Contains(text, `"code":"graphql_introspection_off"`) {
				t.Errorf("%s: %s is answered %d %s", name, query, answer.Code, text)
			}
		}
		answer := app.Anonymous().Do(http.MethodPost, "/graphql", `{"query":"{ __typename nothing }"}`).Body.String()
		if strings.Contains(answer, "Did you mean") {
			t.Errorf("%s: a name is suggested: %s", name, answer)
		}
		for _, path := range []string{"/graphql/try", "/graphql/try/app.js", "/graphql/try/style.css"} {
			if page := app.Anonymous().Do(http.MethodGet, path, ""); (page.Code == http.StatusOK) != c.shown {
				t.Errorf("%s: %s is answered %d", name, path, page.Code)
			}
		}
	}
}

// TestAFieldIsObservedAsARequestOfItsOwn reads what is left of a document with one
// field: two access lines of one caller and one trace, two spans, one below the
// other, and a count for each.
func TestAFieldIsObservedAsARequestOfItsOwn(t *testing.T) {
	t.Parallel()
	app, lines := logged(t, "ASHLAR_TRUSTED_PROXIES", "192.0.2.0/24")
	kept := &spans{}
	app.Trace(trace.Options{Exporter: kept, Sampler: trace.Ratio(1)}, nil)
	app.GraphQL(graphql.Limits{})
	app.Mount(ashlar.Module{Name: "m", Operations: []op.Operation{
		op.Query("sales.list", "GET /sales", func(context.Context, listSales) (sales, error) { return sales{make([]sale, 3)}, nil }, op.Public()),
	}})
	h, err := app.Handler()
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", strings.NewReader(`{"query":"{ salesList(limit: 3) { data { id } } }"}`))
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-Request-Id": "caller-0001", "X-Forwarded-For": "203.0.113.9", "User-Agent": "agent",
		"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "Tracestate": "congo=t61rcWkgMzE",
	} {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK || w.Header().Get("X-Request-Id") != "caller-0001" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(lines()) {
		var said map[string]any
		if err := json.Unmarshal([]byte(line), &said); err != nil || said["msg"] != "request" {
			continue
		}
		name, _ := said["op"].(string)
		seen[name] = true
		if said["trace_id"] != "0af7651916cd43dd8448eb211c80319c" || said["request_id"] != "caller-0001" || said["client_ip"] != "203.0.113.9" ||
			said["status"] != 200. || said["bytes"] == 0. || said["path"] != map[string]string{"sales.list": "/sales", "POST /graphql": "/graphql"}[name] {
			t.Errorf("%s", line)
		}
	}
	outer, inner := kept.find("POST /graphql"), kept.find("sales.list")
	if !seen["sales.list"] || !seen["POST /graphql"] || outer == nil || inner == nil {
		t.Fatalf("lines of %v, spans %+v and %+v", seen, outer, inner)
	}
	if inner.Parent != outer.Context.SpanID || inner.Context.TraceID != outer.Context.TraceID || inner.Context.State != "congo=t61rcWkgMzE" || inner.Kind != trace.Server {
		t.Errorf("%+v is not below %+v", inner, outer)
	}
	scraped := httptest.NewRecorder()
	app.Metrics().Handler().ServeHTTP(scraped, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, series := range []string{
		`http_server_requests_total{method="GET",op="sales.list",status="2xx"} 1`, `http_server_requests_total{method="POST",op="POST /graphql",status="2xx"} 1`,
		`http_server_response_body_size_bytes_count{op="sales.list"} 1`,
	} {
		if !strings.Contains(scraped.Body.String(), series) {
			t.Errorf("there is no %s", series)
		}
	}
}
