package ashlar_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/outbound"
	"github.com/ashlar-go/ashlar/trace"
)

// spans keeps what is exported, and finds the first span of a name.
type spans struct {
	mu   sync.Mutex
	list []trace.Record
}

func (s *spans) Export(_ context.Context, records []*trace.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		s.list = append(s.list, *r)
	}
	return nil
}

func (*spans) Close(context.Context) error { return nil }

func (s *spans) find(name string) *trace.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.list {
		if s.list[i].Name == name {
			return &s.list[i]
		}
	}
	return nil
}

func attr(r *trace.Record, key string) any {
	for _, a := range r.Attrs() {
		if a.Key == key {
			return a.Value()
		}
	}
	return nil
}

var errGone fault.NotFound = "thing_gone"

// systemName is what traces call the app's database.
func systemName(app *ashlartest.App) string {
	if app.DB.Dialect() == db.Postgres {
		return "postgresql"
	}
	return "sqlite"
}

// slow is what none of the other requests takes on a busy machine.
const slow = 5 * time.Second

// traced is an app with an operation of each fate.
func traced(t *testing.T, share float64, env ...string) (*ashlartest.App, *spans) {
	t.Helper()
	app := ashlartest.Open(t, env...)
	neighbour := app.Upstream("https://neighbour.example", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Traceparent"))
	})
	out := &spans{}
	app.Trace(trace.Options{Exporter: out, Sampler: trace.Ratio(share).ParentBased(), Delay: time.Millisecond}, nil)
	client := app.Outbound(outbound.Config{Timeout: lost, DialTimeout: lost})
	type none struct{}
	ok := func(context.Context, none) (none, error) { return none{}, nil }
	app.Mount(ashlar.Module{
		Name:       "things",
		Migrations: fstest.MapFS{"1_things.sql": {Data: []byte("-- +goose Up\nCREATE TABLE things (name TEXT NOT NULL);\n")}},
		Operations: []op.Operation{
			op.Query("things.ok", "GET /ok", ok, op.Public()),
			op.Query("things.count", "GET /count", func(ctx context.Context, _ none) (none, error) {
				_, err := db.One[int](ctx, app.DB, "SELECT COUNT(*) FROM things WHERE name = $1", "canary-argument")
				return none{}, err
			}, op.Public()),
			op.Command("things.make", "POST /make", func(ctx context.Context, _ none) (none, error) {
				return db.InTx(ctx, app.DB, func(tx *db.Tx) (none, error) {
					_, err := db.Exec(ctx, tx, "INSERT INTO things VALUES ('canary-literal')")
					return none{}, err
				})
			}, op.Public()),
			op.Command("things.call", "POST /call", func(ctx context.Context, _ none) (none, error) {
				ctx, span := trace.Start(ctx, "ask the neighbour", trace.Text("password", "canary-attribute"))
				defer span.End()
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, neighbour.URL+"/hook/canary-path?k=canary-query", nil)
				if err != nil {
					return none{}, err
				}
				req.Header.Set("Authorization", "Bearer canary-header")
				res, err := client.Do(req)
				if err != nil {
					return none{}, err
				}
				defer res.Body.Close()
				heard, err := io.ReadAll(res.Body)
				if c, ok := trace.Parse(string(heard)); !ok || c.TraceID != trace.From(ctx).TraceID {
					return none{}, fmt.Errorf("the neighbour heard of trace %q", heard)
				}
				return none{}, err
			}, op.Public()),
			op.Command("things.fail", "POST /fail", func(ctx context.Context, _ none) (none, error) {
				_, err := db.Exec(ctx, app.DB, "INSERT INTO nowhere VALUES ($1)", "canary-argument")
				return none{}, errors.Join(err, errors.New("canary-error"))
			}, op.Public()),
			op.Command("things.panic", "POST /panic", func(context.Context, none) (none, error) { panic("canary-panic") }, op.Public()),
			op.Command("things.refuse", "POST /refuse", func(context.Context, none) (none, error) { return none{}, errGone }, op.Public(), op.Fails(errGone)),
		},
	})
	app.Handle("GET /stream", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		time.Sleep(slow + 100*time.Millisecond)
	}))
	app.Handle("GET /slow", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(slow + 100*time.Millisecond) }))
	return app, out
}

// settled waits for n spans.
func (s *spans) settled(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(lost); time.Now().Before(end); time.Sleep(time.Millisecond) {
		s.mu.Lock()
		have := len(s.list)
		s.mu.Unlock()
		if have >= n {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.list {
		t.Log(r.Name, r.Error)
	}
	t.Fatalf("%d spans have come, not %d", len(s.list), n)
}

func TestTraceOfARequest(t *testing.T) {
	t.Parallel()
	app, out := traced(t, 1)
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	me := app.Anonymous().With("Traceparent", parent).With("Tracestate", "congo=t61rcWkgMzE")
	for _, path := range []string{"GET /count", "POST /make", "POST /call", "POST /fail", "POST /panic"} {
		method, path, _ := strings.Cut(path, " ")
		body := "{}"
		if method == "GET" {
			body = ""
		}
		me.Do(method, path, body)
	}
	out.settled(t, 11)

	made, insert, transaction := out.find("things.make"), out.find("INSERT things"), out.find("transaction")
	if made == nil || insert == nil || transaction == nil {
		t.Fatal("spans are missing")
	}
	if hex.EncodeToString(made.Context.TraceID[:]) != parent[3:35] || hex.EncodeToString(made.Parent[:]) != parent[36:52] ||
		made.Context.State != "congo=t61rcWkgMzE" || made.Kind != trace.Server {
		t.Errorf("the request: %+v", made.Context)
	}
	if transaction.Parent != made.Context.SpanID || insert.Parent != transaction.Context.SpanID ||
		insert.Start.Before(transaction.Start.Add(-time.Millisecond)) || transaction.Duration < insert.Duration {
		t.Errorf("statement, transaction and request do not stand in each other: %+v", insert)
	}
	for key, want := range map[string]any{
		"http.request.method": "POST", "http.response.status_code": int64(200), "url.path": "/make", "http.route": "/make", "url.scheme": "http",
	} {
		if got := attr(made, key); got != want {
			t.Errorf("%s is %v, not %v", key, got, want)
		}
	}
	if count := out.find("SELECT things"); attr(count, "db.query.text") != "SELECT COUNT(*) FROM things WHERE name = $1" ||
		attr(count, "db.system.name") != systemName(app) || count.Parent != out.find("things.count").Context.SpanID {
		t.Errorf("the query: %+v", count)
	}
	ask, call := out.find("ask the neighbour"), out.find("GET")
	if call == nil || ask.Parent != out.find("things.call").Context.SpanID || call.Parent != ask.Context.SpanID || call.Kind != trace.Client ||
		attr(call, "server.address") != "neighbour.example" || attr(call, "http.response.status_code") != int64(200) {
		t.Errorf("the call: %+v", call)
	}
	if f := out.find("things.fail"); f.Error != "internal" || attr(f, "http.response.status_code") != int64(500) {
		t.Errorf("the failure: %+v", f)
	}
	if f := out.find("INSERT nowhere"); f.Error == "" {
		t.Error("the failed statement did not fail")
	}
	if f := out.find("things.panic"); f.Error != "internal" {
		t.Errorf("the panic: %+v", f)
	}
	for _, s := range out.list {
		text := fmt.Sprintln(s.Name, s.Error, s.Context.State)
		for _, a := range s.Attrs() {
			text += fmt.Sprintln(a.Key, a.Value())
		}
		if strings.Contains(text, "canary") {
			t.Errorf("a span tells a secret:\n%s", text)
		}
	}
}

// TestTailOfRequests holds P13.1's other half: nobody sampled these, and what
// failed is there with its statements.
func TestTailOfRequests(t *testing.T) {
	t.Parallel()
	app, out := traced(t, 0, "ASHLAR_TRACE_SLOW", slow.String())
	me := app.Anonymous()
	var both sync.WaitGroup
	both.Go(func() { me.Do("GET", "/stream", "") })
	both.Go(func() { me.Do("GET", "/slow", "") })
	both.Wait()
	for range 20 {
		me.Do("GET", "/count", "")
		me.Do("POST", "/refuse", "{}")
		me.Do("GET", "/nothing", "")
	}
	me.Do("POST", "/fail", "{}")
	me.Do("POST", "/panic", "{}")
	out.settled(t, 4)
	if err := app.Close(); err != nil { // exports all that is left
		t.Fatal(err)
	}
	if len(out.list) != 4 || out.find("GET /slow") == nil || out.find("INSERT nowhere") == nil || out.find("things.fail") == nil || out.find("things.panic") == nil {
		t.Errorf("kept: %d spans", len(out.list))
		for _, s := range out.list {
			t.Log(s.Name, s.Duration)
		}
	}
	if f := out.find("things.fail"); f.Context.Sampled() {
		t.Error("a request that nobody sampled says that it was")
	}
}

// A stranger must not choose what is recorded; a peer that is named may.
func TestWhoDecides(t *testing.T) {
	t.Parallel()
	const yes = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for name, tc := range map[string]struct {
		share float64
		peers string
		flag  string
		want  int
	}{
		"a stranger says yes": {0, "10.0.0.0/8", yes, 0},
		"a stranger says no":  {1, "10.0.0.0/8", yes[:53] + "00", 1},
		"a peer says yes":     {0, "192.0.2.0/24", yes, 1},
		"a peer says no":      {1, "192.0.2.0/24", yes[:53] + "00", 0},
		"a peer says nothing": {1, "192.0.2.0/24", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app, out := traced(t, tc.share, "ASHLAR_TRACE_PEERS", tc.peers)
			app.Anonymous().With("Traceparent", tc.flag).Do("GET", "/ok", "") // from 192.0.2.1
			if err := app.Close(); err != nil {
				t.Fatal(err)
			}
			if len(out.list) != tc.want {
				t.Errorf("%d spans are kept, not %d", len(out.list), tc.want)
			}
		})
	}
}

func TestTraceIsAskedOnce(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	app.Trace(trace.Options{}, nil) // says that nothing is to be exported
	app.Trace(trace.Options{Exporter: &spans{}}, nil)
	app.Trace(trace.Options{Exporter: &spans{}}, nil)
	app.Trace(trace.Options{}, errors.New("OTEL_X: wrong"))
	if _, err := app.App.Handler(); err == nil || !strings.Contains(err.Error(), "twice") || !strings.Contains(err.Error(), "OTEL_X") {
		t.Errorf("reported: %v", err)
	}
}
