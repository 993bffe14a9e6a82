package job_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/job"
)

// A hand is a handler that does what the test tells it, one run after another.
type hand struct {
	begun   chan job.Run
	outcome chan error
	ended   chan error // why ctx ended, of a run that was told to wait for that
}

func newHand() *hand {
	return &hand{begun: make(chan job.Run, 100), outcome: make(chan error), ended: make(chan error, 100)}
}

var errWait = errors.New("wait for the end of ctx")

func (h *hand) run(ctx context.Context, _ payment) error {
	run, _ := job.Current(ctx)
	h.begun <- run
	err := <-h.outcome
	if !errors.Is(err, errWait) {
		return err
	}
	<-ctx.Done()
	h.ended <- context.Cause(ctx)
	return ctx.Err()
}

// TestALostWorkersJobRunsAgain: one lease after its worker has died a job is
// taken by another, and whoever comes back too late cannot end it.
func TestALostWorkersJobRunsAgain(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		first, second := newHand(), newHand()
		dies := k.stepped(nil, job.On(settle, first.run))
		lives := k.stepped(nil, job.On(settle, second.run))
		id := add(k, settle, payment{})
		k.step(dies)
		receive(t, first.begun, "the first run")

		k.clock.advance(30*time.Second - time.Millisecond)
		k.step(lives)
		k.is(id, job.Running, 1)
		k.clock.advance(time.Second) // the next poll
		k.step(lives, lives)
		if run := receive(t, second.begun, "the second run"); run.Attempt != 2 || run.ID != id {
			t.Errorf("runs as %+v", run)
		}
		k.logged("its worker is gone", id)

		// The first worker only stood still. Its handler succeeds, and that is no end.
		first.outcome <- nil
		k.await(func() bool { return dies.Ended() == 1 }, "the late end")
		k.step(dies)
		k.is(id, job.Running, 2)
		k.logged(`"outcome":"lost"`, id)
		second.outcome <- errors.New("failed")
		k.await(func() bool { return lives.Ended() == 1 }, "the end")
		k.step(lives)
		k.is(id, job.Retrying, 2)
		if n := dies.Stats().Queues[0].Runs[job.WasLost]; n != 1 {
			t.Errorf("%d runs count as lost, want 1", n)
		}
	})
}

// TestALostLeaseStopsTheHandler: before others may take its jobs a worker that
// cannot renew its leases stops, and so does one whose jobs were taken.
func TestALostLeaseStopsTheHandler(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		h := newHand()
		r := k.stepped(nil, job.On(settle, h.run))
		lose := func(how func(id string)) {
			t.Helper()
			id := add(k, settle, payment{})
			k.step(r)
			receive(t, h.begun, "the run")
			h.outcome <- errWait
			how(id)
			if cause := receive(t, h.ended, "the end of ctx"); cause != job.ErrLost {
				t.Errorf("ctx ended for %v", cause)
			}
			k.await(func() bool { return r.Ended() == 1 || r.Running() == 0 }, "the end")
		}
		lose(func(id string) { // taken by somebody
			if _, err := db.Exec(t.Context(), k.db, `UPDATE ashlar_jobs SET lease = 'other', worker = 'other' WHERE id = $1`, id); err != nil {
				t.Fatal(err)
			}
			k.clock.advance(10 * time.Second)
			k.step(r)
		})
		k.step(r)
		if _, err := db.Exec(t.Context(), k.db, `DELETE FROM ashlar_jobs`); err != nil {
			t.Fatal(err)
		}
		lose(func(id string) { // the database is away, and nobody took it
			if _, err := db.Exec(t.Context(), k.db, `ALTER TABLE ashlar_jobs RENAME TO elsewhere`); err != nil {
				t.Fatal(err)
			}
			k.clock.advance(19 * time.Second)
			_ = r.Step(t.Context())
			select {
			case cause := <-h.ended:
				t.Errorf("the handler is stopped early, for %v", cause)
			default:
			}
			k.clock.advance(time.Second)
			if err := r.Step(t.Context()); err == nil {
				t.Error("the database fails and nobody says so")
			}
		})
		if _, err := db.Exec(t.Context(), k.db, `ALTER TABLE elsewhere RENAME TO ashlar_jobs`); err != nil {
			t.Fatal(err)
		}
		k.step(r) // it was not lost after all: it goes back, and runs again at once
		if run := receive(t, h.begun, "the next run"); run.Attempt != 1 {
			t.Errorf("runs as %+v, want the attempt not to count", run)
		}
		h.outcome <- nil
	})
}

// TestLeasesAreRenewed: as long as its worker lives a job is its own.
func TestLeasesAreRenewed(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		h := newHand()
		works := k.stepped(nil, job.On(settle, h.run, job.Timeout(time.Hour)))
		waits := k.stepped(nil, job.On(settle, func(context.Context, payment) error { t.Error("it is taken"); return nil }))
		id := add(k, settle, payment{})
		k.step(works)
		receive(t, h.begun, "the run")
		for range 60 {
			k.clock.advance(5 * time.Second)
			k.step(works, waits)
		}
		h.outcome <- nil
		k.await(func() bool { return works.Ended() == 1 }, "the end")
		k.step(works)
		k.is(id, job.Done, 1)
	})
}

// TestAPoisonousJobDies: one that kills whoever runs it is not tried for ever.
func TestAPoisonousJobDies(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		id := add(k, settle, payment{})
		for attempt := 1; attempt <= 3; attempt++ {
			h := newHand()
			r := k.stepped(nil, job.On(settle, h.run, job.Attempts(3), job.Backoff(time.Second, time.Second)))
			k.step(r, r)
			if run := receive(t, h.begun, "the run"); run.Attempt != attempt {
				t.Fatalf("attempt %d runs as %+v", attempt, run)
			}
			k.clock.advance(31 * time.Second) // nobody hears of it again
			k.step(k.stepped(nil))            // one that runs nothing takes it back
			k.clock.advance(4 * time.Second)  // and it pauses
		}
		if info := k.is(id, job.Dead, 3); info.Error != "the worker was gone in attempt 3" {
			t.Errorf("it says %q", info.Error)
		}
	})
}

// TestACancelledJobOfALostWorkerEnds instead of running again.
func TestACancelledJobOfALostWorkerEnds(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		h := newHand()
		id := add(k, settle, payment{})
		k.step(k.stepped(nil, job.On(settle, h.run)))
		receive(t, h.begun, "the run")
		k.tx(func(ctx context.Context, tx *db.Tx) error { return job.Cancel(ctx, tx, id) })
		k.clock.advance(31 * time.Second)
		k.step(k.stepped(nil, job.On(settle, h.run)))
		k.is(id, job.Cancelled, 1)
	})
}

// TestAClaimWhoseAnswerWasLost: it was committed, and nobody runs the job. The
// worker finds it among its own and gives it back.
func TestAClaimWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		h := newHand()
		r := k.stepped(nil, job.On(settle, h.run, job.Concurrency(1)))
		runs := add(k, settle, payment{})
		k.step(r)
		receive(t, h.begun, "a run that keeps the worker busy")
		orphan := add(k, settle, payment{})
		if _, err := db.Exec(t.Context(), k.db, `
			UPDATE ashlar_jobs SET state = 'running', attempt = 1, attempts = 15, lease = 'unknown', lease_until = $1,
				worker = (SELECT worker FROM ashlar_jobs WHERE id = $2) WHERE id = $3`,
			k.clock.now().Add(30*time.Second).UnixMilli(), runs, orphan); err != nil {
			t.Fatal(err)
		}
		k.clock.advance(10 * time.Second)
		k.step(r)
		k.is(orphan, job.Queued, 0)
		k.is(runs, job.Running, 1)
		h.outcome <- nil
		k.await(func() bool { return r.Ended() == 1 }, "the end")
		k.step(r)
		k.is(orphan, job.Running, 1)
		h.outcome <- nil
	})
}

// TestAHandlerThatDoesNotObey keeps its place, and the log says so once.
func TestAHandlerThatDoesNotObey(t *testing.T) {
	t.Parallel()
	k := newKit(t, openSQLite(t))
	h := newHand()
	r := k.stepped(nil, job.On(settle, h.run, job.Timeout(time.Second), job.Concurrency(1)))
	id := add(k, settle, payment{})
	k.step(r)
	receive(t, h.begun, "the run")
	for range 20 {
		k.clock.advance(time.Second)
		k.step(r)
	}
	k.is(id, job.Running, 1)
	k.logged("does not obey", id)
	h.outcome <- nil
}

// TestFencing: a handler whose lease was lost cannot complete its job.
func TestFencing(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		if _, err := db.Exec(t.Context(), k.db, `CREATE TABLE effects (attempt BIGINT NOT NULL)`); err != nil {
			t.Fatal(err)
		}
		begun, release, answered := make(chan int, 2), map[int]chan bool{1: make(chan bool), 2: make(chan bool)}, make(chan error, 2)
		handler := func(ctx context.Context, _ payment) error {
			run, _ := job.Current(ctx)
			begun <- run.Attempt
			<-release[run.Attempt]
			_, err := db.InTx(context.WithoutCancel(ctx), k.db, func(tx *db.Tx) (struct{}, error) {
				_, err := db.Exec(ctx, tx, `INSERT INTO effects (attempt) VALUES ($1)`, run.Attempt)
				return struct{}{}, errors.Join(err, job.Complete(ctx, tx))
			})
			answered <- err
			return err
		}
		first, second := k.stepped(nil, job.On(settle, handler)), k.stepped(nil, job.On(settle, handler))
		id := add(k, settle, payment{})
		k.step(first)
		receive(t, begun, "the first run")
		k.clock.advance(31 * time.Second)
		k.step(second, second)
		receive(t, begun, "the second run")

		close(release[1])
		if err := receive(t, answered, "the first answer"); !errors.Is(err, job.ErrLost) {
			t.Errorf("the first completes with %v", err)
		}
		close(release[2])
		if err := receive(t, answered, "the second answer"); err != nil {
			t.Errorf("the second completes with %v", err)
		}
		k.await(func() bool { return first.Ended()+second.Ended() == 2 }, "both ends")
		k.step(first, second)
		k.is(id, job.Done, 2)
		if list, err := db.All[int](t.Context(), k.db, `SELECT attempt FROM effects`); len(list) != 1 || list[0] != 2 || err != nil {
			t.Errorf("the effects are of %v, %v; want the second alone", list, err)
		}
	})
}
