package job_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/db/sqlite"
	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/job"
)

// crashLease is short, so that what a dead process held comes back soon.
const crashLease = time.Second

// crashing handlers: one whose effect commits with the end of the job, and one
// whose effect happens at least once.
func crashing(d *db.DB, begun func(run job.Run)) []job.Handler {
	return []job.Handler{
		job.On(settle, func(ctx context.Context, p payment) error {
			run, _ := job.Current(ctx)
			begun(run)
			_, err := db.InTx(ctx, d, func(tx *db.Tx) (struct{}, error) {
				_, err := db.Exec(ctx, tx, `INSERT INTO effects (job, once) VALUES ($1, 1)`, run.ID)
				return struct{}{}, errors.Join(err, job.Complete(ctx, tx))
			})
			return err
		}, job.Attempts(100), job.Backoff(time.Millisecond, time.Millisecond)),
		job.On(notify, func(ctx context.Context, p payment) error {
			run, _ := job.Current(ctx)
			begun(run)
			_, err := db.Exec(ctx, d, `INSERT INTO effects (job, once) VALUES ($1, 0)`, run.ID)
			return err
		}, job.Attempts(100), job.Backoff(time.Millisecond, time.Millisecond)),
	}
}

// openURL opens the database of a crash test, from any process.
func openURL(ctx context.Context, url string) (*db.DB, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return sqlite.Open(ctx, sqlite.Config{Path: path, Wait: 20 * time.Second})
	}
	return postgres.Open(ctx, postgres.Config{URL: url, MaxConns: 6})
}

// childShare is how many jobs a process begins before all that it begins hang.
// Those that are killed must leave enough for the next, however fast they were.
const childShare = 60

// TestChildOfTheCrash is the process that is killed. One job in twenty hangs, so
// that some are in the middle when it dies.
func TestChildOfTheCrash(t *testing.T) {
	t.Parallel()
	url := os.Getenv("ASHLAR_TEST_JOBS")
	if url == "" {
		return // it is no test of its own: TestKilledWorkersLoseNothing runs it
	}
	d, err := openURL(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	r, err := job.New(job.Config{
		DB: d, Lease: crashLease, Poll: 100 * time.Millisecond, Workers: 8,
		Handlers: crashing(d, func(run job.Run) {
			fmt.Printf("\nbegun %s\n", run.ID)
			if n := n.Add(1); n%20 == 0 || n > childShare {
				select {}
			}
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Error(r.Run(t.Context()))
}

// TestKilledWorkersLoseNothing kills processes in the middle of their jobs, two
// at a time. Every job is run to its end, those with Complete once, and what was
// running comes back within the lease and a poll.
func TestKilledWorkersLoseNothing(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "jobs.db") },
		"postgres": func(t *testing.T) string { return backing.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killWorkers(t, url(t))
		})
	}
}

func killWorkers(t *testing.T, url string) {
	d, err := openURL(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	k := newKit(t, d)
	if _, err := db.Exec(t.Context(), d, `CREATE TABLE effects (job TEXT NOT NULL, once BIGINT NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	const jobs = 150
	k.tx(func(ctx context.Context, tx *db.Tx) error {
		for range jobs {
			if err := errors.Join(settle.Add(ctx, tx, payment{}), notify.Add(ctx, tx, payment{})); err != nil {
				return err
			}
		}
		return nil
	})
	for range 2 {
		first, second := child(t, url), child(t, url)
		first.begins(t, 30)
		second.begins(t, 30)
		first.kill()
		second.kill()
	}
	killed := time.Now()

	hanging, err := db.All[string](t.Context(), d, `SELECT id FROM ashlar_jobs WHERE state = 'running'`)
	if err != nil || len(hanging) == 0 {
		t.Fatalf("%d jobs were running when their processes were killed, %v: nothing is tested", len(hanging), err)
	}
	back := make(chan time.Duration, 10*jobs)
	taken := map[string]bool{}
	for _, id := range hanging {
		taken[id] = true
	}
	k.start(k.runner(func(c *job.Config) { c.Now, c.Lease, c.Poll = nil, crashLease, 100*time.Millisecond }, crashing(d, func(run job.Run) {
		if taken[run.ID] {
			back <- time.Since(killed)
		}
	})...))
	k.await(func() bool {
		n, err := db.One[int](t.Context(), d, `SELECT count(*) FROM ashlar_jobs WHERE state <> 'done'`)
		return n == 0 && err == nil
	}, "all jobs to be done")
	// A server may have taken the last commit of a process after its death, so
	// that a job or two need not come back.
	var last time.Duration
	again := len(back)
	for range again {
		last = max(last, <-back)
	}
	if again == 0 {
		t.Error("no job was begun again: nothing is tested")
	}
	for what, query := range map[string]string{
		"jobs are lost":                        `SELECT 300 - count(*) FROM ashlar_jobs`,
		"jobs are done without an effect":      `SELECT count(*) FROM ashlar_jobs WHERE id NOT IN (SELECT job FROM effects)`,
		"effects that are completed are twice": `SELECT count(*) FROM (SELECT 1 FROM effects WHERE once = 1 GROUP BY job HAVING count(*) > 1) AS twice`,
	} {
		if n, err := db.One[int](t.Context(), d, query); n != 0 || err != nil {
			t.Errorf("%d %s, %v", n, what, err)
		}
	}
	// Two retries may be in between, and a machine that is busy.
	if bound := crashLease + 20*time.Second; last > bound {
		t.Errorf("the last of %d jobs came back after %s", again, last)
	}
	t.Logf("%d of %d jobs of killed processes were begun again within %s", again, len(hanging), last)
}

// process is a child that runs jobs.
type process struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func child(t *testing.T, url string) *process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChildOfTheCrash$", "-test.count=1")
	cmd.Env = append(os.Environ(), "ASHLAR_TEST_JOBS="+url)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd, bufio.NewScanner(out)}
	t.Cleanup(p.kill)
	return p
}

// begins waits until the process has begun so many jobs.
func (p *process) begins(t *testing.T, n int) {
	t.Helper()
	late := time.AfterFunc(3*time.Minute, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	for p.lines.Scan() {
		if strings.HasPrefix(p.lines.Text(), "begun ") {
			if n--; n == 0 {
				return
			}
		}
	}
	t.Fatalf("the process ended, or three minutes did, %d jobs early: %v", n, p.cmd.Wait())
}

// kill ends the process as a power cut would. It may be called twice.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}
