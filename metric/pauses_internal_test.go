package metric

import (
	"maps"
	"math"
	"runtime/metrics"
	"testing"
)

func TestRebucket(t *testing.T) {
	t.Parallel()
	count, sum, got := rebucket(&metrics.Float64Histogram{
		Buckets: []float64{math.Inf(-1), 0, 1, 2, 4, 8, math.Inf(1)},
		Counts:  []uint64{1, 10, 20, 30, 40, 5},
	}, []float64{1, 3, 8, 100})
	// 3 cuts the bucket from 2 to 4: what is in it counts as more than 3.
	if want := map[float64]uint64{1: 11, 3: 31, 8: 101, 100: 101}; !maps.Equal(got, want) {
		t.Errorf("buckets %v, want %v", got, want)
	}
	if want := 10*.5 + 20*1.5 + 30*3. + 40*6 + 5*8; count != 106 || sum != want {
		t.Errorf("count %d, sum %v, want 106 and %v", count, sum, want)
	}
	if _, _, got := rebucket(&metrics.Float64Histogram{Buckets: []float64{0, 1}, Counts: []uint64{7}}, []float64{5, 6}); got[5] != 7 || got[6] != 7 {
		t.Errorf("bounds above every bucket: %v", got)
	}
}
