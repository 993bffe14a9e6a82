package live

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
)

// session is an open WebSocket on which several things go on, in whatever
// protocol, and the context of what its caller says of itself.
type session struct {
	scope.Scope
	pulse

	server     *Server
	speaks     speaker
	base       context.Context
	credential *credential
	who        string // whom it counts for; the server's own lock holds it
	whom       atomic.Pointer[access.Principal]
	forwarded  []string // of the handshake, for calls
	agent      string
	link       atomic.Pointer[link] // nil until the handshake is answered
	ended      atomic.Pointer[ending]
	parted     atomic.Bool // the caller was told, as far as it could be
	working    sync.WaitGroup
}

// speaker is what a session is about.
type speaker interface {
	// protocol is the subprotocol, or "".
	protocol() string
	// admits reports whether the session goes on while its caller is nobody.
	admits() bool
	// begin is called before anything is read. Its error ends the session; an
	// anonymous one that is not admitted has no place of its own before.
	begin(anonymous bool) error
	// take does what a message says. Its error ends the session.
	take(text []byte) error
	// halt ends what goes on. The session has ended.
	halt(e *ending)
	// last returns the last message, or nil, and how the connection closes.
	last(e *ending) (words []byte, code websocket.StatusCode, reason string)
}

// handshake has answer see to a request for a socket, and refuses it with the
// error of that.
func (s *Server) handshake(w http.ResponseWriter, r *http.Request, answer func(*scope.Scope) error) {
	sc := scope.From(w)
	if sc == nil {
		sc = scope.New(r.Context())
		defer sc.Close()
	}
	if err := answer(sc); err != nil {
		s.refuse(sc, w, err)
	}
}

// converse answers a handshake and begins a session.
func (s *Server) converse(sc *scope.Scope, w http.ResponseWriter, r *http.Request, c *session, speaks speaker) error {
	if !upgrading(r) {
		w.Header()["Upgrade"] = []string{"websocket"}
		return fault.ErrMalformed.Because("This path speaks WebSocket: Upgrade must say websocket.")
	}
	r, err := s.checkOrigin(r)
	if err != nil {
		return err
	}
	if err := checkHandshake(w, r); err != nil {
		return err
	}
	if r.URL.RawQuery != "" {
		return fault.ErrMalformed.Because("A socket takes no parameters; its input comes in messages.")
	}
	var protocols []string
	if name := speaks.protocol(); name != "" {
		if protocols = []string{name}; !hasToken(r.Header["Sec-Websocket-Protocol"], name) {
			return fault.ErrMalformed.Because("Sec-WebSocket-Protocol must offer %s.", name)
		}
	}
	base, outer := context.WithoutCancel(r.Context()), access.From(r.Context())
	who, err := s.identify(sc, w.Header(), r)
	if err != nil && !unknown(err) {
		return err
	}
	anonymous := err != nil
	c.server, c.speaks, c.base = s, speaks, base
	c.Init(base)
	c.Trace, c.TraceID, c.RequestID, c.Origin, c.Operation = sc.Trace, sc.TraceID, sc.RequestID, sc.Origin, sc.Operation
	c.forwarded, c.agent = r.Header["X-Forwarded-For"], r.UserAgent()
	c.credential = s.keep(base, r, outer)
	c.Principal = who
	sc.Principal = who
	c.whom.Store(&who)
	c.who = whose(&c.Scope)
	counted := !anonymous || speaks.admits() // else it is when it is known who it is
	if counted {
		if err := s.enter(c); err != nil {
			return err
		}
	}
	l, broken := s.accept(sc, w, r, protocols...)
	if broken != nil {
		if counted {
			s.leave(c)
		}
		return nil // whoever accepts has answered
	}
	c.start(s.cfg.Beat)
	c.link.Store(l)
	if e := c.ended.Load(); e != nil { // when there was no link yet
		c.part(e)
	}
	go c.run(anonymous)
	return nil
}

// identify finds out who is asking. Nobody is an error that says so.
func (s *Server) identify(sc *scope.Scope, header http.Header, r *http.Request) (who access.Principal, err error) {
	cfg := s.cfg
	if cfg.Limits != nil {
		err = cfg.Limits.Knock(sc, header)
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
		err = cfg.Limits.Enter(access.With(sc, who), header, err)
	}
	return who, err
}

func (c *session) owner() string { return c.who }

func (*session) alone() bool { return true }

// run begins, when it is known who the caller is where that has to be.
func (c *session) run(anonymous bool) {
	server := c.server
	if err := c.speaks.begin(anonymous); err != nil {
		c.refuse(err)
		return
	}
	server.sockets.open.Add(1)
	go c.listen(time.Now()) // on a stack that is small again
}

// listen takes what the caller sends, until the connection ends.
func (c *session) listen(began time.Time) {
	if err := c.link.Load().follow(c.hear); !errors.Is(err, errEnded) {
		c.stop(endingOf(err))
	}
	c.working.Wait()
	c.finish(began)
}

// hear takes a message.
func (c *session) hear(text []byte) error {
	if c.ended.Load() != nil {
		return errEnded
	}
	c.server.sockets.received.Add(1)
	return c.speaks.take(text)
}

// finish is what is left to do when nothing is read any more.
func (c *session) finish(began time.Time) {
	server, e := c.server, c.ended.Load()
	server.cfg.Log.InfoContext(c, "socket ended", "reason", e.reason.String(), "code", e.code(),
		"duration_ms", float64(time.Since(began).Microseconds())/1000, "principal", c.whom.Load().ID, "client_ip", c.Origin.Address)
	server.sockets.ended[e.reason].Add(1)
	server.sockets.open.Add(-1)
	server.leave(c) // last: when all have left a process may end
	c.Close()
}

// refuse ends a connection of nobody.
func (c *session) refuse(err error) {
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

// part tells the caller why the socket ends, and closes it.
func (c *session) part(e *ending) {
	l := c.link.Load()
	if l == nil || !c.parted.CompareAndSwap(false, true) {
		return
	}
	words, code, reason := c.speaks.last(e)
	if words != nil {
		_ = l.last(words) // as far as it can be heard
	}
	if e.reason == Left || e.reason == Slow {
		l.cut()
		return
	}
	l.close(code, reason)
}

// send sends a message; who does not read it loses the connection.
func (c *session) send(b []byte) error {
	err := c.link.Load().write(b, c.server.cfg.Patience)
	switch {
	case err == nil:
	case errors.Is(err, os.ErrDeadlineExceeded):
		go c.stop(&ending{reason: Slow})
	default:
		go c.stop(&ending{reason: Left})
	}
	return err
}

// goesOn returns why the socket cannot go on for who. Other permissions are no
// reason: each stream that they end is told so.
func (c *session) goesOn(who access.Principal) error {
	if began := c.whom.Load(); who.ID != began.ID || who.Account != began.Account {
		return fault.ErrToken.Because("The token is somebody else's.")
	}
	c.whom.Store(&who)
	return nil
}

// check implements member.
func (c *session) check(ctx context.Context, now time.Time) {
	if c.server.cfg.Authenticate != nil && !c.whom.Load().Anonymous() {
		c.recheck(ctx)
	}
	if l := c.link.Load(); l != nil {
		c.beat(l, now, c.server.cfg.Patience, func() { c.stop(&ending{reason: Slow}) })
	}
}

func (c *session) recheck(ctx context.Context) {
	who, err := c.credential.ask(ctx)
	if err == nil && !who.Anonymous() {
		err = c.goesOn(who)
	}
	if err != nil {
		go c.stop(&ending{reason: Revoked, err: err})
	}
}

// stop implements member.
func (c *session) stop(e *ending) {
	if !c.ended.CompareAndSwap(nil, e) {
		return
	}
	c.speaks.halt(e)
	c.part(e)
}
