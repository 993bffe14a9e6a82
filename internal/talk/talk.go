// Package talk has the streams and sockets of one package speak the protocol of
// another: who keeps connections need not know what is said on them, and who
// knows what is said need not keep any.
package talk

import (
	"context"
	"net/http"
	"time"
)

// Bounds of one socket, whatever is spoken on it.
const (
	MaxStreams = 64
	MaxCalls   = 16
)

// A Listener has a stream go elsewhere than into the answer to its request: it
// is the writer of that, and gets what refuses the stream. Who serves the stream
// finds it with [From].
type Listener struct {
	http.ResponseWriter

	// Words says what the caller gets.
	Words Words
	// Name is what the log calls the protocol.
	Name string
	// On is the socket on which the stream goes on. If it is nil, it is in the
	// answer to another request, by server-sent events.
	On      Socket
	Writer  http.ResponseWriter
	Request *http.Request

	open bool
	stop func()
}

// Open is called once the stream is in place, with what ends it because its
// caller does not want it any more.
func (l *Listener) Open(stop func()) { l.open, l.stop = true, stop }

// Opened returns what ends the stream, and false if it was refused. It is known
// when the request was answered.
func (l *Listener) Opened() (stop func(), open bool) { return l.stop, l.open }

// From returns who listens to the answer of a request, or nil.
func From(w http.ResponseWriter) *Listener {
	for {
		switch t := w.(type) {
		case *Listener:
			return t
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return nil
		}
	}
}

// Words is what a caller gets to hear. Its methods are not called at once for
// one stream.
type Words interface {
	// Item appends what is sent for an item: its JSON, and its id or "".
	Item(ctx context.Context, b []byte, id string, data []byte) []byte
	// End appends the last words, if there are any.
	End(b []byte, e End) []byte
}

// An End is why a stream ended.
type End struct {
	// Code is completed, or another word of package live, or that of a fault.
	Code string
	// Data is a JSON object with the code and what else there is to say.
	Data []byte
	// Retry is how long the caller should wait before it comes back; zero where
	// nothing was said of that.
	Retry time.Duration
}

// A Protocol is what is said on sockets.
type Protocol interface {
	// Name is its subprotocol.
	Name() string
	// Headers are those of the handshake that it needs later, beside what the
	// caller says with them who it is. They are in canonical form.
	Headers() []string
	// Converse returns the conversation of a socket that is about to be opened.
	Converse(s Socket) Conversation
}

// A Conversation is what one socket carries.
type Conversation interface {
	// Begin is called when the socket is open, if it comes to that.
	Begin()
	// Take does what a message says. Its error, if it is a [*Broken], says how the
	// socket ends. It is called by one goroutine.
	Take(message []byte) error
	// Close is how the socket ends for a reason of ours: with a code of RFC 6455
	// and a few words. The status is that of the fault, or 0.
	Close(e End, status int) (code int, reason string)
	// Stop is called once, when the socket has ended. The streams on it have, too.
	Stop()
}

// A Socket is a connection. Its methods are safe for concurrent use.
type Socket interface {
	// Request is the handshake as far as it is needed, with what the caller has
	// shown last of who it is. Its context has the values of the handshake's, and
	// no end.
	Request() *http.Request
	// Introduce has a token say who the caller is, as from now on. An error says
	// why it cannot.
	Introduce(token string) error
	// Go runs something whose context ends with the socket, which waits for it.
	Go(f func(ctx context.Context))
	// Send sends a message. Who does not read it loses the connection; what is
	// sent after that is lost.
	Send(message []byte)
	// End ends the socket because of something that its caller did.
	End(broken *Broken)
}

// Broken says how a socket ends whose caller does what it must not.
type Broken struct {
	Code   int
	Reason string
}

func (b *Broken) Error() string { return "socket: " + b.Reason }
