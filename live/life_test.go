package live_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/live"
	"github.com/ashlar-go/ashlar/op"
)

// eventually waits for what another goroutine does.
func (s *site) eventually(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: not within two minutes\n%s", what, s.log)
		}
	}
}

// observed puts the scope of an observed request before a handler.
func observed(next http.Handler, address string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := scope.New(r.Context())
		s.Origin.Address = address
		defer s.Close()
		next.ServeHTTP(scoped{w, s}, r)
	})
}

type scoped struct {
	http.ResponseWriter
	s *scope.Scope
}

func (w scoped) Scope() *scope.Scope         { return w.s }
func (w scoped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// recorder is a response without a connection.
type recorder struct {
	mu    sync.Mutex
	begun chan int
	*httptest.ResponseRecorder
}

func newRecorder() *recorder {
	return &recorder{begun: make(chan int, 1), ResponseRecorder: httptest.NewRecorder()}
}

func (r *recorder) WriteHeader(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ResponseRecorder.WriteHeader(status)
	r.begun <- status
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ResponseRecorder.Write(b)
}

func (r *recorder) status() int { return <-r.begun }

// P15.5: whoever comes back finds neither a gap nor a repeat.
func TestResume(t *testing.T) {
	t.Parallel()
	var seen sync.Map
	s := newSite(t, live.Config{},
		op.Stream("notes.watch", "GET /notes", counting(5), op.Allow(read)),
		op.Stream("notes.other", "GET /other", func(ctx context.Context, _ struct{}) iter.Seq2[note, error] {
			seen.Store(op.LastEventID(ctx), true)
			return counting(1)(ctx, after{})
		}, op.Allow(read)))
	l := s.listen("/notes")
	l.expect(event{"note_1", "note", `{"n":1}`}, event{"note_2", "note", `{"n":2}`})
	_ = l.res.Body.Close()

	// EventSource repeats its URL, whatever that said at first.
	again := s.listen("/notes?after=note_0&%61fter=note_4", "Last-Event-ID", l.last)
	again.expect(event{"note_3", "note", `{"n":3}`}, event{"note_4", "note", `{"n":4}`}, event{"note_5", "note", `{"n":5}`})
	again.ends("end", "completed")

	s.listen("/notes?after=note_4").expect(event{"note_5", "note", `{"n":5}`})
	s.listen("/notes", "Last-Event-ID", "note_5").ends("end", "completed")

	for _, id := range []string{"", "note_1", "a&b=c d%é日"} {
		s.listen("/other", "Last-Event-ID", id).expect(event{"note_1", "note", `{"n":1}`})
		if _, ok := seen.Load(id); !ok {
			t.Errorf("the function was not told that %q was the last", id)
		}
	}
}

// A connection on which nothing happens says that it lives.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{Beat: 5 * time.Millisecond}, op.Stream("notes.watch", "GET /notes", silent, op.Allow(read)))
	l := s.listen("/notes")
	for beats := 0; beats < 3; {
		line, err := l.in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == ":\n" {
			beats++
		}
	}
}

// A caller that leaves is noticed at once, long before the next beat.
func TestLeaving(t *testing.T) {
	t.Parallel()
	cause := make(chan error, 1)
	s := newSite(t, live.Config{}, op.Stream("notes.watch", "GET /notes", func(ctx context.Context, _ struct{}) iter.Seq2[note, error] {
		return func(yield func(note, error) bool) {
			op.Opened(ctx)
			<-ctx.Done()
			cause <- context.Cause(ctx)
		}
	}, op.Allow(read)))
	l := s.listen("/notes")
	_ = l.res.Body.Close()
	if err := <-cause; err == nil || err.Error() != "the stream ended: left" {
		t.Errorf("the function's context ended with %v", err)
	}
	s.eventually("the log says so", func() bool { return strings.Contains(s.log.String(), `op=notes.watch transport=sse reason=left`) })
}

// A caller that talks on a stream has nothing to say there.
func TestChatter(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{}, op.Stream("notes.watch", "GET /notes", silent, op.Public()))
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /notes HTTP/1.1\r\nHost: a\r\n\r\n")
	s.eventually("it is open", func() bool { return s.streams.Open() == 1 })
	go func() {
		for err == nil {
			_, err = io.WriteString(conn, strings.Repeat("a", 512))
		}
	}()
	s.eventually("it is closed", func() bool { return s.streams.Open() == 0 })
}

// P15.3: who does not read is dropped, and others notice nothing.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a", 64<<10)
	flood := op.Stream("notes.flood", "GET /flood", func(ctx context.Context, _ struct{}) iter.Seq2[note, error] {
		return func(yield func(note, error) bool) {
			for i := 1; ; i++ {
				if !yield(note{N: i, Text: text}, nil) {
					return
				}
			}
		}
	}, op.Allow(read))
	s := newSite(t, live.Config{Patience: 200 * time.Millisecond}, flood, op.Stream("notes.watch", "GET /notes", counting(3), op.Allow(read)))
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /flood HTTP/1.1\r\nHost: a\r\nAuthorization: ann\r\n\r\n")
	s.eventually("it is dropped", func() bool { return strings.Contains(s.log.String(), "op=notes.flood transport=sse reason=slow") })
	l := s.listen("/notes")
	l.expect(event{"note_1", "note", `{"n":1}`})
}

// The time-outs of the server are for requests, not for what they opened.
func TestServersTimeoutsDoNotCutAStream(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{Beat: 10 * time.Millisecond}, op.Stream("notes.watch", "GET /notes", func(ctx context.Context, _ struct{}) iter.Seq2[note, error] {
		return func(yield func(note, error) bool) {
			op.Opened(ctx)
			select {
			case <-time.After(4500 * time.Millisecond):
				yield(note{N: 1}, nil)
			case <-ctx.Done():
			}
		}
	}, op.Public()))
	for name, http2 := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(s.mux)
			server.Config.ReadTimeout, server.Config.WriteTimeout = 2*time.Second, 2*time.Second
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			res, err := server.Client().Get(server.URL + "/notes")
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil || !strings.Contains(string(body), `data: {"n":1}`) || !strings.Contains(string(body), "event: end") {
				t.Errorf("%s answered %s (%v)", res.Proto, body, err)
			}
		})
	}
}

// P15.2: what was taken away ends what is open because of it.
func TestRevocationEndsAStream(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*people)
		code   string
		status float64
	}{
		"a token that is revoked or has expired": {func(p *people) { p.revoke("ann", fault.ErrToken) }, "token_invalid", 401},
		"a permission that was taken away":       {func(p *people) { p.grant("ann") }, "permission_denied", 403},
		"a role that may something else":         {func(p *people) { p.grant("ann", read, "notes:write") }, "permissions_changed", 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, live.Config{Recheck: 10 * time.Millisecond, Credentials: []string{"Authorization"}},
				op.Stream("notes.watch", "GET /notes", silent, op.Allow(read)))
			if _, err := s.people.policy.Register("notes:write"); err != nil {
				t.Fatal(err)
			}
			l, other := s.listen("/notes"), s.listen("/notes", "Authorization", "bob")
			c.change(s.people)
			if p := l.ends("end", c.code); p["status"] != c.status {
				t.Errorf("the problem is %v", p)
			}
			s.eventually("only bob's is open", func() bool { return s.streams.Open() == 1 })
			_ = other.res.Body.Close()
		})
	}
}

// A check that cannot be made takes nothing away, and an outer handler that
// has said who it is goes on being believed.
func TestAnUncertainCheckEndsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{Recheck: 5 * time.Millisecond}, op.Stream("notes.watch", "GET /notes", silent, op.Allow(read)))
	asked := make(chan bool, 1000)
	s.listen("/notes")
	s.people.revoke("ann", fault.ErrUnavailable.Wrap(errors.New("no database")))
	time.AfterFunc(100*time.Millisecond, func() { asked <- true })
	<-asked
	if s.streams.Open() != 1 {
		t.Error("the stream has ended")
	}

	h, err := s.streams.Handler(op.Stream("notes.outer", "GET /outer", silent, op.Allow(read)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(access.With(t.Context(), s.people.policy.Holder("outer", "a", read)))
	defer cancel()
	w := newRecorder()
	go h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/outer", nil))
	if w.status() != 200 {
		t.Errorf("answered %d", w.Code)
	}
	time.AfterFunc(50*time.Millisecond, func() { asked <- true })
	<-asked
	if got := h.Stats(); got.Open != 1 {
		t.Errorf("%+v", got)
	}
}

// op.Timeout is the longest life of a stream.
func TestAStreamExpires(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{Recheck: 5 * time.Millisecond}, op.Stream("notes.watch", "GET /notes", silent, op.Public(), op.Timeout(2*time.Second)))
	s.listen("/notes").ends("end", "expired")
}

// P14.3: at a shutdown all are told to come back, each after another pause.
func TestDrain(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, live.Config{}, op.Stream("notes.watch", "GET /notes", silent, op.Public()))
			server := httptest.NewUnstartedServer(s.mux)
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			const many = 40
			var answers [many]string
			var reading sync.WaitGroup
			for i := range many {
				res, err := server.Client().Get(server.URL + "/notes")
				if err != nil || res.ProtoMajor == 2 != http2 {
					t.Fatal(res, err)
				}
				reading.Go(func() {
					body, err := io.ReadAll(res.Body)
					if err != nil {
						t.Errorf("stream %d: %v", i, err)
					}
					answers[i] = string(body)
				})
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			s.streams.Drain(ctx)
			reading.Wait()
			pauses := map[string]bool{}
			for _, a := range answers {
				first, rest, _ := strings.Cut(a, "\n\n")
				var at, again, said int
				if n, err := fmt.Sscanf(first+"\n"+rest, "retry: %d\nretry: %d\nevent: end\ndata: {\"code\":\"draining\",\"retry_ms\":%d}\n", &at, &again, &said); n != 3 || said != again || err != nil || again < 2000 || again >= 4000 {
					t.Fatalf("a stream was told %q: %v", a, err)
				}
				pauses[rest] = true
			}
			if len(pauses) < many/2 {
				t.Errorf("%d streams come back at %d times", many, len(pauses))
			}
			res, err := server.Client().Get(server.URL + "/notes")
			if err != nil || res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
				t.Errorf("a late one: %v, %v", res, err)
			}
		})
	}
}

// Ending takes its time where there are many, and no more than there is.
func TestDrainIsPaced(t *testing.T) {
	t.Parallel()
	took := func(rate int, within time.Duration) time.Duration {
		s := newSite(t, live.Config{DrainRate: rate}, op.Stream("notes.watch", "GET /notes", silent, op.Allow(read)))
		for range 30 {
			s.listen("/notes")
		}
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		began := time.Now()
		s.streams.Drain(ctx)
		if n := s.streams.Open(); n > 0 {
			t.Errorf("%d are left", n)
		}
		return time.Since(began)
	}
	if d := took(100, time.Minute); d < 250*time.Millisecond {
		t.Errorf("30 streams at 100/s ended in %s", d)
	}
	if d := took(1, 2*time.Second); d > 25*time.Second {
		t.Errorf("30 streams in two seconds took %s", d)
	}
}

// A function that does not end when it is told is not waited for without end.
func TestDrainDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := newSite(t, live.Config{}, op.Stream("notes.watch", "GET /notes", func(ctx context.Context, _ struct{}) iter.Seq2[note, error] {
		return func(func(note, error) bool) { op.Opened(ctx); <-release }
	}, op.Public()))
	l := s.listen("/notes")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s.streams.Drain(ctx)
	l.ends("end", "draining")
	if s.streams.Open() != 1 {
		t.Error("the function that goes on is not counted")
	}
	close(release)
}

func TestStats(t *testing.T) {
	t.Parallel()
	streams := live.New(live.Config{Log: slog.New(slog.DiscardHandler)})
	h, err := streams.Handler(op.Stream("notes.watch", "GET /notes", counting(3), op.Public()))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/notes", nil))
	streams.Drain(t.Context()) // waits for the goroutine
	got := h.Stats()
	want := live.Stats{Opened: 1, Messages: 3, Bytes: uint64(w.Body.Len())}
	want.Ended[live.Completed] = 1
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
