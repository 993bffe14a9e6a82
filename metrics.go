package ashlar

import (
	"errors"

	"github.com/ashlar-go/ashlar/metric"
)

// Metrics is where the app's metrics are, and the place for your own: declare
// a family of them when the app is set up, and count where things happen. The
// admin listener shows all at /metrics.
//
//	captured, err := app.Metrics().Counter("payments_captured_total", "Payments captured.", "currency")
func (a *App) Metrics() *metric.Registry { return a.metrics }

// meters are the metrics that every app has.
type meters struct {
	requests  *metric.Family[metric.Counter]
	durations *metric.Family[metric.Histogram]
	active    *metric.Family[metric.Gauge]
	received  *metric.Family[metric.Histogram]
	sent      *metric.Family[metric.Histogram]
	faults    *metric.Family[metric.Counter]
	unmatched *endpoint // of requests that reach no operation

	limited  *metric.Family[metric.Counter]
	events   *metric.Family[metric.Counter]
	replays  *metric.Family[metric.Counter]
	restarts *metric.Family[metric.Counter]
	failures *metric.Family[metric.Counter]
	steps    *metric.Family[metric.Histogram]
	jobMeters
	calls *metric.Family[metric.Histogram]
}

// newMeters declares them. It fails only where two have one name.
func newMeters(r *metric.Registry) (*meters, error) {
	d := declaring{r: r}
	m := &meters{
		requests:  d.counter("http_server_requests_total", "Requests that were answered.", "op", "method", "status"),
		durations: d.histogram("http_server_request_duration_seconds", "Time from a request's head to the end of its answer.", metric.Latency(), "op", "status"),
		active:    d.gauge("http_server_active_requests", "Requests that are being answered.", "op"),
		received:  d.histogram("http_server_request_body_size_bytes", "Bodies of requests that declare their length.", bodySizes(), "op"),
		sent:      d.histogram("http_server_response_body_size_bytes", "Bodies of answers.", bodySizes(), "op"),
		faults:    d.counter("ashlar_faults_total", "Requests that were answered with a problem, by its code.", "op", "code"),

		limited:  d.counter("ashlar_limit_refused_total", "Requests that a rate limit refused.", "limit"),
		events:   d.counter("ashlar_security_events_total", "Security events that were recorded, sign-ins among them.", "kind", "outcome"),
		replays:  d.counter("ashlar_idempotency_replays_total", "Retries that got the answer of the first attempt.", "op"),
		restarts: d.counter("ashlar_task_restarts_total", "Times that a background task ended and was run again.", "task"),
		failures: d.counter("ashlar_task_failures_total", "Times that a background task failed or panicked.", "task"),
		steps:    d.histogram("db_client_operation_duration_seconds", "Time of a query with its rows, of a statement, of a transaction with its wait and commit.", databaseTimes(), "operation"),
		calls:    d.histogram("ashlar_dependency_call_duration_seconds", "Time of a call to a dependency with all its tries.", metric.Latency(), "dependency"),
	}
	m.jobMeters = newJobMeters(&d)
	if d.err == nil {
		m.unmatched = m.endpoint(unmatched)
	}
	return m, d.err
}

// bodySizes are upper bounds in bytes.
func bodySizes() []float64 {
	return []float64{256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20}
}

// databaseTimes are upper bounds in seconds: an embedded database answers
// within microseconds.
func databaseTimes() []float64 {
	return []float64{.000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
}

// declaring collects the mistakes of several declarations.
type declaring struct {
	r   *metric.Registry
	err error
}

func (d *declaring) note(err error) { d.err = errors.Join(d.err, err) }

func (d *declaring) counter(name, help string, labels ...string) *metric.Family[metric.Counter] {
	f, err := d.r.Counter(name, help, labels...)
	d.note(err)
	return f
}

func (d *declaring) gauge(name, help string, labels ...string) *metric.Family[metric.Gauge] {
	f, err := d.r.Gauge(name, help, labels...)
	d.note(err)
	return f
}

func (d *declaring) histogram(name, help string, buckets []float64, labels ...string) *metric.Family[metric.Histogram] {
	f, err := d.r.Histogram(name, help, buckets, labels...)
	d.note(err)
	return f
}
