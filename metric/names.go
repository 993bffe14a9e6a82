package metric

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

type kind string

const (
	counter   kind = "counter"
	gauge     kind = "gauge"
	histogram kind = "histogram"
)

// register adds a metric that passed check, which leaves one thing to go wrong.
func (r *Registry) register(name string, c prometheus.Collector) error {
	if r.prom.Register(c) != nil {
		return fmt.Errorf("metric %s: the name is taken", name)
	}
	return nil
}

// check holds a declaration to the naming of the package comment.
func check(k kind, name, help string, labels []string) error {
	total := strings.HasSuffix(name, "_total")
	switch {
	case !words(name):
		return fmt.Errorf("metric %q: a name is lower-case words, joined by _", name)
	case strings.TrimSpace(help) == "":
		return fmt.Errorf("metric %s: has no help", name)
	case k == counter && !total:
		return fmt.Errorf("metric %s: a counter's name ends in _total", name)
	case k != counter && total:
		return fmt.Errorf("metric %s: only a counter's name ends in _total", name)
	}
	base := strings.TrimSuffix(name, "_total")
	switch unit := base[strings.LastIndexByte(base, '_')+1:]; unit {
	case "ms", "milliseconds", "microseconds", "nanoseconds", "minutes", "hours":
		return fmt.Errorf("metric %s: times are in seconds", name)
	case "kb", "kib", "kilobytes", "mb", "mib", "megabytes":
		return fmt.Errorf("metric %s: sizes are in bytes", name)
	case "percent":
		return fmt.Errorf("metric %s: shares are a ratio from 0 to 1", name)
	case "count", "sum", "bucket", "info":
		return fmt.Errorf("metric %s: Prometheus keeps the ending _%s for itself", name, unit)
	}
	for i, label := range labels {
		if !words(label) || label == "le" || label == "quantile" || slices.Contains(labels[:i], label) {
			return fmt.Errorf("metric %s: %q is no usable label, or there twice", name, label)
		}
	}
	return nil
}

// unitOf is the unit that a name ends in, or empty.
func unitOf(name string) string {
	name = strings.TrimSuffix(name, "_total")
	switch unit := name[strings.LastIndexByte(name, '_')+1:]; unit {
	case "seconds", "bytes", "ratio":
		return unit
	}
	return ""
}

func checkBuckets(name string, buckets []float64) error {
	if len(buckets) == 0 {
		return fmt.Errorf("metric %s: has no buckets", name)
	}
	for i, b := range buckets {
		if b-b != 0 || i > 0 && b <= buckets[i-1] {
			return fmt.Errorf("metric %s: buckets must be finite and ascend", name)
		}
	}
	return nil
}

// words reports whether s is lower-case words joined by single underscores.
func words(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z':
		case '0' <= c && c <= '9' && i > 0:
		case c == '_' && i > 0 && s[i-1] != '_' && i < len(s)-1:
		default:
			return false
		}
	}
	return s != ""
}
