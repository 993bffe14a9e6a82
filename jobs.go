package ashlar

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/job"
	"github.com/ashlar-go/ashlar/metric"
)

// Jobs is what runs the jobs of the app's modules while it serves. Ask for it
// when everything is mounted. It is nil, without an error, where no module has
// any.
func (a *App) Jobs() (*job.Runner, error) { return a.jobs() }

// jobLease is how long the jobs of an instance that died are left to it, and
// jobPoll how long one may go unnoticed that another instance added and did not
// tell of.
const (
	jobLease = 15 * time.Second
	jobPoll  = time.Second
)

// openJobs makes the runner, once.
func (a *App) openJobs() (*job.Runner, error) {
	handlers := a.jobHandlers()
	if len(handlers) == 0 {
		return nil, nil //nolint:nilnil // there are no jobs
	}
	// Jobs end while requests do, and what is left goes back before the
	// patience for both is over.
	grace := a.cfg.DrainTimeout * 3 / 4
	if grace <= 0 {
		grace = -1
	}
	var bus job.Bus
	if a.bus != nil {
		bus = a.bus
	}
	r, err := job.New(job.Config{
		DB: a.DB, Handlers: handlers, Pool: a.Work, Bus: bus, Poll: jobPoll, Lease: jobLease, Grace: grace, Log: a.Log, Observe: a.meters.ranJob,
	})
	if err != nil {
		return nil, err
	}
	return r, a.readJobs(r)
}

func (a *App) jobHandlers() (list []job.Handler) {
	for _, m := range a.modules {
		list = append(list, m.Jobs...)
	}
	return list
}

// jobTask runs the jobs, if there are any.
func (a *App) jobTask() []Task {
	r, err := a.jobs()
	if r == nil || err != nil { // Handler has reported the error
		return nil
	}
	return []Task{{"ashlar.jobs", r.Run}}
}

// jobMeters are the metrics of jobs.
type jobMeters struct {
	took   *metric.Family[metric.Histogram]
	waited *metric.Family[metric.Histogram]
}

// jobTimes are upper bounds in seconds, of runs and of waits.
func jobTimes() []float64 {
	return []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600}
}

func newJobMeters(d *declaring) jobMeters {
	return jobMeters{
		took:   d.histogram("ashlar_job_duration_seconds", "Time that runs of jobs took, by how they ended.", jobTimes(), "queue", "outcome"),
		waited: d.histogram("ashlar_job_wait_seconds", "Time from when a job was due until it ran.", jobTimes(), "queue"),
	}
}

func (m jobMeters) ranJob(o job.Observation) {
	m.took.With(o.Queue, string(o.Outcome)).ObserveDuration(o.Took)
	m.waited.With(o.Queue).ObserveDuration(o.Waited)
}

// readJobs has the metrics show the queues.
func (a *App) readJobs(r *job.Runner) error {
	d := &declaring{r: a.metrics}
	for i, q := range r.Stats().Queues {
		queue := metric.Label{Name: "queue", Value: q.Queue}
		for _, outcome := range job.Outcomes() {
			a.meters.took.Declare(q.Queue, string(outcome))
		}
		a.meters.waited.Declare(q.Queue)
		for state, read := range map[job.State]func(job.QueueStats) int64{
			job.Queued:    func(s job.QueueStats) int64 { return s.Queued },
			job.Scheduled: func(s job.QueueStats) int64 { return s.Scheduled },
			job.Retrying:  func(s job.QueueStats) int64 { return s.Retrying },
			job.Running:   func(s job.QueueStats) int64 { return s.Running },
			job.Dead:      func(s job.QueueStats) int64 { return s.Dead },
		} {
			d.read("ashlar_jobs", "Jobs of a queue in the database, counted up to 100000; all instances show the same.",
				func() float64 { return float64(read(r.Stats().Queues[i])) }, queue, metric.Label{Name: "state", Value: string(state)})
		}
		d.read("ashlar_job_oldest_seconds", "How long the job that has waited the longest could have run.",
			func() float64 { return r.Stats().Queues[i].Oldest.Seconds() }, queue)
	}
	return d.err
}

// jobsCommand looks at jobs and changes what becomes of them. Servers that run
// learn of it within a second.
type jobsCommand struct {
	List    jobsList    `cmd:"" help:"List jobs, the newest first."`
	Show    jobsShow    `cmd:"" help:"Show all that is known of a job."`
	Retry   jobsRetry   `cmd:"" help:"Queue a job again that is dead or cancelled, or have one run now that waits."`
	Discard jobsDiscard `cmd:"" help:"Remove a job that is dead, cancelled or done."`
	Cancel  jobsCancel  `cmd:"" help:"End a job that waits, or have one stop that runs."`
}

type jobsList struct {
	Queue  string `help:"Only of this queue."`
	State  string `help:"Only in this state: scheduled, queued, running, retrying, done, dead or cancelled."`
	Before string `help:"Only those before this job: the last of the list before."`
	Limit  int    `default:"50" help:"How many jobs to show, at most 1000."`
}

func (c jobsList) run(ctx context.Context, a *App, io console) error {
	if c.Limit < 1 {
		return fmt.Errorf("--limit: %d is out of range: 1 to 1000", c.Limit)
	}
	if err := a.migrateAtStart(ctx); err != nil {
		return err
	}
	list, err := job.List(ctx, a.DB, job.Filter{Queue: c.Queue, State: job.State(c.State), Before: c.Before, Limit: c.Limit})
	if err != nil {
		return err
	}
	rows := []string{"ID\tQUEUE\tSTATE\tATTEMPT\tDUE\tERROR"}
	for _, j := range list {
		rows = append(rows, strings.Join([]string{
			j.ID, j.Queue, string(j.State), attemptOf(j), instant(j.DueAt), shown(firstLine(j.Error)),
		}, "\t"))
	}
	return io.table(rows...)
}

func attemptOf(j job.Info) string {
	if j.Attempts == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d", j.Attempt, j.Attempts)
}

func instant(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// firstLine is what of an error fits into a table.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	if len(line) > 100 {
		line = strings.ToValidUTF8(line[:100], "") + "…"
	}
	return line
}

// oneJob is the job that a command is about.
type oneJob struct {
	ID string `arg:"" help:"The job's id, as the command \"jobs list\" shows it."`
}

type jobsShow struct{ oneJob }

func (c jobsShow) run(ctx context.Context, a *App, io console) error {
	if err := a.migrateAtStart(ctx); err != nil {
		return err
	}
	j, err := job.Get(ctx, a.DB, c.ID)
	if err != nil {
		return c.explain(err)
	}
	progress := "-"
	if j.Total > 0 || j.Done > 0 || j.Note != "" {
		progress = fmt.Sprintf("%d of %d %s", j.Done, j.Total, j.Note)
	}
	rows := []string{
		"id\t" + j.ID, "queue\t" + j.Queue, "state\t" + string(j.State), "attempt\t" + attemptOf(j),
		"due\t" + instant(j.DueAt), "added\t" + instant(j.AddedAt), "started\t" + instant(j.StartedAt), "ended\t" + instant(j.EndedAt),
		"unique key\t" + shown(j.UniqueKey), "trace\t" + shown(j.TraceID), "progress\t" + shown(progress),
		"payload\t" + shown(string(j.Payload)), "result\t" + shown(string(j.Result)), "error\t" + shown(j.Error),
	}
	return io.table(rows...)
}

// change runs one of the changes of a job.
func (c oneJob) change(ctx context.Context, a *App, io console, done string, change func(ctx context.Context, tx *db.Tx, id string) error) error {
	if err := a.migrateAtStart(ctx); err != nil {
		return err
	}
	_, err := db.InTx(ctx, a.DB, func(tx *db.Tx) (struct{}, error) { return struct{}{}, change(ctx, tx, c.ID) })
	if err != nil {
		return c.explain(err)
	}
	io.printf("%s %s\n", c.ID, done)
	return nil
}

// explain turns the faults of jobs into sentences for a terminal.
func (c oneJob) explain(err error) error {
	refused, ok := errors.AsType[*fault.Error](err)
	switch {
	case errors.Is(err, job.ErrNotFound):
		return fmt.Errorf("there is no job %s", c.ID)
	case ok && errors.Is(err, job.ErrState):
		return errors.New(refused.Detail())
	}
	return err
}

type jobsRetry struct{ oneJob }

func (c jobsRetry) run(ctx context.Context, a *App, io console) error {
	return c.change(ctx, a, io, "is queued", job.Retry)
}

type jobsDiscard struct{ oneJob }

func (c jobsDiscard) run(ctx context.Context, a *App, io console) error {
	return c.change(ctx, a, io, "is gone", job.Discard)
}

type jobsCancel struct{ oneJob }

func (c jobsCancel) run(ctx context.Context, a *App, io console) error {
	return c.change(ctx, a, io, "is cancelled, or told to stop", job.Cancel)
}
