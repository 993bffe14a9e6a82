package supervise

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrReloading is returned by Reload while another one is under way.
var ErrReloading = errors.New("supervise: workers are being replaced already: try again when they have been")

// Reload replaces all workers, one after the other, by such that run the
// program which now lies where the first one was started from. Each must be
// ready before the old one is told to leave. If one is not, all that were
// replaced get the old program back, and the error says why; nothing that
// serves is stopped for a program that does not. It returns when the old
// workers have left. progress, if not nil, is told what happens.
//
// The end of ctx, or of Run, ends it as a worker that is not ready does.
func (p *Parent) Reload(ctx context.Context, progress func(string)) error {
	if progress == nil {
		progress = func(string) {}
	}
	if !p.rolling.TryLock() {
		return ErrReloading
	}
	defer p.rolling.Unlock()
	ctx, end := p.untilStopping(ctx)
	defer end()
	select {
	case <-p.ready:
	default:
		return errors.New("supervise: the first worker is not ready yet")
	}
	begun := time.Now()
	next, err := openProgram(p.path)
	if err != nil {
		return fmt.Errorf("%w; the workers go on as they are", err)
	}
	p.mu.Lock()
	old := p.good
	p.mu.Unlock()
	p.cfg.Log.Info("reloading", "program", p.path)
	var leave []*child
	for i, s := range p.slots {
		replaced, err := p.replace(ctx, s, next, progress)
		if err != nil {
			p.cfg.Log.Error("reload failed", "error", err)
			return p.rollBack(ctx, i, old, err, progress)
		}
		if replaced != nil {
			leave = append(leave, replaced)
		}
	}
	p.mu.Lock()
	p.good = next
	p.reloads++
	p.mu.Unlock()
	for _, c := range leave {
		<-c.exited
	}
	took := time.Since(begun).Round(time.Millisecond)
	p.Rest()
	p.cfg.Log.Info("reloaded", "program", p.path, "took", took.String())
	progress(fmt.Sprintf("reloaded in %s", took))
	return nil
}

// untilStopping returns a context that ends when the workers are told to leave
// for good, if not before.
func (p *Parent) untilStopping(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancel(ctx)
	go func() {
		select {
		case <-p.stopping:
			end()
		case <-ctx.Done():
		}
	}()
	return ctx, end
}

// replace puts a new worker in the place of one that serves, or does not, and
// returns the one that leaves.
func (p *Parent) replace(ctx context.Context, s *slot, with *program, progress func(string)) (old *child, err error) {
	begun := time.Now()
	c, err := p.launch(ctx, s.worker, with)
	if err != nil {
		return nil, err
	}
	x := exchange{c, make(chan *child, 1)}
	select {
	case s.swap <- x:
	case <-p.stopping:
		p.dismiss(c)
		return nil, errStopping
	}
	progress(fmt.Sprintf("worker %d: process %d is ready after %s", s.worker, c.cmd.Process.Pid, time.Since(begun).Round(time.Millisecond)))
	return <-x.old, nil
}

var errStopping = errors.New("supervise: all workers are leaving")

// rollBack gives the first n places the old program back.
func (p *Parent) rollBack(ctx context.Context, n int, old *program, cause error, progress func(string)) error {
	if n == 0 {
		return fmt.Errorf("%w\nno worker was replaced: the old ones go on", cause)
	}
	progress(fmt.Sprintf("going back to the program of before: %v", cause))
	var leave []*child
	for _, s := range p.slots[:n] {
		replaced, err := p.replace(ctx, s, old, progress)
		if err != nil {
			return fmt.Errorf("%w\nand the way back failed, so that workers run different programs now: %w", cause, err)
		}
		if replaced != nil {
			leave = append(leave, replaced)
		}
	}
	for _, c := range leave { // until then the new program answers too
		<-c.exited
	}
	return fmt.Errorf("%w\nthe workers that had been replaced run the old program again", cause)
}

// watch looks at the workers once in a second, and replaces one that holds too
// much memory or gives no sign of life. It keeps the parent's own low as well.
func (p *Parent) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var rested time.Time
	var slim lean
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.rest:
			select {
			case <-ctx.Done():
				return
			case <-time.After(max(restSoon, slim.pause())): // what comes with it is over by then
			}
			slim.keep()
			continue
		case <-tick.C:
			slim.keep()
		}
		passed := time.Since(last)
		last = last.Add(passed)
		for _, s := range p.slots {
			c := s.child.Load()
			if c == nil {
				continue
			}
			c.look()
			p.listenFor(ctx, s, c, passed, passed > 2*lookEvery)
			if p.cfg.Memory == 0 || time.Now().Before(rested) || !c.over(p.cfg.Memory) {
				continue
			}
			if !p.relieve(ctx, s, c) {
				rested = time.Now().Add(restAfter)
			}
		}
		for _, c := range p.parting() {
			c.look()
		}
	}
}

const (
	lookEvery = time.Second
	restSoon  = 50 * time.Millisecond
	restAfter = 30 * time.Second // a replacement that failed is not tried at once
	youngest  = 5 * time.Second  // a worker is not replaced for memory while it is younger
)

func (c *child) over(most int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sample.resident > most && time.Since(c.started) > youngest
}

// relieve replaces a worker that holds too much memory.
func (p *Parent) relieve(ctx context.Context, s *slot, c *child) bool {
	if !p.rolling.TryLock() {
		return true // a reload replaces it anyway
	}
	defer p.rolling.Unlock()
	c.mu.Lock()
	holds := c.sample.resident
	c.mu.Unlock()
	p.cfg.Log.Warn("worker holds too much memory, and is replaced", "worker", s.worker, "pid", c.cmd.Process.Pid,
		"resident", holds, "most", p.cfg.Memory)
	if _, err := p.replace(ctx, s, s.from(), func(string) {}); err != nil {
		p.cfg.Log.Error("a worker that holds too much memory could not be replaced, and goes on", "worker", s.worker, "error", err)
		return false
	}
	s.restarts.Add(1)
	return true
}
