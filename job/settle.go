package job

import (
	"context"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// An ending is what becomes of a run.
type ending struct {
	run     *running
	kind    State         // Done, Dead or Cancelled; or scheduled, for another attempt
	at      time.Time     // of the other attempt
	keep    time.Duration // how long the job stays once it is over
	free    bool          // the attempt does not count
	written bool          // by the handler's own transaction
	text    string        // what went wrong, for whoever looks at the job

	// For whoever observes.
	outcome Outcome
	took    time.Duration
	err     error
}

// settled is what became of endings.
type settled struct {
	written []ending // Cancelled now, if somebody asked for that before another attempt
	lost    []ending // of jobs that are not their runs' any more
	locked  []ending // of jobs whose rows somebody holds; to be tried again
}

// held is the row of a job that runs.
type held struct {
	ID        string
	Queue     string
	Lease     string
	CancelAt  int64
	HeldUntil int64
	UniqueKey string
}

// How rows are locked.
const (
	forUpdate  = ` FOR UPDATE`             // waits for whoever holds one
	skipLocked = ` FOR UPDATE SKIP LOCKED` // passes it over
)

// settle writes endings down. The runner passes rows over that somebody holds,
// such as a transaction that cancels one: all of its jobs would wait otherwise,
// and lose their leases.
func settle(ctx context.Context, tx *db.Tx, now time.Time, list []ending, locking string) (settled, error) {
	if len(list) == 0 {
		return settled{}, nil
	}
	ids := make([]string, len(list))
	for i, e := range list {
		ids[i] = e.run.ID
	}
	rows, err := runningRows(ctx, tx, ids, locking)
	if err != nil {
		return settled{}, err
	}
	var out settled
	var missing []ending
	w := writes{now: now, done: map[int64][]string{}}
	for _, e := range list {
		row, ok := rows[e.run.ID]
		switch {
		case e.written:
			out.written = append(out.written, e)
		case !ok:
			missing = append(missing, e)
		case row.Lease != e.run.job.lease:
			out.lost = append(out.lost, e)
		default:
			if row.CancelAt > 0 && e.kind == scheduled {
				e.kind, e.outcome, e.keep = Cancelled, WasCancelled, e.run.spec.keep
			}
			out.written = append(out.written, e)
			if err := w.write(ctx, tx, &e, row); err != nil {
				return settled{}, err
			}
		}
	}
	if err := w.flush(ctx, tx); err != nil {
		return settled{}, err
	}
	err = out.sort(ctx, tx, missing)
	return out, err
}

// sort tells rows that somebody holds from those that are not there.
func (s *settled) sort(ctx context.Context, tx *db.Tx, missing []ending) error {
	if len(missing) == 0 {
		return nil
	}
	ids := make([]string, len(missing))
	for i, e := range missing {
		ids[i] = e.run.ID
	}
	rows, err := runningRows(ctx, tx, ids, "")
	if err != nil {
		return err
	}
	for _, e := range missing {
		if rows[e.run.ID].Lease == e.run.job.lease {
			s.locked = append(s.locked, e)
		} else {
			s.lost = append(s.lost, e)
		}
	}
	return nil
}

func runningRows(ctx context.Context, tx *db.Tx, ids []string, locking string) (map[string]held, error) {
	in, args := list(1, ids)
	rows, err := db.All[held](ctx, tx, `
		SELECT id, queue, lease, cancel_at, held_until, unique_key FROM ashlar_jobs
		WHERE state = 'running' AND id IN `+in+locking, args...)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]held, len(rows))
	for _, row := range rows {
		byID[row.ID] = row
	}
	return byID, nil
}

// writes puts together what many endings have in common.
type writes struct {
	now     time.Time
	done    map[int64][]string // jobs that are done and have nothing else to say, by when they expire
	removed []string           // jobs that are not kept at all
}

// write takes an ending in, or writes one that is like no other.
func (w *writes) write(ctx context.Context, tx *db.Tx, e *ending, row held) error {
	r := e.run
	at := r.progress()
	result := r.kept()

	holds := row.HeldUntil > w.now.UnixMilli()
	expires := max(w.now.Add(e.keep).UnixMilli(), row.HeldUntil)
	switch {
	case e.kind == scheduled:
		return w.again(ctx, tx, e, at)
	case e.kind != Dead && e.keep == 0 && !holds:
		w.removed = append(w.removed, r.ID)
		return nil
	case e.kind == Done && !holds && at == (progress{}) && result == nil:
		w.done[expires] = append(w.done[expires], r.ID)
		return nil
	}
	if e.kind != Done {
		result = nil
	}
	if _, err := db.Exec(ctx, tx, `
		UPDATE ashlar_jobs SET state = $1, lease = '', error = $2, ended_at = $3, expires_at = $4, result = $8,
			done = COALESCE($5, done), total = COALESCE($6, total), note = COALESCE($7, note),
			held_key = CASE WHEN held_until > $3 THEN held_key END
		WHERE id = $9`, e.kind, e.text, w.now.UnixMilli(), expires, at.done, at.total, at.note, result, r.ID); err != nil {
		return err
	}
	if e.kind != Dead || !strings.HasPrefix(row.UniqueKey, tickKey) {
		return nil
	}
	_, err := db.Exec(ctx, tx, `DELETE FROM ashlar_jobs WHERE state = 'dead' AND queue = $1 AND unique_key = $2 AND id <> $3`,
		row.Queue, row.UniqueKey, r.ID)
	return err
}

// again has the job wait for another attempt.
func (w *writes) again(ctx context.Context, tx *db.Tx, e *ending, at progress) error {
	state, counted := scheduled, 1
	if !e.at.After(w.now) {
		state = Queued
	}
	if e.free {
		counted = 0
	}
	until := w.now.Add(e.at.Sub(w.now)) // as long, though somebody set the clock since e.at was known
	_, err := db.Exec(ctx, tx, `
		UPDATE ashlar_jobs SET state = $1, lease = '', error = $2, due_at = $3, set_at = $9, attempt = attempt - 1 + $4,
			done = COALESCE($5, done), total = COALESCE($6, total), note = COALESCE($7, note)
		WHERE id = $8`, state, e.text, until.UnixMilli(), counted, at.done, at.total, at.note, e.run.ID, w.now.UnixMilli())
	return err
}

// flush writes what was put together.
func (w *writes) flush(ctx context.Context, tx *db.Tx) error {
	for expires, ids := range w.done {
		in, args := list(3, ids)
		if _, err := db.Exec(ctx, tx, `
			UPDATE ashlar_jobs SET state = 'done', lease = '', error = '', held_key = NULL, ended_at = $1, expires_at = $2
			WHERE id IN `+in, append([]any{w.now.UnixMilli(), expires}, args...)...); err != nil {
			return err
		}
	}
	if len(w.removed) == 0 {
		return nil
	}
	in, args := list(1, w.removed)
	_, err := db.Exec(ctx, tx, `DELETE FROM ashlar_jobs WHERE id IN `+in, args...)
	return err
}
