package job

import (
	"context"
	"errors"
	"fmt"

	"github.com/ashlar-go/ashlar/db"
)

// row is what is written of a new job.
type row struct {
	ID, Queue            string
	State                State
	Priority             int64
	DueAt                int64
	Payload, Traceparent string
	UniqueKey            string
	HeldUntil            int64
	CreatedAt            int64
}

// A twin keeps its key by the unique index, whatever the isolation of the
// transactions: of two that insert, one waits for the other to end.
const insertJob = `
INSERT INTO ashlar_jobs (id, queue, state, priority, due_at, payload, traceparent, unique_key, held_key, held_until, created_at,
	attempt, attempts, worker, lease, lease_until, cancel_at, done, total, note, error, started_at, ended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN $8 <> '' THEN $8 END, $9, $10, 0, 0, '', '', 0, 0, 0, 0, '', '', 0, 0)
ON CONFLICT DO NOTHING`

func (r *row) insert(ctx context.Context, tx *db.Tx) (inserted bool, err error) {
	n, err := db.Exec(ctx, tx, insertJob, r.ID, r.Queue, r.State, r.Priority, r.DueAt, r.Payload, r.Traceparent,
		r.UniqueKey, r.HeldUntil, r.CreatedAt)
	return n == 1, err
}

// news is what those who run jobs are told of it.
func (r *row) news() string {
	if r.State == scheduled {
		return newDue
	}
	return newJob + r.Queue
}

// insert writes the job, or finds its twin.
func (a *addition) insert(ctx context.Context, tx *db.Tx) error {
	for range 5 {
		inserted, err := a.job.insert(ctx, tx)
		if err != nil {
			return fmt.Errorf("job: add to %s: %w", a.job.Queue, err)
		}
		if inserted {
			tx.Signal(channel, a.job.news())
			a.receive(Receipt{ID: a.job.ID})
			return nil
		}
		found, err := a.twin(ctx, tx)
		if err != nil {
			return fmt.Errorf("job: find the twin in %s: %w", a.job.Queue, err)
		}
		if found != "" {
			a.receive(Receipt{ID: found, Twin: true})
			return nil
		}
	}
	return fmt.Errorf("job: add to %s: the twin came and went: %w", a.job.Queue, db.ErrBusy)
}

// twin returns the job that holds the key, locked so that it does not start
// meanwhile. There is none if it has just ended, or if it ended before and its
// time is over: then it is made to let go.
func (a *addition) twin(ctx context.Context, tx *db.Tx) (id string, err error) {
	held, err := db.One[struct {
		ID        string
		EndedAt   int64
		HeldUntil int64
	}](ctx, tx, `
		SELECT id, ended_at, held_until FROM ashlar_jobs
		WHERE queue = $1 AND held_key = $2 FOR UPDATE`, a.job.Queue, a.job.UniqueKey)
	switch {
	case errors.Is(err, db.ErrNoRows):
		return "", nil
	case err != nil:
		return "", err
	case held.EndedAt == 0 || held.HeldUntil > a.now.UnixMilli():
		return held.ID, nil
	}
	_, err = db.Exec(ctx, tx, `UPDATE ashlar_jobs SET held_key = NULL WHERE id = $1`, held.ID)
	return "", err
}

func (a *addition) receive(r Receipt) {
	if a.receipt != nil {
		*a.receipt = r
	}
}
