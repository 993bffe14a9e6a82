package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/trace"
)

// A Queue is a kind of job, and says what such a job is about. Declare it as a
// typed constant:
//
//	const Settle job.Queue[Payment] = "payment.settle"
//
// Payloads are kept as JSON, so a queue outlives the program: fields may be
// added to P, and what an older program queued reads as their zero value.
type Queue[P any] string

// queueForm is what a queue's name looks like.
var queueForm = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$`)

// Bounds of what is kept of one job. What is larger belongs into a table of
// its own, and its id into the job.
const (
	MaxPayload = 64 << 10 // bytes of JSON
	MaxResult  = 64 << 10 // bytes of JSON
	maxQueue   = 100      // bytes of a queue's name
	maxKey     = 200      // bytes of a unique key
	maxNote    = 200      // bytes of a progress note
	maxError   = 2000     // bytes of an error's text
)

// Add queues a job in the caller's transaction: it runs if that commits, and
// never was if that rolls back. It runs at least once, see the package's
// comment. Errors are the database's and those of options or a payload that
// cannot be.
func (q Queue[P]) Add(ctx context.Context, tx *db.Tx, payload P, options ...AddOption) error {
	text, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("job: %s: payload: %w", string(q), err)
	}
	now := clockOf(ctx)()
	a := addition{now: now, job: row{
		ID: id.New("job_"), Queue: string(q), State: Queued, Payload: string(text),
		Traceparent: trace.From(ctx).Traceparent(), DueAt: now.UnixMilli(), CreatedAt: now.UnixMilli(),
	}}
	for _, o := range options {
		o.add(&a)
	}
	switch {
	case len(q) > maxQueue || !queueForm.MatchString(string(q)):
		a.mistake("the name is not of the form %q, in at most %d bytes", "payment.settle", maxQueue)
	case len(text) > MaxPayload:
		a.mistake("a payload of %d bytes is above %d: keep it in a table and queue its id", len(text), MaxPayload)
	}
	if a.err != nil {
		return fmt.Errorf("job: %s: %w", string(q), a.err)
	}
	return a.insert(ctx, tx)
}

// An AddOption says something about a job that is added.
type AddOption interface{ add(a *addition) }

// addition is a job on its way into the table.
type addition struct {
	job     row
	now     time.Time
	timed   bool
	receipt *Receipt
	err     error
}

func (a *addition) mistake(format string, args ...any) {
	a.err = errors.Join(a.err, fmt.Errorf(format, args...))
}

type addOption func(*addition)

func (o addOption) add(a *addition) { o(a) }

// Priority says which jobs of a queue run first. A job of a lower one waits for
// as long as there are others. It is an option as it stands:
//
//	Settle.Add(ctx, tx, p, job.High)
type Priority int8

// The priorities.
const (
	Low    Priority = -1
	Normal Priority = 0
	High   Priority = 1
)

func (p Priority) add(a *addition) {
	if p < Low || p > High {
		a.mistake("there is no priority %d: there are job.Low, job.Normal and job.High", p)
		return
	}
	a.job.Priority = int64(p)
}

// After has the job wait for d first.
func After(d time.Duration) AddOption {
	return addOption(func(a *addition) {
		if d < 0 {
			a.mistake("After(%s): must not be negative", d)
			return
		}
		a.at(a.now.Add(d))
	})
}

// At has the job wait until t. A time that is past is now.
func At(t time.Time) AddOption {
	return addOption(func(a *addition) {
		if t.IsZero() {
			a.mistake("At: the time is not set")
			return
		}
		a.at(t)
	})
}

// at keeps the time to the millisecond, and never early.
func (a *addition) at(t time.Time) {
	if a.timed {
		a.mistake("says twice when to run")
	}
	if a.timed = true; t.After(a.now) {
		a.job.State, a.job.DueAt = scheduled, t.Add(time.Millisecond-1).UnixMilli()
	}
}

// Unique has no second job of the queue and key wait or run at the same time:
// to add one is to have the first, whose payload and time stay. While that still
// waits it does not start before the transaction that added its twin is over,
// and so sees what that did. One that runs may have read before; where that
// matters, add the job without Unique.
//
// Transactions that add twins side by side wait for each other.
func Unique(key string) AddOption { return unique(key, 0) }

// UniqueFor is [Unique], and keeps twins out for d from now on at least, however
// the first job ends.
func UniqueFor(key string, d time.Duration) AddOption {
	if d <= 0 {
		return addOption(func(a *addition) { a.mistake("UniqueFor(%s): must be above 0", d) })
	}
	return unique(key, d)
}

func unique(key string, d time.Duration) AddOption {
	return addOption(func(a *addition) {
		switch {
		case a.job.UniqueKey != "":
			a.mistake("is made unique twice")
		case key == "" || len(key) > maxKey || storable(key) != key:
			a.mistake("a unique key has 1 to %d bytes of text", maxKey)
		default:
			a.job.UniqueKey = key
			if d > 0 {
				a.job.HeldUntil = a.now.Add(d).UnixMilli()
			}
		}
	})
}

// Receipt is what became of an Add.
type Receipt struct {
	ID   string // of the job
	Twin bool   // it was there before, see [Unique]
}

// Into has Add write down what became of it. What it wrote counts when the
// transaction has committed.
func Into(r *Receipt) AddOption { return addOption(func(a *addition) { a.receipt = r }) }

// storable returns text as every database can keep it.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
}

// clip returns text as it can be kept, in at most n bytes.
func clip(text string, n int) string {
	text = storable(text)
	if len(text) > n {
		text = strings.ToValidUTF8(text[:n-len("…")], "") + "…"
	}
	return text
}

// clockKey is where a context carries the clock of the runner that runs the job.
type clockKey struct{}

// clockOf is the clock that a job's own additions go by.
func clockOf(ctx context.Context) func() time.Time {
	if now, ok := ctx.Value(clockKey{}).(func() time.Time); ok {
		return now
	}
	return time.Now
}
