package serve

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/internal/scope"
)

// Six headers or seven are the same in nearly every response, or hardly differ.
// In net/http's hands each is copied to another map, sorted among the others,
// searched for line breaks and written in four pieces: with the date a sixth of
// what a short answer costs outside the kernel. So the connection writes those
// that a handler has left as they are, in one piece behind the status line.
//
// That needs a connection of our own with HTTP/1 on it, and Observe as the
// handler of the Server itself, so that nobody between them could keep or
// change what it answers. Everywhere else the headers are in the map, and the
// answer is the same but for their order.

// wire is the connection that a request came by, as the context of its
// requests knows it.
type wire struct {
	context.Context

	conn  *guarded
	drain <-chan struct{}
	peer  string // the address at the other end, without its port
}

// host returns who sent r, whose connection w is if that is known.
func (w *wire) host(r *http.Request) string {
	if w != nil {
		return w.peer
	}
	return withoutPort(r.RemoteAddr)
}

type wireKey struct{}

// Value answers for the connection, and that there is no scope and no principal
// yet: they are a request's, and looked for with each.
func (w *wire) Value(key any) any {
	switch key.(type) {
	case wireKey:
		return w
	case scope.Key, access.Key:
		return nil
	}
	return w.Context.Value(key)
}

// wireOf returns the connection of a request that our own server received over
// HTTP/1, or nil.
func wireOf(r *http.Request) *wire {
	w, _ := r.Context().Value(wireKey{}).(*wire)
	if w != nil && w.conn.raw.Load() {
		return nil // it was taken over: whatever asks now comes by something else
	}
	return w
}

// Bits of response.ours: what the connection is to write. The security headers
// have those below, in their order.
const (
	ourID = 1 << (iota + 6)
	ourDate
)

// settle decides what the connection writes, right before the head is written,
// and takes that out of the map. What a handler has replaced, added to or
// dropped, and what it says itself of the date, stays as the handler wants it.
func (x *response) settle() {
	h := x.Fields()
	if !x.dressed && saysOnly(h, "Content-Type", "Vary") {
		x.ours = byte(1)<<len(x.obs.headers) - 1 | ourID | ourDate
		h["Date"] = nil
		return
	}
	for i := range x.obs.headers {
		if each := &x.obs.headers[i]; x.leave(h, each.name, &each.value[0]) {
			x.ours |= 1 << i
		}
	}
	if x.leave(h, requestIDHeader, &x.scope.RequestID) {
		x.ours |= ourID
	}
	if _, set := h["Date"]; !set {
		h["Date"] = nil // net/http writes none, then
		x.ours |= ourDate
	}
}

// saysOnly reports whether h has no other fields than these, as most answers
// of operations have: one look at each of them in place of one at each of ours.
func saysOnly(h http.Header, a, b string) bool {
	n := 0
	if _, set := h[a]; set {
		n++
	}
	if n < len(h) {
		if _, set := h[b]; set {
			n++
		}
	}
	return n == len(h)
}

// leave reports whether a header was left as it was given, and takes it out.
func (x *response) leave(h http.Header, name string, given *string) bool {
	value, set := h[name]
	if !x.dressed {
		return !set
	}
	if len(value) != 1 || &value[0] != given {
		return false
	}
	delete(h, name)
	return true
}

// appendLetterhead appends the lines that the connection writes.
func (x *response) appendLetterhead(b []byte) []byte {
	o := x.obs
	all := byte(1)<<len(o.headers) - 1
	switch x.ours & all {
	case all:
		b = append(b, o.letterhead...)
	case all &^ o.cacheControl:
		b = append(b, o.uncontrolled...)
	default:
		for i := range o.headers {
			if x.ours&(1<<i) != 0 {
				b = o.headers[i].append(b)
			}
		}
	}
	if x.ours&ourID != 0 {
		b = append(b, requestIDHeader+": "...)
		b = append(b, x.scope.RequestID...) // of safe characters only
		b = append(b, '\r', '\n')
	}
	if x.ours&ourDate != 0 {
		b = o.date.append(b, time.Now())
	}
	return b
}

// writeHead writes what net/http has to say, with the letterhead of x in it if
// it is the head that the letterhead belongs to and not a 100 Continue.
func (c *guarded) writeHead(x *response, p []byte) (int, error) {
	line := bytes.IndexByte(p, '\n') + 1
	if line < len("HTTP/1.1 200\r\n") || string(p[:len("HTTP/1.")]) != "HTTP/1." || p[len("HTTP/1.1 ")] == '1' {
		return c.Conn.Write(p) // not the response itself
	}
	c.answer.Store(nil)
	if x.letter != nil {
		return c.writeLetter(x, p, line)
	}
	room := heads.Get().(*[]byte)
	defer heads.Put(room)
	b := (*room)[:0]
	b = append(b, p[:line]...)
	b = x.appendLetterhead(b)
	head := len(b) - line
	b = append(b, p[line:]...)
	if cap(b) <= maxHead {
		*room = b
	}
	n, err := c.Conn.Write(b)
	return max(0, min(n-head, len(p))), err
}

// heads are what heads are put together in. net/http writes them with as much
// of the body as fits into its own buffer of 4 KiB.
var heads = sync.Pool{New: func() any { b := make([]byte, 0, maxHead); return &b }}

const maxHead = 5 << 10

// date is the Date header of the running second.
type date struct{ now atomic.Pointer[dateLine] }

type dateLine struct {
	second int64
	line   []byte
}

func (d *date) append(b []byte, now time.Time) []byte {
	known := d.now.Load()
	if second := now.Unix(); known == nil || known.second != second {
		line := now.UTC().AppendFormat([]byte("Date: "), http.TimeFormat)
		known = &dateLine{second, append(line, '\r', '\n')}
		d.now.Store(known)
	}
	return append(b, known.line...)
}
