package live

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/ask"
	"github.com/ashlar-go/ashlar/internal/input"
	"github.com/ashlar-go/ashlar/internal/talk"
	"github.com/ashlar-go/ashlar/op"
)

// call has an operation answer, as it answers a request of its own.
func (c *conversation) call(m message) {
	c.server.sockets.calls.Add(1)
	s := c.socket.calls[m.Operation]
	switch {
	case s == nil:
		c.answer(m.ID, ask.Refusal(fault.ErrNotFound.Because("There is no operation of that name that can be called here.")))
		return
	case s.Returns == op.FileBytes, s.SetsCookies:
		c.answer(m.ID, ask.Refusal(fault.ErrNotAcceptable.Because("The answer is no JSON; ask for it over HTTP.")))
		return
	case !c.reserveCall():
		c.answer(m.ID, ask.Refusal(fault.ErrLimited.Because("A socket may have %d calls under way.", talk.MaxCalls)))
		return
	}
	c.working.Go(func() {
		defer c.releaseCall()
		ends := c.callsEnd()
		if ends == nil {
			return
		}
		ctx, cancel := context.WithCancel(ends)
		defer cancel()
		c.answer(m.ID, c.ask(ctx, s, &m))
	})
}

func (c *conversation) reserveCall() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calling >= talk.MaxCalls {
		return false
	}
	c.calling++
	return true
}

func (c *conversation) releaseCall() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calling--
}

// callsEnd returns what ends with the socket, or nil if that has ended.
func (c *conversation) callsEnd() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended.Load() != nil:
		return nil
	case c.calls == nil:
		c.calls, c.cancel = context.WithCancel(c.base)
	}
	return c.calls
}

// ask sends a request to the handler that serves all.
func (c *conversation) ask(ctx context.Context, s *op.Spec, m *message) *ask.Answer {
	r, err := c.request(ctx, s, m)
	if err != nil {
		return ask.Refusal(err)
	}
	answer, _ := ask.Handler(c.socket.handler, r) // whoever observes it has logged a panic
	return answer
}

// request is a call as a request: members that the route names in the path, the
// others in the query or the body.
func (c *conversation) request(ctx context.Context, s *op.Spec, m *message) (*http.Request, error) {
	members := map[string]json.RawMessage{}
	if m.Input != nil {
		if err := json.Unmarshal(m.Input, &members); err != nil {
			return nil, fault.ErrMalformed.Because("The input must be an object.")
		}
	}
	path, body, err := input.Place(s.Path, s.PathFields, s.Kind == op.IsCommand, members)
	if err != nil {
		return nil, fmt.Errorf("%s: encode a call: %w", s.Name, err)
	}
	shown := c.credential.shown.Load()
	r, err := http.NewRequestWithContext(bounded{ctx, shown.Context()}, s.Method, path, bytes.NewReader(body))
	if err != nil {
		return nil, fault.ErrMalformed.Because("The input makes no path of this operation.")
	}
	r.RequestURI, r.Host, r.RemoteAddr, r.TLS = path, shown.Host, shown.RemoteAddr, shown.TLS
	maps.Copy(r.Header, shown.Header)
	set := func(name string, values ...string) {
		if len(values) > 0 && values[0] != "" {
			r.Header[name] = values
		}
	}
	if len(body) > 0 {
		set("Content-Type", "application/json")
	}
	set("X-Forwarded-For", c.forwarded...)
	set("User-Agent", c.agent)
	set("Idempotency-Key", m.Key)
	set("If-Match", m.Match)
	return r, nil
}

// passedOn are the headers that say something beside the body.
var passedOn = []string{"Etag", "Location", "Retry-After", "Idempotency-Replayed", "X-Request-Id"}

// answer sends what an operation has answered.
func (c *conversation) answer(id string, a *ask.Answer) {
	headers := map[string]string{}
	for _, name := range passedOn {
		if value := a.Header().Get(name); value != "" {
			headers[name] = value
		}
	}
	_ = c.send(appendAnswer(nil, id, a.Status, headers, a.Body.Bytes())) // send has seen to it
}
