package live

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
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

// link is the connection of a WebSocket. One goroutine reads it.
type link struct {
	conn    *websocket.Conn
	raw     net.Conn
	rate    bucket // of messages that come
	writing sync.Mutex
}

// accept answers the handshake, with a subprotocol if there is one.
func (s *Server) accept(sc *scope.Scope, w http.ResponseWriter, r *http.Request, protocols ...string) (*link, error) {
	sc.Lasts = true
	small := &smallBuffers{ResponseWriter: w}
	l := &link{rate: bucket{per: s.cfg.MessageRate, level: 2 * float64(s.cfg.MessageRate), at: time.Now()}}
	options := &websocket.AcceptOptions{
		InsecureSkipVerify: true, // checkOrigin has looked at it
		OnPingReceived:     l.pinged,
		Subprotocols:       protocols,
	}
	if s.cfg.Compress {
		options.CompressionMode = websocket.CompressionNoContextTakeover
	}
	conn, err := websocket.Accept(small, r, options)
	if err != nil {
		return nil, err
	}
	bound(small.raw)
	conn.SetReadLimit(s.cfg.MaxMessage)
	l.conn, l.raw = conn, small.raw
	return l, nil
}

// pinged has pings count as messages: who floods us with them is not answered.
func (l *link) pinged(context.Context, []byte) bool { return l.rate.take(time.Now()) }

// smallBuffers gives a WebSocket less than the 8 KiB of buffers that net/http
// hands over: messages are short, most connections idle.
type smallBuffers struct {
	http.ResponseWriter

	raw net.Conn
}

const (
	readBuffer  = 512
	writeBuffer = 1 << 10
)

// Hijack implements [http.Hijacker].
func (s *smallBuffers) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	s.raw = conn
	early, _ := rw.Peek(rw.Reader.Buffered()) // it has them
	in := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(early)), conn), max(readBuffer, len(early)))
	_, _ = in.Peek(len(early)) // so that they are in the buffer, where they are looked for
	return conn, bufio.NewReadWriter(in, bufio.NewWriterSize(conn, writeBuffer)), nil
}

// write sends a message. The deadline is the connection's: that of a context
// would close it, and whoever reads would be told before the writer why.
func (l *link) write(b []byte, within time.Duration) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.raw.SetWriteDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	defer func() { _ = l.raw.SetWriteDeadline(time.Time{}) }() // pongs have their own time
	return l.conn.Write(context.Background(), websocket.MessageText, b)
}

// read returns the next message. Its error is a [*violation] if the caller does
// what it must not.
func (l *link) read() ([]byte, error) {
	kind, message, err := l.conn.Read(context.Background())
	switch {
	case err != nil:
		return nil, err
	case !l.rate.take(time.Now()):
		return nil, &violation{websocket.StatusPolicyViolation, fault.ErrLimited.Code()}
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
	_ = l.raw.SetWriteDeadline(time.Now().Add(lastPatience)) // of the write that is under way
	_ = l.conn.Close(code, reason)                           // who is gone hears nothing
}

// ping returns an error if the caller does not answer within a time.
func (l *link) ping(within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return l.conn.Ping(ctx)
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
