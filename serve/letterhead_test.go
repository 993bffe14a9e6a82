package serve_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/serve"
)

// answers are handlers that treat the head of their answer in every way that
// somebody may.
func answers(t *testing.T) map[string]http.HandlerFunc {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, bytes.Repeat([]byte("0123456789"), 10_000))
	say := func(w http.ResponseWriter) { _, _ = io.WriteString(w, "hello") }
	raw := func(w http.ResponseWriter, text string) {
		c, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = buf.WriteString(text)
		_ = buf.Flush()
		_ = c.Close()
	}
	// whole sends an answer in one piece where the writer takes it, and in
	// pieces elsewhere: for the client it must be the same.
	whole := func(w http.ResponseWriter, r *http.Request, a scope.Answer) {
		if scope.Send(w, r, a) {
			return
		}
		h := scope.Fields(w)
		for name, value := range map[string]string{
			"Content-Type": a.ContentType, "Etag": a.ETag, "Location": a.Location, "Cache-Control": a.CacheControl,
		} {
			if value != "" {
				h.Set(name, value)
			}
		}
		if len(a.Lines) > 0 {
			h.Add("Vary", "Authorization")
		}
		h.Set("Content-Length", strconv.Itoa(len(a.Body)))
		w.WriteHeader(a.Status)
		_, _ = w.Write(a.Body)
	}
	plain := scope.Answer{Status: http.StatusOK, ContentType: "application/json", Body: []byte(`{"a":1}`)}
	return map[string]http.HandlerFunc{
		"whole": func(w http.ResponseWriter, r *http.Request) { whole(w, r, plain) },
		"whole, with all fields": func(w http.ResponseWriter, r *http.Request) {
			whole(w, r, scope.Answer{
				Status: http.StatusCreated, ContentType: "text/plain", ETag: `"1"`, Location: "/things/1",
				CacheControl: "private", Lines: []byte("Vary: Authorization\r\n"), Body: []byte("made"),
			})
		},
		"whole, long": func(w http.ResponseWriter, r *http.Request) {
			a := plain
			a.Body = make([]byte, 50_000)
			whole(w, r, a)
		},
		"whole, too long": func(w http.ResponseWriter, r *http.Request) {
			a := plain
			a.Body = make([]byte, 100_000)
			whole(w, r, a)
		},
		"whole, without a body": func(w http.ResponseWriter, r *http.Request) {
			a := plain
			a.Body = nil
			whole(w, r, a)
		},
		"whole, of an unusual status": func(w http.ResponseWriter, r *http.Request) {
			a := plain
			a.Status = 599
			whole(w, r, a)
		},
		"whole, not modified": func(w http.ResponseWriter, r *http.Request) {
			a := plain
			a.Status, a.Body = http.StatusNotModified, nil
			whole(w, r, a)
		},
		"whole, the body read": func(w http.ResponseWriter, r *http.Request) {
			a := plain
			a.Body, _ = io.ReadAll(r.Body)
			whole(w, r, a)
		},
		"whole, the header seen": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Seen", "yes")
			whole(w, r, plain)
		},
		"whole, changed too late": func(w http.ResponseWriter, r *http.Request) {
			whole(w, r, plain)
			w.Header().Set("Cache-Control", "public")
		},
		"whole, flushed": func(w http.ResponseWriter, r *http.Request) {
			whole(w, r, plain)
			w.(http.Flusher).Flush()
		},
		"whole, written to again": func(w http.ResponseWriter, r *http.Request) {
			whole(w, r, plain)
			if _, err := io.WriteString(w, "more"); !errors.Is(err, http.ErrContentLength) {
				t.Errorf("a whole answer can be written to: %v", err)
			}
		},
		"whole, with a line break": func(w http.ResponseWriter, r *http.Request) {
			a := plain
			a.Location = "/\r\nSet-Cookie: a=b"
			whole(w, r, a)
		},
		"whole, with a deadline": func(w http.ResponseWriter, r *http.Request) {
			whole(w, r, plain)
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute))
		},
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"a body":  func(w http.ResponseWriter, _ *http.Request) { say(w) },
		"fields only": func(w http.ResponseWriter, _ *http.Request) {
			h := scope.Fields(w)
			h["Content-Type"], h["Vary"] = []string{"text/a"}, []string{"Accept"}
			say(w)
		},
		"fields that replace": func(w http.ResponseWriter, _ *http.Request) {
			scope.Fields(w).Set("Cache-Control", "private")
			say(w)
		},
		"fields, then a look": func(w http.ResponseWriter, _ *http.Request) {
			scope.Fields(w).Set("Cache-Control", "private")
			if got := w.Header().Get("Referrer-Policy") + w.Header().Get("Cache-Control"); got != "no-referrerprivate" {
				t.Errorf("a handler sees %q", got)
			}
			say(w)
		},
		"set": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Security-Policy", "default-src 'self'")
			w.Header().Set("Etag", `"1"`)
			say(w)
		},
		"set as it was": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			say(w)
		},
		"added":          func(w http.ResponseWriter, _ *http.Request) { w.Header().Add("Cache-Control", "no-transform"); say(w) },
		"dropped":        func(w http.ResponseWriter, _ *http.Request) { w.Header().Del("Referrer-Policy"); say(w) },
		"dropped by nil": func(w http.ResponseWriter, _ *http.Request) { w.Header()["Referrer-Policy"] = nil; say(w) },
		"all dropped":    func(w http.ResponseWriter, _ *http.Request) { clear(w.Header()); say(w) },
		"emptied":        func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", ""); say(w) },
		"another id":     func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Request-Id", "mine"); say(w) },
		"another date": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", "Thu, 01 Jan 1970 00:00:00 GMT")
			say(w)
		},
		"no date": func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil; say(w) },
		"changed too late": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusOK)
			w.Header().Set("Cache-Control", "public")
			say(w)
		},
		"not modified": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"no content":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"early hints": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			say(w)
		},
		"flushed": func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				say(w)
				w.(http.Flusher).Flush()
			}
		},
		"flushed through a controller": func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			say(w)
		},
		"a deadline": func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute))
			say(w)
		},
		"a long body": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 100_000)) },
		"a long head": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 10_000))
			say(w)
		},
		"a file": func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) },
		"a file, copied": func(w http.ResponseWriter, _ *http.Request) {
			f, err := os.Open(file)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			_, _ = io.Copy(w, f)
		},
		"an error":  func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusConflict) },
		"a refusal": func(w http.ResponseWriter, r *http.Request) { serve.Redirect(w, r, "//evil.test") },
		"a panic": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Etag", `"1"`)
			scope.Fields(w).Set("Cache-Control", "public")
			panic("boom")
		},
		"trailers": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			say(w)
			w.Header().Set("X-Sum", "1")
			w.Header().Set(http.TrailerPrefix+"X-More", "2")
		},
		"unwrapped": func(w http.ResponseWriter, _ *http.Request) {
			say(w.(interface{ Unwrap() http.ResponseWriter }).Unwrap())
		},
		"unwrapped and sent": func(w http.ResponseWriter, _ *http.Request) {
			inner := w.(interface{ Unwrap() http.ResponseWriter }).Unwrap()
			say(inner)
			inner.(http.Flusher).Flush()
		},
		"the body read late": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			_, _ = io.Copy(w, r.Body)
		},
		"the body read": func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(body)
		},
		"closing": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close"); say(w) },
		"hijacked": func(w http.ResponseWriter, _ *http.Request) {
			raw(w, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		},
		"hijacked after the head": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "2")
			w.WriteHeader(http.StatusOK)
			raw(w, "ok")
		},
	}
}

// heard is an answer as its client gets it.
type heard struct {
	Proto   string
	Status  int
	Header  http.Header
	Body    string
	Trailer http.Header
	Closed  bool
}

// hear asks and returns all that comes, 1xx included.
func hear(t *testing.T, c net.Conn, r *bufio.Reader, request string) (list []heard) {
	t.Helper()
	send(t, c, request)
	method, _, _ := strings.Cut(request, " ")
	for {
		res, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		for i, value := range res.Header["Date"] {
			if at, err := http.ParseTime(value); err == nil && time.Since(at).Abs() < time.Hour {
				res.Header["Date"][i] = "now"
			}
		}
		list = append(list, heard{res.Proto, res.StatusCode, res.Header, string(body), res.Trailer, res.Close})
		if res.StatusCode >= 200 {
			return list
		}
	}
}

// TestTheLetterheadChangesNoAnswer compares what our own connections write
// with what net/http writes where it has all headers: behind a handler that
// hides the observer.
func TestTheLetterheadChangesNoAnswer(t *testing.T) {
	t.Parallel()
	cors, err := serve.NewCORS(serve.CORSConfig{Origins: []string{page}})
	if err != nil {
		t.Fatal(err)
	}
	own, pool := certificate(t)
	var (
		ours = answers(t)
		h    = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { ours[r.Header.Get("X-Case")](w, r) })
	)
	for server, o := range map[string]serve.Observer{"plain": {}, "with CORS and HSTS": {CORS: cors, HSTS: true}} {
		for _, secure := range []bool{false, true} {
			cfg := serve.Config{}
			if secure {
				cfg.TLS = &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
			}
			observed := serve.Observe(h, o)
			of := func(h http.Handler) func(t *testing.T) (net.Conn, *bufio.Reader) {
				s := start(t, h, cfg)
				return func(t *testing.T) (net.Conn, *bufio.Reader) {
					t.Helper()
					c := s.dial(t)
					if secure {
						c = tls.Client(c, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12})
					}
					return c, bufio.NewReader(c)
				}
			}
			ways := map[string]func(*testing.T) (net.Conn, *bufio.Reader){
				"ours": of(observed), "net/http's": of(http.HandlerFunc(observed.ServeHTTP)),
			}
			for name := range ours {
				for kind, format := range map[string]string{
					"GET":      "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: of-caller\r\nTraceparent: " + parent + "\r\nX-Case: %\r\n\r\n",
					"HEAD":     "HEAD / HTTP/1.1\r\nHost: a\r\nX-Request-Id: of-caller\r\nTraceparent: " + parent + "\r\nX-Case: %\r\n\r\n",
					"HTTP/1.0": "GET / HTTP/1.0\r\nHost: a\r\nX-Request-Id: of-caller\r\nTraceparent: " + parent + "\r\nX-Case: %\r\n\r\n",
					"CORS":     "GET / HTTP/1.1\r\nHost: a\r\nOrigin: " + page + "\r\nX-Request-Id: of-caller\r\nTraceparent: " + parent + "\r\nX-Case: %\r\n\r\n",
					"POST":     "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\nX-Request-Id: of-caller\r\nTraceparent: " + parent + "\r\nX-Case: %\r\n\r\nbody",
				} {
					if (secure || strings.HasPrefix(name, "hijacked")) && kind != "GET" {
						continue
					}
					request := strings.Replace(format, "%", name, 1)
					said := map[string][]heard{}
					for way, dial := range ways {
						c, r := dial(t)
						said[way] = hear(t, c, r, request)
					}
					if diff := cmp.Diff(said["net/http's"], said["ours"]); diff != "" {
						t.Errorf("%s, TLS %t, %s, %s: net/http's (-), ours (+)\n%s", server, secure, name, kind, diff)
					}
				}
			}
		}
	}
}

// TestEachAnswerHasItsOwnLetterhead asks for many things on one connection.
func TestEachAnswerHasItsOwnLetterhead(t *testing.T) {
	t.Parallel()
	ours := answers(t)
	s := start(t, serve.Observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ours[r.Header.Get("X-Case")](w, r)
	}), serve.Observer{}), serve.Config{})
	c := s.dial(t)
	r := bufio.NewReader(c)
	for range 3 {
		for _, name := range []string{"fields only", "set", "nothing", "unwrapped and sent", "another id", "a body", "all dropped", "no content", "a deadline", "trailers", "a panic", "a long body", "fields that replace"} {
			id := strings.Map(func(r rune) rune { return max(r, '-') }, "case-of-"+name)
			got := hear(t, c, r, "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: "+id+"\r\nX-Case: "+name+"\r\n\r\n")[0]
			want := []string{id}
			switch name {
			case "another id":
				want = []string{"mine"}
			case "all dropped":
				want = nil
			}
			if diff := cmp.Diff(want, got.Header["X-Request-Id"]); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			if name == "nothing" && len(got.Header) != 7 {
				t.Errorf("an answer without a word of its own has the header %v", got.Header)
			}
		}
	}
	// Two that come at once are answered one after the other.
	twice := "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: the-first\r\nX-Case: a body\r\n\r\n" +
		"GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: the-second\r\nX-Case: a body\r\n\r\n"
	send(t, c, twice)
	for _, want := range []string{"the-first", "the-second"} {
		res := receive(t, r)
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.Header.Get("X-Request-Id") != want {
			t.Errorf("%v, %v; want the answer to %s", res.Header, err, want)
		}
	}
}
