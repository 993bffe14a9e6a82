package live

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
)

// direct is a WebSocket that is one stream: every message is an item, and the
// last one its end. All that the caller may send is a token.
type direct struct {
	*link

	st *stream
	pulse
}

// upgrade answers with a WebSocket.
func (st *stream) upgrade(s *scope.Scope, w http.ResponseWriter, r *http.Request) error {
	l, err := st.h.server.accept(s, w, r)
	if err != nil {
		return err
	}
	d := &direct{link: l, st: st}
	d.start(st.h.server.cfg.Beat)
	st.wired(d)
	go d.watch()
	return nil
}

func (*direct) form() form        { return asMessage }
func (*direct) transport() string { return "websocket" }

func (d *direct) end(e *ending, traceID string) (sent int) {
	if e.told() {
		if words := e.lastMessage(traceID); d.last(words) == nil {
			sent = len(words)
		}
	}
	if e.reason == Left || e.reason == Slow {
		d.cut()
		return sent
	}
	d.close(e.closeCode(), e.code())
	return sent
}

// watch follows the connection until it ends.
func (d *direct) watch() { d.lost(d.follow(d.hear)) }

// hear takes a message: the caller may say nothing but a token.
func (d *direct) hear(text []byte) error {
	m, err := parse(text)
	switch {
	case err != nil:
		return broken(err)
	case m.Type != toAuthenticate:
		return &violation{websocket.StatusPolicyViolation, "only a token is expected here"}
	}
	if err := d.st.renew(m.Token); err != nil {
		d.st.stop(&ending{reason: Revoked, err: err})
		return errEnded
	}
	return nil
}

func (d *direct) lost(err error) {
	if !errors.Is(err, errEnded) {
		d.st.stop(endingOf(err))
	}
}

// next waits for a message. A violation or what else ends the connection is an
// error.
func (l *link) next() (m message, err error) {
	err = l.follow(func(text []byte) error {
		if m, err = parse(text); err != nil {
			return broken(err)
		}
		return errHeard
	})
	if errors.Is(err, errHeard) {
		return m, nil
	}
	return message{}, err
}

var errHeard = errors.New("live: a message has come")

// broken is the violation that a message is which cannot be read.
func broken(err error) *violation {
	return &violation{(&ending{reason: Failed, err: err}).closeCode(), fault.ProblemOf(err, "").Code}
}

// endingOf is how a connection ends that cannot be read any more.
func endingOf(err error) *ending {
	v, ok := errors.AsType[*violation](err)
	_, lost := errors.AsType[net.Error](err)
	switch {
	case ok:
	case errors.Is(err, errPanicked):
		return &ending{reason: Failed, err: err}
	case errors.Is(err, websocket.ErrMessageTooBig):
		v = &violation{websocket.StatusMessageTooBig, "message too big"}
	case lost, websocket.CloseStatus(err) != -1, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return &ending{reason: Left}
	default:
		v = &violation{websocket.StatusProtocolError, "protocol error"}
	}
	return &ending{reason: Violated, broken: v}
}

// renew has the stream go on by another token of the same caller.
func (st *stream) renew(token string) error {
	if st.credential == nil {
		return nil // nobody asked for one
	}
	who, err := st.credential.renew(st, token)
	if err == nil {
		err = st.goesOn(who)
	}
	return err
}

// goesOn returns why a stream that began for its principal cannot go on for
// who, or nil.
func (st *stream) goesOn(who access.Principal) error {
	began := st.Principal
	began.Credential = who.Credential // another session is the same person
	switch {
	case who.ID != began.ID || who.Account != began.Account:
		return fault.ErrToken.Because("The token is somebody else's.")
	case !who.Granted.Has(st.h.needs):
		return st.h.denied()
	case who != began:
		return errChanged
	}
	return nil
}

// pulse knows when it is time to ask whether the other side is there.
type pulse struct {
	every time.Duration
	at    atomic.Int64 // in Unix nanoseconds
}

// start begins at a time of its own, so that those who came together are not
// asked together.
func (p *pulse) start(every time.Duration) {
	p.every = every
	p.at.Store(time.Now().Add(every/2 + jitter(every)/2).UnixNano())
}

// due reports whether it is time, to one of those who ask.
func (p *pulse) due(now time.Time) bool {
	next := p.at.Load()
	return now.UnixNano() >= next && p.at.CompareAndSwap(next, now.Add(p.every).UnixNano())
}

// beat asks the caller from time to time whether it is there, and has lost end
// the connection if it does not answer or read.
func (p *pulse) beat(l *link, now time.Time, patience time.Duration, lost func()) {
	if l.silent(now, patience) {
		go lost()
		return
	}
	if p.due(now) {
		go func() {
			if l.ping(now, patience) != nil {
				lost()
			}
		}()
	}
}

// waiting is a WebSocket whose caller has still to say who it is.
type waiting struct {
	*link

	who   string
	final func(*ending) []byte // what it hears if it waits too long
	ended atomic.Bool
}

func (w *waiting) owner() string                  { return w.who }
func (*waiting) alone() bool                      { return true }
func (*waiting) check(context.Context, time.Time) {} // it has its own timer

func (w *waiting) stop(e *ending) {
	if w.ended.CompareAndSwap(false, true) {
		_ = w.last(w.final(e)) // as far as it can be heard
		w.close(e.closeCode(), e.code())
	}
}

// token waits for the first message, which must be a token. The connection
// counts for the caller's address meanwhile.
func (s *Server) token(l *link, sc *scope.Scope, final func(*ending) []byte) (string, error) {
	w := &waiting{link: l, who: whose(sc), final: final}
	if err := s.enter(w); err != nil {
		return "", err
	}
	defer s.leave(w)
	late := time.AfterFunc(s.cfg.TokenWait, func() {
		w.stop(&ending{reason: Failed, err: fault.ErrUnauthenticated.Because("No token came in time.")})
	})
	m, err := l.next()
	switch {
	case !late.Stop() || w.ended.Load():
		return "", errEnded
	case err != nil:
		return "", err
	case m.Type != toAuthenticate:
		return "", fault.ErrUnauthenticated.Because("The first message must be a token.")
	}
	return m.Token, nil
}

var errEnded = errors.New("live: the connection was ended")

// await goes on as a WebSocket with a caller that has sent no credential, which
// the browser's interface cannot: its first message must be a token. Whoever
// asks for what could not be answered anyway hears at once that it is nobody.
func (h *Handler) await(base context.Context, s *scope.Scope, w http.ResponseWriter, r *http.Request) error {
	last, err := lastEventID(r.Header)
	if err == nil {
		in, _ := h.spec.NewStream()
		err = h.read(r, last, in)
	}
	if err != nil {
		return fault.ErrUnauthenticated
	}
	l, err := h.server.accept(s, w, r)
	if err != nil {
		return nil //nolint:nilerr // whoever accepts has answered
	}
	own := scope.New(base) // the request ends now
	own.Trace, own.TraceID, own.RequestID, own.Origin, own.Operation = s.Trace, s.TraceID, s.RequestID, s.Origin, s.Operation
	credential := h.server.keep(base, r, access.Principal{})
	go func() {
		defer own.Close()
		if err := h.server.safely(own, func() error { return h.welcome(base, own, l, credential, r) }); err != nil {
			l.fail(h, own, err)
		}
	}()
	return nil
}

// welcome opens the stream for a caller that says who it is.
func (h *Handler) welcome(base context.Context, s *scope.Scope, l *link, c *credential, r *http.Request) error {
	token, err := h.server.token(l, s, func(e *ending) []byte { return e.lastMessage(s.TraceID) })
	if err != nil {
		return err
	}
	header := http.Header{} // whom it was for has been answered
	if s.Principal, err = c.renew(s, token); err != nil {
		return err
	}
	if err := h.permit(s, header, s.Principal); err != nil {
		return err
	}
	last, items, err := h.take(s, header, r)
	if err != nil {
		return err
	}
	st := h.newStream(base, s, c, last)
	if err := st.enter(s); err != nil {
		return err
	}
	return st.begin(nil, items(st), func() error {
		d := &direct{link: l, st: st}
		d.start(h.server.cfg.Beat)
		st.wired(d)
		go d.watch()
		return nil
	})
}

// fail ends a connection on which no stream was opened.
func (l *link) fail(h *Handler, s *scope.Scope, err error) {
	if errors.Is(err, errEnded) {
		return
	}
	e := endingOf(err)
	if _, ok := fault.Of(err); ok || e.reason == Left {
		e = &ending{reason: Failed, err: err}
	}
	if e.reason == Failed {
		h.logFailure(s, fault.ProblemOf(err, ""), err)
		_ = l.last(e.lastMessage(traceID(s))) // as far as it can be heard
	}
	l.close(e.closeCode(), e.code())
}
