package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// Why the ctx of a job ended, beside its time-out: what [context.Cause] returns.
var (
	// ErrLost means that the job was given to another worker, because this one
	// did not renew its lease. What it does now may be done twice. [Complete]
	// fails with it.
	ErrLost = errors.New("job: the lease was lost: another worker may run the job")
	// ErrCancelled means that somebody called [Cancel].
	ErrCancelled = errors.New("job: cancelled")
	// ErrDraining means that the process ends. A job that returns an error now
	// goes back into the queue, and the attempt does not count.
	ErrDraining = errors.New("job: the worker is going: the job goes back into the queue")
)

// Run is one run of a job, as its handler sees it.
type Run struct {
	ID      string
	Queue   string
	Attempt int // 1 for the first
	// Attempts is how many there may be.
	Attempts int
	// DueAt is when the job was to run first or again: of a job that a
	// schedule added, the tick.
	DueAt   time.Time
	AddedAt time.Time
}

// running is a run that has begun. Its handler's context carries it.
type running struct {
	Run

	spec    *spec
	job     claimed
	trace   string // the trace's id
	cancel  context.CancelCauseFunc
	started time.Time

	// These are the loop's.
	leaseEnd time.Time
	overran  bool // that it did not obey its time-out was logged

	mu        sync.Mutex
	completed bool // in the handler's own transaction, which committed
	reported  progress
	news      bool // of progress, since it was written
	result    *string
}

type runKey struct{}

func runOf(ctx context.Context) *running {
	r, _ := ctx.Value(runKey{}).(*running)
	return r
}

// Current tells which job ctx belongs to; ok is false outside of one.
func Current(ctx context.Context) (run Run, ok bool) {
	r := runOf(ctx)
	if r == nil {
		return Run{}, false
	}
	return r.Run, true
}

// Report says how far the job is, for whoever calls [Get]: done of total, in
// any unit, and a note of up to 200 bytes. It costs nothing much: the last
// report is written within about a second, and with the end of the job. Outside
// of a job it does nothing.
func Report(ctx context.Context, done, total int64, note string) {
	r := runOf(ctx)
	if r == nil {
		return
	}
	note = clip(note, maxNote)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reported, r.news = progress{&done, &total, &note}, true
}

// A progress is what a run has reported last: all of it, or nothing yet. Then
// what an earlier run has reported stays.
type progress struct {
	done, total *int64
	note        *string
}

// hasNews reports whether something was reported since progress was asked.
func (r *running) hasNews() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.news
}

// progress takes what was reported last.
func (r *running) progress() progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.news = false
	return r.reported
}

// kept is the result, or nil.
func (r *running) kept() *string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.result
}

// isCompleted reports whether the handler has ended the job itself.
func (r *running) isCompleted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.completed
}

// Result keeps v as JSON of up to 64 KiB with the job, if that ends well; it is
// gone with the job, see [Keep]. The last call counts.
func Result(ctx context.Context, v any) error {
	r := runOf(ctx)
	if r == nil {
		return errors.New("job: Result is called outside of a job")
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("job: %s: result: %w", r.Queue, err)
	}
	if len(text) > MaxResult {
		return Permanent(fmt.Errorf("job: %s: a result of %d bytes is above %d: keep it in a table of its own", r.Queue, len(text), MaxResult))
	}
	kept := storable(string(text))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result = &kept
	return nil
}

// Complete ends the job in a transaction of its handler: what that does and the
// end of the job commit together or not at all, so that it happens once, however
// often the job runs. Call it once, as the last step of the last transaction,
// and return nil then. It fails with [ErrLost] when the job belongs to another
// worker by now; return that, and the transaction is rolled back.
func Complete(ctx context.Context, tx *db.Tx) error {
	r := runOf(ctx)
	if r == nil {
		return errors.New("job: Complete is called outside of a job")
	}
	ended, err := settle(ctx, tx, clockOf(ctx)(), []ending{{run: r, kind: Done, keep: r.spec.keep}}, forUpdate)
	if err != nil {
		return fmt.Errorf("job: %s: complete %s: %w", r.Queue, r.ID, err)
	}
	if len(ended.written) == 0 {
		return ErrLost
	}
	tx.AfterCommit(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.completed = true
	})
	return nil
}
