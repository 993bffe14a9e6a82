package trace

import (
	"context"
	"strings"
	"time"
)

// run exports until the tracer is closed.
func (t *Tracer) run() {
	defer close(t.stopped)
	var b batch
	tick := time.NewTicker(t.o.Delay)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.drain(&b)
		case <-t.full:
			t.drain(&b)
		case done := <-t.flush:
			t.drain(&b)
			close(done)
		case <-t.stop:
			t.drain(&b)
			return
		}
	}
}

// drain exports all that waits, in batches.
func (t *Tracer) drain(b *batch) {
	for {
		b.taken = t.dequeue(b.taken)
		if len(b.taken) == 0 {
			return
		}
		for _, k := range b.taken {
			if b.add(k); len(b.spans) >= t.o.Batch {
				t.export(b)
			}
		}
		t.export(b)
	}
}

// A batch is what is exported together. It may exceed the size asked for by
// the spans of one request.
type batch struct {
	spans    []*Record
	requests []kept
	taken    []kept
	told     time.Time // of the last failure
}

func (b *batch) add(k kept) {
	b.requests = append(b.requests, k)
	for c := k.first; c != nil; c = c.next {
		for i := range c.records[:c.used] {
			b.spans = append(b.spans, &c.records[i])
		}
	}
}

func (t *Tracer) export(b *batch) {
	if len(b.spans) == 0 {
		return
	}
	for _, s := range b.spans {
		t.prepare(s)
	}
	n := int64(len(b.spans))
	ctx, cancel := context.WithTimeout(context.Background(), t.o.Timeout)
	err := t.o.Exporter.Export(ctx, b.spans)
	cancel()
	if err == nil {
		t.exported.Add(n)
	} else {
		t.failed.Add(n)
		if now := time.Now(); t.o.Log != nil && now.Sub(b.told) > time.Minute {
			b.told = now
			s := t.Stats()
			t.o.Log.Warn("traces cannot be exported", "error", err, "spans_failed", s.Failed, "spans_dropped", s.Dropped)
		}
	}
	for _, k := range b.requests {
		release(k.first)
		t.give(k.chunks)
	}
	clear(b.spans)
	clear(b.requests)
	b.spans, b.requests = b.spans[:0], b.requests[:0]
	t.waiting.Add(-n)
}

// prepare does what is worth doing only for spans that leave: it hides values
// and names statements.
func (t *Tracer) prepare(s *Record) {
	for i := range s.attrs[:s.n] {
		a := &s.attrs[i]
		switch {
		case a.kind == isStatement:
			a.text, a.kind = withoutValues(a.text), isText
			if s.Name == "" {
				s.Name = summary(a.text)
				verb, _, _ := strings.Cut(s.Name, " ")
				s.Set(Text("db.operation.name", verb))
			}
		case t.o.Redact != nil && t.o.Redact(a.Key):
			a.text, a.kind = "***", isText
		}
	}
}
