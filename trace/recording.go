package trace

import (
	"context"
	"encoding/binary"
	"sync"
	"time"
)

// Record is what was written down of a span that has ended. It is the
// exporter's for the time of one Export.
type Record struct {
	Name     string
	Kind     Kind
	Context  Context // with the tracestate only at the request's own span
	Parent   [8]byte // zero for the first span of a trace
	Start    time.Time
	Duration time.Duration
	Error    string // the kind of failure, or empty
	Lost     int    // spans of the request that were not written down; at its own span only

	began time.Duration // since the start of the recording
	ended bool
	n     int
	attrs [maxAttrs]Attr
}

// Attrs are the facts that were written down, in order.
func (r *Record) Attrs() []Attr { return r.attrs[:r.n] }

// Set adds facts, as many as there is room for.
func (r *Record) Set(attrs ...Attr) { r.add(attrs) }

func (r *Record) add(attrs []Attr) { r.n += copy(r.attrs[r.n:], attrs) }

// Bounds of what is written down of one request.
const (
	chunkSize = 8
	maxChunks = 16
)

// A chunk is where spans are written down. Chunks go from request to request;
// a span stays where it is for as long as its recording is not over.
type chunk struct {
	next    *chunk
	used    int
	records [chunkSize]Record
}

var chunks = sync.Pool{New: func() any { return new(chunk) }}

// RecordingKey is the key under which a context answers with the *[Recording]
// of its request. It is exported so that a request's own context type can
// answer it from a field.
type RecordingKey struct{}

// Recording writes down the spans of one request. It is a field of the
// request's own context, so that it costs no allocation; the zero value writes
// nothing down. [Tracer.Begin] starts it, and exactly one of Keep and Drop
// ends it. It must not be copied, nor used for another request: a goroutine
// that outlives the request still asks it.
type Recording struct {
	tracer *Tracer
	root   Context
	parent [8]byte
	start  time.Time
	record *Record // of a recording that is no request's

	mu          sync.Mutex
	first, last *chunk
	count       int // of chunks
	lost        int
	over        bool
}

// begin writes a span down.
func (r *Recording) begin(parent [8]byte, kind Kind, name string, attrs []Attr) Span {
	began := time.Since(r.start)
	r.mu.Lock()
	defer r.mu.Unlock()
	to := r.slot()
	if to == nil {
		return Span{}
	}
	to.reset(r, kind, name, parent, began)
	binary.BigEndian.PutUint64(to.Context.SpanID[:], nonZero())
	to.add(attrs)
	return Span{in: r, at: to}
}

// note writes a span down that is over.
func (r *Recording) note(p *Past, failure string, attrs []Attr) {
	began := time.Since(r.start) - p.Took
	r.mu.Lock()
	defer r.mu.Unlock()
	to := r.slot()
	if to == nil {
		return
	}
	to.reset(r, p.Kind, p.Name, p.Parent, began)
	if to.Context.SpanID = p.ID; p.ID == ([8]byte{}) {
		binary.BigEndian.PutUint64(to.Context.SpanID[:], nonZero())
	}
	to.ended, to.Duration, to.Error = true, p.Took, failure
	to.add(attrs)
}

// reset makes the place of an old span that of a new one. The facts need not
// be cleared: the new one counts its own.
func (r *Record) reset(in *Recording, kind Kind, name string, parent [8]byte, began time.Duration) {
	r.Name, r.Kind, r.Parent = name, kind, parent
	r.Context.TraceID, r.Context.Flags, r.Context.State = in.root.TraceID, in.root.Flags, in.root.State
	r.Start, r.began = in.start.Add(began), began
	r.Duration, r.ended, r.Error, r.Lost, r.n = 0, false, "", 0, 0
}

// slot returns a place for a span, or nil when there is none.
func (r *Recording) slot() *Record {
	if r.over {
		return nil
	}
	if r.last == nil || r.last.used == chunkSize {
		if r.count == maxChunks || !r.tracer.take() {
			r.lost++
			return nil
		}
		c := chunks.Get().(*chunk)
		c.next, c.used = nil, 0
		if r.last == nil {
			r.first = c
		} else {
			r.last.next = c
		}
		r.last = c
		r.count++
	}
	r.last.used++
	return &r.last.records[r.last.used-1]
}

// Keeps reports whether the request is to be kept: because it was sampled from
// the start, or because it failed or took too long.
func (r *Recording) Keeps(failed bool, took time.Duration) bool {
	return r.tracer != nil && (failed || r.root.Sampled() || r.tracer.slow > 0 && took >= r.tracer.slow)
}

// Drop ends the recording and forgets it.
func (r *Recording) Drop() {
	if r.tracer == nil {
		return
	}
	r.mu.Lock()
	first, count := r.first, r.count
	r.first, r.last, r.over = nil, nil, true
	r.mu.Unlock()
	if first != nil {
		release(first)
		r.tracer.give(count)
	}
}

// Keep ends the recording and hands it over for export. Own says what the
// request's own span was: name, kind, duration, error and facts.
func (r *Recording) Keep(own *Record) {
	if r.tracer == nil {
		return
	}
	own.Context, own.Parent, own.Start, own.ended = r.root, r.parent, r.start, true
	now := time.Since(r.start)
	r.mu.Lock()
	own.Lost = r.lost
	first, count, spans := r.first, r.count, 0
	r.first, r.last, r.over = nil, nil, true
	r.mu.Unlock()

	for c := first; c != nil; c = c.next {
		spans += c.used
		for i := range c.records[:c.used] {
			if s := &c.records[i]; !s.ended {
				s.ended, s.Duration = true, now-s.began
			}
		}
	}
	// The request's own span comes first, in a chunk beyond the bound: it is
	// there even if nothing else is.
	head := chunks.Get().(*chunk)
	head.next, head.used, head.records[0] = first, 1, *own
	r.tracer.held.Add(1)
	r.tracer.hand(head, spans+1, count+1)
}

// finishOwn ends a recording that its first span began.
func (r *Recording) finishOwn() {
	if r.Keeps(r.record.Error != "", r.record.Duration) {
		r.Keep(r.record)
		return
	}
	r.Drop()
}

func release(c *chunk) {
	for c != nil {
		next := c.next
		c.next = nil
		chunks.Put(c)
		c = next
	}
}

// begin starts a trace that belongs to no request.
func (t *Tracer) begin(ctx context.Context, kind Kind, name string, attrs []Attr) (context.Context, Span) {
	own := &struct {
		Recording
		record Record
	}{}
	parent := From(ctx)
	root := parent.Child()
	if !parent.Valid() {
		root = New()
	}
	root = root.WithSampled(t.Sample(root, parent.Valid(), true))
	t.Begin(&own.Recording, root, parent.SpanID, time.Now())
	own.Recording.record = &own.record
	own.record.Name, own.record.Kind, own.record.Context = name, kind, root
	own.record.add(attrs)
	s := Span{in: &own.Recording, at: &own.record}
	return &inside{Context: ctx, recording: &own.Recording, at: root}, s
}
