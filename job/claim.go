package job

import (
	"context"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// claimed is a job that a worker has taken, as it was then.
type claimed struct {
	ID          string
	Attempt     int64 // of the run that begins
	Payload     string
	Traceparent string
	DueAt       int64
	CreatedAt   int64
	HeldUntil   int64
	lease       string `db:"-"`
}

// A want is how many jobs of a queue can be run now.
type want struct {
	queue *queue
	n     int
}

// claim takes the next jobs of a queue. Others pass over the rows that it has
// locked, so that no job is taken twice and nobody waits.
func (r *Runner) claim(ctx context.Context, tx *db.Tx, s *spec, n int, now time.Time) ([]claimed, error) {
	if n > 0 && s.total > 0 {
		left, err := room(ctx, tx, s)
		if err != nil {
			return nil, err
		}
		n = min(n, left)
	}
	if n <= 0 {
		return nil, nil
	}
	jobs, err := db.All[claimed](ctx, tx, `
		SELECT id, attempt + 1 AS attempt, payload, traceparent, due_at, created_at, held_until FROM ashlar_jobs
		WHERE state = 'queued' AND queue = $1
		ORDER BY priority DESC, due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED`, s.queue, n)
	if err != nil || len(jobs) == 0 {
		return nil, err
	}
	ids := make([]string, len(jobs))
	for i := range jobs {
		ids[i] = jobs[i].ID
	}
	lease := r.lease() // with a job's id it names the run
	for i := range jobs {
		jobs[i].lease = lease
	}
	in, args := list(6, ids)
	_, err = db.Exec(ctx, tx, `
		UPDATE ashlar_jobs SET state = 'running', attempt = attempt + 1, worker = $1, lease = $2, lease_until = $3,
			started_at = $4, set_at = $4, attempts = $5, cancel_at = 0
		WHERE id IN `+in, append([]any{r.worker, lease, now.Add(r.cfg.Lease).UnixMilli(), now.UnixMilli(), s.attempts}, args...)...)
	if err != nil {
		return nil, err
	}
	return jobs, nil
}

// room returns how many more jobs of a queue may run in all processes. It locks
// the queue's row, so that processes count one after another.
func room(ctx context.Context, tx *db.Tx, s *spec) (int, error) {
	if _, err := db.One[int64](ctx, tx, `
		SELECT last_at FROM ashlar_job_schedules WHERE queue = $1 AND schedule = '' FOR UPDATE`, s.queue); err != nil {
		return 0, fmt.Errorf("the row of the bounded queue %s: %w", s.queue, err)
	}
	n, err := db.One[int](ctx, tx, `SELECT count(*) FROM ashlar_jobs WHERE state = 'running' AND queue = $1`, s.queue)
	return s.total - n, err
}
