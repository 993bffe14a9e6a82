package supervise

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// slot is the place of one worker: processes follow each other in it.
type slot struct {
	parent *Parent
	worker int // from 1
	swap   chan exchange

	child    atomic.Pointer[child] // that serves; nil while none does
	restarts atomic.Int64

	mu      sync.Mutex
	program *program // what the next restart starts
	gaveUp  bool
	starts  time.Time // the next attempt; zero if none is waited for
	why     string    // the last one ended
}

// exchange puts a worker that is ready in the place of the one at hand, which is
// told to leave and returned: nil if there is none.
type exchange struct {
	next *child
	old  chan *child
}

// attempt is the outcome of a start.
type attempt struct {
	child *child
	err   error
}

// keep sees to it that a worker serves in this place, until ctx ends.
func (s *slot) keep(ctx context.Context, at *child) {
	p := s.parent
	failures := 0
	var started chan attempt // of the start under way
	var cancel context.CancelFunc
	abandon := func() {
		if started == nil {
			return
		}
		cancel()
		if a := <-started; a.child != nil {
			p.retire(a.child, false)
		}
		started = nil
	}
	s.put(at)
	timer := time.NewTimer(0) // of the next start; the first waits for nothing
	defer timer.Stop()
	for {
		var exited <-chan struct{}
		var again <-chan time.Time
		switch {
		case at != nil:
			exited = at.exited
		case started == nil && !s.given():
			again = timer.C
		}
		select {
		case <-ctx.Done():
			abandon()
			s.child.Store(nil)
			if at != nil {
				p.retire(at, true)
			}
			return
		case x := <-s.swap:
			abandon()
			s.put(x.next)
			s.set(func() { s.program, s.gaveUp, s.starts = x.next.program, false, time.Time{} })
			if at != nil {
				p.retire(at, false)
			}
			x.old <- at
			at, failures = x.next, 0
		case <-exited:
			if at.lived() >= p.cfg.Healthy {
				failures = 0
			}
			s.child.Store(nil)
			failures++
			timer.Reset(s.failed(at.failure(at.end()), failures, "worker ended"))
			at = nil
		case <-again:
			started, cancel = s.begin(ctx)
		case a := <-started:
			cancel()
			started = nil
			if ctx.Err() != nil {
				continue
			}
			if a.err != nil {
				failures++
				timer.Reset(s.failed(a.err, failures, "worker did not start"))
				continue
			}
			at = a.child
			s.put(at)
			s.set(func() { s.starts = time.Time{} })
			if failures > 0 {
				p.cfg.Log.Info("worker restarted", "worker", s.worker, "pid", at.cmd.Process.Pid, "failures", failures)
			}
		}
	}
}

// put has a worker serve here, nil for none yet.
func (s *slot) put(c *child) {
	s.child.Store(c)
	if joined := s.parent.cfg.Joined; c != nil && joined != nil {
		go joined(Process{c, c.worker, c.cmd.Process.Pid})
	}
}

// begin starts a worker in the background. Whoever has the outcome, or does not
// want it any more, cancels.
func (s *slot) begin(ctx context.Context) (outcome chan attempt, cancel context.CancelFunc) {
	ctx, cancel = context.WithCancel(ctx)
	outcome = make(chan attempt, 1)
	from := s.from()
	go func() {
		c, err := s.parent.launch(ctx, s.worker, from)
		outcome <- attempt{c, err}
	}()
	return outcome, cancel
}

// failed notes that a worker ended or did not start, and returns how long to
// wait before the next attempt.
func (s *slot) failed(err error, failures int, message string) time.Duration {
	p := s.parent
	s.restarts.Add(1)
	pause := p.pause(failures)
	gaveUp := failures >= p.cfg.GiveUp
	s.set(func() {
		s.why, s.gaveUp = err.Error(), gaveUp
		if s.starts = time.Now().Add(pause); gaveUp {
			s.starts = time.Time{}
		}
	})
	attrs := []any{"worker", s.worker, "error", err, "failures", failures}
	if !gaveUp {
		p.cfg.Log.Log(context.Background(), slog.LevelError, message, append(attrs, "restart_in", pause.String())...)
		return pause
	}
	p.cfg.Log.Error(message+", and is not started again before the next reload", attrs...)
	p.gaveUp(err)
	return 0
}

// pause doubles with each failure in a row. A part of it is chance, so that
// workers that crash together do not start together.
func (p *Parent) pause(failures int) time.Duration {
	pause := p.cfg.Pause
	for range failures - 1 {
		if pause = 2 * pause; pause >= p.cfg.LongestPause {
			pause = p.cfg.LongestPause
			break
		}
	}
	return pause - time.Duration(rand.Int64N(int64(pause)/4+1)) //nolint:gosec // it spreads load, and keeps nothing secret
}

func (s *slot) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *slot) given() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gaveUp
}

func (s *slot) from() *program {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.program
}
