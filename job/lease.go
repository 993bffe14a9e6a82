package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// never is when nothing is due: long after every poll.
func never(now time.Time) time.Time { return now.Add(24 * time.Hour) }

// poll looks for what nobody told of: queued jobs, the next time at which one is
// due or a lease runs out, and running jobs that shall stop. One statement of a
// few index entries.
func (r *Runner) poll(ctx context.Context, now time.Time) error {
	found, err := db.All[struct {
		What string
		At   *int64
	}](ctx, r.cfg.DB, r.pollText(), r.pollArgs(now)...)
	if err != nil {
		return fmt.Errorf("look for jobs: %w", err)
	}
	r.due.due, r.due.poll = never(now), now.Add(r.cfg.Poll)
	cancels, paused, odd := false, false, false
	for _, f := range found {
		switch q := r.byName[f.What]; {
		case f.At == nil:
		case q != nil:
			q.ready = true
		case f.What == "":
			r.due.due = earlier(r.due.due, time.UnixMilli(*f.At))
		case f.What == "+":
			paused = *f.At > r.implausible(now)
		case f.What == "?":
			odd = odd || *f.At > r.implausible(now) || *f.At <= r.longAgo(now)
		default:
			cancels = true
		}
	}
	var errs []error
	if cancels {
		errs = append(errs, r.cancels(ctx))
	}
	if paused {
		errs = append(errs, r.hurry(ctx, now))
	}
	if odd {
		errs = append(errs, r.doubt(ctx, now))
	}
	return errors.Join(errs...)
}

func (r *Runner) pollText() string {
	var b strings.Builder
	b.WriteString(`SELECT '' AS what, (SELECT min(due_at) FROM ashlar_jobs WHERE state = 'scheduled') AS at
		UNION ALL SELECT '', (SELECT min(lease_until) FROM ashlar_jobs WHERE state = 'running' AND lease_until > $2)
		UNION ALL SELECT '?', (SELECT min(lease_until) FROM ashlar_jobs WHERE state = 'running')
		UNION ALL SELECT '?', (SELECT max(lease_until) FROM ashlar_jobs WHERE state = 'running')
		UNION ALL SELECT '+', (SELECT max(set_at) FROM ashlar_jobs WHERE state = 'scheduled' AND set_at > 0)
		UNION ALL SELECT '!', (SELECT min(cancel_at) FROM ashlar_jobs WHERE state = 'running' AND worker = $1 AND cancel_at > 0)`)
	for i := range r.queues {
		n := strconv.Itoa(i + 3)
		b.WriteString(` UNION ALL SELECT CAST($` + n + ` AS TEXT), (SELECT due_at FROM ashlar_jobs
			WHERE state = 'queued' AND queue = $` + n + ` ORDER BY priority DESC, due_at, id LIMIT 1)`)
	}
	return b.String()
}

func (r *Runner) pollArgs(now time.Time) []any {
	args := []any{r.worker, r.longAgo(now)}
	for _, q := range r.queues {
		args = append(args, q.spec.queue)
	}
	return args
}

// cancels has the handlers of running jobs stop that somebody cancelled.
func (r *Runner) cancels(ctx context.Context) error {
	ids, err := db.All[string](ctx, r.cfg.DB, `
		SELECT id FROM ashlar_jobs WHERE state = 'running' AND worker = $1 AND cancel_at > 0`, r.worker)
	if err != nil {
		return fmt.Errorf("look for cancelled jobs: %w", err)
	}
	for _, id := range ids {
		if run := r.runs[id]; run != nil {
			run.cancel(ErrCancelled)
		}
	}
	return nil
}

// due is a job whose time has come: that of its pause, or of its lease.
type due struct {
	ID, Queue         string
	Attempt, Attempts int
	CancelAt          int64
	UniqueKey         string
}

const selectDue = `SELECT id, queue, attempt, attempts, cancel_at, unique_key FROM ashlar_jobs WHERE `

// dueBatch is how many jobs are made ready in one transaction.
const dueBatch = 4 * batch

// promote queues jobs whose time has come, of all queues, and takes jobs back
// whose lease has run out: their worker is gone.
func (r *Runner) promote(ctx context.Context, now time.Time) error {
	type promoted struct {
		ready []due
		lost  []due
	}
	out, err := transact(ctx, r.cfg.DB, func(tx *db.Tx) (out promoted, err error) {
		if out.ready, err = db.All[due](ctx, tx, selectDue+`state = 'scheduled' AND due_at <= $1 ORDER BY due_at LIMIT $2`+skipLocked, now.UnixMilli(), dueBatch); err != nil {
			return out, err
		}
		for at := 0; at < len(out.ready); at += batch {
			in, args := list(1, idsOf(out.ready[at:min(at+batch, len(out.ready))]))
			if _, err := db.Exec(ctx, tx, `UPDATE ashlar_jobs SET state = 'queued' WHERE id IN `+in, args...); err != nil {
				return out, err
			}
		}
		if out.lost, err = db.All[due](ctx, tx, selectDue+`state = 'running' AND lease_until <= $1 AND lease_until > $3 ORDER BY lease_until LIMIT $2`+skipLocked,
			now.UnixMilli(), dueBatch, r.longAgo(now)); err != nil {
			return out, err
		}
		for _, job := range out.lost {
			if err := r.reclaim(ctx, tx, job, now); err != nil {
				return out, err
			}
		}
		return out, nil
	})
	if err != nil {
		return fmt.Errorf("queue jobs that are due: %w", err)
	}
	r.ready(out.ready)
	r.tookBack(ctx, out.lost)
	// What is left, or has come, is found now.
	r.due.poll, r.due.due = time.Time{}, never(now)
	if len(out.ready) > 0 || len(out.lost) > 0 {
		return nil
	}
	err = r.poll(ctx, now)
	r.due.due = later(r.due.due, now.Add(contended)) // another process has them
	return err
}

// ready notes that queues have jobs.
func (r *Runner) ready(jobs []due) {
	for _, job := range jobs {
		if q := r.byName[job.Queue]; q != nil {
			q.ready = true
		}
	}
}

// tookBack tells of jobs whose worker is gone.
func (r *Runner) tookBack(ctx context.Context, lost []due) {
	r.ready(lost)
	for _, job := range lost {
		r.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "job: its worker is gone, so it is taken back", slog.String("queue", job.Queue),
			slog.String("job", job.ID), slog.Int("attempt", job.Attempt))
		r.counts.add(job.Queue, WasLost)
	}
}

// contended is how long rows are left alone that somebody else has.
const contended = 50 * time.Millisecond

func idsOf(jobs []due) []string {
	ids := make([]string, len(jobs))
	for i, job := range jobs {
		ids[i] = job.ID
	}
	return ids
}

// reclaim ends a run whose worker is gone. It may be the job that killed it, so
// the attempt counts, and only the first is followed by another at once.
func (r *Runner) reclaim(ctx context.Context, tx *db.Tx, job due, now time.Time) error {
	s := &spec{queue: job.Queue, keep: DefaultKeep, base: firstBackoff, most: mostBackoff}
	if q := r.byName[job.Queue]; q != nil {
		s = q.spec
	}
	e := ending{kind: scheduled, at: now, text: fmt.Sprintf("the worker was gone in attempt %d", job.Attempt)}
	switch {
	case job.CancelAt > 0:
		e.kind, e.keep = Cancelled, s.keep
	case job.Attempt >= job.Attempts:
		e.kind, e.keep = Dead, r.cfg.KeepDead
	case job.Attempt > 1:
		e.at = now.Add(jitter(job.Attempt, s.base, s.most))
	}
	rows, err := runningRows(ctx, tx, []string{job.ID}, forUpdate)
	if err != nil {
		return err
	}
	row, ok := rows[job.ID]
	if !ok {
		return errors.New("a locked job is not there")
	}
	e.run = &running{Run: Run{ID: job.ID, Queue: job.Queue}, spec: s, job: claimed{lease: row.Lease}}
	w := writes{now: now, done: map[int64][]string{}}
	if err := w.write(ctx, tx, &e, row); err != nil {
		return err
	}
	return w.flush(ctx, tx)
}

// beat renews the leases of all running jobs, and finds out which are lost.
func (r *Runner) beat(ctx context.Context, now time.Time) error {
	if len(r.runs) == 0 && len(r.endings) == 0 {
		r.due.beat = never(now)
		return nil
	}
	type row struct {
		ID, Lease string
		CancelAt  int64
	}
	type beaten struct {
		renewed []string
		ours    []row
	}
	out, err := transact(ctx, r.cfg.DB, func(tx *db.Tx) (out beaten, err error) {
		// A row that somebody holds is passed over: a handler that is about to
		// complete its job, and nobody else can take that one meanwhile.
		if out.renewed, err = db.All[string](ctx, tx, `
			SELECT id FROM ashlar_jobs WHERE state = 'running' AND worker = $1`+skipLocked, r.worker); err != nil {
			return out, err
		}
		for at := 0; at < len(out.renewed); at += batch {
			in, args := list(3, out.renewed[at:min(at+batch, len(out.renewed))])
			if _, err := db.Exec(ctx, tx, `UPDATE ashlar_jobs SET lease_until = $1, set_at = $2 WHERE id IN `+in,
				append([]any{now.Add(r.cfg.Lease).UnixMilli(), now.UnixMilli()}, args...)...); err != nil {
				return out, err
			}
		}
		out.ours, err = db.All[row](ctx, tx, `SELECT id, lease, cancel_at FROM ashlar_jobs WHERE state = 'running' AND worker = $1`, r.worker)
		return out, err
	})
	if err != nil {
		return fmt.Errorf("renew the leases: %w", err)
	}
	r.due.beat = now.Add(r.cfg.Lease / 3)
	ours := make(map[string]row, len(out.ours))
	for _, o := range out.ours {
		ours[o.ID] = o
	}
	for id, run := range r.runs {
		switch o := ours[id]; {
		case run.isCompleted():
		case o.Lease != run.job.lease:
			run.cancel(ErrLost)
		case o.CancelAt > 0:
			run.cancel(ErrCancelled)
		}
	}
	for _, id := range out.renewed {
		if run := r.runs[id]; run != nil && ours[id].Lease == run.job.lease {
			run.leaseEnd = now.Add(r.cfg.Lease)
		}
	}
	for _, e := range r.endings {
		delete(ours, e.run.ID)
	}
	for id, o := range ours {
		if run := r.runs[id]; run == nil || run.job.lease != o.Lease {
			r.orphan(id, o.Lease)
		}
	}
	return nil
}

// orphan gives a job back that is ours although nothing runs it: that it was
// claimed was committed, and we did not learn of it.
func (r *Runner) orphan(id, lease string) {
	r.endings = append(r.endings, ending{
		run:  &running{Run: Run{ID: id}, spec: &spec{}, job: claimed{lease: lease}},
		kind: scheduled, free: true, at: r.now(), outcome: WasReturned,
		err: errors.New("the claim was committed, and its answer lost"),
	})
}

// overrun is how much longer than its time a handler may take before the log
// tells of it.
const overrun = 10 * time.Second

// guard looks after runs without the database. Before a lease runs out that
// could not be renewed its handler is told to stop: from then on the job may run
// elsewhere.
func (r *Runner) guard(now time.Time) {
	for _, run := range r.runs {
		if !now.Before(run.leaseEnd.Add(-r.cfg.Lease / 3)) {
			run.cancel(ErrLost)
		}
		if !run.overran && now.After(run.started.Add(run.spec.timeout+overrun)) {
			run.overran = true
			r.cfg.Log.LogAttrs(context.WithoutCancel(r.base), slog.LevelError, "job: the handler does not obey its ctx and keeps its place",
				slog.String("queue", run.Queue), slog.String("job", run.ID), slog.Int("attempt", run.Attempt), slog.Duration("timeout", run.spec.timeout))
		}
	}
}

// flushEvery is how often progress is written.
const flushEvery = time.Second

// flush writes the progress of running jobs.
func (r *Runner) flush(ctx context.Context, now time.Time) error {
	r.due.flush = never(now)
	if len(r.runs) == 0 {
		return nil
	}
	r.due.flush = now.Add(flushEvery)
	var ids []string
	for id, run := range r.runs {
		if run.hasNews() {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	ids = ids[:min(len(ids), batch)]
	_, err := transact(ctx, r.cfg.DB, func(tx *db.Tx) (struct{}, error) {
		rows, err := runningRows(ctx, tx, ids, skipLocked)
		if err != nil {
			return struct{}{}, err
		}
		for id, row := range rows {
			run := r.runs[id]
			if row.Lease != run.job.lease {
				continue
			}
			at := run.progress()
			if _, err := db.Exec(ctx, tx, `UPDATE ashlar_jobs SET done = $1, total = $2, note = $3 WHERE id = $4`, at.done, at.total, at.note, id); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		return fmt.Errorf("write progress: %w", err)
	}
	return nil
}
