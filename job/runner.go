package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/id"
)

// Config is what a [Runner] needs. DB is required; zero fields are the defaults.
type Config struct {
	DB *db.DB
	// Handlers are who runs the jobs of which queue. Those of other queues are
	// left alone; without any the runner only tells other processes of jobs
	// that this one adds.
	Handlers []Handler
	// Workers is how many jobs run at once in this process. Zero means eight for
	// each processor.
	Workers int
	// Pool is where jobs with [CPU] take their turn.
	Pool Pool
	// Bus tells other processes of new jobs at once. Without it they find them
	// by polling.
	Bus Bus
	// Poll is how long a job may wait unnoticed that another process added, or
	// whose time came: the bound where nothing tells of it. Zero means 1 s, and
	// 5 s with a Bus.
	Poll time.Duration
	// Lease is how long the jobs of a process that died are left to it. A
	// process that lives renews its leases three times in that time. Zero means
	// 30 s. Clocks of processes should differ by much less than that.
	Lease time.Duration
	// Grace is how long running jobs may go on when the runner is told to stop,
	// before their ctx ends. Zero means 15 s; negative means no time at all.
	Grace time.Duration
	// KeepDead is how long dead letters are kept. Zero means 30 days.
	KeepDead time.Duration
	// Observe is told of each run that has ended, on the runner's goroutine:
	// the place for metrics and for nothing slow.
	Observe func(Observation)
	// Log is told of each run. Nil logs nothing.
	Log *slog.Logger
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Pool bounds what computes at the same time; [work.Pool] is one. Enter waits
// for a turn and fails with [fault.ErrBusy] when there is none to be had soon.
// After nil, Leave is called exactly once.
//
// [work.Pool]: https://pkg.go.dev/github.com/ashlar-go/ashlar/work#Pool
type Pool interface {
	Enter(ctx context.Context) error
	Leave()
}

// Runner runs jobs. Make it with [New]. Its methods are safe for concurrent use,
// but of Run and RunDue only one may run at a time.
//
// One goroutine does all bookkeeping: each of its turns writes down, in one
// transaction, all runs that have ended since the last, and takes as many jobs as
// there is room for. The busier the runner, the more share a commit.
type Runner struct {
	cfg    Config
	worker string
	queues []*queue
	byName map[string]*queue
	news   news
	counts counts

	busy sync.Mutex // held by Run and RunDue

	// These belong to the goroutine that holds busy.
	base     context.Context // of the handlers
	ahead    time.Duration   // of the clock
	runs     map[string]*running
	endings  []ending // to be written
	first    int      // the queue that is asked first; they take turns
	leases   uint64
	written  int // endings
	draining bool
	due      deadlines

	steady    func() time.Time    // a clock that nobody sets, for what is measured here
	sightings map[string]sighting // leases that no clock can be trusted with, by job
	hasty     bool                // does not stay to look whether a lease is renewed
}

// queue is what the runner knows of a queue.
type queue struct {
	spec    *spec
	limit   int
	running int
	ready   bool        // there may be jobs
	tell    bool        // others are to be told of jobs that do not fit in here
	bounded bool        // its row for counting over all processes is there
	next    []time.Time // of each schedule; zero while it is not known
}

// deadlines are when the runner has to look at something again.
type deadlines struct{ poll, due, beat, flush, tick, sweep, count time.Time }

// New returns a runner, or all that is wrong with the configuration.
func New(c Config) (*Runner, error) {
	var errs []error
	if c.DB == nil {
		errs = append(errs, errors.New("job: a runner needs a database"))
	}
	for name, d := range map[string]time.Duration{"Poll": c.Poll, "Lease": c.Lease, "KeepDead": c.KeepDead} {
		if d < 0 {
			errs = append(errs, fmt.Errorf("job: %s must not be negative", name))
		}
	}
	if c.Workers < 0 {
		errs = append(errs, errors.New("job: Workers must not be negative"))
	}
	errs = append(errs, Check(c.Handlers))
	poll := time.Second
	if c.Bus != nil {
		poll = 5 * time.Second
	}
	c.Poll, c.Lease, c.Grace = cmp.Or(c.Poll, poll), cmp.Or(c.Lease, 30*time.Second), cmp.Or(c.Grace, 15*time.Second)
	c.KeepDead = cmp.Or(c.KeepDead, 30*24*time.Hour)
	c.Workers = cmp.Or(c.Workers, 8*runtime.GOMAXPROCS(0))
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	r := &Runner{
		cfg: c, worker: id.New("wrk_"),
		byName: map[string]*queue{}, runs: map[string]*running{},
		news: news{wake: make(chan struct{}, 1)}, steady: time.Now,
	}
	for _, h := range c.Handlers {
		s := h.spec
		if s == nil {
			continue // Check has said so
		}
		if s.cpu && c.Pool == nil {
			errs = append(errs, fmt.Errorf("%s: %s: CPU() needs a runner with a Pool", s.source, s.queue))
		}
		q := &queue{spec: s, limit: min(cmp.Or(s.concurrency, (c.Workers+1)/2), c.Workers), next: make([]time.Time, len(s.schedules))}
		r.queues = append(r.queues, q)
		r.byName[s.queue] = q
	}
	r.counts.declare(r.queues)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return r, nil
}

// lease names a batch of runs. No other process makes the same name.
func (r *Runner) lease() string {
	r.leases++
	return r.worker + "." + strconv.FormatUint(r.leases, 36)
}

func (r *Runner) now() time.Time { return r.cfg.Now().Add(r.ahead) }

// Run runs jobs until ctx ends. Then it takes no more, gives those that run the
// grace to end, and gives back those that have not: another process runs them,
// or this one when it is back, and the attempt does not count. It returns when
// all of that is written, or cannot be: then their leases run out.
//
// A database that fails is no error: Run logs it and goes on when it is back.
func (r *Runner) Run(ctx context.Context) error {
	if !r.busy.TryLock() {
		return errors.New("job: the runner runs already")
	}
	defer r.busy.Unlock()
	own := context.WithoutCancel(ctx)
	stop := r.open(own)
	defer stop()
	end := r.connect(ctx)
	defer end()

	var trouble trouble
	for ctx.Err() == nil {
		wait, err := r.step(own)
		if err != nil {
			wait = trouble.with(r, err)
		} else {
			trouble.over(r)
		}
		r.sleep(ctx, wait, err == nil)
	}
	r.drain(own)
	return nil
}

// RunDue runs all jobs that are due, one after another, and those that they add,
// and returns how many runs that were: for tests, and for programs that are
// started now and then. With ahead it runs them as if it were so much later, the
// jobs of schedules among them. Jobs that fail wait for their next attempt.
func (r *Runner) RunDue(ctx context.Context, ahead time.Duration) (runs int, err error) {
	if !r.busy.TryLock() {
		return 0, errors.New("job: the runner runs already")
	}
	defer r.busy.Unlock()
	own := context.WithoutCancel(ctx)
	stop := r.open(own)
	defer stop()
	workers, before := r.cfg.Workers, r.written
	r.cfg.Workers, r.ahead, r.hasty = 1, ahead, true
	defer func() { r.cfg.Workers, r.ahead, r.hasty = workers, 0, false }()
	for {
		r.due = deadlines{}
		for _, q := range r.queues {
			q.ready = true
		}
		if _, err := r.step(own); err != nil || ctx.Err() != nil {
			r.drain(own)
			return r.written - before, cmp.Or(ctx.Err(), err)
		}
		if len(r.runs) == 0 && len(r.endings) == 0 {
			return r.written - before, nil
		}
		r.sleep(ctx, contended, true)
	}
}

// open makes the runner hear of jobs.
func (r *Runner) open(ctx context.Context) (stop func()) {
	r.base, r.draining = ctx, false
	r.due = deadlines{}
	for _, q := range r.queues {
		q.ready = true
	}
	return r.cfg.DB.Listen(channel, r.news.hear)
}

// sleep waits for news, or for so long.
func (r *Runner) sleep(ctx context.Context, wait time.Duration, early bool) {
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	wake := r.news.wake
	if !early {
		wake = nil
	}
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}

// step does all that is to be done now, and returns how long there will be
// nothing, but for news. What fails is tried again by the next step and keeps
// nothing else from being done.
func (r *Runner) step(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Lease/6)
	defer cancel()
	r.listen()
	r.guard(r.now())
	var errs []error
	for _, one := range []struct {
		due *time.Time
		do  func(context.Context, time.Time) error
	}{
		{&r.due.tick, r.tick},
		{&r.due.poll, r.poll},
		{&r.due.due, r.promote},
		{&r.due.beat, r.beat},
		{&r.due.flush, r.flush},
		{&r.due.sweep, r.sweep},
		{&r.due.count, r.count},
	} {
		if now := r.now(); !one.due.After(now) {
			errs = append(errs, one.do(ctx, now))
		}
	}
	errs = append(errs, r.turn(ctx))
	return r.idle(), errors.Join(errs...)
}

// idle is how long the runner may sleep.
func (r *Runner) idle() time.Duration {
	if len(r.wants()) > 0 {
		return 0
	}
	now := r.now()
	next := r.due.poll
	for _, t := range []time.Time{r.due.due, r.due.beat, r.due.flush, r.due.tick, r.due.sweep, r.due.count} {
		next = earlier(next, t)
	}
	if len(r.endings) > 0 { // held up by rows that somebody has
		next = earlier(next, now.Add(contended))
	}
	return max(next.Sub(now), 0)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// wants says which jobs there is room for, fairly among the queues.
func (r *Runner) wants() []want {
	if r.draining || len(r.endings) > r.cfg.Workers {
		return nil
	}
	var list []want
	free := r.cfg.Workers - len(r.runs)
	for i := range r.queues {
		q := r.queues[(r.first+i)%len(r.queues)]
		if n := min(q.limit-q.running, free, batch); q.ready && n > 0 {
			list = append(list, want{q, n})
		}
	}
	return list
}

// turned is what a turn did.
type turned struct {
	settled

	taken [][]claimed // for each want
}

// turn writes endings down and takes jobs, in one transaction.
func (r *Runner) turn(ctx context.Context) error {
	list, wants, now := r.endings[:min(len(r.endings), batch)], r.wants(), r.now()
	if len(list) == 0 && len(wants) == 0 {
		return nil
	}
	out, err := transact(ctx, r.cfg.DB, func(tx *db.Tx) (out turned, err error) {
		if out.settled, err = settle(ctx, tx, now, list, skipLocked); err != nil {
			return out, err
		}
		for free, i := r.cfg.Workers-len(r.runs), 0; i < len(wants); i++ {
			jobs, err := r.claim(ctx, tx, wants[i].queue.spec, min(wants[i].n, free), now)
			if err != nil {
				return out, err
			}
			free -= len(jobs)
			out.taken = append(out.taken, jobs)
		}
		return out, nil
	})
	if err != nil {
		return err
	}
	r.endings = append(out.locked, r.endings[len(list):]...)
	for _, e := range out.written {
		r.ended(e, now)
	}
	for _, e := range out.lost {
		e.outcome = WasLost
		r.ended(e, now)
	}
	for i, jobs := range out.taken {
		r.take(wants[i], jobs, now)
	}
	r.first++
	return nil
}

// take starts jobs that were claimed.
func (r *Runner) take(w want, jobs []claimed, now time.Time) {
	q := w.queue
	if len(jobs) < w.n {
		q.ready = false // for now there is no more
	} else if q.tell {
		r.news.announce(newJob + q.spec.queue) // there may be more than fits in here
	}
	q.tell = false
	for _, job := range jobs {
		r.start(q, job, now)
	}
}
