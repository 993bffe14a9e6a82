package serve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"
)

// ErrDrainTimeout is returned by Run when requests were still open at the end
// of DrainTimeout and were cut.
var ErrDrainTimeout = errors.New("serve: requests were cut at the drain time-out")

// ErrSuccessor is the cause of a context's end that tells [Server.Run] to leave
// to others at once: another process already accepts from the same socket, so
// that no load balancer needs time to see anything.
var ErrSuccessor = errors.New("serve: another process serves in this one's place")

const (
	drainTick = 10 * time.Millisecond
	// A connection is closed after a silence between these, see Run. The
	// longer one lost nothing in practice; the shorter one is for those who
	// asked for no delay.
	minQuiet = 100 * time.Millisecond
	maxQuiet = time.Second
	forever  = time.Duration(math.MaxInt64)
)

// leave is the shutdown that Run documents. It leaves http.Server.Shutdown to
// the end, when there is nothing that it could lose.
func (s *Server) leave(served <-chan error, succeeded bool) error {
	begun := time.Now()
	deadline := begun.Add(max(s.cfg.DrainTimeout, 0))
	delay := max(s.cfg.DrainDelay, 0)
	quiet := min(max(delay, minQuiet), maxQuiet)
	if succeeded {
		delay, quiet = 0, maxQuiet
		if s.http.TLSConfig == nil {
			s.conns.handOver = s.cfg.HandOver
		}
	}

	if s.cfg.OnDrain != nil {
		s.cfg.OnDrain()
	}
	close(s.drain)
	s.cfg.Log.Info("draining", "delay", delay.String(), "timeout", s.cfg.DrainTimeout.String())

	// Watching begins with the delay, so that whoever was silent throughout it
	// need not wait again.
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for time.Since(begun) < delay && time.Now().Before(deadline) {
		s.conns.closeSilent(time.Now(), forever)
		select {
		case <-tick.C:
		case <-served: //nolint:errcheck // Close was called, or the listener broke: either way nobody new comes
			return s.cut()
		}
	}
	s.door.stop()
	s.cfg.Log.Info("no longer accepting")
	finished, abandon := s.finish(deadline)
	defer abandon()

	for s.open(begun, quiet) || !over(finished) {
		if !time.Now().Before(deadline) {
			return s.cut()
		}
		select {
		case <-tick.C:
		case <-served: //nolint:errcheck // as above
			return s.cut()
		}
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline.Add(time.Second))
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return s.cut()
	}
	if err := <-served; err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	s.cfg.Log.Info("drained", "after", time.Since(begun).Round(time.Millisecond).String())
	return nil
}

// open hands over what waits, closes what is silent, and reports whether any
// connection is left.
func (s *Server) open(begun time.Time, quiet time.Duration) bool {
	s.conns.handOn()
	left := s.conns.closeSilent(time.Now(), quiet)
	if s.lobby == nil {
		return left > 0
	}
	if s.conns.handOver != nil || time.Since(begun) >= quiet {
		s.lobby.clear()
	}
	return left > 0 || !s.lobby.empty()
}

// finish begins what Config.Finish does; the channel closes when it has.
func (s *Server) finish(deadline time.Time) (finished <-chan struct{}, abandon context.CancelFunc) {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if s.cfg.Finish != nil {
			s.cfg.Finish(ctx)
		}
	}()
	return done, cancel
}

func over(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// cut ends what is still open: contexts first, so that handlers learn why.
func (s *Server) cut() error {
	left := s.conns.closeSilent(time.Now(), 0)
	s.abort()
	_ = s.http.Close()
	if left == 0 {
		return nil
	}
	s.cfg.Log.Warn("requests cut", "connections", left)
	return fmt.Errorf("%w: %d left", ErrDrainTimeout, left)
}
