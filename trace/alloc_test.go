//go:build !race

// The race detector makes sync.Pool forget, so allocations are only exact
// without it.

package trace_test

import (
	"context"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/trace"
)

// TestUnsampledAllocatesNothing holds the price of a request that nobody
// samples and that turns out well, with spans of every sort.
func TestUnsampledAllocatesNothing(t *testing.T) {
	tr, _ := tracer(t, trace.Options{})
	const runs = 200
	requests := make([]*request, runs+2) // a request is its own allocation
	for i := range requests {
		requests[i] = begin(tr, false)
	}
	i := 0
	if n := testing.AllocsPerRun(runs, func() {
		r := requests[i]
		i++
		use(r)
		r.end(false, time.Millisecond)
	}); n != 0 {
		t.Errorf("an unsampled request allocates %v times", n)
	}
	if n := testing.AllocsPerRun(runs, func() { use(context.Background()) }); n != 0 {
		t.Errorf("without a tracer spans allocate %v times", n)
	}
}

func use(ctx context.Context) {
	ctx, span := trace.Start(ctx, "work", trace.Int("n", 1), trace.Text("a", "b"))
	for range 10 {
		q := trace.Leaf(ctx, trace.Client, "", trace.Statement("SELECT 1"))
		q.Set(trace.Int("rows", 1))
		q.End()
	}
	span.Fail(nil)
	span.End()
}

func BenchmarkSpan(b *testing.B) {
	tr, _ := tracer(b, trace.Options{})
	unsampled := begin(tr, false)
	b.Run("without a tracer", func(b *testing.B) {
		b.ReportAllocs()
		ctx := &request{Context: context.Background()}
		for b.Loop() {
			trace.Leaf(ctx, trace.Client, "", trace.Statement("SELECT 1")).End()
		}
	})
	b.Run("unsampled", func(b *testing.B) {
		b.ReportAllocs()
		r := unsampled
		for n := 0; b.Loop(); n++ {
			if n%10 == 0 { // so that there is room
				r.recording = trace.Recording{}
				r.recording.Drop()
				tr.Begin(&r.recording, r.trace, [8]byte{}, time.Now())
			}
			trace.Leaf(r, trace.Client, "", trace.Statement("SELECT 1")).End()
			if n%10 == 9 {
				r.end(false, 0)
			}
		}
	})
	b.Run("sample and drop", func(b *testing.B) {
		b.ReportAllocs()
		r := unsampled
		now := time.Now()
		for b.Loop() {
			r.recording = trace.Recording{}
			_ = tr.Sample(r.trace, false, false)
			tr.Begin(&r.recording, r.trace, [8]byte{}, now)
			r.end(false, 0)
		}
	})
	b.Run("sampled request of ten", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r := begin(tr, true)
			use(r)
			r.end(false, 0)
		}
	})
}
