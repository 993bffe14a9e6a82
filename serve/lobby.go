package serve

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// lobby is where connections wait that another process has handed over. To
// net/http a connection is new, and its first request must come soon; these are
// old ones that may stay silent for long, so net/http gets to see them with the
// first byte.
type lobby struct {
	net.Listener
	set   *conns
	idle  time.Duration // negative for ever
	ready chan net.Conn
	done  signal

	mu      sync.Mutex
	waiting map[net.Conn]struct{}
	leaving bool
}

func newLobby(l net.Listener, set *conns, idle time.Duration) *lobby {
	b := &lobby{Listener: l, set: set, idle: idle, ready: make(chan net.Conn), done: newSignal(), waiting: map[net.Conn]struct{}{}}
	go b.welcome()
	return b
}

func (b *lobby) welcome() {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return
		}
		go b.wait(c)
	}
}

// wait waits for the first byte.
func (b *lobby) wait(c net.Conn) {
	if !b.enter(c) {
		b.handOn(c)
		return
	}
	var first [1]byte
	n, err := c.Read(first[:])
	b.mu.Lock()
	delete(b.waiting, c)
	leaving := b.leaving
	b.mu.Unlock()
	switch {
	case n > 0:
		_ = c.SetReadDeadline(time.Time{})
		t := &tracked{Conn: c, set: b.set, first: first[:n]}
		b.set.add(t)
		select {
		case b.ready <- t:
		case <-b.done.given:
			_ = t.Close()
		}
	case leaving && errors.Is(err, os.ErrDeadlineExceeded):
		b.handOn(c)
	default: // the client left, or has been silent for too long
		_ = c.Close()
	}
}

func (b *lobby) enter(c net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.leaving {
		return false
	}
	b.waiting[c] = struct{}{}
	if b.idle > 0 {
		_ = c.SetReadDeadline(time.Now().Add(b.idle))
	}
	return true
}

// handOn sends a connection further.
func (b *lobby) handOn(c net.Conn) {
	if to, ok := c.(syscall.Conn); ok && b.set.handOver != nil {
		_ = b.set.handOver(to) // it ends here if nobody takes it
	}
	_ = c.Close()
}

// clear sends all who wait further, and those who come later.
func (b *lobby) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leaving = true
	for c := range b.waiting {
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
}

// empty reports whether nobody waits.
func (b *lobby) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting) == 0
}

func (b *lobby) Accept() (net.Conn, error) {
	select {
	case c := <-b.ready:
		return c, nil
	case <-b.done.given:
		return nil, net.ErrClosed
	}
}

func (b *lobby) Close() error {
	b.done.give()
	return b.Listener.Close()
}
