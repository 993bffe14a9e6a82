package ashlartest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/internal/sse"
	"github.com/ashlar-go/ashlar/op"
)

// Patience is how long a [Listener] waits for what should come. It costs time
// only where nothing comes; a machine that is busy needs some of it.
const Patience = 2 * time.Minute

// Listen opens a stream by name and returns what reads its items. Input and
// client are those of [Call]: a client with the header Last-Event-ID goes on
// where another listener was. The stream is left when the test ends, or by
// Leave.
//
//	captures := ashlartest.Listen[payments.Payment](shop, "payments.captures", nil)
//	call(shop, "payments.capture", capture).OK()
//	if got := captures.Next(); got.ID != p.ID { … }
func Listen[Item any](c *Client, operation string, in any) *Listener[Item] {
	t := c.app.t
	t.Helper()
	s := c.operation(operation)
	if s.Kind != op.IsStream {
		t.Fatalf("%s is a %s; use Call", s.Name, s.Kind)
	}
	if want := reflect.TypeFor[Item](); s.Out != nil && s.Out.Go != want {
		t.Fatalf("%s sends %s, not %s", s.Name, s.Out.Go, want)
	}
	decoder, err := codec.CompileDecoder(s.Out)
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(c.context())
	w := newFlow()
	r, sent := c.Context(ctx).request(s, in)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer w.end()
		c.app.Handler().ServeHTTP(w, r)
	}()
	l := &Listener[Item]{
		t: t, spec: s, flow: w, decoder: decoder,
		exchange: Result[Item]{exchange{app: c.app, spec: s, request: r, sent: sent, answer: w.ResponseRecorder}},
		leave:    func() { leave(); <-ended },
	}
	l.events = sse.NewReader(w)
	t.Cleanup(l.Leave)
	select {
	case <-w.begun:
	case <-time.After(Patience):
		t.Fatalf("%s was neither opened nor refused within %s", s.Name, Patience)
	}
	if w.Code >= http.StatusBadRequest {
		<-ended
		l.exchange.holdContract()
	}
	return l
}

// Listener reads a stream. Its methods end the test if what comes is not what
// they say. It is for one goroutine.
type Listener[Item any] struct {
	t        testing.TB
	spec     *op.Spec
	flow     *flow
	events   *sse.Reader
	decoder  *codec.Decoder
	exchange Result[Item] // how it began
	leave    func()
	last     sse.Event
}

// Next waits for the next item.
func (l *Listener[Item]) Next() (item Item) {
	l.t.Helper()
	l.opened()
	e := l.event()
	if e.Type == "end" || e.Type == "error" {
		l.fatalf("%s ended: %s %s", l.spec.Name, e.Type, e.Data)
	}
	l.last = e
	if err := l.decoder.Decode([]byte(e.Data), &item); err != nil {
		l.fatalf("%s sent what its own document does not describe: %v\n%s", l.spec.Name, err, e.Data)
	}
	return item
}

// ID is that of the item that Next returned last: what the client has for
// Last-Event-ID to go on behind it.
func (l *Listener[Item]) ID() string { return l.last.ID }

// Type is the kind of the item that Next returned last; "message" is the usual
// one.
func (l *Listener[Item]) Type() string { return l.last.Type }

// Ends waits for the end, which must be the next that comes, and asserts its
// code: "completed", "draining", the code of the fault that took a right away.
func (l *Listener[Item]) Ends(code string) {
	l.t.Helper()
	l.opened()
	if e := l.event(); e.Type != "end" || codeOf(e) != code {
		l.fatalf("%s sent %s %s, and did not end with %s", l.spec.Name, e.Type, e.Data, code)
	}
}

// Fails asserts that the stream was refused with this fault, or fails with it
// now, and returns the problem.
func (l *Listener[Item]) Fails(with fault.Coded) (p Problem) {
	l.t.Helper()
	if l.flow.Code >= http.StatusBadRequest {
		return l.exchange.Fails(with)
	}
	e := l.event()
	for _, into := range []any{&p, &p.Members} {
		if err := json.Unmarshal([]byte(e.Data), into); err != nil || e.Type != "error" {
			l.fatalf("%s sent %s %s, and did not fail", l.spec.Name, e.Type, e.Data)
		}
	}
	if p.Code != with.Code() || p.Status != with.Status() {
		l.fatalf("%s failed with %d %s, not %d %s: %s", l.spec.Name, p.Status, p.Code, with.Status(), with.Code(), e.Data)
	}
	if !slices.ContainsFunc(l.spec.Faults(), func(f fault.Coded) bool { return f.Code() == p.Code }) {
		l.t.Errorf("%s failed with %s, which it does not declare; add it to op.Fails at %s", l.spec.Name, p.Code, l.spec.Source)
	}
	return p
}

// Denied asserts that the principal may not listen.
func (l *Listener[Item]) Denied() Problem {
	l.t.Helper()
	return l.Fails(fault.ErrDenied)
}

// Invalid asserts that the stream was refused for just these members of its
// input.
func (l *Listener[Item]) Invalid(pointers ...string) Problem {
	l.t.Helper()
	return l.exchange.Invalid(pointers...)
}

// Silent asserts that nothing comes for a time: that somebody else's item was
// not sent here.
func (l *Listener[Item]) Silent(d time.Duration) {
	l.t.Helper()
	l.opened()
	if text := l.flow.peek(d); text != "" {
		l.fatalf("%s sent something: %s", l.spec.Name, text)
	}
}

// Leave closes the connection, as a caller does who has seen enough. It returns
// when the request has.
func (l *Listener[Item]) Leave() { l.leave() }

// fatalf ends the test with all that is known of the stream. It is left before:
// only then is its trace complete.
func (l *Listener[Item]) fatalf(format string, args ...any) {
	l.t.Helper()
	l.leave()
	l.exchange.fatalf(format, args...)
}

func (l *Listener[Item]) opened() {
	l.t.Helper()
	if l.flow.Code >= http.StatusBadRequest {
		l.fatalf("%s was refused: %d: %s", l.spec.Name, l.flow.Code, l.flow.Body)
	}
}

func (l *Listener[Item]) event() sse.Event {
	l.t.Helper()
	l.flow.patience(time.Now().Add(Patience))
	e, err := l.events.Next()
	switch {
	case errors.Is(err, io.EOF):
		l.fatalf("%s was cut", l.spec.Name)
	case err != nil:
		l.fatalf("%s sent nothing within %s", l.spec.Name, Patience)
	}
	return e
}

func codeOf(e sse.Event) string {
	var said struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal([]byte(e.Data), &said) // a code that is missing is none that is expected
	return said.Code
}

// flow is a response that can be read while it is written.
type flow struct {
	*httptest.ResponseRecorder // head and exchange

	begun  chan struct{} // closed with the head
	stream bool          // what has begun is one
	once   sync.Once
	mu     sync.Mutex
	text   []byte // written and not read
	over   bool
	until  time.Time     // of a read
	more   chan struct{} // has one if there may be news
}

func newFlow() *flow {
	return &flow{ResponseRecorder: httptest.NewRecorder(), begun: make(chan struct{}), more: make(chan struct{}, 1)}
}

func (f *flow) WriteHeader(status int) {
	f.once.Do(func() {
		f.ResponseRecorder.WriteHeader(status)
		f.stream = f.Header().Get("Content-Type") == sse.MediaType
		close(f.begun)
	})
}

func (f *flow) Write(b []byte) (int, error) {
	f.WriteHeader(http.StatusOK)
	if !f.stream {
		return f.ResponseRecorder.Write(b)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text = append(f.text, b...)
	f.news()
	return len(b), nil
}

func (f *flow) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	f.news()
}

func (f *flow) news() {
	select {
	case f.more <- struct{}{}:
	default:
	}
}

// patience sets when reads give up.
func (f *flow) patience(until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.until = until
}

// take takes what there is, and says whether something may still come.
func (f *flow) take(into []byte) (n int, over bool, left time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n = copy(into, f.text)
	f.text = f.text[n:]
	return n, f.over, time.Until(f.until)
}

func (f *flow) Read(b []byte) (int, error) {
	for {
		n, over, left := f.take(b)
		switch {
		case n > 0:
			return n, nil
		case over:
			return 0, io.EOF
		}
		select {
		case <-f.more:
		case <-time.After(left):
			return 0, errPatience
		}
	}
}

var errPatience = errors.New("nothing came in time")

// peek returns what comes within a time, but for comments and pauses, as soon
// as there is some.
func (f *flow) peek(d time.Duration) string {
	for enough := time.After(d); ; {
		if text := f.unread(); text != "" {
			return text
		}
		select {
		case <-f.more:
		case <-enough:
			return f.unread()
		}
	}
}

func (f *flow) unread() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for line := range strings.Lines(string(f.text)) {
		if line != "\n" && !strings.HasPrefix(line, ":") && !strings.HasPrefix(line, "retry:") {
			return string(f.text)
		}
	}
	return ""
}
