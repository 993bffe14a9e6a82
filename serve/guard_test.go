package serve_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/serve"
)

func TestGuardAnswersOnceAndCloses(t *testing.T) {
	t.Parallel()
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	for name, tc := range map[string]struct {
		in   string
		code string
		want int
	}{
		"length and chunked":         {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "malformed", 400},
		"two lengths":                {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", "malformed", 400},
		"another coding":             {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "malformed", 400},
		"bad chunk size":             {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n", "malformed", 400},
		"bare LF":                    {"GET / HTTP/1.1\nHost: a\r\n\r\n", "malformed", 400},
		"fold":                       {"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", "malformed", 400},
		"NUL":                        {"GET / HTTP/1.1\r\nHost: a\r\nX: y\x00\r\n\r\n", "malformed", 400},
		"NUL in the target":          {"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", "malformed", 400},
		"NUL in a trailer":           {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\x00\r\n\r\n", "malformed", 400},
		"space before the colon":     {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\nabcd", "malformed", 400},
		"no host":                    {"GET / HTTP/1.1\r\n\r\n", "malformed", 400},
		"no request at all":          {"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "version_unsupported", 505},
		"a version to come":          {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", "version_unsupported", 505},
		"a head that is too large":   {"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", "head_too_large", 431},
		"chunk that overruns itself": {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", "malformed", 400},
	} {
		for _, before := range []string{"", request} {
			for _, pace := range []string{"at once", "piece by piece"} {
				t.Run(name+" "+pace+" after "+before, func(t *testing.T) {
					t.Parallel()
					var smuggledSeen atomic.Bool
					s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if r.URL.Path == "/smuggled" {
							smuggledSeen.Store(true)
						}
						if _, err := io.Copy(io.Discard, r.Body); err != nil {
							w.Header().Set("Content-Type", "application/problem+json")
							w.WriteHeader(http.StatusBadRequest)
							_, _ = io.WriteString(w, `{"status":400,"code":"malformed"}`)
						}
					}), serve.Config{})
					c := s.dial(t)
					go func() {
						in := before + tc.in + smuggled
						if pace == "at once" {
							_, _ = io.WriteString(c, in)
							return
						}
						for len(in) > 0 {
							n := min(11, len(in))
							if len(in) > 1024 {
								n = 1024
							}
							if _, err := io.WriteString(c, in[:n]); err != nil {
								return
							}
							in = in[n:]
							time.Sleep(200 * time.Microsecond) // lets the pieces arrive as pieces
						}
					}()
					r := bufio.NewReader(c)
					if before != "" {
						res := receive(t, r)
						if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != 200 {
							t.Fatalf("the request before: %d, %v", res.StatusCode, err)
						}
					}
					res := receive(t, r)
					wantProblem(t, res, tc.want, tc.code)
					if !res.Close {
						t.Error("the answer does not announce the close")
					}
					if rest, _ := io.ReadAll(r); len(rest) > 0 {
						t.Errorf("something follows the refusal: %q", rest)
					}
					if smuggledSeen.Load() {
						t.Error("the request behind the refused one was served")
					}
				})
			}
		}
	}
}

func TestGuardLetsOrdinaryTrafficThrough(t *testing.T) {
	t.Parallel()
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}), serve.Config{})
	c := s.dial(t)
	r := bufio.NewReader(c)
	requests := []struct{ in, out string }{
		{request, ""},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "hello"},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n1;a=b\r\n!\r\n0\r\nX: y\r\n\r\n", "!"},
		{request, ""},
	}
	var pipelined strings.Builder
	for _, q := range requests {
		pipelined.WriteString(q.in)
	}
	for range 3 {
		send(t, c, pipelined.String())
		for _, q := range requests {
			res := receive(t, r)
			if body, err := io.ReadAll(res.Body); err != nil || string(body) != q.out || res.StatusCode != 200 {
				t.Fatalf("%q answers %d %q, %v", q.in, res.StatusCode, body, err)
			}
		}
	}
}

// What a hijacked connection carries is not HTTP, and none of the guard's
// business any more.
func TestGuardReleasesHijackedConnections(t *testing.T) {
	t.Parallel()
	var guard serve.Guard
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{
		ConnState:         guard.ConnState,
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n\r\n")
			_ = rw.Flush()
			_, _ = io.CopyN(conn, rw, 6)
		}),
	}
	go func() { _ = srv.Serve(guard.Listener(l)) }()
	t.Cleanup(func() { _ = srv.Close() })

	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	send(t, c, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
	r := bufio.NewReader(c)
	if res := receive(t, r); res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("answers %d", res.StatusCode)
	}
	send(t, c, "\x00\n\n\r\x00\n")
	echo := make([]byte, 6)
	if _, err := io.ReadFull(r, echo); err != nil || string(echo) != "\x00\n\n\r\x00\n" {
		t.Errorf("echo %q, %v", echo, err)
	}
}

func TestGuardTellsOfRefusals(t *testing.T) {
	t.Parallel()
	told := make(chan serve.Refused, 1)
	guard := serve.Guard{Refused: func(r serve.Refused) { told <- r }}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{ConnState: guard.ConnState, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(guard.Listener(l)) }()
	t.Cleanup(func() { _ = srv.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	send(t, c, "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n")
	doc := wantProblem(t, receive(t, bufio.NewReader(c)), 400, "malformed")
	if r := <-told; r.Status != 400 || r.Detail != doc["detail"] || r.TraceID != doc["trace_id"] || r.Remote == nil {
		t.Errorf("told %+v, answered %v", r, doc)
	}
}

// net/http resets a connection that its client asked to close when it answers
// before the body has come, and the client may lose the answer.
func TestAnswerOutlivesABodyThatNobodyReads(t *testing.T) {
	t.Parallel()
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}), serve.Config{})
	c := s.dial(t)
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n"+strings.Repeat("x", 200_000)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	if res := receive(t, r); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("answers %d", res.StatusCode)
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("the connection ends with %v", err)
	}
}
