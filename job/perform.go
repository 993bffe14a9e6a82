package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/trace"
)

// busyPause is how long a job waits when the pool has no turn for it.
const busyPause = time.Second

// start lets the handler run a job that was claimed.
func (r *Runner) start(q *queue, job claimed, now time.Time) {
	ctx, cancel := context.WithCancelCause(r.base)
	run := &running{
		Run: Run{
			ID: job.ID, Queue: q.spec.queue, Attempt: int(job.Attempt), Attempts: q.spec.attempts,
			DueAt: timeOf(job.DueAt), AddedAt: timeOf(job.CreatedAt),
		},
		spec: q.spec, job: job, cancel: cancel, started: now, leaseEnd: now.Add(r.cfg.Lease),
	}
	r.runs[job.ID] = run
	q.running++
	r.due.beat = earlier(r.due.beat, now.Add(r.cfg.Lease/3))
	r.due.flush = earlier(r.due.flush, now.Add(flushEvery))
	go func() {
		var e ending
		returned := false
		defer func() { // also when the handler ends its goroutine, which nothing holds up
			if !returned {
				e = r.judge(ctx, run, errGoexit)
			}
			cancel(nil)
			e.run = run
			r.news.end(e)
		}()
		e = r.perform(ctx, run)
		returned = true
	}()
}

// leave takes in that a handler has returned.
func (r *Runner) leave(e ending) {
	if r.runs[e.run.ID] != e.run {
		return // given back, or lost and claimed anew
	}
	delete(r.runs, e.run.ID)
	q := r.byName[e.run.Queue]
	q.running--
	q.ready = q.ready || q.spec.total > 0 // there is room again
	r.endings = append(r.endings, e)
}

// perform runs a job and returns how that ended.
func (r *Runner) perform(ctx context.Context, run *running) (e ending) {
	began := r.now()
	s := run.spec
	defer func() { e.took = r.now().Sub(began) }()

	if s.cpu {
		if err := r.cfg.Pool.Enter(ctx); err != nil {
			return r.notBegun(ctx, run, err)
		}
		defer r.cfg.Pool.Leave()
	}
	// The trace is that of whoever added the job; the scope is where the log
	// finds its id.
	sc := scope.New(context.WithValue(context.WithValue(ctx, runKey{}, run), clockKey{}, r.now))
	sc.Trace, _ = trace.Parse(run.job.Traceparent)
	inside, span := trace.Start(sc, "job "+s.queue, trace.Text("messaging.message.id", run.ID), trace.Int("job.attempt", int64(run.Attempt)))
	defer span.End()
	if !trace.From(inside).Valid() {
		sc.Trace = trace.New()
	}
	sc.TraceID = trace.From(inside).TraceIDString()
	sc.RequestID = sc.TraceID
	run.trace = sc.TraceID

	inside, cancel := context.WithTimeout(inside, s.timeout)
	defer cancel()
	err := call(inside, s, run.job.Payload)
	span.Fail(err)
	return r.judge(inside, run, err)
}

// call turns a panic of a handler into an error.
func call(ctx context.Context, s *spec, payload string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{p, debug.Stack()}
		}
	}()
	return s.run(ctx, payload)
}

var errGoexit = errors.New("the handler ended its goroutine (runtime.Goexit)")

// notBegun is the end of a run that got no turn in the pool.
func (r *Runner) notBegun(ctx context.Context, run *running, err error) ending {
	if ctx.Err() == nil && !errors.Is(err, fault.ErrBusy) {
		return r.judge(ctx, run, err)
	}
	e := ending{kind: scheduled, free: true, at: r.now().Add(busyPause), outcome: WasReturned, err: err}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ErrCancelled):
		e = ending{kind: Cancelled, keep: run.spec.keep, outcome: WasCancelled}
	case errors.Is(cause, ErrDraining), errors.Is(cause, ErrLost):
		e.at = r.now()
	}
	return e
}

// judge says what becomes of a job whose handler has returned.
func (r *Runner) judge(ctx context.Context, run *running, err error) ending {
	s, now, cause := run.spec, r.now(), context.Cause(ctx)
	switch {
	case run.isCompleted():
		return ending{kind: Done, written: true, outcome: WasDone, err: err}
	case err == nil:
		return ending{kind: Done, keep: s.keep, outcome: WasDone}
	case errors.Is(cause, ErrCancelled):
		return ending{kind: Cancelled, keep: s.keep, outcome: WasCancelled, err: err, text: textOf(err)}
	case errors.Is(cause, ErrDraining), errors.Is(cause, ErrLost): // which may yet turn out to be ours
		return ending{kind: scheduled, free: true, at: now, outcome: WasReturned, err: err}
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		err = fmt.Errorf("the time of %s was over: %w", s.timeout, err)
	}
	if _, never := errors.AsType[*permanent](err); never || run.Attempt >= s.attempts {
		return ending{kind: Dead, keep: r.cfg.KeepDead, outcome: WasDead, err: err, text: textOf(err)}
	}
	return ending{kind: scheduled, at: now.Add(s.pause(run.Attempt, err)), outcome: WasRetried, err: err, text: textOf(err)}
}

// textOf is what is kept of an error with its job.
func textOf(err error) string { return clip(err.Error(), maxError) }

// Outcome is how a run ended.
type Outcome string

// The outcomes.
const (
	WasDone      Outcome = "done"
	WasRetried   Outcome = "retried" // failed, and will be tried again
	WasDead      Outcome = "dead"    // failed for good
	WasCancelled Outcome = "cancelled"
	WasReturned  Outcome = "returned" // not ended, and given back without counting the attempt
	WasLost      Outcome = "lost"     // the job is another worker's by now
)

// Outcomes lists them.
func Outcomes() []Outcome {
	return []Outcome{WasDone, WasRetried, WasDead, WasCancelled, WasReturned, WasLost}
}

// Observation is a run that has ended.
type Observation struct {
	Queue   string
	Outcome Outcome
	Took    time.Duration
	Waited  time.Duration // from when the job was due
}

// ended tells everybody of a run whose end is written.
func (r *Runner) ended(e ending, now time.Time) {
	run := e.run
	r.written++
	waited := max(run.started.Sub(run.DueAt), 0)
	r.counts.add(run.Queue, e.outcome)
	if r.cfg.Observe != nil {
		r.cfg.Observe(Observation{Queue: run.Queue, Outcome: e.outcome, Took: e.took, Waited: waited})
	}
	level, attrs := slog.LevelInfo, []slog.Attr{
		slog.String("queue", run.Queue), slog.String("job", run.ID), slog.Int("attempt", run.Attempt),
		slog.String("outcome", string(e.outcome)), slog.Duration("duration", e.took), slog.Duration("waited", waited),
		slog.String("trace_id", run.trace),
	}
	if e.err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.Any("error", e.err))
	}
	if p, ok := errors.AsType[*panicked](e.err); ok {
		level = slog.LevelError
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	switch e.outcome {
	case WasDone, WasCancelled:
	case WasDead:
		level = slog.LevelError
	case WasLost:
		level = slog.LevelWarn
	case WasRetried:
		attrs = append(attrs, slog.Duration("retry_in", e.at.Sub(now)))
		r.waits(run.Queue, e.at, now)
	case WasReturned:
		r.waits(run.Queue, e.at, now)
	}
	r.cfg.Log.LogAttrs(context.WithoutCancel(r.base), level, "job", attrs...)
}

// waits remembers that a job is back in its queue.
func (r *Runner) waits(queue string, until, now time.Time) {
	if q := r.byName[queue]; q != nil && !until.After(now) {
		q.ready = true
	}
	r.due.due = earlier(r.due.due, until)
}
