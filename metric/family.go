package metric

import (
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// MaxChildren is how many combinations of label values a family keeps.
	MaxChildren = 1000
	// Other is the value of every label for the combinations beyond that.
	Other = "other"
)

// Family is the metrics of one name, one for each combination of values of its
// labels. M is [Counter], [Gauge] or [Histogram].
type Family[M any] struct {
	name    string
	labels  int
	make    func(values []string) (M, error) // the same values give the same child
	refused *prometheus.CounterVec

	mu       sync.RWMutex
	children map[string]M
}

// family puts a bound on a prometheus vector. One without labels has its only
// child from the start, so that it shows as 0 and not as missing.
func family[M any](r *Registry, name string, labels []string, child func([]string) (M, error)) *Family[M] {
	f := &Family[M]{name: name, labels: len(labels), make: child, refused: r.refused, children: map[string]M{}}
	if len(labels) == 0 {
		f.With()
	}
	return f
}

// With returns the metric of these values, one for each label in the order of
// the declaration. Resolve it once and keep it where you can; a known
// combination costs no allocation either. With never fails: the wrong number of
// values, like one combination too many, is counted under [Other].
func (f *Family[M]) With(values ...string) M {
	var stack [128]byte
	key := stack[:0]
	for _, v := range values {
		key = append(append(key, v...), 0xff) // in no valid UTF-8
	}
	f.mu.RLock()
	child, ok := f.children[string(key)]
	f.mu.RUnlock()
	if ok {
		return child
	}
	return f.add(string(key), slices.Clone(values))
}

// Declare is [Family.With] for values that are part of the program, such as the
// names of its operations: they do not count against [MaxChildren].
func (f *Family[M]) Declare(values ...string) M {
	child, err := f.make(values)
	if err != nil { // a wrong number of values
		return f.With(values...)
	}
	return child
}

// add makes a child, or answers with other.
func (f *Family[M]) add(key string, values []string) M {
	f.mu.Lock()
	defer f.mu.Unlock()
	if child, ok := f.children[key]; ok {
		return child
	}
	if len(values) == f.labels && len(f.children) < MaxChildren {
		for i, v := range values {
			values[i] = strings.ToValidUTF8(v, "\ufffd")
		}
		if child, err := f.make(values); err == nil {
			f.children[key] = child
			return child
		}
	}
	f.refused.WithLabelValues(f.name).Inc()
	other, _ := f.make(slices.Repeat([]string{Other}, f.labels)) // fails on a wrong number or bad UTF-8 only
	return other
}
