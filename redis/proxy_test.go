package redis_test

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands between a client and a server, and does what networks do.
type proxy struct {
	target  string
	addr    string
	slow    atomic.Int64 // nanoseconds by which each answer is late
	deaf    atomic.Bool  // answers get lost
	refuse  atomic.Bool  // new connections are reset
	cutting atomic.Bool  // the next answer is cut in its middle, with its connection
	garble  atomic.Bool  // the next answer is replaced by another protocol's
	made    atomic.Int64 // connections so far

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

func newProxy(tb testing.TB, target string) *proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &proxy{target: target, addr: l.Addr().String(), conns: map[net.Conn]struct{}{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { p.serve(conn) })
		}
	})
	tb.Cleanup(func() {
		l.Close()
		p.cut()
		running.Wait()
	})
	return p
}

func (p *proxy) url() string { return "redis://" + p.addr }

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	p.made.Add(1)
	if p.refuse.Load() {
		client.(*net.TCPConn).SetLinger(0)
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	p.conns[client], p.conns[server] = struct{}{}, struct{}{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.conns, client)
		delete(p.conns, server)
		p.mu.Unlock()
	}()
	var both sync.WaitGroup
	both.Go(func() {
		io.Copy(server, client)
		server.Close()
	})
	both.Go(func() {
		defer client.Close()
		p.answer(client, server)
	})
	both.Wait()
}

func (p *proxy) answer(client net.Conn, server net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		time.Sleep(time.Duration(p.slow.Load()))
		switch {
		case p.deaf.Load():
			continue
		case p.cutting.CompareAndSwap(true, false):
			client.Write(buf[:n/2])
			client.(*net.TCPConn).SetLinger(0)
			return
		case p.garble.CompareAndSwap(true, false):
			client.Write([]byte("HTTP/1.1 502 Bad Gateway\r\n\r\n"))
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// cut resets all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
}
