package serve_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/serve"
)

// running is a server under test, on a free port of the loopback.
type running struct {
	*serve.Server
	addr string
	stop context.CancelFunc
	done chan error // what Run returned
}

func start(t testing.TB, h http.Handler, cfg serve.Config) *running {
	t.Helper()
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.DrainDelay == 0 {
		cfg.DrainDelay = -1
	}
	s := &running{Server: serve.New(h, cfg), done: make(chan error, 1)}
	addr, err := s.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.addr = addr.String()
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { s.done <- s.Run(ctx) }()
	t.Cleanup(func() {
		s.stop()
		_ = s.Close()
	})
	return s
}

// dial opens a connection that gives up before the test does.
func (s *running) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c
}

func send(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func receive(t testing.TB, r *bufio.Reader) *http.Response {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

func TestSlowClientsAreCut(t *testing.T) {
	t.Parallel()
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusRequestTimeout)
		}
	}), serve.Config{
		ReadHeaderTimeout: 100 * time.Millisecond,
		ReadTimeout:       200 * time.Millisecond,
		IdleTimeout:       300 * time.Millisecond,
	})
	for name, first := range map[string]string{
		"head":        "GET / HTTP/1.1\r\nX-Slow: ",
		"second head": request + "GET / HTTP/1.1\r\nX-Slow: ",
		"body":        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
		"chunks":      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
		"idle":        request,
		"nothing":     "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := s.dial(t)
			send(t, c, first)
			drip := time.NewTicker(20 * time.Millisecond)
			defer drip.Stop()
			cut := make(chan struct{})
			go func() {
				defer close(cut)
				_, _ = io.Copy(io.Discard, c)
			}()
			limit := time.After(time.Minute)
			for {
				select {
				case <-cut:
					return
				case <-limit:
					t.Fatal("still connected")
				case <-drip.C:
					if name != "idle" && name != "nothing" {
						_, _ = c.Write([]byte("x")) // fails once we are cut
					}
				}
			}
		})
	}
}

// TestTimeoutsOfBeforeDoNotEndAHandler keeps a handler at work for longer than
// the time-outs for what precedes it.
func TestTimeoutsOfBeforeDoNotEndAHandler(t *testing.T) {
	t.Parallel()
	const patience = 2 * time.Second // in which a busy machine sends a request
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
			w.WriteHeader(http.StatusRequestTimeout)
		case <-time.After(patience + patience/4):
		}
	}), serve.Config{ReadHeaderTimeout: patience, ReadTimeout: patience, IdleTimeout: patience})
	c := s.dial(t)
	r := bufio.NewReader(c)
	for range 2 {
		send(t, c, request)
		if res := receive(t, r); res.StatusCode != http.StatusOK {
			t.Errorf("answered %d", res.StatusCode)
		}
	}
}

func TestDrainFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	entered, finish := make(chan struct{}), make(chan struct{})
	var drained atomic.Bool
	handler := serve.Observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(entered)
			<-finish
		}
		_, _ = io.WriteString(w, "done")
	}), serve.Observer{})
	s := start(t, handler, serve.Config{
		DrainDelay: 3 * time.Second,
		OnDrain:    func() { drained.Store(true) },
	})

	slow, kept := s.dial(t), s.dial(t)
	keptReader := bufio.NewReader(kept)
	send(t, kept, request)
	if res := receive(t, keptReader); res.Close {
		t.Fatal("a response asks to close before the drain")
	} else if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	send(t, slow, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered

	s.stop()
	<-s.Draining()
	if !drained.Load() {
		t.Error("OnDrain had not been called when the drain began")
	}
	// The delay: a kept-alive connection and a new one are both served, and told.
	for name, c := range map[string]net.Conn{"kept-alive": kept, "new": s.dial(t)} {
		send(t, c, request)
		if res := receive(t, bufio.NewReader(c)); res.StatusCode != 200 || !res.Close {
			t.Errorf("%s connection in the drain: %d, close %v", name, res.StatusCode, res.Close)
		}
	}
	// The request under way had begun before the drain, and is told as well.
	close(finish)
	res := receive(t, bufio.NewReader(slow))
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "done" || !res.Close {
		t.Errorf("request under way: %q, %v, close %v", body, err, res.Close)
	}
	if err := <-s.done; err != nil {
		t.Errorf("Run = %v", err)
	}
	if c, err := net.Dial("tcp", s.addr); err == nil {
		_ = c.Close()
		t.Error("still accepting after the drain")
	}
}

func TestDrainTimeoutCuts(t *testing.T) {
	t.Parallel()
	entered, ended := make(chan struct{}), make(chan error, 1)
	s := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		ended <- r.Context().Err()
	}), serve.Config{DrainTimeout: 150 * time.Millisecond})
	send(t, s.dial(t), request)
	<-entered
	s.stop()
	if err := <-s.done; !errors.Is(err, serve.ErrDrainTimeout) {
		t.Errorf("Run = %v", err)
	}
	if err := <-ended; err != context.Canceled {
		t.Errorf("the handler's context ended with %v", err)
	}
}

func TestCloseDuringTheDrainEndsIt(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	s := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}), serve.Config{DrainTimeout: time.Minute})
	send(t, s.dial(t), request)
	<-entered
	s.stop()
	<-s.Draining()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	<-s.done
}

// A client that follows Connection: close must not see one failure, however
// the drain falls between its requests.
func TestDrainUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, serve.Observe(text("ok"), serve.Observer{}), serve.Config{DrainDelay: 3 * time.Second})
	var answered, failed atomic.Int64
	var clients sync.WaitGroup
	for i := range 40 {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: time.Minute}
			defer client.CloseIdleConnections()
			for {
				// POST without a body: Go's client would quietly repeat a GET.
				res, err := client.Post("http://"+s.addr, "", nil)
				if err != nil {
					failed.Add(1)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if answered.Add(1) == 400 {
					s.stop()
				}
				if res.Close {
					return
				}
				time.Sleep(time.Duration(i%8) * 5 * time.Millisecond) // clients think
			}
		})
	}
	clients.Wait()
	if err := <-s.done; err != nil || failed.Load() > 0 {
		t.Errorf("%d answered, %d failed, Run = %v", answered.Load(), failed.Load(), err)
	}
}

func TestListenSaysWhichAddressAndWhy(t *testing.T) {
	t.Parallel()
	first := start(t, text("ok"), serve.Config{})
	_, err := serve.New(text("ok"), serve.Config{Addr: first.addr}).Listen(t.Context())
	var listenErr *serve.ListenError
	if !errors.As(err, &listenErr) || listenErr.Addr != first.addr || !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("Listen = %v", err)
	}
	if text := err.Error(); !strings.Contains(text, first.addr) || !strings.Contains(text, "address already in use") {
		t.Errorf("%q", text)
	}
	if err := serve.New(text("ok"), serve.Config{Addr: "127.0.0.1:notaport"}).Run(t.Context()); !errors.As(err, &listenErr) {
		t.Errorf("Run = %v", err)
	}
}

func TestTwoServersOnPortZero(t *testing.T) {
	t.Parallel()
	a, b := start(t, text("a"), serve.Config{}), start(t, text("b"), serve.Config{})
	if a.addr == b.addr {
		t.Fatalf("both listen on %s", a.addr)
	}
	if again, err := a.Listen(t.Context()); err != nil || again.String() != a.addr {
		t.Errorf("listening again = %v, %v", again, err)
	}
}

func TestComplaintsAreLoggedWithinBounds(t *testing.T) {
	t.Parallel()
	var log lines
	s := start(t, text("ok"), serve.Config{Log: log.logger()})
	for range 50 {
		c := s.dial(t)
		send(t, c, "GET / HTTP/1.1\nHost: a\r\n\r\n")
		wantProblem(t, receive(t, bufio.NewReader(c)), 400, "malformed")
	}
	found := log.with(t, "request refused")
	if len(found) == 0 || len(found) > 30 {
		t.Errorf("%d lines for 50 refusals", len(found))
	}
	if line := found[0]; line["level"] != "WARN" || line["client_ip"] != "127.0.0.1" || fmt.Sprint(line["reason"]) == "" {
		t.Errorf("line: %v", line)
	}
}
