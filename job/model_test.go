package job_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/job"
)

// TestWhateverHappens drives three workers that crash, stand still, lose their
// leases, and whose handlers fail, complete their jobs in transactions of their
// own or come back when they are long forgotten. Nothing is lost, no effect
// happens twice, no two twins are there, and the first of a queue runs first.
func TestWhateverHappens(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) *db.DB{"sqlite": openSQLite, "postgres": openPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t, open(t))
			if _, err := db.Exec(t.Context(), k.db, `CREATE TABLE effects (job TEXT NOT NULL)`); err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, func(t *rapid.T) {
				for _, table := range []string{"ashlar_jobs", "effects"} {
					if _, err := db.Exec(t.Context(), k.db, "DELETE FROM "+table); err != nil {
						t.Fatal(err)
					}
				}
				k.clock.set(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
				w := &world{T: t, kit: k, added: map[string]bool{}, over: map[string]bool{}}
				for i := range 3 {
					w.boot(i)
				}
				t.Repeat(map[string]func(*rapid.T){
					"":         w.invariants,
					"add":      w.add,
					"step":     w.stepOne,
					"step too": w.stepOne,
					"return":   w.tellOne,
					"tell too": w.tellOne,
					"crash":    w.crash,
					"haunt":    w.haunt,
					"wait": func(t *rapid.T) {
						k.clock.advance(time.Duration(rapid.IntRange(1, 40_000).Draw(t, "ms")) * time.Millisecond)
					},
					"cancel": w.cancel,
					"retry":  w.retry,
				})
				w.finish()
			})
		})
	}
}

// world is what the test knows.
type world struct {
	*rapid.T

	kit    *kit
	worker [3]*worker
	ghosts []*alive // handlers of workers that have crashed
	added  map[string]bool
	over   map[string]bool // cancelled: these need not run
}

type worker struct {
	*job.Runner

	stop  func()
	begun chan *alive
	alive []*alive
}

// alive is a handler that runs.
type alive struct {
	job.Run

	ctx      context.Context
	outcome  chan error // what it is to return
	complete chan bool  // that it is to complete its job
	answer   chan error
	told     bool // what to return
}

// run is the handler.
func (w *world) run(of *worker) func(ctx context.Context, _ payment) error {
	return func(ctx context.Context, _ payment) error {
		run, _ := job.Current(ctx)
		a := &alive{Run: run, ctx: ctx, outcome: make(chan error, 1), complete: make(chan bool, 1), answer: make(chan error, 1)}
		of.begun <- a
		for {
			select {
			case err := <-a.outcome:
				return err
			case <-a.complete:
				stubborn := context.WithoutCancel(ctx) // goes on whatever it was told
				_, err := db.InTx(stubborn, w.kit.db, func(tx *db.Tx) (struct{}, error) {
					_, err := db.Exec(stubborn, tx, `INSERT INTO effects (job) VALUES ($1)`, a.ID)
					return struct{}{}, errors.Join(err, job.Complete(stubborn, tx))
				})
				a.answer <- err
			}
		}
	}
}

// boot starts a worker.
func (w *world) boot(i int) {
	me := &worker{begun: make(chan *alive, 100)}
	r, err := job.New(job.Config{
		DB: w.kit.db, Now: w.kit.clock.now, Workers: 3,
		Handlers: []job.Handler{job.On(settle, w.run(me), job.Attempts(4), job.Concurrency(2), job.Timeout(time.Hour)), job.On(notify, w.run(me), job.InTotal(2), job.Timeout(time.Hour))},
	})
	if err != nil {
		w.Fatal(err)
	}
	me.Runner, me.stop = r, r.Open(context.Background())
	w.worker[i] = me
}

func (w *world) add(t *rapid.T) {
	options := []job.AddOption{job.Priority(rapid.IntRange(-1, 1).Draw(t, "priority"))}
	if rapid.Bool().Draw(t, "later") {
		options = append(options, job.After(time.Duration(rapid.IntRange(0, 60_000).Draw(t, "ms"))*time.Millisecond))
	}
	if rapid.Bool().Draw(t, "unique") {
		options = append(options, job.Unique(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")))
	}
	q := rapid.SampledFrom([]job.Queue[payment]{settle, notify}).Draw(t, "queue")
	var r job.Receipt
	if err := w.kit.try(func(ctx context.Context, tx *db.Tx) error {
		return q.Add(ctx, tx, payment{}, append(options, job.Into(&r))...)
	}); err != nil {
		t.Fatal(err)
	}
	w.added[r.ID] = true
}

// waiting are the queued jobs, in the order in which they are to run.
func (w *world) waiting() []job.Info {
	list, err := job.List(context.Background(), w.kit.db, job.Filter{State: job.Queued, Limit: 1000})
	if err != nil {
		w.Fatal(err)
	}
	return list
}

func before(a, b job.Info) bool {
	switch {
	case a.Priority != b.Priority:
		return a.Priority > b.Priority
	case !a.DueAt.Equal(b.DueAt):
		return a.DueAt.Before(b.DueAt)
	}
	return a.ID < b.ID
}

func (w *world) stepOne(t *rapid.T) { w.step(w.worker[rapid.IntRange(0, 2).Draw(t, "worker")]) }

// step moves a worker on, and holds the order of what it takes.
func (w *world) step(me *worker) {
	earlier := w.waiting()
	if err := me.Step(context.Background()); err != nil {
		w.Fatal(err)
	}
	me.alive = slices.DeleteFunc(me.alive, func(a *alive) bool { return a.told })
	var taken []*alive
	for len(me.alive) < me.Running() {
		a := receive[*alive](w.kit.t, me.begun, "a run")
		me.alive, taken = append(me.alive, a), append(taken, a)
	}
	left := w.waiting()
	for _, a := range taken {
		at := slices.IndexFunc(earlier, func(i job.Info) bool { return i.ID == a.ID })
		if at < 0 {
			continue // it became ready in this step
		}
		for _, other := range left {
			was := slices.IndexFunc(earlier, func(i job.Info) bool { return i.ID == other.ID && i.DueAt.Equal(other.DueAt) })
			if was >= 0 && other.Queue == a.Queue && before(earlier[was], earlier[at]) {
				w.Fatalf("%+v runs before %+v", earlier[at], earlier[was])
			}
		}
	}
}

// tell has a handler complete its job, return, or both.
func (w *world) tell(t *rapid.T, a *alive) {
	if rapid.Bool().Draw(t, "completes") {
		a.complete <- true
		if err := receive(w.kit.t, a.answer, "the answer"); err != nil && !errors.Is(err, job.ErrLost) {
			t.Fatalf("complete: %v", err)
		}
	}
	outcome := map[string]error{"well": nil, "badly": errors.New("failed"), "for good": job.Permanent(errors.New("no")), "obeys": context.Cause(a.ctx)}
	a.outcome <- outcome[rapid.SampledFrom([]string{"well", "badly", "for good", "obeys"}).Draw(t, "ends")]
	a.told = true
}

func (w *world) tellOne(t *rapid.T) {
	me := w.worker[rapid.IntRange(0, 2).Draw(t, "worker")]
	running := slices.DeleteFunc(slices.Clone(me.alive), func(a *alive) bool { return a.told })
	if len(running) == 0 {
		return
	}
	ended := me.Ended()
	w.tell(t, rapid.SampledFrom(running).Draw(t, "run"))
	w.kit.await(func() bool { return me.Ended() == ended+1 }, "the end")
}

// crash ends a worker, and starts another. Its handlers may go on.
func (w *world) crash(t *rapid.T) {
	i := rapid.IntRange(0, 2).Draw(t, "worker")
	w.worker[i].stop()
	for _, a := range w.worker[i].alive {
		if !a.told {
			w.ghosts = append(w.ghosts, a)
		}
	}
	w.boot(i)
}

// haunt lets a handler go on whose worker has crashed.
func (w *world) haunt(t *rapid.T) {
	if len(w.ghosts) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.ghosts)-1).Draw(t, "ghost")
	w.tell(t, w.ghosts[i])
	w.ghosts = slices.Delete(w.ghosts, i, i+1)
}

func (w *world) any(t *rapid.T) string {
	ids := []string{"job_unknown"}
	for id := range w.added {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return rapid.SampledFrom(ids).Draw(t, "job")
}

func (w *world) cancel(t *rapid.T) {
	id := w.any(t)
	switch err := w.kit.try(func(ctx context.Context, tx *db.Tx) error { return job.Cancel(ctx, tx, id) }); {
	case err == nil:
		w.over[id] = true // at last if it runs and obeys
	case !errors.Is(err, job.ErrState) && !errors.Is(err, job.ErrNotFound):
		t.Fatal(err)
	}
}

func (w *world) retry(t *rapid.T) {
	if err := w.kit.retry(w.any(t)); err != nil && !errors.Is(err, job.ErrState) && !errors.Is(err, job.ErrNotFound) {
		t.Fatal(err)
	}
}

// invariants hold at every moment.
func (w *world) invariants(t *rapid.T) {
	for what, query := range map[string]string{
		"effects that happened twice":             `SELECT count(*) FROM (SELECT 1 FROM effects GROUP BY job HAVING count(*) > 1) AS twice`,
		"effects of jobs that are not done":       `SELECT count(*) FROM effects WHERE job NOT IN (SELECT id FROM ashlar_jobs WHERE state = 'done')`,
		"twins":                                   `SELECT count(*) FROM (SELECT 1 FROM ashlar_jobs WHERE unique_key <> '' AND state IN ('queued', 'scheduled', 'running') GROUP BY queue, unique_key HAVING count(*) > 1) AS twins`,
		"jobs that are over and keep twins out":   `SELECT count(*) FROM ashlar_jobs WHERE held_key IS NOT NULL AND state NOT IN ('queued', 'scheduled', 'running')`,
		"jobs of a bounded queue beyond its two":  `SELECT count(*) FROM ashlar_jobs WHERE queue = 'payment.notify' AND state = 'running' HAVING count(*) > 2`,
		"jobs beyond their attempts":              `SELECT count(*) FROM ashlar_jobs WHERE attempts > 0 AND attempt > attempts`,
		"jobs that run without a lease":           `SELECT count(*) FROM ashlar_jobs WHERE state = 'running' AND (lease = '' OR lease_until = 0 OR worker = '')`,
		"jobs that are over and never go":         `SELECT count(*) FROM ashlar_jobs WHERE (state IN ('done', 'dead', 'cancelled')) <> (expires_at IS NOT NULL)`,
		"jobs that have an end and are not there": `SELECT count(*) FROM ashlar_jobs WHERE (state IN ('done', 'dead', 'cancelled')) <> (ended_at > 0)`,
	} {
		n, err := db.All[int](context.Background(), w.kit.db, query)
		if err != nil || len(n) > 0 && n[0] != 0 {
			t.Fatalf("%v %s, %v", n, what, err)
		}
	}
}

// finish lets all that is left run, and expects nothing to be left.
func (w *world) finish() {
	for _, me := range w.worker {
		me.stop()
		for _, a := range me.alive {
			if !a.told {
				w.ghosts = append(w.ghosts, a)
			}
		}
	}
	for _, a := range w.ghosts {
		a.outcome <- nil
	}
	last := w.kit.runnerFor(w, job.On(settle, effect(w.kit), job.Attempts(4)), job.On(notify, effect(w.kit)))
	for range 6 {
		w.kit.clock.advance(time.Hour)
		if _, err := last.RunDue(context.Background(), 0); err != nil {
			w.Fatal(err)
		}
	}
	for id := range w.added {
		info, err := job.Get(context.Background(), w.kit.db, id)
		switch {
		case err != nil:
			w.Fatalf("%s is lost: %v", id, err)
		case info.State == job.Done, info.State == job.Dead:
		case info.State == job.Cancelled && w.over[id]:
		default:
			w.Fatalf("is left: %+v", info)
		}
	}
	w.invariants(w.T)
}

func (k *kit) runnerFor(w *world, handlers ...job.Handler) *job.Runner {
	r, err := job.New(job.Config{DB: k.db, Now: k.clock.now, Handlers: handlers})
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func effect(k *kit) func(ctx context.Context, _ payment) error {
	return func(ctx context.Context, _ payment) error {
		run, _ := job.Current(ctx)
		_, err := db.InTx(ctx, k.db, func(tx *db.Tx) (struct{}, error) {
			_, err := db.Exec(ctx, tx, `INSERT INTO effects (job) VALUES ($1)`, run.ID)
			return struct{}{}, errors.Join(err, job.Complete(ctx, tx))
		})
		if err != nil {
			return fmt.Errorf("the effect: %w", err)
		}
		return nil
	}
}
