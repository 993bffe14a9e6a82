package live

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/internal/talk"
	"github.com/ashlar-go/ashlar/op"
)

// compileMessage prepares the reading of an input that comes as one object.
func (h *Handler) compileMessage() (err error) {
	if h.whole, err = codec.CompileDecoder(h.spec.In); err != nil || !h.resumes {
		return err
	}
	if h.rest, err = h.whole.Elsewhere(op.After); err != nil {
		return err
	}
	h.after, err = h.rest.Field(op.After)
	return err
}

// readMessage fills the input of a subscription.
func (h *Handler) readMessage(m *message, in any) error {
	body := []byte(m.Input)
	if body == nil {
		body = []byte("{}")
	}
	if m.After == "" || !h.resumes {
		return malformed(h.whole.Decode(body, in))
	}
	reading := h.rest.Begin(in)
	reading.Text(h.after, m.After)
	if err := reading.Body(body); err != nil {
		return malformed(err)
	}
	return reading.Finish()
}

func malformed(err error) error {
	if syntax, ok := errors.AsType[*codec.Syntax](err); ok {
		return fault.ErrMalformed.Because("The input is not one valid JSON text: %s.", syntax.Error())
	}
	return err
}

// subscription is the way to a caller who has several streams on one socket.
type subscription struct {
	conversation *conversation
	st           *stream
	id           string

	turn
}

// turn has nothing of a stream follow its end, which goes to a connection that
// lasts.
type turn struct {
	mu   sync.Mutex
	over bool
}

// take has f send something of the stream, unless it is over.
func (t *turn) take(f func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return errBroken
	}
	return f()
}

// finish waits until nothing is sent any more.
func (t *turn) finish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

func (*subscription) form() form        { return asMessage }
func (*subscription) transport() string { return "socket" }

func (s *subscription) write(item []byte, within time.Duration) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	*buf = appendItem((*buf)[:0], s.id, item)
	return s.take(func() error { return s.conversation.link.Load().write(*buf, within) })
}

func (s *subscription) end(e *ending, traceID string) (sent int) {
	c := s.conversation
	if c.ended.Load() != nil {
		c.drop(s.id)
		return 0 // it has heard that of all
	}
	s.finish()
	c.drop(s.id)
	switch {
	case e.told():
		words := final(s.id, e.kind(), e.data(traceID))
		if c.send(words) == nil {
			sent = len(words)
		}
	case e.reason == Slow:
		go c.stop(&ending{reason: Slow})
	}
	return sent
}

// reserve takes a name for a subscription.
func (c *conversation) reserve(id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch _, taken := c.streams[id]; {
	case taken:
		return fault.ErrMalformed.Because("There is a subscription of that id.")
	case len(c.streams) >= talk.MaxStreams:
		return op.ErrStreams.Because("A socket may have %d subscriptions.", talk.MaxStreams)
	}
	c.streams[id] = nil
	return nil
}

func (c *conversation) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.streams, id)
}

// hold makes a stream known under its name, unless the socket has ended.
func (c *conversation) hold(id string, st *stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended.Load() != nil {
		return false
	}
	c.streams[id] = st
	return true
}

func (c *conversation) subscribe(m message) {
	h := c.socket.streams[m.Operation]
	if h == nil {
		c.fail(m.ID, fault.ErrNotFound.Because("There is no stream of that name."))
		return
	}
	if err := c.reserve(m.ID); err != nil {
		c.fail(m.ID, err)
		return
	}
	c.working.Go(func() {
		if err := c.server.safely(c, func() error { return c.listen(h, &m) }); err != nil {
			c.drop(m.ID)
			h.logFailure(c, fault.ProblemOf(err, ""), err)
			c.fail(m.ID, err)
		}
	})
}

// listen opens a stream: the steps of a request, but for what the socket's own
// has been through.
func (c *conversation) listen(h *Handler, m *message) error {
	who := *c.whom.Load()
	s := scope.New(c.base)
	defer s.Close()
	s.Trace, s.TraceID, s.RequestID = c.Trace, c.TraceID, c.RequestID
	s.Origin, s.Principal, s.Operation = c.Origin, who, h.spec.Name
	if h.gate != nil {
		if err := h.gate.Enter(s); err != nil {
			return err
		}
		defer h.gate.Leave()
	}
	header := http.Header{} // there is none to answer with
	if limits := h.server.cfg.Limits; limits != nil {
		if err := limits.Enter(s, header, nil); err != nil {
			return err
		}
	}
	if err := h.permit(s, header, who); err != nil {
		return err
	}
	items, err := h.open(s, header, m)
	if err != nil {
		return err
	}
	st := h.newStream(c.base, s, c.credential, m.After)
	if err := st.enter(s); err != nil {
		return err
	}
	return st.begin(nil, items(st), func() error {
		if !c.hold(m.ID, st) {
			return errEnded
		}
		st.wired(&subscription{conversation: c, st: st, id: m.ID})
		return c.send(appendOpen(nil, m.ID))
	})
}

// open reads the input of a subscription and returns the function with it.
func (h *Handler) open(s *scope.Scope, header http.Header, m *message) (func(context.Context) iter.Seq2[any, error], error) {
	in, items := h.spec.NewStream()
	if err := h.readMessage(m, in); err != nil {
		return nil, err
	}
	if h.quota != nil && h.spec.CountsInput() {
		if err := h.quota.Take(s, header, in); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// unsubscribe ends a stream, and says so: no item follows.
func (c *conversation) unsubscribe(id string) {
	c.mu.Lock()
	st := c.streams[id]
	c.mu.Unlock()
	if st == nil {
		c.fail(id, fault.ErrNotFound.Because("There is no subscription of that id."))
		return
	}
	st.stop(&ending{reason: Left})
	_ = c.send(final(id, eventEnd, []byte(`{"code":"unsubscribed"}`))) // send has seen to it
}
