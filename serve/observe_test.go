package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/logs"
	"github.com/ashlar-go/ashlar/serve"
	"github.com/ashlar-go/ashlar/trace"
)

// lines is a log that can be read back while a server writes it.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(l, nil)) }

// with returns the lines whose msg is the one asked for.
func (l *lines) with(t testing.TB, msg string) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []map[string]any
	for line := range strings.Lines(l.buf.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		if m["msg"] == msg {
			found = append(found, m)
		}
	}
	return found
}

func get(h http.Handler, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/payments/pay_1?token=secret", nil)
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func set(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestObserveWritesOneAccessLine(t *testing.T) {
	t.Parallel()
	var log lines
	h := serve.Observe(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s := scope.From(w)
		s.Operation = "payments.get"
		s.Principal = access.Principal{ID: "usr_1"}
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "hello")
		_, _ = io.Copy(w, strings.NewReader(" there"))
	}), serve.Observer{Log: log.logger()})
	w := get(h, set("Traceparent", parent), set("X-Request-Id", "caller-0001"))

	found := log.with(t, "request")
	if len(found) != 1 {
		t.Fatalf("%d access lines", len(found))
	}
	for key, want := range map[string]any{
		"level": "INFO", "op": "payments.get", "method": "GET", "path": "/payments/pay_1",
		"status": 418., "bytes": 11., "principal": "usr_1", "client_ip": "192.0.2.1",
		"trace_id": parent[3:35], "request_id": "caller-0001", "code": "",
	} {
		if got := found[0][key]; got != want {
			t.Errorf("%s = %v, want %v", key, got, want)
		}
	}
	if _, ok := found[0]["duration_ms"].(float64); !ok {
		t.Errorf("duration_ms = %v", found[0]["duration_ms"])
	}
	if got := w.Header().Get("X-Request-Id"); got != "caller-0001" {
		t.Errorf("X-Request-Id: %q", got)
	}
}

// Package logs is given a form to fill, every other handler a record: both say
// the same.
func TestAccessLinesAreAlike(t *testing.T) {
	t.Parallel()
	said := map[string]map[string]any{}
	for name, open := range map[string]func(io.Writer) slog.Handler{
		"a form":   func(w io.Writer) slog.Handler { return logs.NewHandler(w, logs.Options{}) },
		"a record": func(w io.Writer) slog.Handler { return slog.NewMultiHandler(logs.NewHandler(w, logs.Options{})) },
	} {
		var log lines
		h := serve.Observe(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			scope.From(w).Code = "broken"
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "hello")
		}), serve.Observer{Log: slog.New(open(&log))})
		get(h, set("Traceparent", parent), func(r *http.Request) { r.RequestURI = "/a\"%0a\\" })
		found := log.with(t, "request")
		if len(found) != 1 {
			t.Fatalf("%s: %d access lines", name, len(found))
		}
		for _, key := range []string{"time", "duration_ms"} {
			if found[0][key] == nil {
				t.Errorf("%s: no %s", name, key)
			}
			delete(found[0], key)
		}
		said[name] = found[0]
	}
	if diff := cmp.Diff(said["a form"], said["a record"]); diff != "" || len(said["a form"]) != 12 {
		t.Errorf("%v: a form (-) and a record (+) differ: %s", said["a form"], diff)
	}
}

func TestObserveContinuesOrStartsATrace(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		parent string
		same   bool
	}{
		"valid":       {parent, true},
		"none":        {"", false},
		"zero id":     {"00-" + strings.Repeat("0", 32) + parent[35:], false},
		"malformed":   {parent[1:], false},
		"line breaks": {parent[:50] + "\r\nx", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen trace.Context
			h := serve.Observe(serve.WithScope(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				seen = trace.From(r.Context())
			})), serve.Observer{})
			w := get(h, set("Traceparent", tc.parent), set("Tracestate", "congo=t61rcWkgMzE"))
			if !seen.Valid() || (seen.TraceIDString() == parent[3:35]) != tc.same {
				t.Fatalf("trace %+v", seen)
			}
			if tc.same && (seen.SpanIDString() == parent[36:52] || seen.State != "congo=t61rcWkgMzE") {
				t.Errorf("span %s, state %q", seen.SpanIDString(), seen.State)
			}
			if !tc.same && seen.State != "" {
				t.Errorf("a new trace keeps the state %q of an invalid one", seen.State)
			}
			if got := w.Header().Get("X-Request-Id"); got != seen.TraceIDString() {
				t.Errorf("X-Request-Id: %q, want the trace id", got)
			}
		})
	}
}

func TestObserveReplacesUnsafeRequestIDs(t *testing.T) {
	t.Parallel()
	h := serve.Observe(text("ok"), serve.Observer{})
	for id, kept := range map[string]bool{
		"01234567": true, strings.Repeat("a", 64): true, "A.b-c_d9": true,
		"short": false, strings.Repeat("a", 65): false, strings.Repeat("a", 5000): false,
		"with space": false, "inj\r\nected": false, "quote\"quote": false, "ünïcode1": false,
	} {
		w := get(h, set("X-Request-Id", id))
		if got := w.Header().Get("X-Request-Id"); (got == id) != kept {
			t.Errorf("%q is answered with %q", id, got)
		}
	}
	twice := get(h, func(r *http.Request) { r.Header["X-Request-Id"] = []string{"01234567", "76543210"} })
	if got := twice.Header().Get("X-Request-Id"); len(got) != 32 {
		t.Errorf("two ids are answered with %q", got)
	}
}

func TestObserveSetsSecurityHeadersOnEveryAnswer(t *testing.T) {
	t.Parallel()
	var mux serve.Mux
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /payments/pay_1": func(http.ResponseWriter, *http.Request) {},
		"GET /304":            func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) },
		"GET /panic":          func(http.ResponseWriter, *http.Request) { panic("boom") },
	} {
		if err := mux.Handle(pattern, h); err != nil {
			t.Fatal(err)
		}
	}
	h := serve.Observe(&mux, serve.Observer{HSTS: true})
	for target, status := range map[string]int{"/payments/pay_1": 200, "/304": 304, "/nowhere": 404, "/panic": 500} {
		r := httptest.NewRequest("GET", target, nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("%s answers %d", target, w.Code)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options":    "nosniff",
			"Content-Security-Policy":   "default-src 'none'; frame-ancestors 'none'",
			"Referrer-Policy":           "no-referrer",
			"Cache-Control":             "no-store",
			"Strict-Transport-Security": "max-age=63072000; includeSubDomains",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s has %s: %q", target, name, got)
			}
		}
		if n := len(w.Header()); n > 8 {
			t.Errorf("%s has %d headers, and the ninth is the dear one", target, n)
		}
	}
	if got := get(serve.Observe(text(""), serve.Observer{})).Header().Get("Strict-Transport-Security"); got != "" {
		t.Errorf("HSTS without being asked: %q", got)
	}
}

// A header value is shared by all responses: what one handler does to it must
// not reach another.
func TestSharedHeadersAreNotAppendedTo(t *testing.T) {
	t.Parallel()
	h := serve.Observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Cache-Control", r.URL.Path)
		w.Header().Add("X-Request-Id", "mine")
	}), serve.Observer{})
	for range 3 {
		if got := get(h).Header()["Cache-Control"]; len(got) != 2 {
			t.Fatalf("Cache-Control: %q", got)
		}
	}
}

func TestPanicBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	var log lines
	srv := httptest.NewServer(serve.Observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			w.Header().Set("ETag", `"stale"`)
			w.Header().Set("Content-Length", "4")
			panic(errors.New("pq: SELECT secret FROM vault"))
		}
	}), serve.Observer{Log: log.logger()}))
	defer srv.Close()

	res, err := srv.Client().Get(srv.URL + "/panic")
	if err != nil {
		t.Fatal(err)
	}
	doc := wantProblem(t, res, 500, "internal")
	if res.Header.Get("ETag") != "" {
		t.Error("the failed answer keeps the ETag of the one that was planned")
	}
	if raw := fmt.Sprint(doc); strings.Contains(raw, "SELECT") || strings.Contains(raw, ".go") {
		t.Errorf("the problem leaks: %s", raw)
	}
	if doc["trace_id"] != res.Header.Get("X-Request-Id") {
		t.Errorf("trace_id %v, X-Request-Id %s", doc["trace_id"], res.Header.Get("X-Request-Id"))
	}
	// The same client, and so the same connection, is served on.
	again, err := srv.Client().Get(srv.URL + "/")
	if err != nil || again.StatusCode != 200 {
		t.Fatalf("after the panic: %v, %v", again, err)
	}
	srv.Close() // both handlers have finished

	panics := log.with(t, "panic")
	if len(panics) != 1 || panics[0]["level"] != "ERROR" || panics[0]["trace_id"] != doc["trace_id"] {
		t.Fatalf("panic lines: %v", panics)
	}
	if stack := fmt.Sprint(panics[0]["stack"]); !strings.Contains(stack, "observe_test.go") {
		t.Errorf("the stack does not reach the origin:\n%s", stack)
	}
	if line := log.with(t, "request")[0]; line["status"] != 500. || line["level"] != "ERROR" || line["code"] != "internal" {
		t.Errorf("access line: %v", line)
	}
}

func TestPanicInTheMiddleOfTheAnswer(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]any{"panic": "boom", "abort": http.ErrAbortHandler} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log lines
			srv := httptest.NewServer(serve.Observe(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "half of")
				w.(http.Flusher).Flush()
				panic(cause)
			}), serve.Observer{Log: log.logger()}))
			defer srv.Close()
			res, err := srv.Client().Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(res.Body); err == nil {
				t.Errorf("half an answer looks whole: %q", body)
			}
			srv.Close()
			if got := len(log.with(t, "request")); got != 1 {
				t.Errorf("%d access lines", got)
			}
			wantPanics := map[string]int{"panic": 1, "abort": 0}[name]
			if got := len(log.with(t, "panic")); got != wantPanics {
				t.Errorf("%d panic lines, want %d", got, wantPanics)
			}
		})
	}
}

func TestAbortBeforeTheAnswerClosesTheConnection(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(serve.Observe(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}), serve.Observer{}))
	defer srv.Close()
	if res, err := srv.Client().Get(srv.URL); err == nil {
		t.Errorf("answered %d", res.StatusCode)
	}
}

func TestAccessLevels(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{200: "INFO", 404: "INFO", 429: "INFO", 500: "ERROR", 502: "ERROR", 503: "WARN", 504: "ERROR"} {
		var log lines
		get(serve.Observe(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
		}), serve.Observer{Log: log.logger()}))
		if got := log.with(t, "request")[0]["level"]; got != want {
			t.Errorf("%d is logged at %v, want %s", status, got, want)
		}
	}
}

func TestClientGoneIsNotASuccess(t *testing.T) {
	t.Parallel()
	var log lines
	h := serve.Observe(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), serve.Observer{Log: log.logger()})
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	r := httptest.NewRequest("GET", "/", nil).WithContext(gone)
	h.ServeHTTP(httptest.NewRecorder(), r)
	if got := log.with(t, "request")[0]["status"]; got != 499. {
		t.Errorf("status = %v", got)
	}
}

func TestHostileTextStaysOneLine(t *testing.T) {
	t.Parallel()
	var log lines
	h := serve.Observe(text("ok"), serve.Observer{Log: log.logger()})
	get(h, func(r *http.Request) { r.RequestURI = "/a\x1b[31m\n{\"msg\":\"forged\"}" + strings.Repeat("x", 4096) })
	if n := len(log.with(t, "forged")); n != 0 {
		t.Error("a path forged a log line")
	}
	if path := log.with(t, "request")[0]["path"].(string); len(path) > 1024 {
		t.Errorf("a path of %d bytes is logged", len(path))
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	h := serve.Observe(text("ok"), serve.Observer{Hosts: []string{"api.example.com", "::1"}})
	for host, status := range map[string]int{
		"api.example.com": 200, "API.example.com:8443": 200, "api.example.com.": 200, "[::1]:80": 200,
		"evil.example": 421, "api.example.com.evil.example": 421, "": 421,
	} {
		w := get(h, func(r *http.Request) { r.Host = host })
		if w.Code != status {
			t.Errorf("host %q answers %d, want %d", host, w.Code, status)
		}
	}
	wantProblem(t, get(h).Result(), 421, "host_unknown")
}

func TestClientIP(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, tc := range map[string]struct {
		peer    string
		forward []string
		trusted []netip.Prefix
		want    string
	}{
		"nobody trusted":                 {"203.0.113.9:1", []string{"1.1.1.1"}, nil, "203.0.113.9"},
		"peer is no proxy":               {"203.0.113.9:1", []string{"1.1.1.1"}, proxies, "203.0.113.9"},
		"one proxy":                      {"10.0.0.1:1", []string{"1.1.1.1"}, proxies, "1.1.1.1"},
		"spoofed on the left":            {"10.0.0.1:1", []string{"6.6.6.6, 1.1.1.1"}, proxies, "1.1.1.1"},
		"two proxies":                    {"10.0.0.1:1", []string{"6.6.6.6, 1.1.1.1, 10.2.2.2"}, proxies, "1.1.1.1"},
		"two header lines":               {"10.0.0.1:1", []string{"6.6.6.6, 1.1.1.1", "10.2.2.2"}, proxies, "1.1.1.1"},
		"only proxies":                   {"10.0.0.1:1", []string{"10.3.3.3, 10.2.2.2"}, proxies, "10.3.3.3"},
		"garbage from a proxy":           {"10.0.0.1:1", []string{"1.1.1.1, unknown"}, proxies, "10.0.0.1"},
		"garbage further left":           {"10.0.0.1:1", []string{"x, 10.2.2.2"}, proxies, "10.2.2.2"},
		"empty header":                   {"10.0.0.1:1", []string{""}, proxies, "10.0.0.1"},
		"ports and IPv6":                 {"[fd00::1]:443", []string{"[2001:db8::7]:5000"}, proxies, "2001:db8::7"},
		"IPv4 mapped peer":               {"[::ffff:10.0.0.1]:1", []string{"1.1.1.1:80"}, proxies, "1.1.1.1"},
		"IPv6 peer without forwarding":   {"[2001:db8::7]:5000", nil, proxies, "2001:db8::7"},
		"peer of an in-memory listener":  {"pipe", []string{"1.1.1.1"}, proxies, "pipe"},
		"a zone does not hide a network": {"10.0.0.1:1", []string{"fe80::1%eth0"}, proxies, "fe80::1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got string
			h := serve.Observe(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				got = scope.From(w).Origin.Address
			}), serve.Observer{TrustedProxies: tc.trusted})
			get(h, func(r *http.Request) { r.RemoteAddr = tc.peer; r.Header["X-Forwarded-For"] = tc.forward })
			if got != tc.want {
				t.Errorf("client is %q, want %q", got, tc.want)
			}
		})
	}
}

func TestDoneIsToldOfTheExchange(t *testing.T) {
	t.Parallel()
	var got serve.Exchange
	h := serve.Observe(text("hello"), serve.Observer{Done: func(ctx context.Context, e serve.Exchange) {
		got = e
		if trace.From(ctx).TraceIDString() != e.TraceID {
			t.Errorf("context of trace %s", trace.From(ctx).TraceIDString())
		}
	}})
	get(h)
	if got.Status != 200 || got.Bytes != 5 || got.Method != "GET" || got.Path != "/payments/pay_1" || got.Duration <= 0 {
		t.Errorf("exchange = %+v", got)
	}
}

func TestWriterKeepsItsAbilities(t *testing.T) {
	t.Parallel()
	var log lines
	observed := serve.Observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.URL.Path == "/stream" {
			w.WriteHeader(http.StatusEarlyHints) // informational: not yet the status
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, "a")
			if err := errors.Join(control.Flush(), control.SetWriteDeadline(time.Time{})); err != nil {
				t.Error(err)
			}
			return
		}
		conn, rw, err := control.Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n\r\n")
		_ = rw.Flush()
	}), serve.Observer{Log: log.logger()})
	var served sync.WaitGroup // Close does not wait for a hijacked connection
	served.Add(2)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer served.Done()
		observed.ServeHTTP(w, r)
	}))
	defer srv.Close()

	for path, status := range map[string]int{"/stream": 202, "/hijack": 101} {
		res, err := srv.Client().Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		if res.StatusCode != status {
			t.Errorf("%s answers %d", path, res.StatusCode)
		}
	}
	srv.Close()
	served.Wait()
	logged := map[any]any{}
	for _, line := range log.with(t, "request") {
		logged[line["path"]] = line["status"]
	}
	if logged["/stream"] != 202. || logged["/hijack"] != 101. {
		t.Errorf("logged %v", logged)
	}
}

// bare is the least a response can be, so that a benchmark measures only what
// is in front of it.
type bare struct{ h http.Header }

func (b bare) Header() http.Header         { return b.h }
func (b bare) Write(p []byte) (int, error) { return len(p), nil }
func (b bare) WriteHeader(int)             {}

func BenchmarkObserve(b *testing.B) {
	body := []byte(`{"id":"pay_1"}`)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	discard := slog.New(slog.NewJSONHandler(io.Discard, nil))
	for _, c := range []struct {
		name string
		h    http.Handler
	}{
		{"bare", handler},
		{"no_log", serve.Observe(handler, serve.Observer{})},
		{"slog_json", serve.Observe(handler, serve.Observer{Log: discard})},
		{"logs_json", serve.Observe(handler, serve.Observer{Log: logs.New(io.Discard, logs.Options{})})},
	} {
		b.Run(c.name, func(b *testing.B) {
			r, w := httptest.NewRequest("GET", "/payments/pay_1", nil), bare{http.Header{}}
			r.Header.Set("Traceparent", parent)
			b.ReportAllocs()
			for b.Loop() {
				c.h.ServeHTTP(w, r)
			}
		})
	}
}
