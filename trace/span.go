package trace

import (
	"context"
	"errors"
	"reflect"
	"time"
)

// Kind says on which side of a call a span stands.
type Kind uint8

// The kinds of span, as OpenTelemetry knows them.
const (
	Internal Kind = iota // inside this process
	Server               // answering somebody
	Client               // asking somebody
)

// Span is a piece of work that is under way. The zero Span records nothing, so
// whoever starts one need not ask whether anybody watches. End it in any case;
// one that is still open when its request has been answered ends there. Safe
// for concurrent use, after the end too.
type Span struct {
	in *Recording
	at *Record
}

// Start begins a span inside the current one and returns a context in which it
// is the current one. Where nothing is recorded, and in a request that is not
// sampled, the context is ctx itself and nothing is allocated: should such a
// request be kept in the end, what happened inside the span stands beside it.
//
// In a context of [WithTracer] that belongs to no request, such as a task's,
// it begins a trace of its own, or continues the one that ctx carries.
func Start(ctx context.Context, name string, attrs ...Attr) (context.Context, Span) {
	return start(ctx, Internal, name, attrs)
}

// Call is Start for a call to somebody outside of this process.
func Call(ctx context.Context, name string, attrs ...Attr) (context.Context, Span) {
	return start(ctx, Client, name, attrs)
}

// Leaf begins a span in which no other will stand, and never allocates. It
// begins no trace: outside of one it records nothing.
func Leaf(ctx context.Context, kind Kind, name string, attrs ...Attr) Span {
	r, parent := current(ctx)
	if r == nil {
		return Span{}
	}
	return r.begin(parent, kind, name, attrs)
}

// Leaf begins a span inside s, as the function of that name does in a context.
func (s Span) Leaf(kind Kind, name string, attrs ...Attr) Span {
	if s.in == nil {
		return Span{}
	}
	at := s.Context() // zero if it is over: the memory is somebody else's by then
	if !at.Valid() {
		return Span{}
	}
	return s.in.begin(at.SpanID, kind, name, attrs)
}

// Do runs fn in a span, which fails if fn does: one round of a background task.
func Do(ctx context.Context, name string, fn func(ctx context.Context) error) error {
	ctx, span := Start(ctx, name)
	defer span.End()
	err := fn(ctx)
	span.Fail(err)
	return err
}

// Past is a piece of work that is over, for code that learns of it afterwards.
type Past struct {
	Name   string // empty for a [Statement], which names itself
	Kind   Kind
	Took   time.Duration
	Err    error   // as for [Span.Fail]
	ID     [8]byte // zero to have one chosen
	Parent [8]byte // zero for the current span
}

// Note writes down a piece of work that has just ended. It costs half of what
// a Span does, because it looks at the clock once.
func Note(ctx context.Context, p Past, attrs ...Attr) {
	r, parent := current(ctx)
	if r == nil {
		return
	}
	if p.Parent == ([8]byte{}) {
		p.Parent = parent
	}
	kind := ""
	if p.Err != nil {
		kind = kindOf(p.Err)
	}
	r.note(&p, kind, attrs)
}

// Recording reports whether anything is written down of s.
func (s Span) Recording() bool { return s.in != nil }

// Context is the position of s in its trace, for a call that goes out under
// it; the zero Context if s records nothing.
func (s Span) Context() Context {
	if s.in == nil {
		return Context{}
	}
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	if s.in.over {
		return Context{}
	}
	return s.at.Context
}

// Set adds what became known. A span holds twelve facts; later ones are
// dropped.
func (s Span) Set(attrs ...Attr) {
	if s.in == nil {
		return
	}
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	if !s.in.over {
		s.at.add(attrs)
	}
}

// Fail marks the span as failed, unless err is nil. Of the error only its kind
// is written down (the code of a fault, else its type): texts of errors quote
// what they are about.
func (s Span) Fail(err error) {
	if s.in == nil || err == nil {
		return
	}
	kind := kindOf(err)
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	if !s.in.over {
		s.at.Error = kind
	}
}

// End ends the span. Later ends change nothing.
func (s Span) End() {
	if s.in == nil {
		return
	}
	took := time.Since(s.in.start)
	s.in.mu.Lock()
	if s.in.over || s.at.ended {
		s.in.mu.Unlock()
		return
	}
	s.at.ended = true
	s.at.Duration = took - s.at.began
	root := s.at == s.in.record
	s.in.mu.Unlock()
	if root {
		s.in.finishOwn()
	}
}

// current is the recording that ctx carries and the id of the current span.
func current(ctx context.Context) (*Recording, [8]byte) {
	switch p := ctx.Value(RecordingKey{}).(type) {
	case *Recording:
		if p != nil && p.tracer != nil {
			return p, p.root.SpanID
		}
	case *inside:
		return p.recording, p.at.SpanID
	}
	return nil, [8]byte{}
}

func start(ctx context.Context, kind Kind, name string, attrs []Attr) (context.Context, Span) {
	r, parent := current(ctx)
	if r == nil {
		if t, _ := ctx.Value(tracerKey{}).(*Tracer); t != nil {
			return t.begin(ctx, kind, name, attrs)
		}
		return ctx, Span{}
	}
	s := r.begin(parent, kind, name, attrs)
	if s.in == nil || !r.root.Sampled() {
		return ctx, s
	}
	return &inside{Context: ctx, recording: r, at: s.Context()}, s
}

// inside is the context of a span.
type inside struct {
	context.Context

	recording *Recording
	at        Context
}

func (c *inside) Value(key any) any {
	switch key.(type) {
	case Key:
		return &c.at
	case RecordingKey:
		return c
	}
	return c.Context.Value(key)
}

// kindOf names an error without quoting it.
func kindOf(err error) string {
	if coded, ok := errors.AsType[interface {
		error
		Code() string
	}](err); ok {
		return coded.Code()
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	for {
		cause := errors.Unwrap(err)
		if cause == nil {
			return reflect.TypeOf(err).String()
		}
		err = cause
	}
}
