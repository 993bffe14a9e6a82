package metric

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Label is a label whose value is known when the metric is declared.
type Label struct{ Name, Value string }

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

// Value returns what was counted.
func (c Counter) Value() float64 { return valueOf(c.prom).GetCounter().GetValue() }

// Counter declares a family of counters. The error names what is wrong with
// the declaration: its name, its labels, or a name that is taken.
func (r *Registry) Counter(name, help string, labels ...string) (*Family[Counter], error) {
	if err := check(counter, name, help, labels); err != nil {
		return nil, err
	}
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help, Unit: unitOf(name)}, labels)
	if err := r.register(name, vec); err != nil {
		return nil, err
	}
	return family(r, name, labels, func(values []string) (Counter, error) {
		c, err := vec.GetMetricWithLabelValues(values...)
		return Counter{c}, err
	}), nil
}

// CounterFunc declares a counter that something else keeps: read is called when
// it is asked for, and must be quick, safe for concurrent use, and never answer
// less than before. One name may be declared with several values of the same
// labels; for its error see [Registry.Counter].
func (r *Registry) CounterFunc(name, help string, read func() float64, labels ...Label) error {
	names, values := split(labels)
	if err := check(counter, name, help, names); err != nil {
		return err
	}
	return r.register(name, prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, Unit: unitOf(name), ConstLabels: values}, read))
}

// Gauge goes up and down.
type Gauge struct{ prom prometheus.Gauge }

// Value returns the value.
func (g Gauge) Value() float64 { return valueOf(g.prom).GetGauge().GetValue() }

// valueOf reads one metric; the error of a counter or gauge is never there.
func valueOf(m prometheus.Metric) *dto.Metric {
	var read dto.Metric
	_ = m.Write(&read)
	return &read
}

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
	vec := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help, Unit: unitOf(name)}, labels)
	if err := r.register(name, vec); err != nil {
		return nil, err
	}
	return family(r, name, labels, func(values []string) (Gauge, error) {
		g, err := vec.GetMetricWithLabelValues(values...)
		return Gauge{g}, err
	}), nil
}

// GaugeFunc declares a gauge that is read when it is asked for, such as the
// size of a pool. read must be quick and safe for concurrent use. One name may
// be declared with several values of the same labels.
func (r *Registry) GaugeFunc(name, help string, read func() float64, labels ...Label) error {
	names, values := split(labels)
	if err := check(gauge, name, help, names); err != nil {
		return err
	}
	return r.register(name, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, Unit: unitOf(name), ConstLabels: values}, read))
}

func split(labels []Label) (names []string, values prometheus.Labels) {
	values = prometheus.Labels{}
	for _, l := range labels {
		names = append(names, l.Name)
		values[l.Name] = l.Value
	}
	return names, values
}

// Histogram sorts observations into buckets.
type Histogram struct{ prom prometheus.Observer }

// Observe adds an observation in the unit of the metric's name.
func (h Histogram) Observe(v float64) { h.prom.Observe(v) }

// ObserveDuration adds an observation to a histogram of seconds.
func (h Histogram) ObserveDuration(d time.Duration) { h.prom.Observe(d.Seconds()) }

// ObserveTraced is [Histogram.Observe] for something that a trace was recorded
// of. Of each bucket the newest such trace is kept and shown as its exemplar,
// the way from a slow bucket to a request that was slow. It allocates. A trace
// id is up to 64 bytes of ASCII; without one it is Observe.
func (h Histogram) ObserveTraced(v float64, traceID string) {
	e, ok := h.prom.(prometheus.ExemplarObserver)
	if !ok || !traceable(traceID) {
		h.prom.Observe(v)
		return
	}
	e.ObserveWithExemplar(v, prometheus.Labels{"trace_id": traceID})
}

// traceable reports whether an exemplar can hold the id: what it cannot hold
// is a panic of the library.
func traceable(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		if c := id[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// Latency returns bucket bounds in seconds for answers of a server: half a
// millisecond to ten seconds, three to a decade.
func Latency() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

// Histogram declares a family of histograms with the upper bounds of its
// buckets, ascending; each combination of labels keeps all of them. One of
// seconds is kept as a native histogram too, whose buckets are at most a tenth
// wide: any quantile is then right to 5 %, for scrapers that ask for it. For its
// error see [Registry.Counter].
func (r *Registry) Histogram(name, help string, buckets []float64, labels ...string) (*Family[Histogram], error) {
	if err := check(histogram, name, help, labels); err != nil {
		return nil, err
	}
	if err := checkBuckets(name, buckets); err != nil {
		return nil, err
	}
	opts := prometheus.HistogramOpts{Name: name, Help: help, Unit: unitOf(name), Buckets: buckets}
	if opts.Unit == "seconds" {
		opts.NativeHistogramBucketFactor = 1.1
		opts.NativeHistogramMaxBucketNumber = nativeBuckets // then they become wider; nothing is reset
	}
	vec := prometheus.NewHistogramVec(opts, labels)
	if err := r.register(name, vec); err != nil {
		return nil, err
	}
	return family(r, name, labels, func(values []string) (Histogram, error) {
		h, err := vec.GetMetricWithLabelValues(values...)
		return Histogram{h}, err
	}), nil
}
