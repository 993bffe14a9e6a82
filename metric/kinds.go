package metric

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Counter only goes up.
type Counter struct{ prom prometheus.Counter }

// Inc adds one.
func (c Counter) Inc() { c.prom.Inc() }

// Add adds n; a negative n is ignored, as a counter cannot go down.
func (c Counter) Add(n float64) {
	if n >= 0 {
		c.prom.Add(n)
	}
}

// Counter declares a family of counters. The error names what is wrong with
// the declaration: its name, its labels, or a name that is taken.
func (r *Registry) Counter(name, help string, labels ...string) (*Family[Counter], error) {
	if err := check(counter, name, help, labels); err != nil {
		return nil, err
	}
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	if err := r.register(name, vec); err != nil {
		return nil, err
	}
	return family(r, name, labels, func(values []string) (Counter, error) {
		c, err := vec.GetMetricWithLabelValues(values...)
		return Counter{c}, err
	}), nil
}

// Gauge goes up and down.
type Gauge struct{ prom prometheus.Gauge }

// Set makes v the value.
func (g Gauge) Set(v float64) { g.prom.Set(v) }

// Add adds n, which may be negative.
func (g Gauge) Add(n float64) { g.prom.Add(n) }

// Inc adds one.
func (g Gauge) Inc() { g.prom.Inc() }

// Dec takes one away.
func (g Gauge) Dec() { g.prom.Dec() }

// Gauge declares a family of gauges; for its error see [Registry.Counter].
func (r *Registry) Gauge(name, help string, labels ...string) (*Family[Gauge], error) {
	if err := check(gauge, name, help, labels); err != nil {
		return nil, err
	}
	vec := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	if err := r.register(name, vec); err != nil {
		return nil, err
	}
	return family(r, name, labels, func(values []string) (Gauge, error) {
		g, err := vec.GetMetricWithLabelValues(values...)
		return Gauge{g}, err
	}), nil
}

// GaugeFunc declares a gauge that is read when it is asked for, such as the
// size of a pool. read must be quick and safe for concurrent use.
func (r *Registry) GaugeFunc(name, help string, read func() float64) error {
	if err := check(gauge, name, help, nil); err != nil {
		return err
	}
	return r.register(name, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

// Histogram sorts observations into buckets.
type Histogram struct{ prom prometheus.Observer }

// Observe adds an observation in the unit of the metric's name.
func (h Histogram) Observe(v float64) { h.prom.Observe(v) }

// ObserveDuration adds an observation to a histogram of seconds.
func (h Histogram) ObserveDuration(d time.Duration) { h.prom.Observe(d.Seconds()) }

// Latency returns bucket bounds in seconds for answers of a server: half a
// millisecond to ten seconds, three to a decade.
func Latency() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

// Histogram declares a family of histograms with the upper bounds of its
// buckets, ascending; each combination of labels keeps all of them. For its
// error see [Registry.Counter].
func (r *Registry) Histogram(name, help string, buckets []float64, labels ...string) (*Family[Histogram], error) {
	if err := check(histogram, name, help, labels); err != nil {
		return nil, err
	}
	if err := checkBuckets(name, buckets); err != nil {
		return nil, err
	}
	vec := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	if err := r.register(name, vec); err != nil {
		return nil, err
	}
	return family(r, name, labels, func(values []string) (Histogram, error) {
		h, err := vec.GetMetricWithLabelValues(values...)
		return Histogram{h}, err
	}), nil
}
