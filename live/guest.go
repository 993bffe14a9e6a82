package live

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"sync"

	"github.com/coder/websocket"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/internal/talk"
)

// Talk answers a handshake for a socket on which another package speaks its own
// protocol. The connection is ours: who may open it and how many, how long it
// may be silent or not read, that its caller is looked at again, its end at a
// shutdown, its counts and its line in the log.
func (s *Server) Talk(w http.ResponseWriter, r *http.Request, p talk.Protocol) {
	g := &guest{says: p, streams: map[*stream]struct{}{}}
	for _, name := range p.Headers() {
		if values := r.Header[name]; values != nil {
			if g.header == nil {
				g.header = http.Header{}
			}
			g.header[name] = values
		}
	}
	g.ctx, g.cancel = context.WithCancel(access.With(context.WithoutCancel(r.Context()), access.From(r.Context())))
	g.conversation = p.Converse(g)
	s.handshake(w, r, func(sc *scope.Scope) error {
		return s.converse(sc, w, r, &g.session, g)
	})
}

// guest is an open socket of another protocol.
type guest struct {
	session

	says         talk.Protocol
	header       http.Header // of the handshake; nil if it had none of those
	conversation talk.Conversation
	ctx          context.Context // of what goes on
	cancel       context.CancelFunc

	mu      sync.Mutex
	streams map[*stream]struct{}
}

func (g *guest) protocol() string { return g.says.Name() }

// admits implements speaker: there may be operations for everybody.
func (*guest) admits() bool { return true }

func (g *guest) begin(bool) error {
	g.conversation.Begin()
	return nil
}

func (g *guest) take(text []byte) error {
	err := g.conversation.Take(text)
	if broken, ok := errors.AsType[*talk.Broken](err); ok {
		return violationOf(broken)
	}
	return err
}

func violationOf(broken *talk.Broken) *violation {
	return &violation{websocket.StatusCode(broken.Code), broken.Reason}
}

func (g *guest) halt(e *ending) {
	g.cancel()
	g.mu.Lock()
	streams := make([]*stream, 0, len(g.streams))
	for st := range g.streams {
		streams = append(streams, st)
	}
	g.mu.Unlock()
	for _, st := range streams {
		st.stop(e.copied())
	}
	g.conversation.Stop()
}

func (g *guest) last(e *ending) (words []byte, code websocket.StatusCode, reason string) {
	if e.broken != nil {
		return nil, e.broken.code, e.broken.reason
	}
	status := 0
	if e.err != nil {
		status = fault.ProblemOf(e.err, "").Status
	}
	number, reason := g.conversation.Close(e.end(g.TraceID), status)
	return nil, websocket.StatusCode(number), reason
}

// hold makes a stream known, unless the socket has ended.
func (g *guest) hold(st *stream) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended.Load() != nil {
		return false
	}
	g.streams[st] = struct{}{}
	return true
}

func (g *guest) release(st *stream) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.streams, st)
}

// Request implements [talk.Socket].
func (g *guest) Request() *http.Request {
	shown := g.credential.shown.Load()
	r := shown.WithContext(shown.Context())
	r.Header = make(http.Header, len(g.header)+len(shown.Header)+1)
	maps.Copy(r.Header, g.header)
	maps.Copy(r.Header, shown.Header)
	if g.Trace.Valid() {
		r.Header["Traceparent"] = []string{g.Trace.Traceparent()}
	}
	return r
}

// Introduce implements [talk.Socket]. Who was somebody before cannot become
// somebody else.
func (g *guest) Introduce(token string) error {
	if g.server.cfg.Authenticate == nil {
		return nil // all is public
	}
	who, err := g.credential.renew(g, token)
	if err != nil {
		return err
	}
	if !g.whom.Load().Anonymous() {
		return g.goesOn(who)
	}
	if err := g.server.move(&g.session, countedFor(who, g.Origin.Address)); err != nil {
		return err
	}
	g.whom.Store(&who)
	return nil
}

// Go implements [talk.Socket].
func (g *guest) Go(f func(ctx context.Context)) {
	g.working.Go(func() {
		err := g.server.safely(g, func() error {
			f(g.ctx)
			return nil
		})
		if err != nil { // whoever asked waits for an answer
			g.stop(&ending{reason: Failed, err: err})
		}
	})
}

// Send implements [talk.Socket].
func (g *guest) Send(message []byte) { _ = g.send(message) } // send has seen to it

// End implements [talk.Socket].
func (g *guest) End(broken *talk.Broken) {
	g.stop(&ending{reason: Violated, broken: violationOf(broken)})
}
