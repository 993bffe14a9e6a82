package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/id"
)

// tickKey begins the unique key of a job that a schedule added.
const tickKey = "tick "

// tick adds the jobs of schedules whose time has come.
func (r *Runner) tick(ctx context.Context, now time.Time) error {
	next := never(now)
	var errs []error
	for _, q := range r.queues {
		if q.spec.total > 0 && !q.bounded {
			err := r.declare(ctx, q.spec.queue, "", now)
			q.bounded = err == nil
			errs = append(errs, err)
		}
		for i, s := range q.spec.schedules {
			if !q.next[i].After(now) {
				if err := r.fire(ctx, q, s, now); err != nil {
					errs = append(errs, fmt.Errorf("schedule %q of %s: %w", s.text, q.spec.queue, err))
					continue
				}
				q.next[i] = s.next(now)
			}
			next = earlier(next, q.next[i])
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	r.due.tick = next
	return nil
}

// declare has a row for a schedule, which begins now if it is new.
func (r *Runner) declare(ctx context.Context, queue, schedule string, now time.Time) error {
	_, err := db.Exec(ctx, r.cfg.DB, `
		INSERT INTO ashlar_job_schedules (queue, schedule, last_at) VALUES ($1, $2, $3)
		ON CONFLICT (queue, schedule) DO NOTHING`, queue, schedule, now.UnixMilli())
	return err
}

// fire adds the job of the last tick, if no other process did. Whoever moves the
// schedule's row on is the one who adds, in the same transaction.
func (r *Runner) fire(ctx context.Context, q *queue, s *schedule, now time.Time) error {
	if err := r.declare(ctx, q.spec.queue, s.text, now); err != nil {
		return err
	}
	type fired struct {
		at   time.Time // zero if there is none
		twin bool
	}
	done, err := transact(ctx, r.cfg.DB, func(tx *db.Tx) (out fired, err error) {
		last, err := db.One[int64](ctx, tx, `
			SELECT last_at FROM ashlar_job_schedules WHERE queue = $1 AND schedule = $2 FOR UPDATE`, q.spec.queue, s.text)
		if err != nil {
			return out, err
		}
		if last > r.implausible(now) {
			// A clock that was ahead moved it on. What it added was early, and
			// there would be no tick until its time comes.
			_, err := db.Exec(ctx, tx, `UPDATE ashlar_job_schedules SET last_at = $1 WHERE queue = $2 AND schedule = $3`,
				now.UnixMilli(), q.spec.queue, s.text)
			return out, err
		}
		if out.at = s.latest(time.UnixMilli(last), now); out.at.IsZero() {
			return out, nil
		}
		if _, err = db.Exec(ctx, tx, `UPDATE ashlar_job_schedules SET last_at = $1 WHERE queue = $2 AND schedule = $3`,
			out.at.UnixMilli(), q.spec.queue, s.text); err != nil {
			return out, err
		}
		if s.late > 0 && now.Sub(out.at) > s.late {
			out.at = time.Time{}
			return out, nil
		}
		job := row{
			ID: id.New("job_"), Queue: q.spec.queue, State: Queued, Payload: q.spec.zero,
			DueAt: out.at.UnixMilli(), CreatedAt: now.UnixMilli(), UniqueKey: tickKey + s.text,
		}
		inserted, err := job.insert(ctx, tx)
		if err != nil || inserted {
			return out, err
		}
		// The job of an earlier tick is still there. If it only waits for
		// another attempt, it need not wait longer than until now.
		out.twin = true
		_, err = db.Exec(ctx, tx, `
			UPDATE ashlar_jobs SET state = 'queued', due_at = $1
			WHERE queue = $2 AND held_key = $3 AND state = 'scheduled'`, out.at.UnixMilli(), job.Queue, job.UniqueKey)
		return out, err
	})
	switch {
	case err != nil || done.at.IsZero():
		return err
	case done.twin:
		r.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "job: the one of the tick before is not over, so this tick is dropped",
			slog.String("queue", q.spec.queue), slog.String("schedule", s.text), slog.Time("tick", done.at))
	}
	q.ready = true
	return nil
}

// The sweep deletes in small transactions, so that others do not wait behind it.
const (
	sweepEvery = time.Minute
	sweepBatch = 500
)

// sweep deletes jobs that were kept for long enough.
func (r *Runner) sweep(ctx context.Context, now time.Time) error {
	// The time is asked again outside the list, for rows that another process
	// has changed while this one waited for them.
	n, err := db.Exec(ctx, r.cfg.DB, `
		DELETE FROM ashlar_jobs WHERE expires_at <= $1 AND id IN (
			SELECT id FROM ashlar_jobs WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`, now.UnixMilli(), sweepBatch)
	if err != nil {
		return fmt.Errorf("delete old jobs: %w", err)
	}
	if r.due.sweep = now.Add(sweepEvery); n == sweepBatch {
		r.due.sweep = now
	}
	return nil
}
