package ashlar

import (
	"context"
	"strings"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/limit"
	"github.com/ashlar-go/ashlar/metric"
	"github.com/ashlar-go/ashlar/trace"
	"github.com/ashlar-go/ashlar/work"
)

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
	d.read("ashlar_log_dropped_total", "Lines of the log that were lost: beyond what may wait, or not written.", a.linesDropped)
	readDatabase(d, a.DB)
	readWork(d, a.Work)
	readEvents(d, a.Events)
	readRooms(d, a.Rooms)
	readCache(d, a.Cache, a.Redis != nil)
	if a.gate != nil {
		readGate(d, a.gate)
	}
	if a.Redis != nil {
		a.readRedis(d)
	}
	readReplicas(d, a.DB)
	if a.notices != nil {
		a.readNotices(d)
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
	d.read("db_client_transaction_retries_total", "Transactions that were run again, as they had lost to another.", stat(func(s db.Stats) float64 { return float64(s.Retries) }))
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

func readWork(d *declaring, pool *work.Pool) {
	d.read("ashlar_work_slots", "Pieces of work that may compute at once.", func() float64 { return float64(pool.Stats().Slots) })
	d.read("ashlar_work_running", "Pieces of work that compute.", func() float64 { return float64(pool.Stats().Running) })
	d.read("ashlar_work_waiting", "Pieces of work that wait for a slot.", func() float64 { return float64(pool.Stats().Waiting) })
	d.read("ashlar_work_done_total", "Pieces of work that were done.", func() float64 { return float64(pool.Stats().Done) })
	d.read("ashlar_work_refused_total", "Pieces of work that were refused, as they could not have been done in time.", func() float64 { return float64(pool.Stats().Refused) })
}

// readTraces is for apps that export traces.
func (a *App) readTraces(t *trace.Tracer) error {
	d := &declaring{r: a.metrics}
	d.read("ashlar_trace_spans_waiting", "Spans that wait to be exported.", func() float64 { return float64(t.Stats().Waiting) })
	for outcome, read := range map[string]func(trace.Stats) int64{
		"exported": func(s trace.Stats) int64 { return s.Exported },
		"dropped":  func(s trace.Stats) int64 { return s.Dropped },
		"failed":   func(s trace.Stats) int64 { return s.Failed },
	} {
		d.read("ashlar_trace_spans_total", "Spans of traces that were kept: exported, dropped because too many waited, or lost in an export that failed.",
			func() float64 { return float64(read(t.Stats())) }, metric.Label{Name: "outcome", Value: outcome})
	}
	return d.err
}
