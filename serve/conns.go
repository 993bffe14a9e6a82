package serve

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// conns are the open connections of a server. A request touches only its own
// connection's atomics; the set changes when one opens or closes.
type conns struct {
	handOver func(syscall.Conn) error // nil where nobody takes any

	mu   sync.Mutex
	all  map[*tracked]struct{}
	kept map[*tracked]struct{} // nobody took them
}

func (s *conns) add(t *tracked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[*tracked]struct{}{}
	}
	s.all[t] = struct{}{}
}

func (s *conns) forget(t *tracked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, t)
	delete(s.kept, t)
}

// handOn begins to hand over the connections that wait for a request.
func (s *conns) handOn() {
	if s.handOver == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.all {
		if _, kept := s.kept[t]; !kept && t.waits() && t.leave.CompareAndSwap(false, true) {
			t.in.interrupt(t.Conn.SetReadDeadline)
		}
	}
}

// keep notes that nobody takes a connection.
func (s *conns) keep(t *tracked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = map[*tracked]struct{}{}
	}
	s.kept[t] = struct{}{}
}

// closeSilent closes the connections on which nothing is under way and nothing
// has arrived since the given time, and returns how many are left.
func (s *conns) closeSilent(now time.Time, quiet time.Duration) int {
	s.mu.Lock()
	var silent []*tracked
	for t := range s.all {
		if t.silentFor(now) >= quiet {
			silent = append(silent, t)
		}
	}
	left := len(s.all) - len(silent)
	s.mu.Unlock()
	for _, t := range silent {
		_ = t.Close()
	}
	return left
}

// tracked is a connection of which the server knows what it is doing.
type tracked struct {
	net.Conn
	set   *conns
	state atomic.Int32  // an http.ConnState
	reads atomic.Uint32 // counts reads that brought something
	in    deadline
	out   deadline
	edge  atomic.Pointer[guarded] // around it, if any
	first []byte                  // read already, before net/http had the connection
	leave atomic.Bool             // to another process, at the next read that waits

	// The drain alone uses these: when it last saw reads change.
	seen   uint32
	seenAt time.Time
}

func (t *tracked) Read(p []byte) (int, error) {
	if len(t.first) > 0 {
		n := copy(p, t.first)
		t.first = t.first[n:]
		t.reads.Add(1)
		return n, nil
	}
	if !t.in.begin(t.Conn.SetReadDeadline) {
		return 0, os.ErrDeadlineExceeded
	}
	defer t.in.end()
	for {
		n, err := t.Conn.Read(p)
		if n > 0 {
			t.reads.Add(1)
			return n, err
		}
		if err != nil && t.leave.CompareAndSwap(true, false) && t.left(err) {
			return 0, io.EOF // it goes on elsewhere
		}
		if !t.in.again(err, t.Conn.SetReadDeadline) {
			return n, err
		}
	}
}

// left hands the connection over, if this read waits for a request of which
// nothing has come, and all that came before was answered. It is net/http's own
// goroutine that asks, so neither changes meanwhile; bytes that arrive now are
// the next reader's.
func (t *tracked) left(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || !t.waits() {
		return false
	}
	c, ok := t.Conn.(syscall.Conn)
	if !ok || t.set.handOver(c) != nil {
		t.set.keep(t)
		return false
	}
	return true
}

// waits reports whether nothing is under way. net/http reads again only when it
// has read all that came, so between two messages nothing is left in a buffer.
func (t *tracked) waits() bool {
	state, g := http.ConnState(t.state.Load()), t.edge.Load()
	return (state == http.StateIdle || state == http.StateNew) &&
		g != nil && !g.within.Load() && !g.raw.Load() && g.why.Load() == nil
}

func (t *tracked) Write(p []byte) (written int, err error) {
	if !t.out.begin(t.Conn.SetWriteDeadline) {
		return 0, os.ErrDeadlineExceeded
	}
	defer t.out.end()
	for {
		n, err := t.Conn.Write(p[written:])
		written += n
		if !t.out.again(err, t.Conn.SetWriteDeadline) {
			return written, err
		}
	}
}

func (t *tracked) SetReadDeadline(at time.Time) error { return t.in.want(at, t.Conn.SetReadDeadline) }

func (t *tracked) SetWriteDeadline(at time.Time) error {
	return t.out.want(at, t.Conn.SetWriteDeadline)
}

func (t *tracked) SetDeadline(at time.Time) error {
	return errors.Join(t.SetReadDeadline(at), t.SetWriteDeadline(at))
}

// release is for a connection that is HTTP no more: whoever has it now may
// reach for the one inside, and finds the deadlines there that were asked for.
func (t *tracked) release() {
	t.set.forget(t)
	t.in.hold(t.Conn.SetReadDeadline)
	t.out.hold(t.Conn.SetWriteDeadline)
}

func (t *tracked) Close() error {
	t.set.forget(t)
	return t.Conn.Close()
}

// ReadFrom keeps sendfile within reach.
func (t *tracked) ReadFrom(src io.Reader) (int64, error) {
	t.out.hold(t.Conn.SetWriteDeadline)
	defer t.out.let()
	if to, ok := t.Conn.(io.ReaderFrom); ok {
		return to.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{t.Conn}, src)
}

// CloseWrite ends our half, where the connection has halves.
func (t *tracked) CloseWrite() error {
	if half, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// NetConn returns the connection inside.
func (t *tracked) NetConn() net.Conn { return t.Conn }

// silentFor returns for how long nothing has arrived, as far as the drain has
// watched. A request under way is never silent. net/http calls a connection
// active only when a whole head was read, so bytes count as well.
func (t *tracked) silentFor(now time.Time) time.Duration {
	reads := t.reads.Load()
	state := http.ConnState(t.state.Load())
	if state == http.StateActive || t.seenAt.IsZero() || reads != t.seen {
		t.seen, t.seenAt = reads, now
	}
	if state == http.StateActive {
		return -1
	}
	return now.Sub(t.seenAt)
}

// inside returns the connection in the wrappers of this package that look at
// HTTP only: nothing of TLS.
func inside(c net.Conn) net.Conn {
	for {
		switch wrapper := c.(type) {
		case guardedTLS:
			c = wrapper.Conn
		case *guarded:
			c = wrapper.Conn
		case *tracked:
			c = wrapper.Conn
		default:
			return c
		}
	}
}

// trackedOf finds the tracked connection under what net/http was given.
func trackedOf(c net.Conn) *tracked {
	for {
		switch inner := c.(type) {
		case *tracked:
			return inner
		case *guarded: // as below, without the search for the method
			c = inner.Conn
		case interface{ NetConn() net.Conn }:
			c = inner.NetConn()
		default:
			return nil
		}
	}
}
