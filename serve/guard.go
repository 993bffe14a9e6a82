package serve

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Refused is what a [Guard] tells of a request that it turned away, or that
// net/http turned away before any handler saw it.
type Refused struct {
	Remote  net.Addr
	Status  int
	Detail  string // the sentence that the caller was told
	TraceID string // as the caller was told
}

// Guard makes listeners whose connections refuse every request whose framing
// two readers could read differently: request smuggling needs exactly that,
// and net/http tolerates some of it. Refused are
//
//   - Content-Length together with Transfer-Encoding, a Content-Length that is
//     repeated (alike or not) or no plain number, a Transfer-Encoding other
//     than chunked, or any in HTTP/1.0;
//   - a line that does not end in CRLF, a stray CR, a folded field, a NUL, an
//     empty line before a request, in head and trailer;
//   - a chunk size that is no plain hexadecimal number, a chunk that does not
//     end in CRLF, a trailer that names a framing field.
//
// The request at fault is answered with a 400 problem document and the
// connection is closed; what was pipelined behind it is never answered. If the
// fault lies in a body whose handler already runs, the handler reads an error
// and the connection is closed after its response. net/http's own answers from
// before routing (a head too large, a broken request line) become problem
// documents too.
//
// The guard reads HTTP/1 in the clear. It must therefore stand inside TLS, as
// [Server] puts it, and not in front of a tls.Listener. HTTP/2 has its own
// framing, which cannot be read in two ways.
//
// The zero Guard is ready to use:
//
//	var guard serve.Guard
//	srv := &http.Server{Handler: h, ConnState: guard.ConnState}
//	err := srv.Serve(guard.Listener(l))
type Guard struct {
	// Refused, if set, is told of each refusal, on the connection's goroutine.
	Refused func(Refused)
}

// Listener returns l with every accepted connection guarded. The connections
// keep ReadFrom, and so sendfile, and NetConn returns what is inside.
func (g *Guard) Listener(l net.Listener) net.Listener { return guardedListener{l, g} }

// ConnState belongs in http.Server.ConnState: it ends the guarding of a
// connection that a handler hijacks, whose bytes are HTTP no more.
func (g *Guard) ConnState(c net.Conn, state http.ConnState) {
	if state != http.StateHijacked {
		return
	}
	if c, ok := c.(interface{ release() }); ok {
		c.release()
	}
}

type guardedListener struct {
	net.Listener
	guard *Guard
}

func (l guardedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	g := &guarded{Conn: c, guard: l.guard}
	if t, ok := c.(*tracked); ok {
		t.edge.Store(g)
	}
	return g, nil
}

// guarded is a connection whose incoming bytes are followed. net/http reads it
// from one goroutine at a time and writes it from another.
type guarded struct {
	net.Conn
	guard  *Guard
	frames framing
	fields *recalled // nil if nobody would put them back
	poison string    // what is left to hand on in place of what was refused
	why    atomic.Pointer[refusal]
	raw    atomic.Bool
	within atomic.Bool              // a message has begun and not ended
	answer atomic.Pointer[response] // whose head is to be written, with its letterhead
}

// poison is what net/http gets to read where a refused request stood. At any
// place of a head, a chunk or a trailer it is an error, so net/http itself
// answers, in its turn after the responses that are still under way.
const poison = "\x00\x00\x00\x00\n\r\n\r\n"

var errRefused = errors.New("serve: connection refused for its framing")

func (c *guarded) Read(p []byte) (int, error) {
	if c.raw.Load() {
		return c.Conn.Read(p)
	}
	if c.why.Load() != nil {
		return c.readPoison(p)
	}
	n, err := c.Conn.Read(p)
	if n <= 0 {
		return n, err
	}
	starts := c.frames.phase == between
	deliver, why := c.frames.feed(p[:n])
	c.within.Store(c.frames.phase != between)
	if why == "" {
		if c.fields != nil && starts && len(p) >= leastHead {
			n = c.fields.leaveOut(p[:n], c.frames.begun == 0)
		}
		return n, err
	}
	refused := why // of its own, so that a read that is in order allocates nothing
	c.why.Store(&refused)
	c.poison = poison
	if deliver > 0 {
		return deliver, nil
	}
	return c.readPoison(p)
}

func (c *guarded) readPoison(p []byte) (int, error) {
	if c.poison == "" {
		return 0, errRefused
	}
	n := copy(p, c.poison)
	c.poison = c.poison[n:]
	return n, nil
}

// Write hands responses on, and puts a problem document in the place of what
// net/http says on its own.
func (c *guarded) Write(p []byte) (int, error) {
	if x := c.answer.Load(); x != nil && !c.raw.Load() {
		return c.writeHead(x, p)
	}
	status, ok := preRouting(p)
	if !ok || c.raw.Load() {
		return c.Conn.Write(p)
	}
	r := Refused{Remote: c.RemoteAddr(), Status: status, Detail: detailOf(status)}
	if why := c.why.Load(); why != nil {
		r.Detail = string(*why)
		if *why == refusedVersion {
			r.Status = http.StatusHTTPVersionNotSupported
		}
	}
	var answer []byte
	answer, r.TraceID = lastWords(r)
	if _, err := c.Conn.Write(answer); err != nil {
		return 0, err
	}
	if c.guard.Refused != nil {
		c.guard.Refused(r)
	}
	c.linger()
	return len(p), nil
}

// ReadFrom keeps sendfile: net/http looks for it on the connection.
func (c *guarded) ReadFrom(src io.Reader) (int64, error) {
	if to, ok := c.Conn.(io.ReaderFrom); ok {
		return to.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, src)
}

// CloseWrite ends our half, where the connection has halves.
func (c *guarded) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close closes the connection, at once where no message is under way. Behind
// an answer that did not wait for the body, a 413, the rest of the body still
// arrives, so only our half ends now and the rest after a moment, as in linger.
// net/http waits likewise, but not for a client that asked it to close.
func (c *guarded) Close() error {
	if !c.within.Load() || c.raw.Load() {
		return c.Conn.Close()
	}
	_ = c.CloseWrite()
	_ = c.SetReadDeadline(time.Unix(1, 0)) // whoever reads is told that it is closed
	time.AfterFunc(lingerTime, func() { _ = c.Conn.Close() })
	return nil
}

// NetConn returns the connection inside.
func (c *guarded) NetConn() net.Conn { return c.Conn }

// release ends the guarding.
func (c *guarded) release() { c.raw.Store(true) }

// linger reads on for a moment. To close a connection with unread bytes makes
// the kernel reset it, and the client would lose the answer.
func (c *guarded) linger() {
	_ = c.CloseWrite()
	_ = c.SetReadDeadline(time.Now().Add(lingerTime))
	_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
}

const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 << 10
)
