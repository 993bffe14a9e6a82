package supervise

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// silence is for how long a worker has left its parent without an answer.
type silence struct {
	mu     sync.Mutex
	asked  bool // and not answered
	lasts  time.Duration
	ending bool // it is being replaced for it
}

// answered ends the silence.
func (s *silence) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked, s.lasts = false, 0
}

// passed notes that time has passed, and reports whether to ask and whether the
// silence has become too long. Time in which the parent was late itself tells
// nothing about a worker: it begins anew.
func (s *silence) passed(d time.Duration, late bool, most time.Duration) (ask, tooLong bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ending:
		return false, false
	case late:
		s.lasts = 0
	case s.asked:
		s.lasts += d
	}
	ask = !s.asked
	s.asked = true
	return ask, s.lasts >= most
}

// begin reports whether the caller is the one to replace the worker; over says
// that it did not.
func (s *silence) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.ending
	s.ending = true
	return first
}

func (s *silence) over() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = false
}

// listenFor asks a worker for a sign of life, and replaces it when none has come
// for too long.
func (p *Parent) listenFor(ctx context.Context, s *slot, c *child, passed time.Duration, late bool) {
	if p.cfg.Unresponsive <= 0 || !c.answers() {
		return
	}
	ask, tooLong := c.silence.passed(passed, late, p.cfg.Unresponsive)
	if ask {
		go func() { _ = c.wire.send(message{Say: sayAsk}, nil) }() // a worker that reads nothing keeps nobody waiting but this
	}
	if tooLong && c.silence.begin() {
		p.retiring.Go(func() {
			defer c.silence.over()
			p.giveUpOn(ctx, s, c)
		})
	}
}

// giveUpOn replaces a worker that gives no sign of life: by one that is ready
// before it ends, if there can be one.
func (p *Parent) giveUpOn(ctx context.Context, s *slot, c *child) {
	if !p.rolling.TryLock() {
		return // it may be replaced by a reload; if not, there will be another time
	}
	defer p.rolling.Unlock()
	if s.child.Load() != c {
		return
	}
	why := "no sign of life for " + p.cfg.Unresponsive.String()
	p.cfg.Log.Error("worker gives no sign of life, and is replaced", "worker", s.worker, "pid", c.cmd.Process.Pid, "for", p.cfg.Unresponsive.String())
	c.dump.begin()
	if _, err := p.replace(ctx, s, s.from(), func(string) {}); err != nil {
		p.cfg.Log.Error("there is no other worker for one that gives no sign of life: it is ended before", "worker", s.worker, "error", err)
		p.expose(c) // and its slot starts another
		return
	}
	s.restarts.Add(1)
	s.set(func() { s.why = why })
	p.expose(c)
}

// expose ends a process so that it shows where it hangs, and logs that.
func (p *Parent) expose(c *child) {
	showStacks(c.cmd.Process)
	select {
	case <-c.exited:
	case <-time.After(exposure):
		c.kill()
		<-c.exited
	}
	if text, left := c.dump.text(); text != "" {
		p.cfg.Log.Error("where the worker that gave no sign of life was", "worker", c.worker, "pid", c.cmd.Process.Pid, "stacks", text, "goroutines_left_out", left)
	}
}

// exposure is how long a process may take to show its stacks.
const exposure = 5 * time.Second

// What of the stacks of a process is read, and what is logged of it, in bytes.
const (
	longestRead = 4 << 20
	longestDump = 32 << 10
)

// dump is what a process writes to standard error while it is made to end.
type dump struct {
	mu    sync.Mutex
	begun bool
	b     strings.Builder
}

func (d *dump) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begun = true
}

// wanted reports whether the process is made to end for its silence.
func (d *dump) wanted() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.begun
}

// take keeps a line, if the process is to be read this way.
func (d *dump) take(line string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.begun && d.b.Len()+len(line) <= longestRead {
		d.b.WriteString(line)
	}
	return d.begun
}

// text is the stacks, those first that most goroutines have, and how many
// goroutines are left out.
func (d *dump) text() (text string, left int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return digest(d.b.String())
}

// digest has each stack of a dump of the runtime once.
func digest(stacks string) (text string, left int) {
	type same struct {
		stack string
		n     int
	}
	var all []*same
	seen := map[string]*same{}
	for stack := range strings.SplitSeq(stacks, "\n\n") {
		if !strings.HasPrefix(stack, "goroutine ") {
			continue // the signal, and registers
		}
		key := place(stack)
		if seen[key] == nil {
			seen[key] = &same{stack: stack}
			all = append(all, seen[key])
		}
		seen[key].n++
	}
	slices.SortStableFunc(all, func(a, b *same) int { return b.n - a.n })
	var b strings.Builder
	for _, s := range all {
		part := fmt.Sprintf("%d of: %s\n\n", s.n, strings.TrimRight(s.stack, "\n"))
		if b.Len()+len(part) > longestDump {
			left += s.n
			continue
		}
		b.WriteString(part)
	}
	return b.String(), left
}

// place is a stack without what differs between goroutines that are at the same
// place: their numbers, arguments and addresses.
func place(stack string) string {
	var b strings.Builder
	_, frames, _ := strings.Cut(stack, "\n")
	for line := range strings.Lines(frames) {
		switch {
		case strings.HasPrefix(line, "\t"):
			line, _, _ = strings.Cut(line, " +0x")
		case strings.HasPrefix(line, "created by "):
			line, _, _ = strings.Cut(line, " in goroutine ")
		default:
			line = line[:max(strings.LastIndexByte(line, '('), 0)]
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
