package job_test

import (
	"errors"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/job"
)

// skew is how far a clock is ahead.
const skew = 2 * time.Hour

// clocks are those of two workers: one is ahead, and both go on together.
type clocks struct {
	k           *kit
	right, fast clock
}

func newClocks(k *kit) *clocks {
	c := &clocks{k: k}
	c.right.at, c.fast.at = k.clock.now(), k.clock.now().Add(skew)
	return c
}

func (c *clocks) advance(d time.Duration) {
	c.k.clock.advance(d)
	c.right.advance(d)
	c.fast.advance(d)
}

// worker is a runner that goes by a clock, and measures by one that nobody sets.
func (c *clocks) worker(by *clock, handlers ...job.Handler) *job.Runner {
	r := c.k.stepped(func(cfg *job.Config) { cfg.Now = by.now }, handlers...)
	r.Steady(c.k.clock.now)
	return r
}

// TestALeaseOfTheFutureEnds: a worker whose clock was ahead, and that is gone,
// keeps its job for as long as a lease is, and not until that time.
func TestALeaseOfTheFutureEnds(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		c := newClocks(k)
		first, second := newHand(), newHand()
		dies := c.worker(&c.fast, job.On(settle, first.run))
		lives := c.worker(&c.right, job.On(settle, second.run))
		id := add(k, settle, payment{})
		k.step(dies)
		receive(t, first.begun, "the first run")
		for range 30 {
			k.step(lives)
			k.is(id, job.Running, 1)
			c.advance(time.Second)
		}
		c.advance(time.Second)
		k.step(lives, lives)
		if run := receive(t, second.begun, "the second run"); run.Attempt != 2 || run.ID != id {
			t.Errorf("runs as %+v", run)
		}
		k.logged("its worker is gone", id)

		// The first only stood still, and what it does is no end.
		first.outcome <- nil
		k.await(func() bool { return dies.Ended() == 1 }, "the late end")
		k.step(dies)
		k.is(id, job.Running, 2)
		second.outcome <- nil
		k.await(func() bool { return lives.Ended() == 1 }, "the end")
		k.step(lives)
		k.is(id, job.Done, 2)
	})
}

// TestALivingWorkerKeepsItsJob though its clock is ahead, or that of all others
// is: it renews its lease.
func TestALivingWorkerKeepsItsJob(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func(c *clocks) (works, waits *clock){
		"its clock is ahead":  func(c *clocks) (works, waits *clock) { return &c.fast, &c.right },
		"its clock is behind": func(c *clocks) (works, waits *clock) { return &c.right, &c.fast },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everywhere(t, func(t *testing.T, k *kit) {
				c := newClocks(k)
				h := newHand()
				its, others := of(c)
				works := c.worker(its, job.On(settle, h.run, job.Timeout(time.Hour)))
				waits := c.worker(others, job.On(settle, newHand().run))
				id := add(k, settle, payment{})
				k.step(works)
				receive(t, h.begun, "the run")
				for range 60 {
					c.advance(5 * time.Second)
					k.step(works, waits)
					k.is(id, job.Running, 1)
				}
				h.outcome <- nil
				k.await(func() bool { return works.Ended() == 1 }, "the end")
				k.step(works)
				k.is(id, job.Done, 1)
			})
		})
	}
}

// TestAPauseOfAClockAhead: the pause before another attempt is as long as it was
// meant to be, whatever the clock said under which it was set. A time that
// somebody named is kept.
func TestAPauseOfAClockAhead(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		c := newClocks(k)
		first, second := newHand(), newHand()
		fails := c.worker(&c.fast, job.On(settle, first.run))
		next := c.worker(&c.right, job.On(settle, second.run))
		named := add(k, notify, payment{}, job.At(c.right.now().Add(24*time.Hour)))
		id := add(k, settle, payment{})
		k.step(fails)
		receive(t, first.begun, "the first run")
		first.outcome <- job.RetryAfter(time.Minute, errors.New("failed"))
		k.await(func() bool { return fails.Ended() == 1 }, "the failure")
		k.step(fails)
		k.is(id, job.Retrying, 1)
		for range 59 {
			k.step(next)
			k.is(id, job.Retrying, 1)
			c.advance(time.Second)
		}
		c.advance(time.Second)
		k.step(next, next)
		if run := receive(t, second.begun, "the second run"); run.Attempt != 2 {
			t.Errorf("runs as %+v", run)
		}
		second.outcome <- nil
		k.await(func() bool { return next.Ended() == 1 }, "the end")
		k.step(next)
		k.is(id, job.Done, 2)
		if due := k.is(named, job.Scheduled, 0).DueAt; !due.Equal(c.right.now().Add(24*time.Hour - time.Minute)) {
			t.Errorf("the time that somebody named is now %s", due)
		}
	})
}

// TestALongPauseIsKept: it is not taken for one of a clock that was ahead.
func TestALongPauseIsKept(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		c := newClocks(k)
		h := newHand()
		r, other := c.worker(&c.right, job.On(settle, h.run)), c.worker(&c.right)
		id := add(k, settle, payment{})
		k.step(r)
		receive(t, h.begun, "the run")
		h.outcome <- job.RetryAfter(skew, errors.New("failed"))
		k.await(func() bool { return r.Ended() == 1 }, "the failure")
		k.step(r)
		due := k.is(id, job.Retrying, 1).DueAt
		c.advance(time.Hour)
		k.step(other)
		if got := k.is(id, job.Retrying, 1).DueAt; !got.Equal(due) {
			t.Errorf("it was due at %s and is at %s", due, got)
		}
	})
}

// TestAScheduleAfterAClockAhead goes on with its next tick, and does not stand
// still until the time of the clock that was ahead.
func TestAScheduleAfterAClockAhead(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, k *kit) {
		k.at("2026-11-28 12:00:30")
		c := newClocks(k)
		ran := &ticks{}
		h := job.On(tidy, ran.run, job.Every(time.Minute))
		fast, right := c.worker(&c.fast, h), c.worker(&c.right, h)
		k.due(fast)
		c.advance(time.Minute)
		k.due(fast)
		ran.are(t, "28 14:01:00")
		k.due(right) // finds that it has been moved on
		for range 2 {
			c.advance(time.Minute)
			k.due(right)
		}
		ran.are(t, "28 12:02:00", "28 12:03:00")
	})
}
