package rest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
	"github.com/ashlar-go/ashlar/serve"
)

func TestAccept(t *testing.T) {
	t.Parallel()
	h := api(t, nil, op.Query("one", "GET /", func(context.Context, struct{}) (int, error) { return 1, nil }, op.Public()),
		op.Query("file", "GET /file", func(context.Context, struct{}) (op.File, error) {
			return op.File{Type: "text/csv", Body: strings.NewReader("a")}, nil
		}, op.Public()),
		op.Command("nothing", "POST /nothing", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }, op.Public()))
	for _, c := range []struct {
		accept []string
		want   int
	}{
		{nil, 200},
		{[]string{""}, 200},
		{[]string{"*/*"}, 200},
		{[]string{"application/*"}, 200},
		{[]string{"application/json"}, 200},
		{[]string{"Application/JSON"}, 200},
		{[]string{" application/json ; q=0.1 "}, 200},
		{[]string{"application/json;version=1"}, 200},
		{[]string{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, 200},
		{[]string{"text/html", "application/json"}, 200},
		{[]string{"*/*;q=0, application/json"}, 200},
		{[]string{"application/json, */*;q=0"}, 200},
		{[]string{"application/*;q=0, application/json;q=0.001"}, 200},
		{[]string{"text/html, */*;q=0.001"}, 200},
		{[]string{"text/html"}, 406},
		{[]string{"text/*"}, 406},
		{[]string{"application/xml, text/html;q=0.5"}, 406},
		{[]string{"application/problem+json"}, 406},
		{[]string{"application/json5"}, 406},
		{[]string{"application/json;q=0"}, 406},
		{[]string{"application/json;q=0.000, */*"}, 406},
		{[]string{"application/*;Q=0, */*;q=1"}, 406},
		{[]string{"*/*", "application/json; q=0"}, 406},
		{[]string{"json"}, 406},
	} {
		for target, want := range map[string]int{"/": c.want, "/file": 200} { // only JSON is negotiated
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
			r.Header["Accept"] = c.accept
			w := newRecorder()
			h.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s, Accept: %q: got %d, want %d", target, c.accept, w.Code, want)
			}
		}
	}
	if a := send(t, h, "POST", "/nothing", "", "Accept", "text/html"); a.Code != 204 {
		t.Errorf("an answer without a body was refused: %d", a.Code)
	}
}

// TestHeadersHoldNothingElse answers with hostile texts over a real connection.
func TestHeadersHoldNothingElse(t *testing.T) {
	t.Parallel()
	const hostile = "a\r\nSet-Cookie: stolen=1\r\n\r\n<script>\"; filename=\"b\x00/../é?#%"
	server := httptest.NewServer(api(t, nil,
		op.Command("located", "POST /located", func(context.Context, struct{}) (note, error) { return note{ID: hostile}, nil }, op.Public(), op.Created("/notes/{id}")),
		op.Query("named", "GET /named", func(context.Context, struct{}) (op.File, error) {
			return op.File{Name: hostile, Body: strings.NewReader("a")}, nil
		}, op.Public()),
		op.Query("typed", "GET /typed", func(context.Context, struct{}) (op.File, error) {
			return op.File{Type: hostile, Body: strings.NewReader("a")}, nil
		}, op.Public())))
	t.Cleanup(server.Close)
	for target, c := range map[string]struct{ method, header, want string }{
		"/located": {"POST", "Location", "/notes/a%0D%0ASet-Cookie:%20stolen=1%0D%0A%0D%0A%3Cscript%3E%22%3B%20filename=%22b%00%2F..%2F%C3%A9%3F%23%25"},
		"/named":   {"GET", "Content-Disposition", "attachment; filename*=utf-8''a%0D%0ASet-Cookie%3A%20stolen%3D1%0D%0A%0D%0A%3Cscript%3E%22%3B%20filename%3D%22b%00%2F..%2F%C3%A9%3F#%25"},
		"/typed":   {"GET", "Content-Type", "application/octet-stream"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := server.Client().Do(r)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		_ = response.Body.Close()
		if got := response.Header.Get(c.header); got != c.want {
			t.Errorf("%s: %s is %q\nwant %q", target, c.header, got, c.want)
		}
		if response.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: a header was split: %v", target, response.Header)
		}
	}
}

type version struct {
	Tag string `json:"tag"`
}

func (v *version) ETag() string { return v.Tag }

func TestTags(t *testing.T) {
	t.Parallel()
	h := api(t, nil, op.Query("versions.get", "GET /{tag}", func(_ context.Context, in version) (version, error) { return in, nil }, op.Public()))
	for target, want := range map[string]string{
		"/1": `"1"`, "/2026-11-22": `"2026-11-22"`, "/%C3%A9": `"é"`, "/W%2F": `"W/"`, "/a,b": `"a,b"`,
		"/a%22b": "", "/a%20b": "",
	} {
		a := send(t, h, "GET", target, "")
		if want == "" && a.Code != 500 || want != "" && a.Code != 200 || a.Header().Get("ETag") != want {
			t.Errorf("%s: got %d with ETag %s", target, a.Code, a.Header().Get("ETag"))
		}
	}
	for lines, want := range map[string]int{`"1"|"2"`: 304, `"2"|"1"`: 304, `"2"|"3"`: 200, `|"1"`: 304} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/1", nil)
		r.Header["If-None-Match"] = strings.Split(lines, "|")
		w := newRecorder()
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("If-None-Match in lines %s: got %d, want %d", lines, w.Code, want)
		}
	}
}

func TestIfMatchInTwoLines(t *testing.T) {
	t.Parallel()
	h := api(t, nil, op.Command("notes.edit", "PUT /notes/{id}", func(ctx context.Context, in byID) (note, error) {
		return note{ID: in.ID}, op.Match(ctx, note{Version: 3})
	}, op.Public(), op.RequireIfMatch()), op.Command("notes.touch", "POST /notes/{id}", func(ctx context.Context, in byID) (note, error) {
		return note{ID: in.ID}, op.Match(ctx, note{Version: 3})
	}, op.Public(), op.IfMatch()))
	for lines, want := range map[string]int{
		`"2"|"3"`: 200, `"3"|"2"`: 200, `"1"|"2"`: 412, `*`: 200,
		// A header that names nothing matches nothing.
		``: 412, ` `: 412, `|`: 412, `,`: 412, `|"3"`: 200, `"3"|`: 200, `"1"|`: 412,
	} {
		for _, method := range []string{http.MethodPut, http.MethodPost} {
			r := httptest.NewRequestWithContext(t.Context(), method, "/notes/1", nil)
			r.Header["If-Match"] = strings.Split(lines, "|")
			w := newRecorder()
			if h.ServeHTTP(w, r); w.Code != want {
				t.Errorf("%s, If-Match in lines %q: got %d, want %d", method, lines, w.Code, want)
			}
		}
	}
}

type serial struct {
	N    int64  `json:"n"`
	U    uint8  `json:"u"`
	Own  colour `json:"own"`
	Text string `json:"text"`
}

type colour struct{ r, g, b uint8 }

func (c colour) MarshalText() ([]byte, error) {
	if c.r == 0 {
		return nil, errors.New("no red")
	}
	return fmt.Appendf(nil, "#%02x%02x%02x", c.r, c.g, c.b), nil
}

func (c *colour) UnmarshalText([]byte) error { return nil }

func TestLocation(t *testing.T) {
	t.Parallel()
	made := serial{N: -7, U: 200, Own: colour{255, 0, 16}, Text: "a/b c"}
	for place, want := range map[string]string{
		"/x/{n}":            "/x/-7",
		"/x/{u}/{text}":     "/x/200/a%2Fb%20c",
		"/x/{own}?t={text}": "/x/%23ff0010?t=a%2Fb%20c",
		"/x":                "/x",
	} {
		h := api(t, nil, op.Command("made", "POST /", func(context.Context, struct{}) (serial, error) { return made, nil }, op.Public(), op.Accepted(place)))
		if a := send(t, h, "POST", "/", ""); a.Code != 202 || a.Header().Get("Location") != want {
			t.Errorf("%s: got %d %s, want %s", place, a.Code, a.Header().Get("Location"), want)
		}
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	read := false
	file := func(context.Context, struct{}) (op.File, error) {
		return op.File{Type: "text/plain", Size: 3, Body: readFunc(func(p []byte) (int, error) { read = true; return 0, io.EOF })}, nil
	}
	long := strings.Repeat("x", 4000)
	server := httptest.NewServer(api(t, nil, get(), op.Query("file", "GET /file", file, op.Public()),
		op.Query("long", "GET /long", func(context.Context, struct{}) (string, error) { return long, nil }, op.Public())))
	t.Cleanup(server.Close)
	for target, length := range map[string]int64{"/notes/n1": 38, "/long": 4002, "/file": 3} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer writer")
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != 200 || response.ContentLength != length || len(body) > 0 {
			t.Errorf("HEAD %s: got %d, length %d, %q", target, response.StatusCode, response.ContentLength, body)
		}
	}
	if read {
		t.Error("a file was read that nobody gets")
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestAFileThatBreaksOffCutsTheConnection(t *testing.T) {
	t.Parallel()
	for what, size := range map[string]int64{"of a known size": 100, "of an unknown size": -1} {
		body := &closing{Reader: io.MultiReader(strings.NewReader("half"), broken{})}
		server := httptest.NewServer(api(t, nil, op.Query("file", "GET /", func(context.Context, struct{}) (op.File, error) {
			return op.File{Size: size, Body: body}, nil
		}, op.Public())))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := server.Client().Do(r)
		if err == nil {
			_, err = io.ReadAll(response.Body)
			_ = response.Body.Close()
		}
		server.Close()
		if err == nil {
			t.Errorf("half a file %s was taken for a whole one", what)
		}
		if !body.closed {
			t.Errorf("a file %s was left open", what)
		}
	}
}

func TestVaryIsAddedTo(t *testing.T) {
	t.Parallel()
	h := api(t, nil, get())
	front := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Origin")
		w.Header().Set("Cache-Control", "no-store")
		h.ServeHTTP(w, r)
	})
	for target, cache := range map[string]string{"/notes/n1": "private, no-cache", "/notes/n2": "no-store"} {
		for range 2 { // what is shared between answers must not grow
			a := send(t, front, "GET", target, "")
			if got := strings.Join(a.Header()["Vary"], ","); got != "Origin,Authorization" || a.Header().Get("Cache-Control") != cache {
				t.Errorf("%s: Vary is %s, Cache-Control %s", target, got, a.Header().Get("Cache-Control"))
			}
		}
	}
}

type frontKey struct{}

// TestTheFunctionSeesTheContextInFront: whatever a handler in front has put
// into the request's context arrives, with and without an observed scope.
func TestTheFunctionSeesTheContextInFront(t *testing.T) {
	t.Parallel()
	var deadline time.Time
	h := api(t, nil, op.Query("seen", "GET /", func(ctx context.Context, _ struct{}) (string, error) {
		deadline, _ = ctx.Deadline()
		if s := scope.Context(ctx); s == nil || s.Operation != "seen" {
			return "", errors.New("no scope")
		}
		return fmt.Sprint(ctx.Value(frontKey{})), ctx.Err()
	}, op.Public(), op.Timeout(time.Minute)))
	value := func(ctx context.Context) context.Context { return context.WithValue(ctx, frontKey{}, "in front") }
	for what, serve := range map[string]func(http.ResponseWriter, *http.Request){
		"without a scope": func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r.WithContext(value(r.Context()))) },
		"beside a scope": func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(scoped{w, scope.New(r.Context())}, r.WithContext(value(r.Context())))
		},
		"under a scope": func(w http.ResponseWriter, r *http.Request) {
			s := scope.New(r.Context())
			h.ServeHTTP(scoped{w, s}, r.WithContext(value(s)))
		},
		"under a scope, bounded": func(w http.ResponseWriter, r *http.Request) {
			s := scope.New(r.Context())
			ctx, cancel := context.WithTimeout(value(s), time.Hour)
			defer cancel()
			h.ServeHTTP(scoped{w, s}, r.WithContext(ctx))
		},
		"in the scope": func(w http.ResponseWriter, r *http.Request) {
			s := scope.New(value(r.Context()))
			h.ServeHTTP(scoped{w, s}, r.WithContext(s))
		},
	} {
		deadline = time.Time{}
		a := send(t, http.HandlerFunc(serve), "GET", "/", "")
		if a.Code != 200 || a.Body.String() != `"in front"` {
			t.Errorf("%s: got %d %s", what, a.Code, a.Body)
		}
		if left := time.Until(deadline); left <= 0 || left > time.Minute {
			t.Errorf("%s: the function has %v", what, left)
		}
	}
}

type scoped struct {
	http.ResponseWriter
	scope *scope.Scope
}

func (s scoped) Scope() *scope.Scope { return s.scope }

// TestTheRootIsOnePath: a bare "/" would answer every path that nobody knows.
func TestTheRootIsOnePath(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.Handle(rest.Handler(op.Query("root", "GET /", func(context.Context, struct{}) (int, error) { return 1, nil }, op.Public())))
	for target, want := range map[string]int{"/": 200, "/?": 200, "/x": 404, "/x/": 404} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		w := newRecorder()
		if mux.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%s: got %d, want %d", target, w.Code, want)
		}
	}
}

func TestAClientThatLeftIsNoFailure(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	h := api(t, &log, op.Query("slow", "GET /", func(ctx context.Context, _ struct{}) (int, error) {
		<-ctx.Done()
		return 0, fmt.Errorf("query: %w", ctx.Err())
	}, op.Public()))
	ctx, leave := context.WithCancel(t.Context())
	leave()
	w := newRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	if w.Code != 503 || strings.Contains(log.String(), "ERROR") {
		t.Errorf("got %d, logged %s", w.Code, &log)
	}
}

func TestAnAnswerThatCannotBeEncodedIsAFailureOfOurs(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	h := api(t, &log, op.Query("red", "GET /", func(context.Context, struct{}) (serial, error) { return serial{Text: "secret"}, nil }, op.Public()))
	a := send(t, h, "GET", "/", "")
	if a.Code != 500 || a.problem.Code != fault.ErrInternal.Code() || strings.Contains(a.Body.String(), "red") || !strings.Contains(log.String(), "no red") {
		t.Errorf("got %d %s, logged %s", a.Code, a.Body, &log)
	}
}

// TestAFileHasTheTimeOfItsOperation, and only one that declares none is cut
// when the server's time for a response is over.
func TestAFileHasTheTimeOfItsOperation(t *testing.T) {
	t.Parallel()
	const patience = 100 * time.Millisecond // of the server, for a response
	slow := func(context.Context, struct{}) (op.File, error) {
		return op.File{Size: 1 << 20, Body: io.MultiReader(
			io.LimitReader(zeros{}, 1<<19), &later{Reader: io.LimitReader(zeros{}, 1<<19), after: 3 * patience},
		)}, nil
	}
	mux := http.NewServeMux()
	mux.Handle(rest.Handler(op.Query("short", "GET /short", slow, op.Public())))
	mux.Handle(rest.Handler(op.Query("long", "GET /long", slow, op.Public(), op.Timeout(time.Minute))))
	server := serve.New(serve.Observe(mux, serve.Observer{}), serve.Config{Addr: "127.0.0.1:0", WriteTimeout: patience, DrainDelay: -1})
	addr, err := server.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	for target, whole := range map[string]bool{"/short": false, "/long": true} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr.String()+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		response, err := client.Do(r)
		if err == nil {
			n, err = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
		if got := err == nil && n == 1<<20; got != whole {
			t.Errorf("%s: %d bytes, %v", target, n, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// later is read after a while.
type later struct {
	io.Reader

	after time.Duration
}

func (l *later) Read(p []byte) (int, error) {
	time.Sleep(l.after)
	l.after = 0
	return l.Reader.Read(p)
}
