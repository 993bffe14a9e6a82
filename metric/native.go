package metric

import (
	"cmp"
	"maps"
	"slices"

	dto "github.com/prometheus/client_model/go"
)

// nativeBuckets is how many buckets a native histogram may have before they
// become wider.
const nativeBuckets = 100

// The schemas of which each is twice as fine as the one before.
const (
	coarsest = -4
	finest   = 8
)

// leastSpan is the gap from which on a span of its own is smaller than empty
// buckets.
const leastSpan = 3

// mostExemplars is how many examples one histogram shows.
const mostExemplars = 10

// native is a histogram whose buckets follow from a schema: the bucket i ends at
// 2^(i/2^schema) and begins where i-1 ends.
type native struct {
	schema             int32
	threshold          float64 // of the values that count as zero
	zeros              uint64
	positive, negative map[int32]int64
	exemplars          []*dto.Exemplar
}

// nativeOf reads the native part of h; ok is false if there is none, or one of a
// kind that no client here writes: of floating counts, or with bounds of its own.
func nativeOf(h *dto.Histogram) (n native, ok bool) {
	if h.Schema == nil || h.GetSchema() < coarsest || h.GetSchema() > finest ||
		h.SampleCountFloat != nil || h.ZeroCountFloat != nil || len(h.GetPositiveCount())+len(h.GetNegativeCount()) > 0 {
		return native{}, false
	}
	n = native{schema: h.GetSchema(), threshold: h.GetZeroThreshold(), zeros: h.GetZeroCount(), exemplars: h.GetExemplars()}
	var right bool
	if n.positive, ok = counts(h.GetPositiveSpan(), h.GetPositiveDelta()); !ok {
		return native{}, false
	}
	n.negative, right = counts(h.GetNegativeSpan(), h.GetNegativeDelta())
	return n, right
}

// counts reads what the buckets count. Each span begins so many buckets after the
// end of the one before, and each count is told by its difference.
func counts(spans []*dto.BucketSpan, deltas []int64) (of map[int32]int64, ok bool) {
	of = map[int32]int64{}
	at, count := int32(0), int64(0)
	for _, s := range spans {
		at += s.GetOffset()
		if int64(s.GetLength()) > int64(len(deltas)) {
			return nil, false
		}
		for _, d := range deltas[:s.GetLength()] {
			if count += d; count != 0 {
				of[at] = count
			}
			at++
		}
		deltas = deltas[s.GetLength():]
	}
	return of, len(deltas) == 0
}

// widened is n with buckets as wide as those of a coarser schema.
func (n native) widened(schema int32) native {
	if steps := n.schema - schema; steps > 0 {
		n.positive, n.negative, n.schema = wider(n.positive, steps), wider(n.negative, steps), schema
	}
	return n
}

func wider(of map[int32]int64, steps int32) map[int32]int64 {
	w := make(map[int32]int64, len(of))
	for i, c := range of {
		w[(i-1)>>steps+1] += c // rounds up, below zero as well
	}
	return w
}

// with adds m, which counts other values. They must agree on what is zero.
func (n native) with(m native) (sum native, ok bool) {
	if n.threshold != m.threshold {
		return native{}, false
	}
	schema := min(n.schema, m.schema)
	n, m = n.widened(schema), m.widened(schema)
	sum = native{schema: schema, threshold: n.threshold, zeros: n.zeros + m.zeros, positive: maps.Clone(n.positive), negative: maps.Clone(n.negative)}
	for i, c := range m.positive {
		sum.positive[i] += c
	}
	for i, c := range m.negative {
		sum.negative[i] += c
	}
	for len(sum.positive)+len(sum.negative) > nativeBuckets && sum.schema > coarsest {
		sum = sum.widened(sum.schema - 1)
	}
	sum.exemplars = slices.SortedStableFunc(slices.Values(slices.Concat(n.exemplars, m.exemplars)), func(a, b *dto.Exemplar) int {
		return a.GetTimestamp().AsTime().Compare(b.GetTimestamp().AsTime())
	})
	sum.exemplars = sum.exemplars[max(len(sum.exemplars)-mostExemplars, 0):]
	return sum, true
}

// put writes n into h.
func (n native) put(h *dto.Histogram) {
	h.Schema, h.ZeroThreshold, h.ZeroCount, h.Exemplars = &n.schema, &n.threshold, &n.zeros, n.exemplars
	h.PositiveSpan, h.PositiveDelta = spans(n.positive)
	h.NegativeSpan, h.NegativeDelta = spans(n.negative)
	if n.threshold == 0 && n.zeros == 0 && len(h.GetPositiveSpan())+len(h.GetNegativeSpan()) == 0 {
		var none int32
		var empty uint32
		h.PositiveSpan = []*dto.BucketSpan{{Offset: &none, Length: &empty}} // or it would be taken for a classic one
	}
}

// spans is what [counts] reads.
func spans(of map[int32]int64) (all []*dto.BucketSpan, deltas []int64) {
	next, last := int32(0), int64(0)
	add := func(count int64) {
		deltas = append(deltas, count-last)
		last = count
		*all[len(all)-1].Length++
		next++
	}
	for _, i := range slices.SortedFunc(maps.Keys(of), cmp.Compare[int32]) {
		if gap := i - next; len(all) == 0 || gap >= leastSpan {
			all = append(all, &dto.BucketSpan{Offset: &gap, Length: new(uint32)})
			next = i
		}
		for next < i {
			add(0)
		}
		add(of[i])
	}
	return all, deltas
}

// addNative puts the sum of the native parts of a and b into h. Where only one
// has such a part, or they do not agree on what is zero, h has none: it would
// not be whole.
func addNative(h, a, b *dto.Histogram) {
	one, ok := nativeOf(a)
	two, also := nativeOf(b)
	if !ok || !also {
		return
	}
	if sum, agree := one.with(two); agree {
		sum.put(h)
	}
}
