package live

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
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
	s := scope.From(w)
	if s == nil {
		s = scope.New(r.Context())
		defer s.Close()
	}
	if err := k.serve(s, w, r); err != nil {
		k.server.refuse(s, w, err)
	}
}

func (k *Socket) serve(s *scope.Scope, w http.ResponseWriter, r *http.Request) error {
	if !upgrading(r) {
		w.Header()["Upgrade"] = []string{"websocket"}
		return fault.ErrMalformed.Because("This path speaks WebSocket: Upgrade must say websocket.")
	}
	r, err := k.server.checkOrigin(r)
	if err != nil {
		return err
	}
	if err := checkHandshake(w, r); err != nil {
		return err
	}
	if r.URL.RawQuery != "" {
		return fault.ErrMalformed.Because("A socket takes no parameters; its input comes in messages.")
	}
	base, outer := context.WithoutCancel(r.Context()), access.From(r.Context())
	who, err := k.identify(s, w.Header(), r)
	if err != nil && !unknown(err) {
		return err
	}
	c := &conversation{socket: k, base: base, streams: map[string]*stream{}}
	c.Init(base)
	c.Trace, c.TraceID, c.RequestID, c.Origin, c.Operation = s.Trace, s.TraceID, s.RequestID, s.Origin, s.Operation
	c.remote, c.host, c.forwarded, c.agent = r.RemoteAddr, r.Host, r.Header["X-Forwarded-For"], r.UserAgent()
	c.credential = k.server.keep(base, r, outer)
	c.Principal = who
	s.Principal = who
	c.whom.Store(&who)
	c.who = whose(&c.Scope)
	if err == nil { // else it is counted when it is known who it is
		if err := k.server.enter(c); err != nil {
			return err
		}
	}
	l, broken := k.server.accept(s, w, r)
	if broken != nil {
		if err == nil {
			k.server.leave(c)
		}
		return nil // whoever accepts has answered
	}
	c.start(k.server.cfg.Beat)
	c.link.Store(l)
	if e := c.ended.Load(); e != nil { // when there was no link yet
		c.part(e)
	}
	go c.run(err != nil)
	return nil
}

// identify finds out who is asking. Nobody is an error that says so.
func (k *Socket) identify(s *scope.Scope, header http.Header, r *http.Request) (who access.Principal, err error) {
	cfg := k.server.cfg
	if cfg.Limits != nil {
		err = cfg.Limits.Knock(s, header)
	}
	switch {
	case err != nil || cfg.Authenticate == nil: // then all is public
	default:
		who, err = cfg.Authenticate(r)
		if err == nil && who.Anonymous() {
			err = fault.ErrUnauthenticated
		}
	}
	if cfg.Limits != nil {
		err = cfg.Limits.Enter(access.With(s, who), header, err)
	}
	return who, err
}

// conversation is an open socket, and the context of its calls.
type conversation struct {
	scope.Scope
	pulse

	socket     *Socket
	base       context.Context
	credential *credential
	who        string // whom it counts for
	whom       atomic.Pointer[access.Principal]
	remote     string // of the handshake, for calls
	host       string
	forwarded  []string
	agent      string
	link       atomic.Pointer[link] // nil until the handshake is answered
	ended      atomic.Pointer[ending]
	parted     atomic.Bool // the caller was told, as far as it could be
	working    sync.WaitGroup

	mu      sync.Mutex
	streams map[string]*stream // by the caller's names; nil while one is being opened
	calling int
	cancels []context.CancelFunc
}

// Bounds of one socket.
const (
	maxStreams = 64
	maxCalls   = 16
)

func (c *conversation) owner() string { return c.who }

func (*conversation) alone() bool { return true }

// run reads what the caller sends, until the connection ends.
func (c *conversation) run(anonymous bool) {
	server := c.socket.server
	if anonymous {
		if err := c.introduce(); err != nil {
			c.refuse(err)
			return
		}
	}
	server.sockets.open.Add(1)
	began := time.Now()
	for c.ended.Load() == nil {
		m, err := c.link.Load().next()
		if err != nil {
			c.stop(endingOf(err))
			break
		}
		server.sockets.received.Add(1)
		c.take(m)
	}
	c.working.Wait()
	e := c.ended.Load()
	server.cfg.Log.InfoContext(c, "socket ended", "reason", e.reason.String(), "code", e.code(),
		"duration_ms", float64(time.Since(began).Microseconds())/1000, "principal", c.whom.Load().ID, "client_ip", c.Origin.Address)
	server.sockets.ended[e.reason].Add(1)
	server.sockets.open.Add(-1)
	server.leave(c) // last: when all have left a process may end
	c.Close()
}

// introduce waits for the caller to say who it is.
func (c *conversation) introduce() error {
	token, err := c.socket.server.token(c.link.Load(), &c.Scope, c.final)
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
	return c.socket.server.enter(c)
}

// refuse ends a connection of nobody.
func (c *conversation) refuse(err error) {
	if errors.Is(err, errEnded) {
		return
	}
	e := endingOf(err)
	if _, ok := fault.Of(err); ok || e.reason == Left {
		e = &ending{reason: Failed, err: err}
	}
	c.ended.Store(e)
	c.part(e)
}

// final is the last message of the socket.
func (c *conversation) final(e *ending) []byte {
	return final("", e.kind(), e.data(c.TraceID))
}

// part tells the caller why the socket ends, and closes it.
func (c *conversation) part(e *ending) {
	l := c.link.Load()
	if l == nil || !c.parted.CompareAndSwap(false, true) {
		return
	}
	if e.told() {
		_ = l.write(c.final(e), lastPatience) // as far as it can be heard
	}
	if e.reason == Left || e.reason == Slow {
		_ = l.conn.CloseNow() // nobody listens
		return
	}
	l.close(e.closeCode(), e.code())
}

// take does what a message says.
func (c *conversation) take(m message) {
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
}

// send sends a message; who does not read it loses the connection.
func (c *conversation) send(b []byte) error {
	err := c.link.Load().write(b, c.socket.server.cfg.Patience)
	switch {
	case err == nil:
	case errors.Is(err, os.ErrDeadlineExceeded):
		go c.stop(&ending{reason: Slow})
	default:
		go c.stop(&ending{reason: Left})
	}
	return err
}

// fail says that something the caller has asked for is refused.
func (c *conversation) fail(id string, err error) {
	_ = c.send(final(id, eventError, problemOf(err, c.TraceID))) // send has seen to it
}

// renew has the socket go on by another token of the same caller.
func (c *conversation) renew(token string) {
	if c.socket.server.cfg.Authenticate == nil {
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

// goesOn returns why the socket cannot go on for who. Other permissions are no
// reason: each stream that they end is told so.
func (c *conversation) goesOn(who access.Principal) error {
	if began := c.whom.Load(); who.ID != began.ID || who.Account != began.Account {
		return fault.ErrToken.Because("The token is somebody else's.")
	}
	c.whom.Store(&who)
	return nil
}

// check implements member.
func (c *conversation) check(ctx context.Context, now time.Time) {
	if c.socket.server.cfg.Authenticate != nil {
		c.recheck(ctx)
	}
	if l := c.link.Load(); l != nil && c.due(now) {
		go func() {
			if l.ping(c.socket.server.cfg.Patience) != nil {
				c.stop(&ending{reason: Slow})
			}
		}()
	}
}

func (c *conversation) recheck(ctx context.Context) {
	who, err := c.credential.ask(ctx)
	if err == nil && !who.Anonymous() {
		err = c.goesOn(who)
	}
	if err != nil {
		go c.stop(&ending{reason: Revoked, err: err})
	}
}

// stop implements member.
func (c *conversation) stop(e *ending) {
	if !c.ended.CompareAndSwap(nil, e) {
		return
	}
	c.mu.Lock()
	streams := make([]*stream, 0, len(c.streams))
	for _, st := range c.streams {
		if st != nil {
			streams = append(streams, st)
		}
	}
	cancels := slices.Clone(c.cancels)
	c.mu.Unlock()
	for _, st := range streams {
		st.stop(&ending{reason: e.reason, err: e.err, retry: e.retry, broken: e.broken})
	}
	for _, cancel := range cancels {
		cancel()
	}
	c.part(e)
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
