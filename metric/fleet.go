package metric

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// workerLabel tells apart what cannot be added up.
const workerLabel = "worker"

// Snapshot is every metric of a registry at one moment, for another process to
// read.
func (r *Registry) Snapshot() ([]byte, error) {
	families, err := r.prom.Gather()
	if err != nil {
		return nil, fmt.Errorf("metric: %w", err)
	}
	var b bytes.Buffer
	e := expfmt.NewEncoder(&b, expfmt.NewFormat(expfmt.TypeProtoDelim))
	for _, f := range families {
		if err := e.Encode(f); err != nil {
			return nil, fmt.Errorf("metric: %w", err)
		}
	}
	return b.Bytes(), nil
}

// Fleet adds up the metrics of several processes that do one thing together:
// counters and histograms are summed, and those of processes that have ended
// stay in the sum; gauges and summaries, of which a sum would say nothing, get
// the label worker. Native histograms of different width have the wider one's
// buckets in the sum; of those that differ in what they take for zero only the
// classic buckets are in it. The zero Fleet is ready to use.
type Fleet struct {
	mu    sync.Mutex
	ended map[string]*dto.MetricFamily
}

// Part is the snapshot of one process. Of two with one Worker, the gauges of the
// first are shown.
type Part struct {
	Worker   string
	Snapshot []byte
}

// End keeps the counters of a process that has ended.
func (f *Fleet) End(snapshot []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := newSum(f.ended)
	if err := sum.add(Part{Snapshot: snapshot}, false); err != nil {
		return err
	}
	f.ended = sum.families
	return nil
}

// Handler answers as [Registry.Handler], for all processes: own is the registry
// of this one, whose gauges have the label as "parent", and parts returns the
// others'.
func (f *Fleet) Handler(own *Registry, parts func(context.Context) []Part) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
			snapshot, err := own.Snapshot()
			if err != nil {
				return nil, err
			}
			return f.gather(append(parts(r.Context()), Part{"parent", snapshot}))
		})
		promhttp.HandlerFor(all, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorHandling: promhttp.HTTPErrorOnError}).ServeHTTP(w, r)
	})
}

func (f *Fleet) gather(parts []Part) ([]*dto.MetricFamily, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := newSum(f.ended)
	for _, p := range parts {
		if err := sum.add(p, true); err != nil {
			return nil, err
		}
	}
	return slices.SortedFunc(maps.Values(sum.families), func(a, b *dto.MetricFamily) int {
		return cmp.Compare(a.GetName(), b.GetName())
	}), nil
}

// sum is what families add up to.
type sum struct {
	families map[string]*dto.MetricFamily
	metrics  map[string]*dto.Metric // by name and labels
}

// newSum begins with a copy of what is given.
func newSum(of map[string]*dto.MetricFamily) *sum {
	s := &sum{map[string]*dto.MetricFamily{}, map[string]*dto.Metric{}}
	for _, f := range of {
		s.family(f, "", true)
	}
	return s
}

// add adds a snapshot, with its gauges or without.
func (s *sum) add(p Part, gauges bool) error {
	d := expfmt.NewDecoder(bytes.NewReader(p.Snapshot), expfmt.NewFormat(expfmt.TypeProtoDelim))
	for {
		var f dto.MetricFamily
		if err := d.Decode(&f); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("metric: a snapshot that cannot be read: %w", err)
		}
		s.family(&f, p.Worker, gauges)
	}
}

func (s *sum) family(f *dto.MetricFamily, worker string, gauges bool) {
	adds := f.GetType() == dto.MetricType_COUNTER || f.GetType() == dto.MetricType_HISTOGRAM
	if !adds && !gauges {
		return
	}
	into := s.families[f.GetName()]
	if into == nil {
		into = &dto.MetricFamily{Name: f.Name, Help: f.Help, Type: f.Type, Unit: f.Unit}
		s.families[f.GetName()] = into
	}
	if into.GetType() != f.GetType() {
		return // two programs that disagree, during a reload: the first one is right
	}
	for _, m := range f.GetMetric() {
		if !adds {
			m = &dto.Metric{Label: labelled(m.GetLabel(), worker), Gauge: m.Gauge, Summary: m.Summary, Untyped: m.Untyped}
		}
		key := keyOf(f.GetName(), m.GetLabel())
		was := s.metrics[key]
		switch {
		case was == nil:
			m = fresh(m)
			s.metrics[key] = m
			into.Metric = append(into.Metric, m)
		case !adds: // of one that leaves, whose place another has taken
		case m.GetCounter() != nil && was.GetCounter() != nil:
			v := was.GetCounter().GetValue() + m.GetCounter().GetValue()
			was.Counter = &dto.Counter{Value: &v, Exemplar: m.GetCounter().GetExemplar()}
		case m.GetHistogram() != nil && was.GetHistogram() != nil:
			was.Histogram = together(was.GetHistogram(), m.GetHistogram())
		}
	}
}

// fresh is a metric that may be changed, without what cannot be added up.
func fresh(m *dto.Metric) *dto.Metric {
	n := &dto.Metric{Label: m.GetLabel(), Counter: m.Counter, Gauge: m.Gauge, Summary: m.Summary, Untyped: m.Untyped}
	if h := m.GetHistogram(); h != nil {
		n.Histogram = together(&dto.Histogram{}, h)
	}
	if c := m.GetCounter(); c != nil {
		v := c.GetValue() // without the time of its creation, which differs
		n.Counter = &dto.Counter{Value: &v, Exemplar: c.GetExemplar()}
	}
	return n
}

// together adds two histograms. Buckets count what is below their bound, so a
// bound that only one has, as after a change of the program, is left out.
func together(a, b *dto.Histogram) *dto.Histogram {
	count, total := a.GetSampleCount()+b.GetSampleCount(), a.GetSampleSum()+b.GetSampleSum()
	h := &dto.Histogram{SampleCount: &count, SampleSum: &total}
	if a.SampleCount == nil {
		h.Bucket = b.GetBucket()
		if n, ok := nativeOf(b); ok {
			n.put(h)
		}
		return h
	}
	addNative(h, a, b)
	bounds := map[float64]*dto.Bucket{}
	for _, bucket := range a.GetBucket() {
		bounds[bucket.GetUpperBound()] = bucket
	}
	for _, bucket := range b.GetBucket() {
		was := bounds[bucket.GetUpperBound()]
		if was == nil {
			continue
		}
		n := was.GetCumulativeCount() + bucket.GetCumulativeCount()
		exemplar := bucket.GetExemplar()
		if exemplar == nil {
			exemplar = was.GetExemplar()
		}
		h.Bucket = append(h.Bucket, &dto.Bucket{UpperBound: bucket.UpperBound, CumulativeCount: &n, Exemplar: exemplar})
	}
	return h
}

// labelled puts the worker among the labels, in their order.
func labelled(labels []*dto.LabelPair, worker string) []*dto.LabelPair {
	if worker == "" || slices.ContainsFunc(labels, func(l *dto.LabelPair) bool { return l.GetName() == workerLabel }) {
		return labels
	}
	name := workerLabel
	all := append(slices.Clone(labels), &dto.LabelPair{Name: &name, Value: &worker})
	slices.SortFunc(all, func(a, b *dto.LabelPair) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return all
}

func keyOf(name string, labels []*dto.LabelPair) string {
	var b strings.Builder
	b.WriteString(name)
	for _, l := range labels {
		b.WriteString("\xff" + l.GetName() + "\xff" + l.GetValue()) // in no valid UTF-8
	}
	return b.String()
}
