package metric

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// waits is a registry whose histogram has observed all values.
func waits(t *testing.T, values []float64) *Registry {
	t.Helper()
	r := New()
	h, err := r.Histogram("wait_seconds", "Waits.", []float64{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		h.With().Observe(v)
	}
	return r
}

func histogramIn(t *testing.T, snapshot []byte) *dto.Histogram {
	t.Helper()
	d := expfmt.NewDecoder(bytes.NewReader(snapshot), expfmt.NewFormat(expfmt.TypeProtoDelim))
	for {
		var f dto.MetricFamily
		if err := d.Decode(&f); err != nil {
			t.Fatalf("no histogram: %v", err)
		}
		if f.GetName() == "wait_seconds" {
			return f.GetMetric()[0].GetHistogram()
		}
	}
}

func snapshotOf(t *testing.T, r *Registry) []byte {
	t.Helper()
	b, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// shown is the histogram as a fleet of these processes shows it.
func shown(t *testing.T, ended, one, two *Registry) *dto.Histogram {
	t.Helper()
	var f Fleet
	if err := f.End(snapshotOf(t, ended)); err != nil {
		t.Fatal(err)
	}
	h := f.Handler(New(), func(context.Context) []Part {
		return []Part{{"1", snapshotOf(t, one)}, {"2", snapshotOf(t, two)}}
	})
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", string(expfmt.NewFormat(expfmt.TypeProtoDelim)))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Body)
	if err != nil || w.Code != 200 {
		t.Fatal(w.Code, string(body), err)
	}
	return histogramIn(t, body)
}

// TestASumIsAsIfOneHadSeenAll compares with a histogram that has observed what
// three have: an oracle from the client library, whose buckets become wider by
// themselves.
func TestASumIsAsIfOneHadSeenAll(t *testing.T) {
	t.Parallel()
	const seed = 8
	random := rand.New(rand.NewPCG(seed, seed))
	shapes := map[string]func() float64{
		"latencies":  func() float64 { return math.Exp(random.NormFloat64() - 5) },
		"far apart":  func() float64 { return math.Exp(40 * random.NormFloat64()) },
		"both signs": func() float64 { return 10 * random.NormFloat64() },
		"few":        func() float64 { return float64(random.IntN(4) - 1) },
		"extremes": func() float64 {
			return []float64{0, 1, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), -1}[random.IntN(7)]
		},
	}
	for name, value := range shapes {
		widths := 0
		for range 60 {
			var parts [3][]float64
			var all []float64
			for i := range parts {
				for range random.IntN(1 << random.IntN(11)) {
					parts[i] = append(parts[i], value())
				}
				all = append(all, parts[i]...)
			}
			sum := shown(t, waits(t, parts[0]), waits(t, parts[1]), waits(t, parts[2]))
			whole := histogramIn(t, snapshotOf(t, waits(t, all)))
			got, ok := nativeOf(sum)
			want, also := nativeOf(whole)
			if !ok || !also {
				t.Fatalf("%s: a native part is missing: %v, %v", name, ok, also)
			}
			if sum.GetSampleCount() != whole.GetSampleCount() || len(got.positive)+len(got.negative) > nativeBuckets {
				t.Fatalf("%s: %d values in %d buckets, want %d", name, sum.GetSampleCount(), len(got.positive)+len(got.negative), whole.GetSampleCount())
			}
			if got.schema != want.schema {
				widths++ // the client widens when a bucket comes, one step each time
			}
			schema := min(got.schema, want.schema)
			got, want = got.widened(schema), want.widened(schema)
			if got.zeros != want.zeros || got.threshold != want.threshold || !maps.Equal(got.positive, want.positive) || !maps.Equal(got.negative, want.negative) {
				t.Fatalf("%s of %d, %d and %d values: %+v\nwant %+v", name, len(parts[0]), len(parts[1]), len(parts[2]), got, want)
			}
		}
		t.Logf("%s: the width differed %d times of 60", name, widths)
	}
}

func TestNativePartsThatCannotBeAddedAreLeftOut(t *testing.T) {
	t.Parallel()
	of := func(change func(h *dto.Histogram)) *dto.Histogram {
		h := histogramIn(t, snapshotOf(t, waits(t, []float64{-1, 0, 1, 2, 1000})))
		change(h)
		return together(together(&dto.Histogram{}, histogramIn(t, snapshotOf(t, waits(t, []float64{1})))), h)
	}
	zero, float, schema, wrong := 0.5, 1.0, int32(-53), uint32(1<<31)
	if _, ok := nativeOf(of(func(*dto.Histogram) {})); !ok {
		t.Error("as it was: no native part")
	}
	for name, change := range map[string]func(h *dto.Histogram){
		"another zero":           func(h *dto.Histogram) { h.ZeroThreshold = &zero },
		"floating counts":        func(h *dto.Histogram) { h.SampleCountFloat = &float },
		"bounds of its own":      func(h *dto.Histogram) { h.Schema = &schema },
		"none":                   func(h *dto.Histogram) { h.Schema = nil },
		"a span without counts":  func(h *dto.Histogram) { h.PositiveSpan[0].Length = &wrong },
		"counts without a span":  func(h *dto.Histogram) { h.NegativeSpan = nil },
		"fewer spans than there": func(h *dto.Histogram) { h.PositiveSpan = h.GetPositiveSpan()[:1] },
	} {
		h := of(change)
		if _, ok := nativeOf(h); ok || h.GetSampleCount() != 6 {
			t.Errorf("%s: %v", name, h)
		}
	}
}

func TestSpansReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		of := map[int32]int64{}
		for range n {
			of[random.Int32N(1<<(1+n%11))-int32(n)] = 1 + random.Int64N(1000)
		}
		s, deltas := spans(of)
		back, ok := counts(s, deltas)
		if !ok || !maps.Equal(of, back) {
			t.Fatal(fmt.Sprint(of, "\n", back, ok))
		}
	}
}
