package ashlar

import (
	"context"

	"github.com/ashlar-go/ashlar/limit"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
)

// ShedMode says what happens to requests that are more than the app can serve.
type ShedMode string

// Values lists the modes, for messages.
func (ShedMode) Values() []string { return []string{"auto", "off"} }

// The queue of those who wait for the database. A group of 64 transactions
// shares a commit, so as many as that must be let wait, or the disk is used
// worse; four such groups are one more than it can need.
const (
	databaseStanding = 256
	databaseShort    = 64
)

// openGate prepares the shedding of load. The gate is nil where that is off.
func (a *App) openGate() {
	if a.cfg.Shed == "off" {
		return
	}
	a.gate = limit.NewGate(limit.GateConfig{
		Queues: []limit.Queue{limit.Processors(), {
			Name: "database", Len: func() int { return a.DB.Stats().Waiting },
			Standing: databaseStanding, Short: databaseShort,
		}},
		Changed: func(shedding bool, queue string, length int) {
			if shedding {
				a.Log.Warn("overloaded: requests are refused from now on", "queue", queue, "waiting", length)
				return
			}
			s := a.gate.Stats()
			a.Log.Info("no longer overloaded", "shed_low", s.Shed[limit.Low], "shed_normal", s.Shed[limit.Normal], "shed_high", s.Shed[limit.High])
		},
	})
}

// ranked is the gate as the operations of one rank see it.
type ranked struct {
	gate     *limit.Gate
	priority limit.Priority
}

func (r ranked) Enter(context.Context) error { return r.gate.Enter(r.priority) }
func (r ranked) Leave()                      { r.gate.Leave() }

// gateOf returns the gate of an operation, for [rest.Config].
func (a *App) gateOf(s *op.Spec) rest.Room {
	if a.gate == nil || s.Priority == op.Always {
		return nil
	}
	return ranked{a.gate, map[op.Rank]limit.Priority{op.Low: limit.Low, op.Normal: limit.Normal, op.High: limit.High}[s.Priority]}
}

// placesOf returns the places of an operation, for [rest.Config]: those of its
// own, and then the processors that all that compute have in common.
func (a *App) placesOf(s *op.Spec) rest.Room {
	switch {
	case s.Concurrency > 0 && s.CPU:
		return both{limit.NewBulkhead(s.Concurrency), a.Work}
	case s.Concurrency > 0:
		return limit.NewBulkhead(s.Concurrency)
	case s.CPU:
		return a.Work
	}
	return nil
}

// both are two rooms, one behind the other.
type both struct{ outer, inner rest.Room }

func (b both) Enter(ctx context.Context) error {
	if err := b.outer.Enter(ctx); err != nil {
		return err
	}
	if err := b.inner.Enter(ctx); err != nil {
		b.outer.Leave()
		return err
	}
	return nil
}

func (b both) Leave() {
	b.inner.Leave()
	b.outer.Leave()
}
