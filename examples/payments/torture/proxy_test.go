package torture

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// A proxy is a piece of network between two processes, and can fail as one
// does. Connections go to wherever the target says that the other side is now.
type proxy struct {
	listener net.Listener
	target   func() string // empty while there is nobody

	mu     sync.Mutex
	open   map[net.Conn]bool
	delay  time.Duration // of each piece that passes
	silent chan struct{} // closed when pieces pass again; nil while they do
	done   sync.WaitGroup
}

func newProxy(t testing.TB, target func() string) *proxy {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target, open: map[net.Conn]bool{}}
	p.done.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.speak()
		p.cut()
		p.done.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		p.done.Go(func() { p.connect(near) })
	}
}

func (p *proxy) connect(near net.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	far, err := new(net.Dialer).DialContext(ctx, "tcp", p.target())
	if err != nil {
		reset(near)
		return
	}
	p.mu.Lock()
	p.open[near], p.open[far] = true, true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.pump(far, near) })
	both.Go(func() { p.pump(near, far) })
	both.Wait()
	_ = near.Close()
	_ = far.Close()
	p.mu.Lock()
	delete(p.open, near)
	delete(p.open, far)
	p.mu.Unlock()
}

// pump passes what from says on to to. When from has said all, to is told so;
// when one of them is gone, both are.
func (p *proxy) pump(to, from net.Conn) {
	piece := make([]byte, 16<<10)
	for {
		n, err := from.Read(piece)
		p.wait()
		if n > 0 {
			if _, err := to.Write(piece[:n]); err != nil {
				break
			}
		}
		if errors.Is(err, io.EOF) {
			if half, ok := to.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
				return
			}
		}
		if err != nil {
			break
		}
	}
	reset(to)
	reset(from)
}

// wait is how long a piece takes.
func (p *proxy) wait() {
	p.mu.Lock()
	delay, silent := p.delay, p.silent
	p.mu.Unlock()
	if silent != nil {
		<-silent
	}
	if delay > 0 {
		time.Sleep(delay)
	}
}

// cut resets every connection.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		reset(c)
	}
}

// hush lets nothing pass, and keeps the connections open.
func (p *proxy) hush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent == nil {
		p.silent = make(chan struct{})
	}
}

// speak ends hush.
func (p *proxy) speak() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent != nil {
		close(p.silent)
		p.silent = nil
	}
}

// slow makes each piece take d; 0 ends it.
func (p *proxy) slow(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// reset closes a connection as a router does that has forgotten it.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
