package serve_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/serve"
)

// P14.3: what outlives its request is ended when nobody is let in any more, and
// Run waits for it.
func TestFinishFollowsTheLastAccept(t *testing.T) {
	t.Parallel()
	began, release := make(chan error, 1), make(chan struct{})
	var s *running
	s = start(t, http.NotFoundHandler(), serve.Config{Finish: func(ctx context.Context) {
		_, err := net.Dial("tcp", s.addr)
		if _, bounded := ctx.Deadline(); !bounded {
			err = nil
		}
		began <- err
		<-release
	}})
	s.stop()
	if <-began == nil {
		t.Error("Finish was called while connections are accepted, or without a deadline")
	}
	select {
	case err := <-s.done:
		t.Errorf("Run did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}

func TestFinishIsNotWaitedForBeyondTheDrain(t *testing.T) {
	t.Parallel()
	s := start(t, http.NotFoundHandler(), serve.Config{DrainTimeout: 50 * time.Millisecond, Finish: func(ctx context.Context) { <-ctx.Done() }})
	s.stop()
	if err := <-s.done; err != nil && !errors.Is(err, serve.ErrDrainTimeout) {
		t.Error(err)
	}
}

// Who takes a connection over gets it without what is there for HTTP only.
func TestHijackGivesTheConnectionInside(t *testing.T) {
	t.Parallel()
	kind := make(chan net.Conn, 1)
	h := serve.Observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
		}
		_ = conn.Close()
		kind <- conn
	}), serve.Observer{})

	plain := start(t, h, serve.Config{})
	send(t, plain.dial(t), "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if c, ok := (<-kind).(*net.TCPConn); !ok {
		t.Errorf("got a %T", c)
	}

	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	defer certificate.Close()
	secured := start(t, h, serve.Config{TLS: &tls.Config{Certificates: certificate.TLS.Certificates}})
	c := tls.Client(secured.dial(t), &tls.Config{InsecureSkipVerify: true})
	send(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if c, ok := (<-kind).(*tls.Conn); !ok {
		t.Errorf("got a %T", c)
	}
}

// A request that goes on for hours is told of when its answer begins, once.
func TestReportBeforeTheEnd(t *testing.T) {
	t.Parallel()
	told, release := make(chan serve.Exchange, 2), make(chan struct{})
	h := serve.Observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		scope.Report(w, r)
		scope.Report(w, r)
		<-release
	}), serve.Observer{Done: func(_ context.Context, e serve.Exchange) { told <- e }})
	s := start(t, h, serve.Config{})
	c := s.dial(t)
	send(t, c, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
	if e := <-told; e.Status != 200 || e.Path != "/a" {
		t.Errorf("told of %+v", e)
	}
	close(release)
	receive(t, bufio.NewReader(c))
	s.stop()
	<-s.done
	if len(told) != 0 {
		t.Errorf("told again of %+v", <-told)
	}
	scope.Report(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)) // nobody observes
}
