package graphql

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/internal/talk"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// protocol is graphql-transport-ws.
type protocol struct{ h *Handler }

func (protocol) Name() string { return "graphql-transport-ws" }

func (protocol) Headers() []string { return passedOn }

func (p protocol) Converse(on talk.Socket) talk.Conversation {
	return &conversation{h: p.h, on: on, active: map[string]*subscriber{}}
}

// upgrading reports whether a request wants to go on as a WebSocket.
func upgrading(r *http.Request) bool {
	return slices.ContainsFunc(r.Header["Upgrade"], func(line string) bool { return strings.Contains(strings.ToLower(line), "websocket") })
}

// The ends of a socket that the protocol knows.
var (
	badMessage    = &talk.Broken{Code: 4400, Reason: "Invalid message"}
	unknownCaller = &talk.Broken{Code: 4401, Reason: "Unauthorized"}
	tooLate       = &talk.Broken{Code: 4408, Reason: "Connection initialisation timeout"}
	takenID       = &talk.Broken{Code: 4409, Reason: "Subscriber for this id already exists"}
	initTwice     = &talk.Broken{Code: 4429, Reason: "Too many initialisation requests"}
)

// The close codes of other ends.
const (
	goingAway   = 1001
	internal    = 1011
	tryLater    = 1013
	forbidden   = 4403
	tooMany     = 4429
	failedThere = 4500
)

// The types of messages.
const (
	isInit      = "connection_init"
	isPing      = "ping"
	isPong      = "pong"
	isSubscribe = "subscribe"
	isComplete  = "complete"
)

// message is what a client sends.
type message struct {
	Type    string          `json:"type"`
	ID      string          `json:"id,omitzero"`
	Payload json.RawMessage `json:"payload,omitzero"`
}

// Rules bounds a message.
func (m *message) Rules(r *rule.Set) {
	rule.OneOf(r, &m.Type, isInit, isPing, isPong, isSubscribe, isComplete)
	rule.Text(r, &m.ID).Len(1, 128)
}

// messages reads messages.
var messages = sync.OnceValue(codec.OwnDecoder[message])

// parse reads a message.
func parse(text []byte) (m message, ok bool) {
	if messages().Decode(text, &m) != nil {
		return message{}, false
	}
	if isNull(m.Payload) {
		m.Payload = nil
	}
	named := m.Type == isSubscribe || m.Type == isComplete
	if named != (m.ID != "") || m.Type == isSubscribe && m.Payload == nil {
		return message{}, false
	}
	return m, m.Payload == nil || m.Payload[0] == '{'
}

// conversation is what one socket carries.
type conversation struct {
	h  *Handler
	on talk.Socket

	mu      sync.Mutex
	begun   bool // connection_init has come
	known   bool // and was acknowledged
	stopped bool
	late    *time.Timer
	active  map[string]*subscriber
	calls   int // of them, what is no subscription
}

// Begin gives the client some time to begin.
func (c *conversation) Begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped {
		c.late = time.AfterFunc(c.h.initWait, func() { c.on.End(tooLate) })
	}
}

func (c *conversation) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if c.late != nil {
		c.late.Stop()
	}
	clear(c.active)
}

// Close implements [talk.Conversation]. A client whose credential is no good any
// more may come back with a better one, which it does not after 4401.
func (*conversation) Close(e talk.End, status int) (code int, reason string) {
	switch {
	case e.Code == draining:
		return goingAway, e.Code + "; retry_ms=" + strconv.FormatInt(e.Retry.Milliseconds(), 10)
	case status >= http.StatusInternalServerError:
		return internal, e.Code
	case status != 0:
		return forbidden, e.Code
	}
	return 1000, e.Code
}

// Take does what a message says.
func (c *conversation) Take(text []byte) error {
	m, ok := parse(text)
	if !ok {
		return badMessage
	}
	switch m.Type {
	case isInit:
		return c.begin(m.Payload)
	case isPing:
		c.on.Send(messageOf("pong", "", m.Payload))
	case isSubscribe:
		return c.subscribe(&m)
	case isComplete:
		if s := c.take(m.ID); s != nil {
			s.leave()
		}
	}
	return nil
}

// messageOf writes a message.
func messageOf(kind, id string, payload []byte) []byte {
	return appendMessage(nil, kind, id, payload)
}

func appendMessage(b []byte, kind, id string, payload []byte) []byte {
	b = append(append(append(b, `{"type":"`...), kind...), '"')
	if id != "" {
		b = appendText(append(b, `,"id":`...), id)
	}
	if payload != nil {
		b = append(append(b, `,"payload":`...), payload...)
	}
	return append(b, '}')
}

// begin takes the first message, which may say who the client is.
func (c *conversation) begin(payload []byte) error {
	c.mu.Lock()
	twice := c.begun
	c.begun = true
	c.mu.Unlock()
	if twice {
		return initTwice
	}
	token, ok := tokenOf(payload)
	if !ok {
		return badMessage
	}
	if token != "" {
		if err := c.on.Introduce(token); err != nil {
			return refusal(err)
		}
	}
	c.mu.Lock()
	c.known = c.late.Stop() // else it was too late
	c.late = nil
	known := c.known
	c.mu.Unlock()
	if known {
		c.on.Send(messageOf("connection_ack", "", nil))
	}
	return nil
}

// tokenOf returns the token of a first message, under the name of the header in
// whatever case, with or without the scheme.
func tokenOf(payload []byte) (token string, ok bool) {
	ok = true
	if payload == nil {
		return "", true
	}
	members(payload, func(name, value []byte) bool {
		if !strings.EqualFold(string(name), "authorization") || isNull(value) {
			return true
		}
		ok = token == "" && json.Unmarshal(value, &token) == nil
		return ok
	})
	if scheme, rest, found := strings.Cut(token, " "); found && strings.EqualFold(scheme, "bearer") {
		token = strings.TrimSpace(rest)
	}
	return token, ok
}

// refusal is how a socket ends whose client is not let in.
func refusal(err error) *talk.Broken {
	p := fault.ProblemOf(err, "")
	switch {
	case p.Status == http.StatusTooManyRequests:
		return &talk.Broken{Code: tooMany, Reason: p.Code}
	case p.Status == http.StatusServiceUnavailable:
		return &talk.Broken{Code: tryLater, Reason: p.Code}
	case p.Status >= http.StatusInternalServerError:
		return &talk.Broken{Code: failedThere, Reason: p.Code}
	}
	return &talk.Broken{Code: forbidden, Reason: p.Code}
}

// subscriber is one operation of a client.
type subscriber struct {
	c      *conversation
	id     string
	x      *exchange
	cancel context.CancelFunc

	mu   sync.Mutex
	left bool
	stop func() // ends the stream, once there is one
}

// leave ends the operation: its client does not want it any more.
func (s *subscriber) leave() {
	s.mu.Lock()
	s.left = true
	stop := s.stop
	s.mu.Unlock()
	s.cancel()
	if stop != nil {
		stop()
	}
}

// opened has leave end a stream too.
func (s *subscriber) opened(stop func()) {
	s.mu.Lock()
	s.stop = stop
	left := s.left
	s.mu.Unlock()
	if left {
		stop()
	}
}

// gone reports whether the client has left, and hears nothing of it.
func (s *subscriber) gone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left
}

// take takes an operation out of those that go on.
func (c *conversation) take(id string) *subscriber {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.active[id]
	delete(c.active, id)
	return s
}

// done makes the id free for another operation.
func (s *subscriber) done() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.c.active[s.id] == s {
		delete(s.c.active, s.id)
	}
}

// subscribe begins an operation, of whatever kind.
func (c *conversation) subscribe(m *message) error {
	s := &subscriber{c: c, id: strings.Clone(m.ID), x: &exchange{}} // the message is not kept for it
	full, err := c.hold(s)
	switch {
	case err != nil:
		return err
	case s.x.asked.read(m.Payload) != nil:
		return badMessage
	case full:
		s.fail(op.ErrStreams.Because("A socket may have %d operations under way.", talk.MaxStreams))
		return nil
	}
	ready := make(chan struct{})
	c.on.Go(func(ctx context.Context) {
		ctx, s.cancel = context.WithCancel(ctx)
		close(ready)
		defer s.cancel()
		s.run(ctx)
	})
	<-ready
	return nil
}

// hold makes an operation known under its id, unless there are as many as there
// may be.
func (c *conversation) hold(s *subscriber) (full bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.known:
		return false, unknownCaller
	case c.active[s.id] != nil:
		return false, takenID
	case len(c.active) >= talk.MaxStreams:
		return true, nil
	}
	c.active[s.id] = s
	return false, nil
}

// run answers the operation, or opens its stream.
func (s *subscriber) run(ctx context.Context) {
	h := s.c.h
	r := s.c.on.Request()
	r.Method = http.MethodPost // any operation may be asked for
	s.x.r = r.WithContext(ctx)
	if err := h.compile(s.x); err != nil {
		s.fail(err)
		return
	}
	if s.x.plan.operation.Operation == ast.Subscription {
		s.listen()
		return
	}
	if !s.c.reserveCall() {
		s.fail(fault.ErrLimited.Because("A socket may have %d queries and mutations under way.", talk.MaxCalls))
		return
	}
	defer s.c.releaseCall()
	result, _, _ := h.execute(s.x, nil)
	s.done()
	if !s.gone() {
		s.c.on.Send(messageOf("next", s.id, result))
		s.c.on.Send(messageOf("complete", s.id, nil))
	}
}

func (c *conversation) reserveCall() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls >= talk.MaxCalls {
		return false
	}
	c.calls++
	return true
}

func (c *conversation) releaseCall() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls--
}

// fail says why an operation does not begin.
func (s *subscriber) fail(err error) {
	_, found := statusOf(err)
	s.refuse(found)
}

func (s *subscriber) refuse(found failures) {
	s.done()
	if !s.gone() {
		s.c.on.Send(messageOf("error", s.id, found.append(nil)))
	}
}

// listen opens a stream.
func (s *subscriber) listen() {
	l := &talk.Listener{Words: s, Name: "graphql-ws", On: s.c.on}
	answer, open := s.c.h.listen(s.x, l)
	if !open {
		st := s.x.plan.root[0]
		s.refuse(failures{problem(answer, st, &trail{name: st.name})})
		return
	}
	stop, _ := l.Opened()
	s.opened(stop)
}

// Item implements [talk.Words].
func (s *subscriber) Item(ctx context.Context, b []byte, id string, data []byte) []byte {
	b = append(appendText(append(b, `{"type":"next","id":`...), s.id), `,"payload":`...)
	return append(s.c.h.appendResult(ctx, b, s.x, id, data), '}')
}

// End implements [talk.Words].
func (s *subscriber) End(b []byte, e talk.End) []byte {
	s.done()
	switch {
	case s.gone():
		return b
	case e.Code == completed:
		return appendMessage(b, "complete", s.id, nil)
	}
	return appendMessage(b, "error", s.id, failureAtEnd(s.x, e).append(nil))
}
