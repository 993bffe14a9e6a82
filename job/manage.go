package job

import (
	"context"
	"errors"
	"fmt"

	"github.com/ashlar-go/ashlar/db"
)

// Cancel ends a job that waits, and asks one that runs to stop: its ctx ends,
// within [Config.Poll] on another process, and when its handler returns an error
// the job is cancelled. A handler that finishes all the same is done. Answers
// are [ErrNotFound] and, for a job that is over, [ErrState].
func Cancel(ctx context.Context, tx *db.Tx, id string) error {
	now := clockOf(ctx)().UnixMilli()
	n, err := db.Exec(ctx, tx, `
		UPDATE ashlar_jobs SET state = 'cancelled', ended_at = $1, expires_at = CASE WHEN held_until > $2 THEN held_until ELSE $2 END,
			held_key = CASE WHEN held_until > $1 THEN held_key END
		WHERE id = $3 AND state IN ('scheduled', 'queued')`, now, now+DefaultKeep.Milliseconds(), id)
	if err != nil {
		return fmt.Errorf("job: cancel %s: %w", id, err)
	}
	if n > 0 {
		return nil
	}
	n, err = db.Exec(ctx, tx, `UPDATE ashlar_jobs SET cancel_at = $1 WHERE id = $2 AND state = 'running'`, now, id)
	if err != nil {
		return fmt.Errorf("job: cancel %s: %w", id, err)
	}
	if n > 0 {
		tx.Signal(channel, newCancel)
		return nil
	}
	return refusal(ctx, tx, id, "cancelled")
}

// Retry queues a job again that is dead or cancelled, with all of its attempts,
// and has one that waits for its time or another attempt run now. Answers are
// [ErrNotFound] and [ErrState]: the job runs or is done, or a twin of its unique
// key is there meanwhile.
func Retry(ctx context.Context, tx *db.Tx, id string) error {
	job, err := db.One[struct {
		Queue, State, UniqueKey string
	}](ctx, tx, `SELECT queue, state, unique_key FROM ashlar_jobs WHERE id = $1 FOR UPDATE`, id)
	if errors.Is(err, db.ErrNoRows) {
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("job: retry %s: %w", id, err)
	}
	now := clockOf(ctx)().UnixMilli()
	switch State(job.State) {
	case Queued:
		return nil
	case scheduled:
		_, err = db.Exec(ctx, tx, `UPDATE ashlar_jobs SET state = 'queued', due_at = $1 WHERE id = $2`, now, id)
	case Dead, Cancelled:
		if err := noTwin(ctx, tx, job.Queue, job.UniqueKey, id); err != nil {
			return err
		}
		_, err = db.Exec(ctx, tx, `
			UPDATE ashlar_jobs SET state = 'queued', due_at = $1, attempt = 0, cancel_at = 0, ended_at = 0, expires_at = NULL,
				held_key = CASE WHEN unique_key <> '' THEN unique_key END
			WHERE id = $2`, now, id)
	default:
		return refusal(ctx, tx, id, "retried")
	}
	if db.IsUnique(err) { // it came in between
		return ErrState.Because("Another job holds its unique key.")
	}
	if err != nil {
		return fmt.Errorf("job: retry %s: %w", id, err)
	}
	tx.Signal(channel, newJob+job.Queue)
	return nil
}

// noTwin refuses a job whose key another one holds by now.
func noTwin(ctx context.Context, tx *db.Tx, queue, key, id string) error {
	if key == "" {
		return nil
	}
	twin, err := db.All[string](ctx, tx, `SELECT id FROM ashlar_jobs WHERE queue = $1 AND held_key = $2 AND id <> $3`, queue, key, id)
	if err != nil {
		return fmt.Errorf("job: retry %s: %w", id, err)
	}
	if len(twin) > 0 {
		return ErrState.Because("Another job holds its unique key: %s.", twin[0])
	}
	return nil
}

// Discard removes a job that is over: dead, cancelled or done. Answers are
// [ErrNotFound] and, for one that waits or runs, [ErrState]: cancel it first.
func Discard(ctx context.Context, tx *db.Tx, id string) error {
	n, err := db.Exec(ctx, tx, `DELETE FROM ashlar_jobs WHERE id = $1 AND state IN ('dead', 'cancelled', 'done')`, id)
	if err != nil {
		return fmt.Errorf("job: discard %s: %w", id, err)
	}
	if n > 0 {
		return nil
	}
	return refusal(ctx, tx, id, "discarded")
}

// refusal says why nothing was changed.
func refusal(ctx context.Context, tx *db.Tx, id, participle string) error {
	job, err := Get(ctx, tx, id)
	if err != nil {
		return err
	}
	return ErrState.Because("The job is %s and cannot be %s.", job.State, participle).With("job_state", job.State)
}
