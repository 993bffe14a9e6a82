package ashlar_test

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/job"
	"github.com/ashlar-go/ashlar/logs"
	"github.com/ashlar-go/ashlar/op"
)

const greetLater job.Queue[name] = "greetings.later"

// worked is an app with an operation that adds a job.
func worked(t *testing.T, fail error, options ...job.HandlerOption) (*ashlartest.App, *bytes.Buffer) {
	t.Helper()
	lines := &bytes.Buffer{}
	log := logs.New(lines, logs.Options{Context: ashlar.RequestIDs})
	app := ashlartest.Open(t, "ASHLAR_ADDR", "127.0.0.1:0", "ASHLAR_ADMIN_ADDR", "127.0.0.1:0")
	app.Mount(ashlar.Module{
		Name: "later",
		Operations: []op.Operation{op.Command("greetings.later", "POST /later", func(ctx context.Context, in name) (greeting, error) {
			return db.InTx(ctx, app.DB, func(tx *db.Tx) (greeting, error) {
				return greeting{"soon"}, greetLater.Add(ctx, tx, in)
			})
		}, op.Public())},
		Jobs: []job.Handler{job.On(greetLater, func(ctx context.Context, in name) error {
			log.InfoContext(ctx, "greeting "+in.Name)
			return fail
		}, options...)},
	})
	furnish(t, app)
	return app, lines
}

// TestJobsOfAModule: an operation adds one, the app runs it while it serves, and
// its lines are of the request's trace.
func TestJobsOfAModule(t *testing.T) {
	t.Parallel()
	app, lines := worked(t, nil)
	const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	caller := app.Anonymous().With("Traceparent", "00-"+traceID+"-00f067aa0ba902b7-01")
	ashlartest.Call[greeting](caller, "greetings.later", name{"ann"}).OK()
	if got := ashlartest.Enqueued(app, greetLater); !slices.Equal(got, []name{{"ann"}}) {
		t.Errorf("%v are queued", got)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	awaits(t, app, `ashlar_job_duration_seconds_count{outcome="done",queue="greetings.later"}`, func(v float64) bool { return v == 1 })
	stop()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, line := range []string{
		`"msg":"greeting ann","queue":"greetings\.later","job":"job_[0-9a-z]+","attempt":1,"trace_id":"` + traceID + `"`,
		`"msg":"job","queue":"greetings\.later","job":"job_[0-9a-z]+","attempt":1,"outcome":"done",.*"trace_id":"` + traceID + `"`,
	} {
		if all := lines.String() + app.Log(); !regexp.MustCompile(line).MatchString(all) {
			t.Errorf("no line is like %s:\n%s", line, all)
		}
	}
}

// TestOtherInstancesHearOfJobs: of what does not fit in here, through Redis.
func TestOtherInstancesHearOfJobs(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t, "REDIS_URL", backing.RedisServer(t).URL()+"?"+patient, "ASHLAR_DRAIN_TIMEOUT", "1s")
	begun := make(chan bool)
	app.Mount(ashlar.Module{Name: "later", Jobs: []job.Handler{job.On(greetLater, func(ctx context.Context, _ name) error {
		begun <- true
		<-ctx.Done()
		return ctx.Err()
	}, job.Concurrency(1))}})
	furnish(t, app)
	app.Migrate()
	jobs, err := app.Jobs()
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 10)
	background(t, []ashlar.Task{
		{Name: "jobs", Run: jobs.Run},
		{Name: "listen", Run: func(ctx context.Context) error {
			return app.Redis.Subscribe(ctx, "ashlar_jobs", func(message []byte) { heard <- string(message) })
		}},
	})
	next := func() string {
		t.Helper()
		select {
		case message := <-heard:
			return message
		case <-time.After(lost):
			t.Fatal("nothing is heard")
			return ""
		}
	}
	if first := next(); first != "" {
		t.Fatalf("heard %q before the connection", first)
	}
	add := func() {
		t.Helper()
		if _, err := db.InTx(t.Context(), app.DB, func(tx *db.Tx) (int, error) { return 0, greetLater.Add(t.Context(), tx, name{"ann"}) }); err != nil {
			t.Fatal(err)
		}
	}
	add()
	<-begun
	add()
	if message := next(); message != "job greetings.later" {
		t.Errorf("heard %q", message)
	}
}

func TestJobsInATest(t *testing.T) {
	t.Parallel()
	app, _ := worked(t, errors.New("not at home"), job.Attempts(2))
	ashlartest.Call[greeting](app.Anonymous(), "greetings.later", name{"ann"}).OK()
	if n := app.RunJobs(0); n != 1 || len(ashlartest.Enqueued(app, greetLater)) != 1 {
		t.Errorf("%d runs", n)
	}
	if n := app.RunJobs(time.Minute); n != 1 || len(ashlartest.Enqueued(app, greetLater)) != 0 {
		t.Errorf("%d runs a minute later", n)
	}
	list, err := job.List(t.Context(), app.DB, job.Filter{State: job.Dead})
	if err != nil || len(list) != 1 || list[0].Error != "not at home" {
		t.Errorf("the dead letters are %+v, %v", list, err)
	}
}

// TestMistakenJobs are reported with everything else that is wrong.
func TestMistakenJobs(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	app.Mount(ashlar.Module{Name: "later", Jobs: []job.Handler{job.On(greetLater, func(context.Context, name) error { return nil }, job.Attempts(-1))}})
	app.Mount(ashlar.Module{Name: "again", Jobs: []job.Handler{{}, job.On(greetLater, func(context.Context, name) error { return nil })}})
	app.Mount(ashlar.Module{Name: "again"})
	_, err := app.App.Handler()
	for _, want := range []string{"jobs_test.go:", "Attempts(-1)", "the queue has a handler already", "zero value", `module "again" is mounted twice`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// TestJobCommands: an operator looks at jobs and changes what becomes of them.
func TestJobCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(want string, code int, args ...string) string {
		t.Helper()
		out, got := output(t, app(t, "good", []string{"ASHLAR_DATA_DIR=" + dir}, append([]string{"jobs"}, args...)...))
		if got != code || !strings.Contains(out, want) {
			t.Errorf("%v: exit code %d, want %d with %q:\n%s", args, got, code, want, out)
		}
		return out
	}
	run("ID", 0, "list")
	run("no state", 1, "list", "--state=odd")
	run("out of range", 1, "list", "--limit=0")
	run("there is no job job_1", 1, "show", "job_1")
	for _, change := range []string{"retry", "discard", "cancel"} {
		run("there is no job job_1", 1, change, "job_1")
	}

	own := ashlartest.Open(t, "DATABASE_URL", ashlartest.DatabaseIn(t, dir))
	furnish(t, own)
	own.Migrate()
	var r job.Receipt
	if _, err := db.InTx(t.Context(), own.DB, func(tx *db.Tx) (int, error) {
		return 0, greetLater.Add(t.Context(), tx, name{"a\x1b[2J"}, job.After(time.Hour), job.Into(&r))
	}); err != nil {
		t.Fatal(err)
	}
	run(r.ID+"  greetings.later  scheduled", 0, "list", "--state=scheduled")
	if out := run(`\u001b[2J`, 0, "show", r.ID); strings.Contains(out, "\x1b") {
		t.Errorf("a payload moves the cursor: %q", out)
	}
	run("The job is scheduled and cannot be discarded.", 1, "discard", r.ID)
	run("is queued", 0, "retry", r.ID)
	run("is cancelled", 0, "cancel", r.ID)
	run("The job is cancelled and cannot be cancelled.", 1, "cancel", r.ID)
	run("is gone", 0, "discard", r.ID)
}
