package job

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/trace"
)

//go:embed migrations
var migrations embed.FS

// Migrations returns the history of the package's tables as goose files, at the
// root. Their text suits SQLite and PostgreSQL alike.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the name is a constant and valid
	}
	return sub
}

// Answers about a job that cannot be had.
const (
	// ErrNotFound says that there is no such job, or not any more.
	ErrNotFound fault.NotFound = "job_not_found"
	// ErrState says that the job's state does not allow what was asked for.
	ErrState fault.Conflict = "job_wrong_state"
)

// State is where a job stands.
type State string

// The states.
const (
	Queued    State = "queued"    // can run now
	Scheduled State = "scheduled" // waits for its time
	Retrying  State = "retrying"  // waits for another attempt
	Running   State = "running"
	Done      State = "done"
	Dead      State = "dead" // has failed for good
	Cancelled State = "cancelled"

	scheduled = Scheduled // in the table: of both kinds
)

// States lists the states, in the order of a job's life.
func States() []State { return []State{Scheduled, Queued, Running, Retrying, Done, Dead, Cancelled} }

// Info is what is known of a job.
type Info struct {
	ID        string
	Queue     string
	State     State
	Priority  Priority
	Attempt   int // runs that counted, one that runs now among them
	Attempts  int // how many there may be; 0 before the first
	Payload   json.RawMessage
	UniqueKey string
	TraceID   string    // of whoever added it
	DueAt     time.Time // when it is to run, or was to
	AddedAt   time.Time
	StartedAt time.Time // of the last run; zero before
	EndedAt   time.Time // zero before

	Done, Total int64 // what was reported last, see [Report]
	Note        string
	Error       string          // of the last run that failed
	Result      json.RawMessage // nil if there is none, see [Result]
}

// stored is an Info as it is kept.
type stored struct {
	ID, Queue, State                             string
	Priority                                     int64
	DueAt                                        int64
	Attempt, Attempts                            int
	Payload, Traceparent, UniqueKey, Note, Error string
	Done, Total                                  int64
	Result                                       *string
	CreatedAt, StartedAt, EndedAt                int64
}

const columns = `id, queue, state, priority, due_at, attempt, attempts, payload, traceparent, unique_key, note, error, done, total, result, created_at, started_at, ended_at`

func (s *stored) info() Info {
	i := Info{
		ID: s.ID, Queue: s.Queue, State: State(s.State), Priority: Priority(s.Priority), Attempt: s.Attempt, Attempts: s.Attempts,
		Payload: json.RawMessage(s.Payload), UniqueKey: s.UniqueKey, DueAt: timeOf(s.DueAt), AddedAt: timeOf(s.CreatedAt),
		StartedAt: timeOf(s.StartedAt), EndedAt: timeOf(s.EndedAt), Done: s.Done, Total: s.Total, Note: s.Note, Error: s.Error,
	}
	if i.State == scheduled && s.Attempt > 0 {
		i.State = Retrying
	}
	if tc, ok := trace.Parse(s.Traceparent); ok {
		i.TraceID = tc.TraceIDString()
	}
	if s.Result != nil {
		i.Result = json.RawMessage(*s.Result)
	}
	return i
}

// Get returns a job, or [ErrNotFound].
func Get(ctx context.Context, q db.Querier, id string) (Info, error) {
	row, err := db.One[stored](ctx, q, `SELECT `+columns+` FROM ashlar_jobs WHERE id = $1`, id)
	if errors.Is(err, db.ErrNoRows) {
		return Info{}, ErrNotFound
	}
	if err != nil {
		return Info{}, fmt.Errorf("job: read %s: %w", id, err)
	}
	return row.info(), nil
}

// Filter says which jobs to list. Zero fields leave nothing out.
type Filter struct {
	Queue string
	State State
	// Before continues a list: the ID of its last job.
	Before string
	// Limit is how many there may be, at most 1000; 0 means 50.
	Limit int
}

// List returns jobs, the newest first.
func List(ctx context.Context, q db.Querier, f Filter) ([]Info, error) {
	where, err := f.State.where()
	if err != nil {
		return nil, err
	}
	if f.Limit < 0 || f.Limit > 1000 {
		return nil, fmt.Errorf("job: a list of %d: at most 1000", f.Limit)
	}
	if f.Limit == 0 {
		f.Limit = 50
	}
	args := []any{f.Before, f.Limit}
	if f.Queue != "" { // another text, so that it gets its index
		where, args = where+` AND queue = $3`, append(args, f.Queue)
	}
	rows, err := db.All[stored](ctx, q, `SELECT `+columns+` FROM ashlar_jobs
		WHERE ($1 = '' OR id < $1) AND `+where+` ORDER BY id DESC LIMIT $2`, args...)
	if err != nil {
		return nil, fmt.Errorf("job: list: %w", err)
	}
	list := make([]Info, len(rows))
	for i := range rows {
		list[i] = rows[i].info()
	}
	return list, nil
}

// where is the condition of a state, as the partial indexes have it.
func (s State) where() (string, error) {
	switch s {
	case "":
		return `1 = 1`, nil
	case Scheduled:
		return `state = 'scheduled' AND attempt = 0`, nil
	case Retrying:
		return `state = 'scheduled' AND attempt > 0`, nil
	case Queued:
		return `state = 'queued'`, nil
	case Running:
		return `state = 'running'`, nil
	case Done:
		return `state = 'done'`, nil
	case Dead:
		return `state = 'dead'`, nil
	case Cancelled:
		return `state = 'cancelled'`, nil
	}
	return "", fmt.Errorf("job: there is no state %q; there are %v", string(s), States())
}
