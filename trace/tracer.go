package trace

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// An Exporter takes spans away.
type Exporter interface {
	// Export sends spans, of one trace or many. It is called by one goroutine
	// at a time, and must not keep the records after it has returned. Spans of
	// a failed Export are lost, and counted.
	Export(ctx context.Context, spans []*Record) error
	// Close is called once, after the last Export.
	Close(ctx context.Context) error
}

// Options say how a [Tracer] works. Zero fields are the defaults, which are
// OpenTelemetry's where it has one.
type Options struct {
	// Exporter takes what is kept. It is required: a program that exports
	// nothing has no Tracer.
	Exporter Exporter
	// Sampler decides at the start of each trace.
	Sampler Sampler
	// Slow is how long a request may take before it is kept although it was
	// not sampled. Zero means 1s; negative means that none is.
	Slow time.Duration

	// Queue is how many spans may wait for the exporter; what comes when it is
	// full is dropped and counted. Zero means 2048.
	Queue int
	// Batch is how many spans are exported together. Zero means 512.
	Batch int
	// Delay is how often a batch leaves that is not full. Zero means 5s.
	Delay time.Duration
	// Timeout bounds one Export. Zero means 30s.
	Timeout time.Duration

	// Redact reports whether the value of a key must not be exported. Nil
	// means that none is hidden.
	Redact func(key string) bool
	// Log is told of exports that failed, at most once a minute. Nil is not.
	Log *slog.Logger
}

// maxHeld bounds the chunks that all requests together may hold, about 25 MB.
const maxHeld = 4096

// Tracer decides which traces are kept, and exports them in the background.
// Its methods are safe for concurrent use; a nil Tracer samples nothing.
type Tracer struct {
	o       Options
	slow    time.Duration
	held    atomic.Int64 // chunks, by requests and in the queue
	waiting atomic.Int64 // spans in the queue or being exported
	full    chan struct{}
	flush   chan chan struct{}
	stop    chan struct{}
	stopped chan struct{}
	closing sync.Once

	mu     sync.Mutex
	queue  []kept
	closed bool

	exported, dropped, failed atomic.Int64
}

// kept is one request on its way to the exporter.
type kept struct {
	first  *chunk
	chunks int
}

// NewTracer returns a Tracer, and starts its goroutine: close it.
func NewTracer(o Options) *Tracer {
	o.Queue, o.Batch = cmp.Or(o.Queue, 2048), cmp.Or(o.Batch, 512)
	o.Delay, o.Timeout, o.Slow = cmp.Or(o.Delay, 5*time.Second), cmp.Or(o.Timeout, 30*time.Second), cmp.Or(o.Slow, time.Second)
	t := &Tracer{
		o: o, slow: o.Slow,
		full:  make(chan struct{}, 1),
		flush: make(chan chan struct{}),
		stop:  make(chan struct{}), stopped: make(chan struct{}),
	}
	go t.run()
	return t
}

// Stats count spans since the start.
type Stats struct {
	Exported int64 // taken by the exporter
	Dropped  int64 // not taken over, because the queue was full or the tracer closed
	Failed   int64 // given to the exporter, which failed
	Waiting  int64 // in the queue now
}

// Stats is a snapshot. A nil Tracer has none.
func (t *Tracer) Stats() Stats {
	if t == nil {
		return Stats{}
	}
	return Stats{t.exported.Load(), t.dropped.Load(), t.failed.Load(), t.waiting.Load()}
}

// Sample decides about the trace of c. Parent says that c continues what
// somebody upstream sent, with his flags, and trusted that he is believed.
// Without a Tracer it is what a trusted parent decided.
func (t *Tracer) Sample(c Context, parent, trusted bool) bool {
	if t == nil {
		return parent && trusted && c.Sampled()
	}
	return t.o.Sampler.sample(c, parent, trusted)
}

// Begin starts the recording of a request at root, whose flags say what was
// decided. Parent is the caller's span, or zero.
func (t *Tracer) Begin(r *Recording, root Context, parent [8]byte, start time.Time) {
	if t == nil {
		return
	}
	r.tracer, r.root, r.parent, r.start = t, root, parent, start
}

type tracerKey struct{}

// WithTracer returns a context in which [Start] begins traces of its own where
// there is none: that of a background task.
func WithTracer(ctx context.Context, t *Tracer) context.Context {
	if t == nil {
		return ctx
	}
	return context.WithValue(ctx, tracerKey{}, t)
}

// take asks for a chunk.
func (t *Tracer) take() bool {
	if t.held.Add(1) > maxHeld {
		t.held.Add(-1)
		return false
	}
	return true
}

func (t *Tracer) give(n int) { t.held.Add(-int64(n)) }

// hand queues a request for the goroutine that exports. It wakes it only for a
// whole batch: to wake a goroutine for each request would cost more than all
// that was written down.
func (t *Tracer) hand(first *chunk, spans, held int) {
	n := int64(spans)
	waiting := t.waiting.Add(n)
	if waiting > int64(t.o.Queue) || !t.enqueue(kept{first, held}) {
		t.waiting.Add(-n)
		t.dropped.Add(n)
		release(first)
		t.give(held)
		return
	}
	if waiting >= int64(t.o.Batch) {
		select {
		case t.full <- struct{}{}:
		default: // it knows
		}
	}
}

func (t *Tracer) enqueue(k kept) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.queue = append(t.queue, k)
	}
	return !t.closed
}

// dequeue takes all that is queued; spare is what it took before.
func (t *Tracer) dequeue(spare []kept) []kept {
	clear(spare)
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := t.queue
	t.queue = spare[:0]
	return taken
}

// Flush exports what was kept until now, or returns when ctx ends.
func (t *Tracer) Flush(ctx context.Context) error {
	if t == nil {
		return nil
	}
	done := make(chan struct{})
	select {
	case t.flush <- done:
	case <-t.stopped:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close exports what is left and closes the exporter, or gives up when ctx
// ends. What is kept later is dropped.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	var err error
	t.closing.Do(func() {
		t.mu.Lock()
		t.closed = true
		t.mu.Unlock()
		close(t.stop)
		select {
		case <-t.stopped:
			err = t.o.Exporter.Close(ctx)
		case <-ctx.Done():
			err = ctx.Err()
		}
	})
	return err
}
