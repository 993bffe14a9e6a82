package ashlar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/serve"
	"github.com/ashlar-go/ashlar/supervise"
	"github.com/ashlar-go/ashlar/trace"
)

// serve does everything between start and end: migrations, demo data,
// listeners, tasks, and the way back in order.
func (a *App) serve(ctx context.Context, out io.Writer, w *supervise.Worker) error {
	a.followLevel(w)
	public, err := a.Handler()
	if err != nil {
		return err
	}
	if err := a.migrateAtStart(ctx); err != nil {
		return err
	}
	if err := a.loadRevocations(ctx); err != nil {
		return err
	}
	if err := a.Events.Register(ctx, a.Consumers()...); err != nil {
		return err
	}
	notes, err := a.demo(ctx)
	if err != nil {
		return err
	}
	private, err := a.admin()
	if err != nil {
		return err
	}
	secure, certificates, err := a.openTLS()
	if err != nil {
		return err
	}
	doors := a.doors(secure)
	if err := doors.join(w); err != nil {
		return err
	}
	admin, server := serve.New(doors.admin(private), doors.private), serve.New(public, doors.public)
	adminAt, err := admin.Listen(ctx)
	if err != nil {
		return fmt.Errorf("ASHLAR_ADMIN_ADDR: %w", err)
	}
	publicAt, err := server.Listen(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("ASHLAR_ADDR: %w", err), admin.Close())
	}
	a.limits.warn(ctx, a.Log)
	a.warnWebhooks(ctx)
	a.sayServing(w, publicAt.String(), doors.adminAt(adminAt))
	_ = a.lines.Flush()                                                        // who started the app waits for this line, and the greeting comes after it
	if !a.cfg.Production() && (w == nil || w.First() && a.cfg.LogFile == "") { // whose lines the parent writes
		a.greet(out, publicAt, doors.adminAt(adminAt), notes)
	}

	// The admin listener outlives the public one, so that probes can see the
	// app drain.
	adminCtx, closeAdmin := context.WithCancel(context.WithoutCancel(ctx))
	defer closeAdmin()
	doors.lives(private, a.stuck())
	adminDone := make(chan error, 1)
	go func() { adminDone <- admin.Run(adminCtx) }()

	endTasks := a.startTasks(ctx, certificates...)
	a.health.Started()
	// Migrations, demo data and the compiling of declarations leave more garbage
	// than an idle app makes in a day, and nothing would give it back soon.
	go debug.FreeOSMemory()
	if err = a.sayReady(ctx, w, server); err == nil {
		err = server.Run(ctx)
	}
	err = errors.Join(err, endTasks(a.cfg.DrainTimeout))
	a.endTraces()
	closeAdmin()
	err = errors.Join(err, <-adminDone)
	a.Log.Info("stopped")
	return errors.Join(err, a.leaveMetrics(w))
}

// admin is the handler of the private listener. It is as strict as the public
// one, and silent: a probe every second would bury the log.
func (a *App) admin() (http.Handler, error) {
	mux, probes := &serve.Mux{}, a.health.Handler()
	err := errors.Join(
		mux.Handle("GET /livez", probes),
		mux.Handle("GET /readyz", probes),
		mux.Handle("GET /startupz", probes),
		mux.Handle("GET /metrics", a.metrics.Handler()),
		a.mountLogLevel(mux),
	)
	return serve.Observe(mux, serve.Observer{}), err
}

// demo fills the modules' demo data in, in development.
func (a *App) demo(ctx context.Context) (notes []string, err error) {
	if a.cfg.Production() {
		return nil, nil
	}
	for _, m := range a.modules {
		if m.Demo == nil {
			continue
		}
		note, err := m.Demo(ctx)
		if err != nil {
			return nil, fmt.Errorf("demo data of %s: %w", m.Name, err)
		}
		notes = append(notes, note)
	}
	return notes, nil
}

// greet tells a developer where to look.
func (a *App) greet(out io.Writer, public net.Addr, admin string, notes []string) {
	scheme := "http"
	if a.cfg.terminatesTLS() {
		scheme = "https"
	}
	var b strings.Builder
	b.WriteString("\n")
	if slices.ContainsFunc(a.raw, func(r rawHandler) bool { return r.pattern == "GET /{$}" }) {
		fmt.Fprintf(&b, "  Page      %s://%s/\n", scheme, public)
	}
	fmt.Fprintf(&b, "  API docs  %s://%s/docs\n  OpenAPI   %[1]s://%[2]s/openapi.json\n  Health    http://%[3]s/readyz\n", scheme, public, admin)
	if a.graphql != nil {
		fmt.Fprintf(&b, "  GraphQL   %s://%s%s\n", scheme, public, graphqlPage)
	}
	for _, note := range notes {
		if note != "" {
			b.WriteString("\n")
			for line := range strings.SplitSeq(strings.TrimRight(note, "\n"), "\n") {
				fmt.Fprintf(&b, "  %s\n", line)
			}
		}
	}
	b.WriteString("\n")
	_, _ = io.WriteString(out, b.String()) // who cannot read it does not miss it
}

// startTasks runs the app's background work until ctx ends. The function it
// returns waits for that work to end.
func (a *App) startTasks(ctx context.Context, more ...Task) (wait func(time.Duration) error) {
	ctx, cancel := context.WithCancel(trace.WithTracer(ctx, a.tracer))
	tasks := []Task{
		{"ashlar.idempotency.sweep", a.keys.sweep},
		{"ashlar.keys.follow", a.followKeys},
		{"ashlar.revocations.follow", a.followRevocations},
		{"ashlar.revocations.sweep", a.sweepRevocations},
		{"ashlar.sessions.sweep", a.sweepSessions},
		{"ashlar.cache", a.Cache.Run},
		{"ashlar.audit.sweep", a.audit().sweep(a.cfg.AuditKeep)},
		{"ashlar.api-keys.note", a.noteAPIKeys},
	}
	tasks = append(append(tasks, more...), a.jobTask()...)
	tasks = append(append(append(tasks, a.redisTasks()...), a.busTasks()...), a.replicaTasks()...)
	tasks = append(tasks, a.webhookTasks()...)
	tasks = append(tasks, a.eventTasks()...)
	tasks = append(tasks, a.roomTasks()...)
	for _, m := range a.modules {
		tasks = append(tasks, m.Tasks...)
	}
	var running sync.WaitGroup
	for _, t := range tasks {
		running.Go(func() { a.repeat(ctx, t) })
	}
	return func(patience time.Duration) error {
		cancel()
		done := make(chan struct{})
		go func() { running.Wait(); close(done) }()
		select {
		case <-done:
			return nil
		case <-time.After(patience):
			return fmt.Errorf("a task did not end within %s of being told to", patience)
		}
	}
}

// The pauses before a task that ended is run again.
const (
	firstPause = 100 * time.Millisecond
	longPause  = time.Minute
)

// repeat runs a task again and again until ctx ends. A run that lasted shows
// that the task works, so the pause starts anew.
func (a *App) repeat(ctx context.Context, t Task) {
	pause := firstPause
	restarts, failures := a.meters.restarts.Declare(t.Name), a.meters.failures.Declare(t.Name)
	for ctx.Err() == nil {
		began := time.Now()
		if err := protect(ctx, t.Run); err != nil && ctx.Err() == nil {
			failures.Inc()
			a.Log.ErrorContext(ctx, "task failed", "task", t.Name, "error", err, "retry_in", pause)
		}
		if time.Since(began) > longPause {
			pause = firstPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
			restarts.Inc()
		}
		pause = min(2*pause, longPause)
	}
}

// protect turns a panic into an error: one task must not end the process.
func protect(ctx context.Context, run func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, stack())
		}
	}()
	return run(ctx)
}
