package live

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
)

// upgrading reports whether a request wants to go on as a WebSocket.
func upgrading(r *http.Request) bool { return hasToken(r.Header["Upgrade"], "websocket") }

// hasToken reports whether a header's list has a word.
func hasToken(lines []string, word string) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), word) {
				return true
			}
		}
	}
	return false
}

// checkHandshake refuses what RFC 6455, section 4.2.1, does not allow.
func checkHandshake(w http.ResponseWriter, r *http.Request) error {
	keys := r.Header["Sec-Websocket-Key"]
	var key []byte
	if len(keys) == 1 {
		key, _ = base64.StdEncoding.DecodeString(strings.TrimSpace(keys[0])) // a bad one has another length
	}
	_, takesOver := hijackerOf(w)
	switch {
	case r.Method != http.MethodGet, !r.ProtoAtLeast(1, 1), r.ProtoMajor > 1, !takesOver:
		return fault.ErrMalformed.Because("A WebSocket begins with a GET of HTTP/1.1.")
	case !hasToken(r.Header["Connection"], "Upgrade"):
		return fault.ErrMalformed.Because("Connection must say Upgrade.")
	case len(r.Header["Sec-Websocket-Version"]) != 1, r.Header["Sec-Websocket-Version"][0] != "13":
		w.Header()["Sec-Websocket-Version"] = []string{"13"}
		return fault.ErrMalformed.Because("Sec-WebSocket-Version must be 13.")
	case len(key) != 16:
		return fault.ErrMalformed.Because("Sec-WebSocket-Key must be 16 bytes in base64.")
	}
	return nil
}

func hijackerOf(w http.ResponseWriter) (http.Hijacker, bool) {
	for {
		switch t := w.(type) {
		case http.Hijacker:
			return t, true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return nil, false
		}
	}
}

// link is the connection of a WebSocket. One goroutine follows it.
type link struct {
	server *Server
	conn   *websocket.Conn
	tap    *tap
	aid    aid

	hears func(text []byte) error // gets what comes, while somebody follows
	err   error                   // of the last message

	unanswered atomic.Int64 // when it was pinged, in Unix nanoseconds; 0 if it has answered

	deflating sync.Mutex
	ended     bool // of what is compressed, no message follows

	rating sync.Mutex
	rate   bucket // of messages that come
	floods bool   // there were too many that are not passed on
}

// accept answers the handshake, with a subprotocol if there is one.
func (s *Server) accept(sc *scope.Scope, w http.ResponseWriter, r *http.Request, protocols ...string) (*link, error) {
	sc.Lasts = true
	small := &smallBuffers{ResponseWriter: w, tap: &tap{patience: s.cfg.Patience, framed: !s.cfg.Compress}}
	l := &link{server: s, aid: s.aid(), rate: bucket{per: s.cfg.MessageRate, level: 2 * float64(s.cfg.MessageRate), at: time.Now()}}
	options := &websocket.AcceptOptions{
		InsecureSkipVerify: true, // checkOrigin has looked at it
		OnPingReceived:     func(context.Context, []byte) bool { return l.counts() },
		OnPongReceived:     func(context.Context, []byte) { l.counts() },
		Subprotocols:       protocols,
	}
	if s.cfg.Compress {
		options.CompressionMode = websocket.CompressionNoContextTakeover
	}
	conn, err := websocket.Accept(small, r, options)
	if err != nil {
		return nil, err
	}
	small.in.Reset(small.tap) // and not what has an end before it
	bound(small.tap.Conn)
	conn.SetReadLimit(s.cfg.MaxMessage)
	l.conn, l.tap = conn, small.tap
	return l, nil
}

// counts has frames that are not passed on count as messages. Who floods us with
// them is not answered, and loses the connection.
func (l *link) counts() bool {
	l.unanswered.Store(0)
	l.rating.Lock()
	defer l.rating.Unlock()
	taken := l.rate.take(time.Now())
	l.floods = l.floods || !taken
	return taken
}

// smallBuffers gives a WebSocket less than the 8 KiB of buffers that net/http
// hands over: messages are short, most connections idle.
type smallBuffers struct {
	http.ResponseWriter

	tap *tap
	in  *bufio.Reader
}

const (
	readBuffer  = 64  // what is longer is read past it
	writeBuffer = 128 // a control frame is written at once: it has 127 bytes
	deflated    = 1 << 10
)

// Hijack implements [http.Hijacker].
func (s *smallBuffers) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, _ := rw.Peek(rw.Reader.Buffered()) // it has them
	s.tap.Conn, s.tap.ahead = conn, bytes.Clone(early)
	s.in = bufio.NewReaderSize(s.tap, readBuffer)
	size := writeBuffer
	if !s.tap.framed {
		size = deflated
	}
	return s.tap, bufio.NewReadWriter(s.in, bufio.NewWriterSize(s.tap, size)), nil
}

// write sends a message.
func (l *link) write(b []byte, within time.Duration) error { return l.put(b, false, within) }

// last sends a message that nothing but the close follows.
func (l *link) last(b []byte) error { return l.put(b, true, lastPatience) }

func (l *link) put(b []byte, last bool, within time.Duration) error {
	if !l.tap.framed {
		return l.deflate(b, last)
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	frame := append(appendTextHead((*buf)[:0], len(b)), b...)
	if cap(frame) <= maxPooled {
		*buf = frame
	}
	return l.tap.send(frame, last, within)
}

// deflate sends a message that may be compressed. How long it may take, the tap
// says.
func (l *link) deflate(b []byte, last bool) error {
	if last {
		l.tap.hurry()
	}
	l.deflating.Lock()
	defer l.deflating.Unlock()
	if l.ended {
		return net.ErrClosed
	}
	l.ended = last
	return l.conn.Write(context.Background(), websocket.MessageText, b)
}

// follow has hears get what comes, until that or the connection fails.
func (l *link) follow(hears func(text []byte) error) error {
	l.hears = hears
	for {
		if err := l.tap.wait(); err != nil {
			return err
		}
		if l.aid.have(l); l.err != nil {
			return l.err
		}
	}
}

// do reads a message, if there is one.
func (l *link) do() {
	text, err := l.read()
	switch {
	case errors.Is(err, errQuiet):
		err = nil
	case err == nil:
		err = l.server.safely(context.Background(), func() error { return l.hears(text) })
	}
	l.err = err
}

// read returns the next message. Its error is a [*violation] if the caller does
// what it must not.
func (l *link) read() ([]byte, error) {
	kind, message, err := l.conn.Read(context.Background())
	quiet := errors.Is(err, errQuiet)
	if err != nil && !quiet {
		return nil, err
	}
	l.rating.Lock()
	floods := l.floods || !quiet && !l.rate.take(time.Now())
	l.rating.Unlock()
	switch {
	case floods:
		return nil, &violation{websocket.StatusPolicyViolation, fault.ErrLimited.Code()}
	case quiet:
		return nil, err
	case kind != websocket.MessageText:
		return nil, &violation{websocket.StatusUnsupportedData, "messages are texts"}
	case !utf8.Valid(message):
		return nil, &violation{websocket.StatusInvalidFramePayloadData, "messages are UTF-8"}
	}
	return message, nil
}

// A violation of the protocol ends a connection.
type violation struct {
	code   websocket.StatusCode
	reason string
}

func (v *violation) Error() string { return "websocket: " + v.reason }

// close ends the connection with a reason, and waits for a moment for the
// caller's answer.
func (l *link) close(code websocket.StatusCode, reason string) {
	l.tap.hurry()
	_ = l.conn.Close(code, reason) // who is gone hears nothing
}

// cut ends a connection on which nobody listens.
func (l *link) cut() { _ = l.conn.CloseNow() }

// ping asks the caller whether it is there, unless it has still to answer, and
// returns when that is sent.
func (l *link) ping(now time.Time, within time.Duration) error {
	if !l.unanswered.CompareAndSwap(0, now.UnixNano()) {
		return nil
	}
	return l.tap.send(ping, false, within)
}

// ping is an empty ping.
var ping = []byte{0x89, 0}

// silent reports whether the caller has not answered a ping within a time.
func (l *link) silent(now time.Time, within time.Duration) bool {
	asked := l.unanswered.Load()
	return asked != 0 && now.UnixNano()-asked > int64(within)
}

// closeCode is what a WebSocket's end says: the codes of RFC 6455 where they fit,
// and 4000 plus the status of the fault.
func (e *ending) closeCode() websocket.StatusCode {
	switch e.reason {
	case Completed, Expired:
		return websocket.StatusNormalClosure
	case Draining:
		return websocket.StatusGoingAway
	case Failed, Revoked:
		if status := fault.ProblemOf(e.err, "").Status; status < http.StatusInternalServerError {
			return websocket.StatusCode(4000 + status)
		}
		return websocket.StatusInternalError
	case Violated:
		return e.broken.code
	case Left, Slow, Reasons:
	}
	return websocket.StatusPolicyViolation
}

// bucket bounds how many messages a caller may send: per in a second, and twice
// as many at once.
type bucket struct {
	per   int
	level float64
	at    time.Time
}

func (b *bucket) take(now time.Time) bool {
	b.level = min(2*float64(b.per), b.level+now.Sub(b.at).Seconds()*float64(b.per))
	b.at = now
	if b.level < 1 {
		return false
	}
	b.level--
	return true
}
