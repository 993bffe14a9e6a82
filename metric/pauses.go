package metric

import (
	"math"
	"runtime/metrics"

	"github.com/prometheus/client_golang/prometheus"
)

// pauses are the two ways in which the runtime keeps a program waiting: a
// goroutine that could run waits for a processor, and the collector stops all.
// The first is what other runtimes call the lag of the event loop. The library
// has them with one bucket to a decade, too coarse to read a percentile from.
type pauses struct{ list []pause }

type pause struct {
	source string // in runtime/metrics
	desc   *prometheus.Desc
}

func newPauses() pauses {
	seconds := func(name, help string) *prometheus.Desc {
		return prometheus.V2.NewDesc(name, help, prometheus.UnconstrainedLabels(nil), nil, prometheus.WithUnit("seconds"))
	}
	return pauses{[]pause{
		{"/sched/latencies:seconds", seconds("go_sched_latencies_seconds",
			"How long goroutines that could run have waited for a processor.")},
		{"/sched/pauses/total/gc:seconds", seconds("go_sched_pauses_total_gc_seconds",
			"How long the garbage collector has stopped the program, each time.")},
	}}
}

// Describe implements [prometheus.Collector].
func (p pauses) Describe(out chan<- *prometheus.Desc) {
	for _, one := range p.list {
		out <- one.desc
	}
}

// Collect implements [prometheus.Collector].
func (p pauses) Collect(out chan<- prometheus.Metric) {
	samples := make([]metrics.Sample, len(p.list))
	for i, one := range p.list {
		samples[i].Name = one.source
	}
	metrics.Read(samples)
	for i, one := range p.list {
		if samples[i].Value.Kind() != metrics.KindFloat64Histogram {
			continue // a later Go has done away with it
		}
		count, sum, buckets := rebucket(samples[i].Value.Float64Histogram(), pauseBuckets())
		out <- prometheus.MustNewConstHistogram(one.desc, count, sum, buckets)
	}
}

// pauseBuckets are upper bounds in seconds: ten microseconds to a second.
func pauseBuckets() []float64 {
	return []float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1}
}

// rebucket counts a histogram of the runtime by other bounds. What lies in a
// bucket that one of them cuts counts as above it, so that nothing looks
// shorter than it was. The runtime keeps no sum: the middle of each bucket
// stands for what is in it.
func rebucket(h *metrics.Float64Histogram, bounds []float64) (count uint64, sum float64, cumulative map[float64]uint64) {
	cumulative = make(map[float64]uint64, len(bounds))
	next := 0
	for i, n := range h.Counts {
		low, high := h.Buckets[i], h.Buckets[i+1]
		for next < len(bounds) && high > bounds[next] {
			cumulative[bounds[next]] = count
			next++
		}
		count += n
		switch {
		case n == 0:
		case math.IsInf(low, -1):
			sum += float64(n) * high
		case math.IsInf(high, 1):
			sum += float64(n) * low
		default:
			sum += float64(n) * (low + high) / 2
		}
	}
	for ; next < len(bounds); next++ {
		cumulative[bounds[next]] = count
	}
	return count, sum, cumulative
}
