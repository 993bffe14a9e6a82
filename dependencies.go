package ashlar

import (
	"context"
	"errors"
	"log/slog"

	"github.com/ashlar-go/ashlar/metric"
	"github.com/ashlar-go/ashlar/outbound"
)

// Outbound returns a client for something outside of the app, which metrics and
// log tell of as [App.Dependency] says if cfg names it. Tests play the other
// side of such a client without a socket.
//
//	bank := app.Outbound(outbound.Config{Name: "bank"})
func (a *App) Outbound(cfg outbound.Config) *outbound.Client {
	if cfg.Within == nil {
		cfg.Within = a.Within
	}
	client := outbound.New(cfg)
	if cfg.Name != "" {
		a.Dependency(client.Policy())
	}
	return client
}

// Dependency has the metrics show how something outside of the app is called,
// under the policy's name, and the log say when its breaker moves. Call it once
// for each policy, before Run. [App.Outbound] does so for its own.
//
//	ledger := outbound.NewPolicy(outbound.PolicyConfig{Name: "ledger"})
//	app.Dependency(ledger)
func (a *App) Dependency(p *outbound.Policy) {
	if p.Name() == "" {
		a.note(errors.New("Dependency is called with a policy that has no name: set Name in its configuration"))
		return
	}
	d := &declaring{r: a.metrics}
	readDependency(d, p)
	a.note(d.err)
	took := a.meters.calls.Declare(p.Name())
	p.Watch(func(ctx context.Context, e outbound.Event) {
		switch e.Step {
		case outbound.Called:
			took.ObserveDuration(e.Took)
		case outbound.Moved:
			level := slog.LevelWarn
			if e.State == outbound.Closed {
				level = slog.LevelInfo
			}
			a.Log.Log(ctx, level, "circuit breaker moved", "dependency", p.Name(), "state", e.State.String())
		}
	})
}

func readDependency(d *declaring, p *outbound.Policy) {
	name := metric.Label{Name: "dependency", Value: p.Name()}
	stat := func(metricName, help string, read func(outbound.Stats) float64, more ...metric.Label) {
		d.read(metricName, help, func() float64 { return read(p.Stats()) }, append([]metric.Label{name}, more...)...)
	}
	for outcome, read := range map[string]func(outbound.Stats) float64{
		"succeeded": func(s outbound.Stats) float64 { return float64(s.Succeeded) },
		"failed":    func(s outbound.Stats) float64 { return float64(s.Failed) },
		"cancelled": func(s outbound.Stats) float64 { return float64(s.Cancelled) },
		"refused":   func(s outbound.Stats) float64 { return float64(s.Refused) },
		"busy":      func(s outbound.Stats) float64 { return float64(s.Busy) },
	} {
		stat("ashlar_dependency_calls_total", "Calls to a dependency: succeeded, failed, cancelled by who made them, refused by the breaker, without a place in time.",
			read, metric.Label{Name: "outcome", Value: outcome})
	}
	stat("ashlar_dependency_tries_total", "Tries of calls to a dependency; those above the calls are retries.", func(s outbound.Stats) float64 { return float64(s.Tries) })
	stat("ashlar_dependency_retries_unpaid_total", "Retries of calls to a dependency that the budget did not allow.", func(s outbound.Stats) float64 { return float64(s.Unpaid) })
	stat("ashlar_dependency_calls_active", "Calls to a dependency that are under way.", func(s outbound.Stats) float64 { return float64(s.Inside) })
	stat("ashlar_dependency_calls_waiting", "Calls to a dependency that wait for a place.", func(s outbound.Stats) float64 { return float64(s.Waiting) })
	stat("ashlar_dependency_breaker_opened_total", "Times that the breaker of a dependency opened.", func(s outbound.Stats) float64 { return float64(s.Opened) })
	for _, state := range []outbound.State{outbound.Closed, outbound.HalfOpen, outbound.Open} {
		stat("ashlar_dependency_breaker", "Where the breaker of a dependency stands: 1 at its state.", func(s outbound.Stats) float64 {
			if s.State == state {
				return 1
			}
			return 0
		}, metric.Label{Name: "state", Value: state.String()})
	}
}
