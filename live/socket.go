package live

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/coder/websocket"

	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/op"
)

// Socket serves all operations over one WebSocket: it listens to streams, and
// calls what is no stream. Make it with [Server.Socket].
type Socket struct {
	server  *Server
	streams map[string]*Handler
	calls   map[string]*op.Spec
	handler http.Handler
}

// Socket compiles a socket for streams that the server's handlers serve, and
// for operations that may be called. A call is a request that is given to
// handler: what observes, limits and serves requests elsewhere does so here.
func (s *Server) Socket(streams []*Handler, calls []op.Operation, handler http.Handler) (*Socket, error) {
	k := &Socket{server: s, streams: map[string]*Handler{}, calls: map[string]*op.Spec{}, handler: handler}
	var errs []error
	for _, h := range streams {
		if h.server != s {
			errs = append(errs, fmt.Errorf("live: %s is served by another server", h.spec.Name))
		}
		errs = append(errs, h.compileMessage())
		k.streams[h.spec.Name] = h
	}
	errs = append(errs, op.Check(calls))
	for _, o := range calls {
		if spec := o.Spec(); spec != nil && spec.Kind != op.IsStream {
			k.calls[spec.Name] = spec
		}
	}
	return k, errors.Join(errs...)
}

// ServeHTTP answers a handshake. Who is asking is found out as for any
// operation; a caller without a credential says it with its first message.
func (k *Socket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.server.handshake(w, r, func(s *scope.Scope) error {
		c := &conversation{socket: k, streams: map[string]*stream{}}
		return k.server.converse(s, w, r, &c.session, c)
	})
}

// conversation is an open socket of our own protocol, and the context of its
// calls.
type conversation struct {
	session

	socket *Socket

	mu      sync.Mutex
	streams map[string]*stream // by the caller's names; nil while one is being opened
	calling int
	calls   context.Context // of calls; nil before the first
	cancel  context.CancelFunc
}

func (*conversation) protocol() string { return "" }

// begin has a caller without a credential say who it is.
func (c *conversation) begin(anonymous bool) error {
	if !anonymous {
		return nil
	}
	token, err := c.server.token(c.link.Load(), &c.Scope, c.final)
	if err != nil {
		return err
	}
	who, err := c.credential.renew(c, token)
	if err != nil {
		return err
	}
	c.Principal = who
	c.whom.Store(&who)
	c.who = whose(&c.Scope)
	return c.server.enter(&c.session)
}

// admits reports whether a caller may be nobody: it is asked who it is.
func (*conversation) admits() bool { return false }

// final is the last message of the socket.
func (c *conversation) final(e *ending) []byte {
	return final("", e.kind(), e.data(c.TraceID))
}

// last implements speaker.
func (c *conversation) last(e *ending) (words []byte, code websocket.StatusCode, reason string) {
	if e.told() {
		words = c.final(e)
	}
	return words, e.closeCode(), e.code()
}

// take does what a message says.
func (c *conversation) take(text []byte) error {
	m, err := parse(text)
	if err != nil {
		return broken(err)
	}
	switch m.Type {
	case toAuthenticate:
		c.renew(m.Token)
	case toSubscribe:
		c.subscribe(m)
	case toUnsubscribe:
		c.unsubscribe(m.ID)
	case toCall:
		c.call(m)
	}
	return nil
}

// fail says that something the caller has asked for is refused.
func (c *conversation) fail(id string, err error) {
	_ = c.send(final(id, eventError, problemOf(err, c.TraceID))) // send has seen to it
}

// renew has the socket go on by another token of the same caller.
func (c *conversation) renew(token string) {
	if c.server.cfg.Authenticate == nil {
		return // all is public
	}
	who, err := c.credential.renew(c, token)
	if err == nil {
		err = c.goesOn(who)
	}
	if err != nil {
		c.stop(&ending{reason: Revoked, err: err})
	}
}

// halt implements speaker.
func (c *conversation) halt(e *ending) {
	c.mu.Lock()
	streams := make([]*stream, 0, len(c.streams))
	for _, st := range c.streams {
		if st != nil {
			streams = append(streams, st)
		}
	}
	cancel := c.cancel
	c.mu.Unlock()
	for _, st := range streams {
		st.stop(e.copied())
	}
	if cancel != nil {
		cancel()
	}
}

// SocketStats is a snapshot of the sockets of a server. What is counted grows
// for as long as the process lives.
type SocketStats struct {
	Open     int64           // sockets that are open now
	Received uint64          // messages that callers sent
	Calls    uint64          // of them, calls of operations
	Ended    [Reasons]uint64 // sockets that ended, by [Reason]
}

type socketTally struct {
	open            atomic.Int64
	received, calls atomic.Uint64
	ended           [Reasons]atomic.Uint64
}

// SocketStats returns a snapshot.
func (s *Server) SocketStats() (stats SocketStats) {
	t := &s.sockets
	stats.Open, stats.Received, stats.Calls = t.open.Load(), t.received.Load(), t.calls.Load()
	for i := range stats.Ended {
		stats.Ended[i] = t.ended[i].Load()
	}
	return stats
}
