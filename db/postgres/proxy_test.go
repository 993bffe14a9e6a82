package postgres_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy stands between a pool and its server, and can fail as networks do.
type proxy struct {
	addr    string
	silent  atomic.Bool  // swallows what is sent, both ways, without a word
	deaf    atomic.Bool  // swallows what the server answers
	refuses atomic.Bool  // closes new connections
	syncs   atomic.Int64 // how often the client has waited for an answer

	mu    sync.Mutex
	conns []net.Conn
}

// throughProxy returns a proxy to the server of a URL, and the URL that leads
// through it.
func throughProxy(t *testing.T, server string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, behind := &proxy{addr: l.Addr().String()}, u.Host
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			if p.refuses.Load() {
				_ = client.Close()
				continue
			}
			upstream, err := net.Dial("tcp", behind)
			if err != nil {
				_ = client.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, client, upstream)
			p.mu.Unlock()
			running.Go(func() { p.forward(upstream, client, true) })
			running.Go(func() { p.forward(client, upstream, false) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		running.Wait()
	})
	u.Host = p.addr
	return p, u.String()
}

// cut closes every connection.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

// forward copies messages, which it needs to know to count.
func (p *proxy) forward(to io.WriteCloser, from io.Reader, asks bool) {
	defer to.Close()
	head := make([]byte, 5)
	for first := asks; ; first = false {
		start, size := head, 5
		if first { // a startup message has no type
			start, size = head[1:], 4
			head[0] = 0
		}
		if _, err := io.ReadFull(from, start[:size]); err != nil {
			return
		}
		rest := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(from, rest); err != nil {
			return
		}
		if p.silent.Load() || p.deaf.Load() && !asks {
			continue
		}
		if asks && (head[0] == 'S' || head[0] == 'Q') {
			p.syncs.Add(1)
		}
		if _, err := to.Write(append(append([]byte{}, start[:size]...), rest...)); err != nil {
			return
		}
	}
}
