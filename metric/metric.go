// Package metric counts what a process does and shows it to Prometheus.
//
//	r := metric.New()
//	captured, err := r.Counter("payments_captured_total", "Payments captured.", "currency")
//	euros := captured.With("EUR") // once, where things are declared
//	euros.Inc()                   // per event: no lookup, no allocation
//
// Names follow Prometheus: lower-case words joined by _, the thing first and
// the unit last, in base units (seconds, bytes, ratio), with _total for
// counters and nothing else. A label holds one of a few known values, such as
// an operation's name or a currency; never an id, a path or anything that a
// caller can invent. To bound the mistake, a family stops at [MaxChildren]
// combinations: later ones are counted together under [Other], and
// ashlar_metric_refused_total says for which family.
//
// A registry already has the Go runtime (go_*, how long goroutines wait for a
// processor among it), the process (process_*) and the build
// (ashlar_build_info). Everything here is safe for concurrent use.
package metric

import (
	"net/http"
	"regexp"
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry holds the metrics of one process. Make one with [New].
type Registry struct {
	prom    *prometheus.Registry
	refused *prometheus.CounterVec
}

// New returns a registry with what every process has.
func New() *Registry {
	r := &Registry{
		prom: prometheus.NewRegistry(),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ashlar_metric_refused_total",
			Help: "Times that a family had too many label values, or the wrong number, and counted under other.",
		}, []string{"family"}),
	}
	r.prom.MustRegister( // names that cannot clash in a fresh registry
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{
			Matcher: regexp.MustCompile(`^/sync/mutex/wait/total:seconds$|^/cpu/classes/(gc/total|idle|total|user):cpu-seconds$`),
		})),
		newPauses(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo(),
		r.refused,
	)
	return r
}

// Handler answers with every metric, in the text format, as OpenMetrics or, for
// native histograms, in the protobuf form, as the request asks. Exemplars show
// in the latter two. It belongs on the admin listener: the numbers tell a
// stranger more than he should know.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.prom, promhttp.HandlerOpts{
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: 4, // a scrape walks every family
	})
}

// buildInfo is the constant 1 with what `go version -m` says of the binary.
func buildInfo() prometheus.Collector {
	labels := prometheus.Labels{"version": "", "commit": "", "modified": "", "go": runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		labels["version"] = info.Main.Version
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				labels["commit"] = s.Value
			case "vcs.modified":
				labels["modified"] = s.Value
			}
		}
	}
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "ashlar_build_info",
		Help:        "Always 1; the labels are the build that runs.",
		ConstLabels: labels,
	}, func() float64 { return 1 })
}
