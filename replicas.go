package ashlar

import (
	"context"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/metric"
)

// replicaChange says that a replica of the database is not used for a reason,
// or that it is again.
type replicaChange struct {
	server string
	reason error
}

// replicaChanged is told by whoever waits for an answer.
func (a *App) replicaChanged(server string, reason error) {
	select {
	case a.replicaChanges <- replicaChange{server, reason}:
	default: // nobody reads them while the app does not serve
	}
}

// watchReplicas has readiness show them. The app can do without.
func (a *App) watchReplicas() {
	if len(a.DB.Stats().Replicas) == 0 {
		return
	}
	a.health.Watch("replicas", func(context.Context) error {
		for _, r := range a.DB.Stats().Replicas {
			if r.Err != nil {
				return r.Err
			}
		}
		return nil
	})
}

func (a *App) replicaTasks() []Task {
	if len(a.DB.Stats().Replicas) == 0 {
		return nil
	}
	return []Task{{"ashlar.replicas.report", a.reportReplicas}}
}

// reportReplicas logs when a replica cannot be used and when it can again, until
// ctx ends.
func (a *App) reportReplicas(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case c := <-a.replicaChanges:
			if c.reason != nil {
				a.Log.WarnContext(ctx, "a replica of the database is not used: others or the database itself answer for it", "replica", c.server, "error", c.reason)
			} else {
				a.Log.InfoContext(ctx, "a replica of the database is used again", "replica", c.server)
			}
		}
	}
}

// readReplicas has the metrics show them, where there are any.
func readReplicas(d *declaring, base *db.DB) {
	list := base.Stats().Replicas
	if len(list) == 0 {
		return
	}
	for n, r := range list {
		replica := metric.Label{Name: "replica", Value: r.Server}
		stat := func(name, help string, read func(db.Replica) float64, more ...metric.Label) {
			d.read(name, help, func() float64 { return read(base.Stats().Replicas[n]) }, append([]metric.Label{replica}, more...)...)
		}
		stat("ashlar_replica_up", "Whether a replica of the database is used: 1 or 0.", func(r db.Replica) float64 {
			if r.Err == nil && r.Age >= 0 {
				return 1
			}
			return 0
		})
		stat("ashlar_replica_age_seconds", "How old the state of a replica is at most; -1 while that is not known.", func(r db.Replica) float64 {
			if r.Age < 0 {
				return -1
			}
			return r.Age.Seconds()
		})
		for outcome, read := range map[string]func(db.Replica) int64{
			"answered": func(r db.Replica) int64 { return r.Answers },
			"failed":   func(r db.Replica) int64 { return r.Failures },
		} {
			stat("ashlar_replica_queries_total", "Queries that were given to a replica of the database: answered, or failed and answered by another server.",
				func(r db.Replica) float64 { return float64(read(r)) }, metric.Label{Name: "outcome", Value: outcome})
		}
	}
	d.read("ashlar_replica_missed_total", "Queries that a replica of the database might have answered and none could.", func() float64 { return float64(base.Stats().Missed) })
}
