// Package scope holds the one context object of a request.
//
// A stack of middlewares that each wrap the context pays one allocation and
// one link of the Value chain for every fact they carry. A Scope carries all
// facts of a request in fields of one object and answers for them as a
// context.Context. Whoever observes the request makes it; the steps behind
// fill in what they learn; the access line is read from it at the end.
//
// A Scope is never pooled: a goroutine that outlives its request may go on
// reading it. Its context methods are safe for concurrent use. Its fields
// belong to the request's own goroutine, and are set before anything else can
// see the scope or not at all.
package scope

import (
	"context"
	"net/http"
	"sync"
	"time"
	"unsafe"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/trace"
)

// Scope is what is known about one request. Init makes it usable.
type Scope struct {
	Trace     trace.Context    // position in the trace; zero leaves it to the parent
	TraceID   string           // Trace's id in hex, made once for header, problem and log
	RequestID string           // the caller's own id when it sent a safe one, else TraceID
	Origin    access.Origin    // where it came from; no address leaves it to the parent
	Spans     trace.Recording  // what is written down of it; inactive leaves it to nobody
	Principal access.Principal // set once by whoever authenticates; anonymous leaves it to the parent

	Begin     time.Time // when it came, for its time-out; zero if nobody has looked
	Operation string    // name of the declared operation, once it is known
	Code      string    // code of the fault that was answered, or empty
	Status    int       // status sent, or 0 while none is
	Bytes     int64     // body bytes sent
	Meter     any       // what counts the request, once it is routed; its maker's own

	// Request is the one that the scope was made for, if it was made for one. As
	// long as it is the same, nothing was put into its context since.
	Request *http.Request

	parent   context.Context
	mu       sync.Mutex
	deadline time.Time
	armed    context.Context // derived from parent with the deadline, on the first call of Done
	disarm   context.CancelFunc
	closed   bool

	// Lasts says that the answer goes on for as long as both sides like, so
	// that it is not slow, and Reported that the request was reported already.
	Lasts, Reported bool
}

// Init binds the scope to the context that it continues: for HTTP the
// request's own, which ends when the client is gone.
func (s *Scope) Init(parent context.Context) { s.parent = parent }

// New returns a scope that continues parent.
func New(parent context.Context) *Scope {
	s := new(Scope)
	s.Init(parent)
	return s
}

// SetTimeout bounds the request's work to d from its begin, or from now if that
// is not known, or to the deadline it already has if that is sooner. The bound costs nothing until somebody calls
// Done: no timer runs before. Call it before the context is handed on; a
// channel that Done returned earlier does not learn of it.
func (s *Scope) SetTimeout(d time.Duration) {
	begin := s.Begin
	if begin.IsZero() {
		begin = time.Now()
	}
	deadline := begin.Add(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deadline.IsZero() || deadline.Before(s.deadline) {
		s.deadline = deadline
	}
}

// Close ends the scope when its request has been answered: a timer that Done
// started is released, and whoever still waits on Done sees Canceled.
func (s *Scope) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.disarm != nil {
		s.disarm()
	}
}

// Deadline returns the earlier of the parent's deadline and the scope's own.
func (s *Scope) Deadline() (time.Time, bool) {
	inherited, ok := s.parent.Deadline()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deadline.IsZero() || ok && inherited.Before(s.deadline) {
		return inherited, ok
	}
	return s.deadline, true
}

// Done returns the channel that closes when the client is gone, the deadline
// has passed or the scope is closed. The first call arms the timer.
func (s *Scope) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.armed != nil:
	case s.closed:
		s.armed, s.disarm = context.WithCancel(s.parent)
		s.disarm()
	case s.deadline.IsZero():
		return s.parent.Done()
	default:
		s.armed, s.disarm = context.WithDeadline(s.parent, s.deadline)
	}
	return s.armed.Done()
}

// Err returns nil while the request is worth working for, DeadlineExceeded
// once its deadline has passed, else Canceled.
func (s *Scope) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.armed != nil {
		return s.armed.Err()
	}
	if err := s.parent.Err(); err != nil {
		return err
	}
	if !s.deadline.IsZero() && !time.Now().Before(s.deadline) {
		return context.DeadlineExceeded
	}
	if s.closed {
		return context.Canceled
	}
	return nil
}

// Key is the context key under which a scope answers with itself.
type Key struct{}

// Value answers for the scope's own facts from its fields, and passes every
// other key on.
func (s *Scope) Value(key any) any {
	switch key.(type) {
	case Key:
		return s
	case trace.Key:
		if s.Trace.Valid() {
			return &s.Trace
		}
	case trace.RecordingKey:
		return &s.Spans
	case access.Key:
		if !s.Principal.Anonymous() {
			return &s.Principal
		}
	case access.OriginKey:
		if s.Origin.Address != "" {
			return &s.Origin
		}
	}
	// The standard library finds the context that owns Done through Value;
	// once armed that is ours, and children attach to it without a goroutine.
	s.mu.Lock()
	next := s.armed
	s.mu.Unlock()
	if next == nil {
		next = s.parent
	}
	return next.Value(key)
}

// Context returns the scope that ctx is or descends from, or nil.
func Context(ctx context.Context) *Scope {
	if s, ok := ctx.(*Scope); ok {
		return s
	}
	s, _ := ctx.Value(Key{}).(*Scope)
	return s
}

// Outside returns the context that a request came with, where ctx is its scope:
// what goes on for hours holds on to that and not to the request's writer, which
// the scope is a part of.
func Outside(ctx context.Context) context.Context {
	if s, ok := ctx.(*Scope); ok {
		return s.parent
	}
	return ctx
}

// RequestIDs returns the request's id as a list of one, as a header has it.
func (s *Scope) RequestIDs() []string { return unsafe.Slice(&s.RequestID, 1) }

// Fields returns the header of a response, for those who only set fields of it.
// What every response has need not be there yet: it is added when the head is
// settled, unless it was set. [http.ResponseWriter.Header] has it.
func Fields(w http.ResponseWriter) http.Header {
	if observed, ok := w.(interface{ Fields() http.Header }); ok {
		return observed.Fields()
	}
	return w.Header()
}

// A Taker is a writer that takes an answer as the value that it is, from who
// would write it as JSON: it is asked within the process, by who wants a part of
// it.
type Taker interface {
	// Takes reports whether it wants any.
	Takes() bool
	// Take takes an answer, given by a pointer that is no good after the call. It
	// is false if the answer has to be written as usual; else n is how many bytes
	// were made of it.
	Take(answer any) (n int, taken bool)
}

// Takes reports whether a writer takes values.
func Takes(w http.ResponseWriter) bool {
	t, ok := w.(Taker)
	return ok && t.Takes()
}

// Take gives a value to a writer that [Takes] it. If it was taken, nothing is left
// to be written but the head.
func Take(w http.ResponseWriter, answer any) bool {
	_, taken := w.(Taker).Take(answer)
	return taken
}

// From returns the scope of an observed response, or nil. It looks through
// writers that offer Unwrap, as http.ResponseController does.
func From(w http.ResponseWriter) *Scope {
	for {
		switch t := w.(type) {
		case interface{ Scope() *Scope }:
			return t.Scope()
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return nil
		}
	}
}
