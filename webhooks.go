package ashlar

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/ashlar-go/ashlar/metric"
	"github.com/ashlar-go/ashlar/outbound"
	"github.com/ashlar-go/ashlar/webhook"
)

// Permission to do what is refused by default, as a word that says so.
type allowance string

const allowed allowance = "allow"

// Values lists the words, for messages.
func (allowance) Values() []string { return []string{"refuse", string(allowed)} }

// Webhooks sends messages to the endpoints of the app's accounts: its tables
// are migrated, its metrics shown, and a background task sends, as soon as Run
// serves. Call it once, when the app is set up. What cfg leaves out comes from
// the app: database, keys, log, and a client that calls public addresses only,
// unless ASHLAR_WEBHOOK_PRIVATE_TARGETS says otherwise.
func (a *App) Webhooks(cfg webhook.Config) *webhook.Hooks {
	if a.hooks != nil {
		a.note(errors.New("Webhooks is called twice"))
		return a.hooks
	}
	private := a.cfg.HookTargets == allowed
	cfg.DB, cfg.Log = cmp.Or(cfg.DB, a.DB), cmp.Or(cfg.Log, a.Log)
	cfg.AllowHTTP = cfg.AllowHTTP || private
	cfg.Timeout = cmp.Or(cfg.Timeout, 15*time.Second)
	cfg.Drain = cmp.Or(cfg.Drain, a.cfg.DrainTimeout/2)
	if cfg.Keys == nil {
		cfg.Keys = [][]byte{a.signing.Derive("webhook secrets")}
	}
	if cfg.Bus == nil && a.bus != nil {
		cfg.Bus = a.bus
	}
	if cfg.Client == nil {
		cfg.Client = a.webhookClient(cfg.Timeout, private)
	}
	hooks, err := webhook.New(cfg)
	if err != nil {
		a.note(err)
		return nil
	}
	a.hooks = hooks
	a.note(a.readWebhooks(hooks))
	return hooks
}

// webhookClient calls whatever accounts have entered, and so, unless it is
// told to, nothing but public hosts.
func (a *App) webhookClient(timeout time.Duration, private bool) *outbound.Client {
	cfg := outbound.Config{Timeout: timeout, DialTimeout: 5 * time.Second, MaxBody: 64 << 10, MaxConnsPerHost: 16}
	if private {
		// Link-local addresses stay closed: clouds keep their secrets there.
		for _, network := range []string{"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"} {
			cfg.Allow = append(cfg.Allow, netip.MustParsePrefix(network))
		}
	}
	return a.Outbound(cfg)
}

// warnWebhooks names a setting that is loose.
func (a *App) warnWebhooks(ctx context.Context) {
	if a.hooks != nil && a.cfg.Production() && a.cfg.HookTargets == allowed {
		a.Log.WarnContext(ctx, "webhooks may be sent to private addresses and without TLS: whoever makes an endpoint can call what is inside", "setting", "ASHLAR_WEBHOOK_PRIVATE_TARGETS")
	}
}

// Hooks are what Webhooks returned; nil before it is called.
func (a *App) Hooks() *webhook.Hooks { return a.hooks }

// webhookTasks are what runs beside the server.
func (a *App) webhookTasks() []Task {
	if a.hooks == nil {
		return nil
	}
	return []Task{{"ashlar.webhooks.send", a.hooks.Run}}
}

func (a *App) readWebhooks(hooks *webhook.Hooks) error {
	d := &declaring{r: a.metrics}
	stat := func(name, help string, read func(webhook.Stats) float64, labels ...metric.Label) {
		d.read(name, help, func() float64 { return read(hooks.Stats()) }, labels...)
	}
	stat("ashlar_webhook_pending", "Webhooks that are to be sent or tried again, up to a hundred thousand.", func(s webhook.Stats) float64 { return float64(s.Pending) })
	stat("ashlar_webhook_oldest_seconds", "Age of the oldest webhook that is to be sent or tried again.", func(s webhook.Stats) float64 { return s.Oldest.Seconds() })
	stat("ashlar_webhook_held", "Webhooks that wait for a disabled endpoint, up to a hundred thousand.", func(s webhook.Stats) float64 { return float64(s.Held) })
	const endpoints = "Endpoints of webhooks: enabled, resting because they fail (and enabled), disabled."
	for state, read := range map[string]func(webhook.Stats) float64{
		"enabled":  func(s webhook.Stats) float64 { return float64(s.Endpoints) },
		"resting":  func(s webhook.Stats) float64 { return float64(s.Resting) },
		"disabled": func(s webhook.Stats) float64 { return float64(s.Disabled) },
	} {
		stat("ashlar_webhook_endpoints", endpoints, read, metric.Label{Name: "state", Value: state})
	}
	for outcome, read := range map[string]func(webhook.Stats) int64{
		"success":   func(s webhook.Stats) int64 { return s.Attempts.Success },
		"refused":   func(s webhook.Stats) int64 { return s.Attempts.Refused },
		"timeout":   func(s webhook.Stats) int64 { return s.Attempts.Timeout },
		"no_answer": func(s webhook.Stats) int64 { return s.Attempts.NoAnswer },
		"forbidden": func(s webhook.Stats) int64 { return s.Attempts.Forbidden },
		"broken":    func(s webhook.Stats) int64 { return s.Broken },
		"lost":      func(s webhook.Stats) int64 { return s.Lost },
	} {
		stat("ashlar_webhook_attempts_total", "Attempts to send a webhook; broken off by the end of the process and lost ones are made again.",
			func(s webhook.Stats) float64 { return float64(read(s)) }, metric.Label{Name: "outcome", Value: outcome})
	}
	stat("ashlar_webhook_attempt_seconds_total", "Time that attempts to send a webhook took.", func(s webhook.Stats) float64 { return s.Took.Seconds() })
	stat("ashlar_webhook_given_up_total", "Webhooks that no attempt of the schedule could deliver.", func(s webhook.Stats) float64 { return float64(s.GivenUp) })
	stat("ashlar_webhook_dropped_total", "Webhooks that waited too long for a disabled endpoint.", func(s webhook.Stats) float64 { return float64(s.Dropped) })
	stat("ashlar_webhook_disabled_total", "Endpoints of webhooks that were disabled because they are gone or fail.", func(s webhook.Stats) float64 { return float64(s.Switched) })
	return d.err
}
