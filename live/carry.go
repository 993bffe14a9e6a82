package live

import (
	"net/http"
	"time"

	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/internal/talk"
)

// What follows is streams that are said in another protocol than those of this
// package. All that concerns a stream but its words is as ever.

// carry gives a stream the way to a caller that does not wait for the answer to
// this request.
func (st *stream) carry(s *scope.Scope, w http.ResponseWriter, r *http.Request) (*held, error) {
	s.Lasts, s.Status = true, http.StatusOK
	leave := func() { st.stop(&ending{reason: Left}) }
	to := st.to
	// Of who listens no more is kept than is needed: its writers have headers and
	// buffers, and have done their part.
	st.to = &talk.Listener{Words: to.Words, Name: to.Name}
	if on, ok := to.On.(*guest); ok {
		if !on.hold(st) {
			return nil, errEnded
		}
		to.Open(leave)
		st.wired(&aboard{st: st, on: on})
		return nil, nil //nolint:nilnil // nothing has to be held
	}
	outer := scope.From(to.Writer)
	if outer == nil {
		outer = scope.New(to.Request.Context())
		defer outer.Close()
	}
	to.Open(leave)
	hold, err := st.listen(outer, to.Writer, to.Request)
	if hold != nil {
		scope.Report(w, r) // the request that asks for the stream was answered
	}
	return hold, err
}

// translate sends an item in the words of another protocol.
func (st *stream) translate(w wire, item any, value []byte) bool {
	id, err := st.h.idOf(item)
	if err != nil {
		st.fail(err)
		return false
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	frame := st.to.Words.Item(st, (*buf)[:0], id, value)
	if cap(frame) <= maxPooled {
		*buf = frame
	}
	return st.deliver(w, frame)
}

// lastEvent is what the caller of a stream of events hears at its end, or nil.
func (st *stream) lastEvent(e *ending, traceID string) []byte {
	if st.to == nil {
		return e.lastEvent(traceID)
	}
	if !e.told() {
		return nil
	}
	return st.to.Words.End(nil, e.end(traceID))
}

func (st *stream) transport() string {
	if st.to != nil {
		return st.to.Name
	}
	return st.wireOf().transport()
}

// aboard is the way to a caller who has several streams on one socket that
// another protocol is spoken on.
type aboard struct {
	st *stream
	on *guest

	turn
}

func (*aboard) form() form        { return asValue }
func (*aboard) transport() string { return "socket" }

func (a *aboard) write(b []byte, within time.Duration) error {
	return a.take(func() error { return a.on.link.Load().write(b, within) })
}

func (a *aboard) end(e *ending, traceID string) (sent int) {
	a.on.release(a.st)
	if a.on.ended.Load() != nil {
		return 0 // it has heard that of all
	}
	a.finish()
	switch {
	case e.told():
		words := a.st.to.Words.End(nil, e.end(traceID))
		if len(words) > 0 && a.on.send(words) == nil {
			sent = len(words)
		}
	case e.reason == Slow:
		go a.on.stop(&ending{reason: Slow})
	}
	return sent
}
