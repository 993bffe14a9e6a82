package job_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/db/sqlite"
	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/job"
	"github.com/ashlar-go/ashlar/logs"
)

type payment struct {
	ID     string `json:"id"`
	Amount int64  `json:"amount,omitempty"`
}

const (
	settle job.Queue[payment]  = "payment.settle"
	notify job.Queue[payment]  = "payment.notify"
	tidy   job.Queue[struct{}] = "books.tidy"
)

// everywhere runs a test on each database.
func everywhere(t *testing.T, test func(t *testing.T, k *kit)) {
	t.Helper()
	for name, open := range map[string]func(testing.TB) *db.DB{"sqlite": openSQLite, "postgres": openPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newKit(t, open(t)))
		})
	}
}

func openSQLite(t testing.TB) *db.DB {
	t.Helper()
	d, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "jobs.db")})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func openPostgres(t testing.TB) *db.DB {
	t.Helper()
	d, err := postgres.Open(t.Context(), postgres.Config{URL: backing.Postgres(t), MaxConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// kit is a database, a clock and a log.
type kit struct {
	t     testing.TB
	db    *db.DB
	clock clock
	log   *lockedBuffer
}

func newKit(t testing.TB, d *db.DB) *kit {
	t.Helper()
	t.Cleanup(func() { d.Close() })
	if _, err := db.Up(t.Context(), d, db.Migrations{Name: "ashlar_jobs", FS: job.Migrations()}); err != nil {
		t.Fatal(err)
	}
	k := &kit{t: t, db: d, log: &lockedBuffer{}}
	k.clock.at = time.Now().Truncate(time.Millisecond)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(k.log.String())
		}
	})
	return k
}

// runner returns a runner on the kit's clock. Change may be nil.
func (k *kit) runner(change func(*job.Config), handlers ...job.Handler) *job.Runner {
	k.t.Helper()
	c := job.Config{DB: k.db, Handlers: handlers, Now: k.clock.now, Log: logs.New(k.log, logs.Options{Level: slog.LevelDebug})}
	if change != nil {
		change(&c)
	}
	r, err := job.New(c)
	if err != nil {
		k.t.Fatal(err)
	}
	return r
}

// stepped is a runner that the test moves on.
func (k *kit) stepped(change func(*job.Config), handlers ...job.Handler) *job.Runner {
	k.t.Helper()
	r := k.runner(change, handlers...)
	k.t.Cleanup(r.Open(k.t.Context()))
	return r
}

// step moves runners on, each twice: what the first step finds the second does.
func (k *kit) step(runners ...*job.Runner) {
	k.t.Helper()
	for _, r := range runners {
		for range 2 {
			if err := r.Step(k.t.Context()); err != nil {
				k.t.Fatal(err)
			}
		}
	}
}

// start lets a runner run until the function it returns is called.
func (k *kit) start(r *job.Runner) (stop func()) {
	k.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(k.t.Context()))
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				k.t.Error(err)
			}
		case <-time.After(3 * time.Minute):
			k.t.Error("the runner does not end")
		}
	})
	k.t.Cleanup(stop)
	return stop
}

// add adds a job in a transaction of its own and returns its id.
func add[P any](k *kit, q job.Queue[P], payload P, options ...job.AddOption) string {
	k.t.Helper()
	return addFor(k, q, payload, options...).ID
}

func addFor[P any](k *kit, q job.Queue[P], payload P, options ...job.AddOption) (r job.Receipt) {
	k.t.Helper()
	k.tx(func(ctx context.Context, tx *db.Tx) error {
		return q.Add(ctx, tx, payload, append(options, job.Into(&r))...)
	})
	return r
}

// tx runs a transaction on the kit's clock, which must succeed.
func (k *kit) tx(fn func(ctx context.Context, tx *db.Tx) error) {
	k.t.Helper()
	if err := k.try(fn); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kit) try(fn func(ctx context.Context, tx *db.Tx) error) error {
	ctx := job.WithClock(context.WithoutCancel(k.t.Context()), k.clock.now)
	_, err := db.InTx(ctx, k.db, func(tx *db.Tx) (struct{}, error) { return struct{}{}, fn(ctx, tx) })
	return err
}

func (k *kit) get(id string) job.Info {
	k.t.Helper()
	info, err := job.Get(context.WithoutCancel(k.t.Context()), k.db, id)
	if err != nil {
		k.t.Fatalf("%s: %v", id, err)
	}
	return info
}

// is fails unless the job is in a state after so many attempts.
func (k *kit) is(id string, state job.State, attempt int) job.Info {
	k.t.Helper()
	info := k.get(id)
	if info.State != state || info.Attempt != attempt {
		k.t.Fatalf("the job is %s after %d attempts (%s), want %s after %d", info.State, info.Attempt, info.Error, state, attempt)
	}
	return info
}

// gets waits for a state that a goroutine brings about.
func (k *kit) gets(id string, state job.State) job.Info {
	k.t.Helper()
	var info job.Info
	k.await(func() bool {
		info = k.get(id)
		return info.State == state
	}, "the job to be "+string(state))
	return info
}

func (k *kit) await(ok func() bool, what string) {
	k.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			k.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// receive takes a value that must come.
func receive[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(3 * time.Minute):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// logged expects a line of the log that has all of the texts.
func (k *kit) logged(texts ...string) {
	k.t.Helper()
lines:
	for line := range strings.Lines(k.log.String()) {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue lines
			}
		}
		return
	}
	k.t.Errorf("no line of the log has %q:\n%s", texts, k.log.String())
}

// clock stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = to
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
