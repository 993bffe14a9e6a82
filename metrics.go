package ashlar

import (
	"context"
	"errors"
	"strings"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/limit"
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
	}
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

// read declares what is read at each scrape: a counter if its name says so,
// else a gauge.
func (d *declaring) read(name, help string, value func() float64, labels ...metric.Label) {
	if strings.HasSuffix(name, "_total") {
		d.note(d.r.CounterFunc(name, help, value, labels...))
		return
	}
	d.note(d.r.GaugeFunc(name, help, value, labels...))
}

// openMetrics has the metrics show what was opened.
func (a *App) openMetrics() error {
	d := &declaring{r: a.metrics}
	d.read("ashlar_revocations", "Sessions, keys, accounts and roles whose end or change is remembered.", func() float64 { return float64(a.revocations.Len()) })
	d.read("ashlar_log_dropped_total", "Lines of the log that were lost: beyond what may wait, or not written.", func() float64 { return float64(a.lines.Dropped()) })
	readDatabase(d, a.DB)
	if a.gate != nil {
		readGate(d, a.gate)
	}
	var times [3]metric.Histogram
	for step := range times {
		times[step] = a.meters.steps.Declare(db.Step(step).String())
	}
	a.DB.Watch(func(_ context.Context, e db.Event) { times[e.Step].ObserveDuration(e.Took) })
	return d.err
}

func readDatabase(d *declaring, base *db.DB) {
	stat := func(read func(db.Stats) float64) func() float64 {
		return func() float64 { return read(base.Stats()) }
	}
	const connections = "Open connections to the database."
	d.read("db_client_connections", connections, stat(func(s db.Stats) float64 { return float64(s.InUse) }), metric.Label{Name: "state", Value: "used"})
	d.read("db_client_connections", connections, stat(func(s db.Stats) float64 { return float64(max(0, s.Connections-s.InUse)) }), metric.Label{Name: "state", Value: "idle"})
	d.read("db_client_connection_pending_requests", "Callers that wait for a connection.", stat(func(s db.Stats) float64 { return float64(s.Waiting) }))
	d.read("db_client_connection_waits_total", "Callers that had to wait for a connection.", stat(func(s db.Stats) float64 { return float64(s.Waits) }))
	d.read("db_client_connection_wait_seconds_total", "Time that callers have waited for a connection.", stat(func(s db.Stats) float64 { return s.WaitTime.Seconds() }))
	const transactions = "Transactions that ended."
	d.read("db_client_transactions_total", transactions, stat(func(s db.Stats) float64 { return float64(s.Transactions) }), metric.Label{Name: "outcome", Value: "committed"})
	d.read("db_client_transactions_total", transactions, stat(func(s db.Stats) float64 { return float64(s.Rollbacks) }), metric.Label{Name: "outcome", Value: "rolled_back"})
	d.read("db_client_commits_total", "Commits that were made durable, each of one transaction or of a group.", stat(func(s db.Stats) float64 { return float64(s.Commits) }))
}

func readGate(d *declaring, gate *limit.Gate) {
	d.read("ashlar_shed_active", "Whether load is being shed: 1 or 0.", func() float64 {
		if gate.Stats().Shedding {
			return 1
		}
		return 0
	})
	d.read("ashlar_shed_episodes_total", "Times that the shedding of load began.", func() float64 { return float64(gate.Stats().Episodes) })
	d.read("ashlar_shed_inside", "Requests that were let in and are being answered.", func() float64 { return float64(gate.Stats().Inside) })
	for p, name := range map[limit.Priority]string{limit.Low: "low", limit.Normal: "normal", limit.High: "high"} {
		label := metric.Label{Name: "priority", Value: name}
		d.read("ashlar_shed_admitted_total", "Requests that were let in.", func() float64 { return float64(gate.Stats().Admitted[p]) }, label)
		d.read("ashlar_shed_refused_total", "Requests that were refused because there was too much load.", func() float64 { return float64(gate.Stats().Shed[p]) }, label)
	}
}
