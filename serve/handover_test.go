package serve_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/serve"
)

// passage is where one server sends its connections and another accepts them.
type passage struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	taken atomic.Int64
}

func newPassage() *passage { return &passage{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *passage) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *passage) Close() error { p.once.Do(func() { close(p.done) }); return nil }

func (p *passage) Addr() net.Addr { return &net.UnixAddr{Name: "passage"} }

// take duplicates a connection, as a descriptor that travels between processes.
func (p *passage) take(c syscall.Conn) error {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return errors.New("no TCP connection")
	}
	f, err := tcp.File()
	if err != nil {
		return err
	}
	defer f.Close()
	other, err := net.FileConn(f)
	if err != nil {
		return err
	}
	p.taken.Add(1)
	go func() {
		select {
		case p.conns <- other:
		case <-p.done:
			_ = other.Close()
		}
	}()
	return nil
}

// relieved is a server that another one takes over from.
type relieved struct {
	*serve.Server
	leave func()
	done  chan error
}

func relieve(t *testing.T, l net.Listener, name string, from, to *passage) *relieved {
	t.Helper()
	cfg := serve.Config{Listener: l, DrainTimeout: time.Minute}
	if from != nil {
		cfg.Adopt = from
	}
	if to != nil {
		cfg.HandOver = to.take
	}
	r := &relieved{Server: serve.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, name)
	}), cfg), done: make(chan error, 1)}
	ctx, leave := context.WithCancelCause(context.Background())
	r.leave = func() { leave(serve.ErrSuccessor) }
	go func() { r.done <- r.Run(ctx) }()
	t.Cleanup(func() { r.leave(); _ = r.Close() })
	return r
}

// caller is one client with one connection.
type caller struct {
	net.Conn
	in *bufio.Reader
}

func (c caller) ask(t *testing.T) (name string, closes bool) {
	t.Helper()
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	return c.answer(t)
}

func (c caller) answer(t *testing.T) (name string, closes bool) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Minute))
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 16)
	n, _ := r.Body.Read(b)
	r.Body.Close()
	return string(b[:n]), r.Close
}

func TestWaitingConnectionsAreHandedOver(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	same := func() net.Listener { // as each process has it
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		other, err := net.FileListener(f)
		if err != nil {
			t.Fatal(err)
		}
		return other
	}
	toSecond, toThird := newPassage(), newPassage()
	first := relieve(t, same(), "first", nil, toSecond)
	dial := func() caller {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return caller{c, bufio.NewReader(c)}
	}
	const n = 30
	var idle []caller
	for range n {
		c := dial()
		if name, _ := c.ask(t); name != "first" {
			t.Fatal(name)
		}
		idle = append(idle, c)
	}
	// Of this one, half a request has come.
	half := dial()
	if name, _ := half.ask(t); name != "first" {
		t.Fatal(name)
	}
	if _, err := half.Write([]byte("GET / HTTP/1.1\r\nHo")); err != nil {
		t.Fatal(err)
	}
	second := relieve(t, same(), "second", toSecond, toThird)
	first.leave()
	for end := time.Now().Add(2 * time.Minute); toSecond.taken.Load() < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d connections were handed over", toSecond.taken.Load(), n)
		}
	}
	if _, err := half.Write([]byte("st: a\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	// Whether it was read before the other server took over is not for us to say.
	if name, closes := half.answer(t); name != "second" && (name != "first" || !closes) {
		t.Errorf("half a request was answered by the %s, close %v", name, closes)
	}
	if err := <-first.done; err != nil {
		t.Fatal(err)
	}
	for i, c := range idle[:n/2] { // the others stay silent
		for range 3 {
			if name, closes := c.ask(t); name != "second" || closes {
				t.Fatalf("connection %d: answered by the %s, close %v", i, name, closes)
			}
		}
	}
	// Those that were silent wait where net/http does not see them, and go on too.
	relieve(t, same(), "third", toThird, nil)
	_ = l.Close()
	second.leave()
	if err := <-second.done; err != nil {
		t.Fatal(err)
	}
	for i, c := range idle {
		if name, _ := c.ask(t); name != "third" {
			t.Fatalf("connection %d: answered by the %s", i, name)
		}
	}
}

func TestAConnectionThatNobodyTakesIsDrained(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := atomic.Int64{}
	s := serve.New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "alone") }), serve.Config{
		Listener: l, DrainTimeout: time.Minute,
		HandOver: func(syscall.Conn) error { refused.Add(1); return os.ErrClosed },
	})
	ctx, leave := context.WithCancelCause(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := caller{conn, bufio.NewReader(conn)}
	if name, _ := c.ask(t); name != "alone" {
		t.Fatal(name)
	}
	leave(serve.ErrSuccessor)
	for end := time.Now().Add(2 * time.Minute); refused.Load() == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if refused.Load() != 1 {
		t.Errorf("it was offered %d times", refused.Load())
	}
	if _, err := c.in.ReadByte(); err == nil || strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection ended with %v", err)
	}
}
