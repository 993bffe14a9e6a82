// Package health answers the three questions that an orchestrator asks.
//
// The one idea: each question has its own consequence, so each has its own
// answer. /livez asks whether to kill the process, and no dependency may
// influence that: a database that is down is not cured by a restart. /readyz
// asks whether to send requests, and is red until [Checks.Started], from
// [Checks.Draining] on, and while a check fails that is not optional. /startupz asks whether the
// start is over.
//
//	var checks health.Checks
//	checks.Add("database", db.Ping)
//	go http.ListenAndServe("127.0.0.1:9090", checks.Handler())
//	...
//	checks.Started()
//	<-ctx.Done()
//	checks.Draining()
//
// Everything here is safe for concurrent use.
package health

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Checks is what readiness depends on. The zero Checks is ready to use and
// depends on nothing but Started; set its fields before it is used.
type Checks struct {
	// Timeout bounds each check. A check that does not return in time fails,
	// and is not started again until it has returned. Zero means 2s. Keep it
	// below the prober's own time-out.
	Timeout time.Duration
	// Cache is how long the results of the checks are used again, so that
	// probes cannot be made a load on what they probe. Zero means 1s;
	// negative means that each probe runs the checks.
	Cache time.Duration
	// Log learns the cause when a check begins to fail (WARN), which the
	// probe's answer does not tell, and when it passes again (INFO). Nil logs
	// nothing.
	Log *slog.Logger

	started  atomic.Bool
	draining atomic.Bool

	mu      sync.Mutex
	checks  []*check
	results map[string]Word // never changed once made: callers keep it
	at      time.Time       // when the results were made; zero if they are of no use
	added   bool            // since the run under way began
	running chan struct{}   // closed at the end of the run under way, else nil
}

// Word is what a probe says about the whole or about one check. It never
// carries an error's text: probes are answered without authentication.
type Word string

// The words of a probe.
const (
	OK       Word = "ok"
	Failing  Word = "failing"
	TimedOut Word = "timeout"
	Degraded Word = "degraded"
	Starting Word = "starting"
	Draining Word = "draining"
)

// Report is the state of readiness.
type Report struct {
	Status Word            `json:"status"`
	Checks map[string]Word `json:"checks,omitempty"`
}

// Add registers a check under a name that may be seen by anybody. The check
// returns nil while its dependency can be used; it must respect ctx. Checks
// run side by side. A second check of the same name replaces the first.
func (c *Checks) Add(name string, fn func(ctx context.Context) error) {
	c.add(&check{name: name, run: fn})
}

// Watch registers a check of what the process can do without: while it fails
// its word is [Degraded], readiness is as if it passed, and nothing is logged,
// which is for whoever does without it.
func (c *Checks) Watch(name string, fn func(ctx context.Context) error) {
	c.add(&check{name: name, run: fn, optional: true})
}

func (c *Checks) add(added *check) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.added = time.Time{}, true
	for i, old := range c.checks {
		if old.name == added.name {
			c.checks[i] = added
			return
		}
	}
	c.checks = append(c.checks, added)
}

// Started says that the start is over: migrations ran, caches are warm.
func (c *Checks) Started() { c.started.Store(true) }

// Draining says that the process is about to leave. There is no way back.
func (c *Checks) Draining() { c.draining.Store(true) }

// Ready reports whether requests should be sent here, running the checks if
// their cached results are too old. It waits for Timeout at most; a ctx that
// ends sooner does not cut it, since others share the results.
func (c *Checks) Ready(ctx context.Context) Report {
	switch {
	case c.draining.Load():
		return Report{Status: Draining}
	case !c.started.Load():
		return Report{Status: Starting}
	}
	results := c.refresh(context.WithoutCancel(ctx))
	report := Report{Status: OK, Checks: results}
	for _, word := range results {
		if word != OK && word != Degraded {
			report.Status = Failing
		}
	}
	return report
}

// refresh returns results that are young enough. Probes that arrive while the
// checks run wait for the same results.
func (c *Checks) refresh(ctx context.Context) map[string]Word {
	c.mu.Lock()
	if !c.at.IsZero() && time.Since(c.at) < orDefault(c.Cache, time.Second) {
		defer c.mu.Unlock()
		return c.results
	}
	if running := c.running; running != nil {
		c.mu.Unlock()
		<-running
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.results
	}
	c.running, c.added = make(chan struct{}), false
	checks := slices.Clone(c.checks)
	c.mu.Unlock()

	results := c.run(ctx, checks)

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.results = results; !c.added {
		c.at = time.Now()
	}
	close(c.running)
	c.running = nil
	return results
}

func (c *Checks) run(ctx context.Context, checks []*check) map[string]Word {
	ctx, cancel := context.WithTimeout(ctx, orDefault(c.Timeout, 2*time.Second))
	defer cancel()
	for _, k := range checks {
		k.begin(ctx)
	}
	results := make(map[string]Word, len(checks))
	for _, k := range checks {
		results[k.name] = k.wait(ctx, c.Log)
	}
	return results
}

func orDefault(d, standard time.Duration) time.Duration {
	if d == 0 {
		return standard
	}
	return d
}
