// Package trace carries the W3C trace context of a request, and records what
// happened in it as spans.
//
// The one idea: a trace context is a small value, read from a header at fixed
// offsets and handed down a context.Context, so that a log line, an outgoing
// call and a stored event of one request can all name the same trace.
//
//	tc, ok := trace.Parse(r.Header.Get("traceparent"))
//	if !ok {
//		tc = trace.New()
//	}
//	ctx := trace.With(r.Context(), tc.Child())
//	...
//	req.Header.Set("traceparent", trace.From(ctx).Traceparent())
//
// Contexts are plain data: copy them and share them between goroutines.
//
// A span is a piece of work with a beginning and an end. A [Tracer] decides at
// the start of a request whether its trace is sampled, and again at its end:
// what failed or was slow is kept although nobody sampled it. For that the
// spans of every request are written down, into memory that is used again and
// again, and thrown away when the request turns out well. Code that does
// something worth seeing says so, traced or not:
//
//	ctx, span := trace.Start(ctx, "render invoice", trace.Int("invoice.lines", int64(len(lines))))
//	defer span.End()
//
// Nothing here speaks a protocol: an [Exporter] takes what was kept, such as
// the one in trace/otlp.
package trace

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// FlagSampled is the bit of Context.Flags by which a caller says that it
// records this trace.
const FlagSampled byte = 1

// Context is one position in one trace. The zero value belongs to no trace;
// Valid tells the two apart.
type Context struct {
	TraceID [16]byte // shared by every hop of the request; never all zero when valid
	SpanID  [8]byte  // this hop; never all zero when valid
	Flags   byte     // trace-flags of W3C level 1; FlagSampled is the only defined bit
	State   State    // vendors' own entries, passed on untouched; may be empty
}

// New starts a trace that no caller samples. Its ids are random but not secret:
// they name a request and must never guard one.
func New() Context {
	var c Context
	binary.BigEndian.PutUint64(c.TraceID[:8], rand.Uint64()) //nolint:gosec // ids are not secrets
	binary.BigEndian.PutUint64(c.TraceID[8:], nonZero())
	binary.BigEndian.PutUint64(c.SpanID[:], nonZero())
	return c
}

// Child returns c with a new span id: the same trace, one hop further. Use it
// on what a caller sent before it becomes this process's own context.
func (c Context) Child() Context {
	binary.BigEndian.PutUint64(c.SpanID[:], nonZero())
	return c
}

// nonZero draws an id half that can never make an id all zero, which W3C
// reserves for "invalid".
func nonZero() uint64 {
	for {
		if n := rand.Uint64(); n != 0 { //nolint:gosec // ids are not secrets
			return n
		}
	}
}

// Valid reports whether both ids are set.
func (c Context) Valid() bool {
	return c.TraceID != [16]byte{} && c.SpanID != [8]byte{}
}

// Sampled reports whether the caller records this trace.
func (c Context) Sampled() bool { return c.Flags&FlagSampled != 0 }

// WithSampled returns c with the sampled flag set or cleared: what a sampler
// decided, for the hops below to follow.
func (c Context) WithSampled(on bool) Context {
	c.Flags &^= FlagSampled
	if on {
		c.Flags |= FlagSampled
	}
	return c
}

// TraceIDString returns the trace id as 32 lowercase hex digits, the form that
// log lines and trace viewers use.
func (c Context) TraceIDString() string {
	var b [32]byte
	hex.Encode(b[:], c.TraceID[:])
	return string(b[:])
}

// SpanIDString returns the span id as 16 lowercase hex digits.
func (c Context) SpanIDString() string {
	var b [16]byte
	hex.Encode(b[:], c.SpanID[:])
	return string(b[:])
}

// Key is the key under which a context.Context answers with its Context or
// *Context. It is exported so that a request's own context type can answer it
// from a field, without a wrapping context per request.
type Key struct{}

// With returns a context that carries c; From reads it back.
func With(ctx context.Context, c Context) context.Context {
	return context.WithValue(ctx, Key{}, c)
}

// From returns the trace context that ctx carries, or the zero Context.
func From(ctx context.Context) Context {
	switch c := ctx.Value(Key{}).(type) {
	case *Context:
		if c != nil {
			return *c
		}
	case Context:
		return c
	}
	return Context{}
}
