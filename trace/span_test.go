package trace_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/trace"
)

// sink keeps what is exported.
type sink struct {
	mu     sync.Mutex
	spans  []trace.Record
	fail   error
	closed int
	gate   chan struct{} // nil never blocks
}

func (s *sink) Export(ctx context.Context, spans []*trace.Record) error {
	if s.gate != nil {
		select {
		case <-s.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	for _, r := range spans {
		s.spans = append(s.spans, *r)
	}
	return nil
}

func (s *sink) Close(context.Context) error { s.closed++; return nil }

func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.spans)
}

func (s *sink) named(t *testing.T, name string) trace.Record {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.spans {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("no span %q among %d", name, len(s.spans))
	return trace.Record{}
}

func tracer(t testing.TB, o trace.Options) (*trace.Tracer, *sink) {
	s := &sink{}
	if o.Exporter == nil {
		o.Exporter = s
	}
	tr := trace.NewTracer(o)
	t.Cleanup(func() { _ = tr.Close(context.Background()) })
	return tr, s
}

func flush(t *testing.T, tr *trace.Tracer) {
	t.Helper()
	if err := tr.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// request is a context as a request has one: its recording is a field.
type request struct {
	context.Context

	trace     trace.Context
	recording trace.Recording
}

func (r *request) Value(key any) any {
	switch key.(type) {
	case trace.Key:
		return &r.trace
	case trace.RecordingKey:
		return &r.recording
	}
	return r.Context.Value(key)
}

func begin(tr *trace.Tracer, sampled bool) *request {
	r := &request{Context: context.Background(), trace: trace.New().WithSampled(sampled)}
	tr.Begin(&r.recording, r.trace, [8]byte{7}, time.Now())
	return r
}

// end does what serve does at the end of a request.
func (r *request) end(failed bool, took time.Duration) {
	if !r.recording.Keeps(failed, took) {
		r.recording.Drop()
		return
	}
	own := trace.Record{Name: "request", Kind: trace.Server, Duration: took}
	own.Set(trace.Text("http.route", "/x"))
	r.recording.Keep(&own)
}

func TestSpansOfASampledRequest(t *testing.T) {
	t.Parallel()
	tr, out := tracer(t, trace.Options{})
	r := begin(tr, true)
	ctx, outer := trace.Start(r, "outer", trace.Int("n", 3), trace.Bool("b", true))
	inner := trace.Leaf(ctx, trace.Client, "inner")
	leafOfLeaf := inner.Leaf(trace.Internal, "leaf of leaf")
	if trace.From(ctx) != outer.Context() || !trace.From(ctx).Sampled() {
		t.Error("the context of a span does not carry its position")
	}
	leafOfLeaf.End()
	inner.Fail(fmt.Errorf("ask: %w", fault.ErrUnavailable.Because("secret")))
	inner.End()
	outer.Set(trace.Text("late", "yes"))
	outer.End()
	outer.End()
	open := trace.Leaf(r, trace.Internal, "never ended")
	r.end(false, time.Millisecond)
	open.End()
	flush(t, tr)

	own, first, second, third := out.named(t, "request"), out.named(t, "outer"), out.named(t, "inner"), out.named(t, "leaf of leaf")
	if own.Context != r.trace || own.Parent != [8]byte{7} || own.Kind != trace.Server {
		t.Errorf("the request's own span is %+v", own)
	}
	if first.Parent != own.Context.SpanID || second.Parent != first.Context.SpanID || third.Parent != second.Context.SpanID {
		t.Error("spans hang at the wrong place")
	}
	for _, s := range []trace.Record{first, second, third} {
		if s.Context.TraceID != own.Context.TraceID {
			t.Errorf("%s belongs to another trace", s.Name)
		}
	}
	if second.Error != "unavailable" || second.Kind != trace.Client || first.Error != "" {
		t.Errorf("the failed span is %+v", second)
	}
	if got := fmt.Sprint(values(first)); got != "[n=3 b=true late=yes]" {
		t.Errorf("facts %s", got)
	}
	if unended := out.named(t, "never ended"); unended.Duration <= 0 {
		t.Error("a span that nobody ended has no duration")
	}
	if len(out.spans) != 5 || tr.Stats().Exported != 5 || tr.Stats().Waiting != 0 {
		t.Errorf("%d spans, %+v", len(out.spans), tr.Stats())
	}
}

func values(r trace.Record) (list []string) {
	for _, a := range r.Attrs() {
		list = append(list, fmt.Sprintf("%s=%v", a.Key, a.Value()))
	}
	return list
}

// TestTail holds what is kept of requests that were not sampled: those that
// failed and those that were slow, with all that happened in them.
func TestTail(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		failed bool
		took   time.Duration
		slow   time.Duration
		want   int
	}{
		"good and quick":         {false, 999 * time.Millisecond, 0, 0},
		"failed":                 {true, 0, 0, 3},
		"slow":                   {false, time.Second, 0, 3},
		"slow by its own bound":  {false, 10 * time.Millisecond, 10 * time.Millisecond, 3},
		"slow, but nobody minds": {false, time.Hour, -1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, out := tracer(t, trace.Options{Slow: tc.slow})
			r := begin(tr, false)
			ctx, span := trace.Start(r, "work")
			if ctx != context.Context(r) {
				t.Error("a request that is not sampled gets another context")
			}
			trace.Leaf(ctx, trace.Client, "query").End()
			span.End()
			r.end(tc.failed, tc.took)
			flush(t, tr)
			if len(out.spans) != tc.want {
				t.Fatalf("%d spans are kept, not %d", len(out.spans), tc.want)
			}
			if tc.want > 0 && out.named(t, "query").Parent != r.trace.SpanID {
				t.Error("the query does not hang at the request")
			}
		})
	}
}

// A goroutine that outlives its request must not write into the next one's
// memory.
func TestLateSpansTouchNothing(t *testing.T) {
	t.Parallel()
	tr, out := tracer(t, trace.Options{})
	first := begin(tr, true)
	_, late := trace.Start(first, "late")
	first.end(false, 0)
	flush(t, tr) // gives the memory back

	second := begin(tr, true)
	trace.Leaf(second, trace.Client, "good").End()
	late.Set(trace.Text("stranger", "x"))
	late.Fail(errors.New("x"))
	late.Leaf(trace.Internal, "child of late").End()
	late.End()
	if late.Context() != (trace.Context{}) || trace.Leaf(first, trace.Internal, "later").Recording() {
		t.Error("a recording that is over still answers")
	}
	second.end(false, 0)
	flush(t, tr)
	if good := out.named(t, "good"); good.Error != "" || len(good.Attrs()) != 0 || len(out.spans) != 4 {
		t.Errorf("%d spans, the second request's is %+v", len(out.spans), good)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	tr, out := tracer(t, trace.Options{})
	r := begin(tr, true)
	for range 1000 {
		trace.Leaf(r, trace.Client, "query").End()
	}
	r.end(false, 0)
	flush(t, tr)
	if own := out.named(t, "request"); len(out.spans) != 129 || own.Lost != 1000-128 {
		t.Errorf("%d spans of one request, %d said to be lost", len(out.spans), own.Lost)
	}

	span := trace.Leaf(begin(tr, true), trace.Internal, "many")
	for i := range 50 {
		span.Set(trace.Int("n", int64(i)))
	}
}

func TestAFullQueueDropsAndCounts(t *testing.T) {
	t.Parallel()
	out := &sink{gate: make(chan struct{})}
	tr, _ := tracer(t, trace.Options{Exporter: out, Queue: 10, Batch: 1, Timeout: time.Minute})
	for range 50 {
		begin(tr, true).end(false, 0)
	}
	s := tr.Stats()
	if s.Dropped != 40 || s.Waiting != 10 {
		t.Errorf("a queue of 10 met 50 spans: %+v", s)
	}
	close(out.gate)
	flush(t, tr)
	if s := tr.Stats(); s.Exported != 10 || s.Waiting != 0 {
		t.Errorf("after all: %+v", s)
	}
}

func TestFailuresOfTheExporterAreCountedAndToldOnce(t *testing.T) {
	t.Parallel()
	var told bytes.Buffer
	out := &sink{fail: errors.New("collector is down")}
	tr, _ := tracer(t, trace.Options{Exporter: out, Log: slog.New(slog.NewTextHandler(&told, nil))})
	for range 3 {
		begin(tr, true).end(false, 0)
		flush(t, tr)
	}
	if s := tr.Stats(); s.Failed != 3 || s.Exported != 0 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(told.String(), "collector is down"); n != 1 {
		t.Errorf("told %d times:\n%s", n, &told)
	}
}

func TestBatchesLeaveInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr, out := tracer(t, trace.Options{Delay: 2 * time.Second})
		begin(tr, true).end(false, 0)
		time.Sleep(1999 * time.Millisecond)
		synctest.Wait()
		if out.count() != 0 {
			t.Error("a span left before its time")
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if out.count() != 1 {
			t.Error("a span did not leave in time")
		}
		begin(tr, true).end(false, 0)
		_ = tr.Close(t.Context())
		if out.count() != 2 || out.closed != 1 {
			t.Error("Close left a span behind")
		}
		begin(tr, true).end(false, 0)
		_ = tr.Close(t.Context())
		if s := tr.Stats(); s.Dropped != 1 || out.closed != 1 {
			t.Errorf("after Close: %+v", s)
		}
	})
}

func TestTasks(t *testing.T) {
	t.Parallel()
	tr, out := tracer(t, trace.Options{Sampler: trace.Ratio(0).ParentBased()})
	task := trace.WithTracer(t.Context(), tr)

	if trace.Leaf(task, trace.Client, "query").Recording() {
		t.Error("a query alone is a trace")
	}
	_, good := trace.Start(task, "good")
	good.End()
	ctx, bad := trace.Start(task, "bad")
	trace.Leaf(ctx, trace.Client, "query").End()
	bad.Fail(errors.New("x"))
	bad.End()
	bad.End()
	flush(t, tr)
	if len(out.spans) != 2 || out.named(t, "query").Parent != out.named(t, "bad").Context.SpanID {
		t.Errorf("kept of one good run and one bad: %d spans", len(out.spans))
	}

	parent := trace.New().WithSampled(true) // a job continues what made it
	_, job := trace.Start(trace.With(task, parent), "job")
	job.End()
	flush(t, tr)
	if s := out.named(t, "job"); s.Parent != parent.SpanID || s.Context.TraceID != parent.TraceID {
		t.Errorf("a job does not continue its trace: %+v", s)
	}

	ctx, nothing := trace.Start(t.Context(), "untraced")
	if ctx != t.Context() || nothing.Recording() || nothing.Context().Valid() {
		t.Error("a span without a tracer")
	}
	nothing.Set(trace.Text("a", "b"))
	nothing.Fail(errors.New("x"))
	nothing.Leaf(trace.Internal, "x").End()
	nothing.End()
}

func TestErrorsAreNamedNotQuoted(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"timeout":             fmt.Errorf("x: %w", context.DeadlineExceeded),
		"canceled":            context.Canceled,
		"internal":            fault.ErrInternal.Wrap(errors.New("secret")),
		"*errors.errorString": fmt.Errorf("a: %w", fmt.Errorf("b: %w", errors.New("secret"))),
	} {
		tr, out := tracer(t, trace.Options{})
		r := begin(tr, true)
		s := trace.Leaf(r, trace.Client, "x")
		s.Fail(err)
		s.Fail(nil)
		s.End()
		r.end(false, 0)
		flush(t, tr)
		if got := out.named(t, "x").Error; got != want {
			t.Errorf("%v is named %q, not %q", err, got, want)
		}
	}
}

func TestStatementsLeaveWithoutValues(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ sql, want, name string }{
		{"SELECT id\n  FROM payments WHERE id = $1 AND state IN ($2, $3)", "SELECT id FROM payments WHERE id = $1 AND state IN ($2, $3)", "SELECT payments"},
		{"SELECT * FROM t WHERE name = 'canary' AND n = 4242424242424242", "SELECT * FROM t WHERE name = ? AND n = ?", "SELECT t"},
		{"insert into users(a) values ('it''s canary', -1.5e3, .5, x'ff')", "insert into users(a) values (?, -?, ?, x?)", "INSERT users"},
		{"UPDATE \"my table\" SET a1 = ?1 -- canary\n WHERE b2 = :name", "UPDATE ? SET a1 = ?1 WHERE b2 = :name", "UPDATE ?"},
		{"DELETE /* canary */ FROM x WHERE a = $$canary$$ OR b = $t$canary$t$", "DELETE FROM x WHERE a = ? OR b = ?", "DELETE x"},
		{"SELECT 'canary without an end", "SELECT ?", "SELECT"},
		{"SELECT $$canary", "SELECT ?", "SELECT"},
		{"SELECT \"canary", "SELECT ?", "SELECT"},
		{`SELECT * FROM t WHERE a = "canary" AND b = E'it\'s canary' AND rate'canary'`, "SELECT * FROM t WHERE a = ? AND b = E? AND rate?", "SELECT t"},
		{"SELECT `a`, '\\', 'canary'", "SELECT ?, ?, ?", "SELECT"},
		{"", "", ""},
		{"SELECT COUNT(*) FROM (SELECT 1 FROM inner_table)", "SELECT COUNT(*) FROM (SELECT ? FROM inner_table)", ""},
	} {
		tr, out := tracer(t, trace.Options{})
		r := begin(tr, true)
		trace.Leaf(r, trace.Client, "", trace.Statement(tc.sql)).End()
		r.end(false, 0)
		flush(t, tr)
		i := slices.IndexFunc(out.spans, func(s trace.Record) bool { return s.Kind == trace.Client })
		got := out.spans[i]
		if text := got.Attrs()[0].Value(); text != tc.want {
			t.Errorf("%q\nleaves as %q\nnot as   %q", tc.sql, text, tc.want)
		}
		if tc.name != "" && got.Name != tc.name {
			t.Errorf("%q is named %q, not %q", tc.sql, got.Name, tc.name)
		}
	}
}

func FuzzStatement(f *testing.F) {
	f.Add("SELECT * FROM t WHERE a = '", "'")
	f.Add("SELECT $$", "$$ FROM t")
	f.Fuzz(func(t *testing.T, before, after string) {
		tr, out := tracer(t, trace.Options{})
		r := begin(tr, true)
		trace.Leaf(r, trace.Client, "", trace.Statement(before+"'canary'"+after)).End()
		r.end(false, 0)
		flush(t, tr)
		if text, _ := out.spans[1].Attrs()[0].Value().(string); len(text) > 3<<10 || strings.Contains(text, "\n") {
			t.Errorf("%d bytes: %q", len(text), text)
		}
	})
}

func TestRedaction(t *testing.T) {
	t.Parallel()
	tr, out := tracer(t, trace.Options{Redact: func(key string) bool { return key == "card" }})
	r := begin(tr, true)
	trace.Leaf(r, trace.Internal, "x", trace.Int("card", 4242), trace.Text("ok", "v")).End()
	r.end(false, 0)
	flush(t, tr)
	if got := fmt.Sprint(values(out.named(t, "x"))); got != "[card=*** ok=v]" {
		t.Error(got)
	}
}

func TestSpansOfManyGoroutines(t *testing.T) {
	t.Parallel()
	tr, out := tracer(t, trace.Options{Queue: 100_000})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				r := begin(tr, true)
				var inside sync.WaitGroup
				for range 3 {
					inside.Go(func() {
						ctx, s := trace.Start(r, "s")
						trace.Leaf(ctx, trace.Client, "q").End()
						s.End()
					})
				}
				late := trace.Leaf(r, trace.Internal, "late")
				inside.Go(func() { late.Set(trace.Int("n", 1)); late.End() })
				r.end(false, 0)
				inside.Wait()
			}
		})
	}
	all.Wait()
	flush(t, tr)
	seen := map[[8]byte]bool{}
	for _, s := range out.spans {
		if seen[s.Context.SpanID] {
			t.Fatal("two spans have one id")
		}
		seen[s.Context.SpanID] = true
	}
	if len(out.spans) < 400 || tr.Stats().Dropped != 0 {
		t.Errorf("%d spans, %+v", len(out.spans), tr.Stats())
	}
}
