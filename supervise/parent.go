package supervise

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Parent holds the sockets and sees to the workers. Make one with [New].
type Parent struct {
	cfg     Config
	path    string // what a reload opens
	sockets []inherited
	slots   []*slot
	tail    tail
	started time.Time

	rolling  sync.Mutex // held by the one reload or replacement under way
	ready    chan struct{}
	stopping chan struct{}
	rest     chan struct{}
	turn     atomic.Uint64 // of the worker to whom a connection is sent next
	writing  sync.Mutex    // of Output
	retiring sync.WaitGroup

	mu      sync.Mutex
	good    *program // what was started last and became ready
	reloads int
	leaving map[*child]struct{}
	begun   bool // a worker was told that it is the first
	stop    context.CancelCauseFunc
}

// inherited is a socket as workers get it.
type inherited struct {
	name     string
	listener net.Listener
	file     *os.File
}

// New returns a parent of workers that run this process's own program. It
// starts none yet. The sockets are its own from now on, error or not.
func New(cfg Config) (*Parent, error) {
	if !supported {
		return nil, ErrUnsupported
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Parent{cfg: cfg, ready: make(chan struct{}), stopping: make(chan struct{}), rest: make(chan struct{}, 1), leaving: map[*child]struct{}{}, started: time.Now()}
	if p.path, err = lookUp(cfg.Program); err != nil {
		return nil, err
	}
	if p.good, err = ownProgram(); err != nil {
		return nil, err
	}
	p.good.path = p.path
	for _, s := range cfg.Sockets {
		file, err := duplicate(s.Listener)
		if err != nil {
			return nil, fmt.Errorf("supervise: socket %s: %w", s.Name, err)
		}
		p.sockets = append(p.sockets, inherited{s.Name, s.Listener, file})
	}
	for i := range cfg.Workers {
		p.slots = append(p.slots, &slot{parent: p, worker: i + 1, swap: make(chan exchange), program: p.good})
	}
	return p, nil
}

// ErrGaveUp is returned by Run when no worker is left that would be started
// again.
var ErrGaveUp = errors.New("supervise: every worker crashes again and again")

// Run starts the workers and sees to them until ctx ends or [Parent.Stop] is
// called, then has them leave and returns nil when they have. The first worker
// starts alone, so that what only one may do, such as migrations, is done when
// the others start; if it does not become ready, Run returns a [*Failure] with
// its last lines. Run may be called once.
func (p *Parent) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	p.mu.Lock()
	p.stop = stop
	p.mu.Unlock()
	context.AfterFunc(ctx, func() { close(p.stopping) })
	defer p.close()

	first, err := p.launch(ctx, 1, p.good)
	if err != nil {
		p.retiring.Wait()
		if ctx.Err() != nil {
			return nil // it was stopped before it began
		}
		return err
	}
	close(p.ready)
	var keeping sync.WaitGroup
	for i, s := range p.slots {
		at := first
		if i > 0 {
			at = nil
		}
		keeping.Go(func() { s.keep(ctx, at) })
	}
	keeping.Go(func() { p.watch(ctx) })
	keeping.Wait()
	p.retiring.Wait()
	if cause := context.Cause(ctx); errors.Is(cause, ErrGaveUp) {
		return cause
	}
	return nil
}

func (p *Parent) close() {
	for _, s := range p.sockets {
		_, _ = s.listener.Close(), s.file.Close()
	}
}

// Ready returns a channel that closes when the first worker serves.
func (p *Parent) Ready() <-chan struct{} { return p.ready }

// Stopping returns a channel that closes when the workers are told to leave for
// good.
func (p *Parent) Stopping() <-chan struct{} { return p.stopping }

// Stop ends Run as the end of its context does.
func (p *Parent) Stop() {
	p.mu.Lock()
	stop := p.stop
	p.mu.Unlock()
	if stop != nil {
		stop(nil)
	}
}

// Rest tells the parent that a burst of work is over, such as an answer for which
// much was read, so that it soon gives back the memory that this took. It would
// notice within a second.
func (p *Parent) Rest() {
	select {
	case p.rest <- struct{}{}:
	default: // it was told
	}
}

// launch starts a worker and waits until it is ready. One that is not in time,
// or that ctx overtakes, is stopped.
func (p *Parent) launch(ctx context.Context, worker int, from *program) (*child, error) {
	p.mu.Lock()
	first := !p.begun
	p.begun = true
	p.mu.Unlock()
	c, err := p.start(worker, from, first)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(p.cfg.ReadyTimeout)
	defer timer.Stop()
	select {
	case <-c.ready:
		return c, nil
	case <-c.exited:
		return nil, c.failure(c.end() + " before it was ready")
	case <-timer.C:
		failure := c.failure(fmt.Sprintf("not ready within %s", p.cfg.ReadyTimeout))
		p.dismiss(c)
		return nil, failure
	case <-ctx.Done():
		p.dismiss(c)
		return nil, ctx.Err()
	}
}

// tell is what a worker that starts now is told.
func (p *Parent) tell() map[string]string {
	if p.cfg.TellNow == nil {
		return p.cfg.Tell
	}
	all := maps.Clone(p.cfg.Tell)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, p.cfg.TellNow())
	return all
}

// dismiss ends a worker that never served.
func (p *Parent) dismiss(c *child) {
	c.drain(true)
	select {
	case <-c.exited:
	case <-time.After(dismissal):
		c.kill()
		<-c.exited
	}
}

// dismissal is how long a worker that never served may take to leave.
const dismissal = 2 * time.Second

// retire has a worker leave, and kills it when it takes too long. It does not
// wait.
func (p *Parent) retire(c *child, last bool) {
	p.mu.Lock()
	p.leaving[c] = struct{}{}
	p.mu.Unlock()
	p.retiring.Go(func() {
		if !c.dump.wanted() { // or it might leave before it has shown where it hangs
			c.drain(last)
		}
		select {
		case <-c.exited:
		case <-time.After(p.cfg.LeaveTimeout):
			p.cfg.Log.Warn("worker killed", "worker", c.worker, "pid", c.cmd.Process.Pid, "after", p.cfg.LeaveTimeout.String())
			c.kill()
			<-c.exited
		}
		if c.state != nil {
			p.cfg.Log.Warn("worker left in disorder", "worker", c.worker, "pid", c.cmd.Process.Pid, "error", c.state)
		}
		p.mu.Lock()
		delete(p.leaving, c)
		p.mu.Unlock()
	})
}

// gaveUp ends Run when no worker is left.
func (p *Parent) gaveUp(err error) {
	for _, s := range p.slots {
		if !s.given() {
			return
		}
	}
	p.mu.Lock()
	stop := p.stop
	p.mu.Unlock()
	stop(fmt.Errorf("%w: %w", ErrGaveUp, err))
}

// output passes a line on and keeps it for those who ask.
func (p *Parent) output(l Line) {
	p.tail.add(l)
	p.writing.Lock()
	defer p.writing.Unlock()
	p.cfg.Output(l)
}

// Write takes a line of the parent's own log to where those of workers go, as
// one of worker 0.
func (p *Parent) Write(line []byte) (int, error) {
	p.output(Line{PID: os.Getpid(), Text: string(line)})
	return len(line), nil
}

// serving returns the workers that serve.
func (p *Parent) serving() []*child {
	var all []*child
	for _, s := range p.slots {
		if c := s.child.Load(); c != nil && c.serves() {
			all = append(all, c)
		}
	}
	return all
}

// Serving returns how many workers serve.
func (p *Parent) Serving() int { return len(p.serving()) }

// relay passes a connection of a worker on to another one that serves.
func (p *Parent) relay(from *child, m message, f *os.File) {
	all := p.serving()
	for range all {
		to := all[p.turn.Add(1)%uint64(len(all))]
		if to != from && to.wire.send(m, f) == nil {
			return
		}
	}
	// Nobody takes it: it ends here, as it would have without a hand-over.
}

// parting returns the workers that are on their way out, by process id.
func (p *Parent) parting() []*child {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.SortedFunc(maps.Keys(p.leaving), func(a, b *child) int { return a.cmd.Process.Pid - b.cmd.Process.Pid })
}

// Process is a process that serves, or finishes what it has begun.
type Process struct {
	child  *child
	Worker int // from 1
	PID    int
}

// Processes returns those that serve, and after them those that leave.
func (p *Parent) Processes() []Process {
	var all []Process
	for _, c := range append(p.serving(), p.parting()...) {
		all = append(all, Process{c, c.worker, c.cmd.Process.Pid})
	}
	return all
}

// Told returns what the process was told under a name when it started.
func (p Process) Told(name string) string { return p.child.told[name] }

// Dial returns a connection to the process, which accepts it from [Worker.Sent]
// of that name.
func (p Process) Dial(name string) (net.Conn, error) {
	ours, theirs, err := pair(stream)
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirs.Close() }()
	conn, err := fileConn(ours)
	if err != nil {
		return nil, err
	}
	if err := p.child.wire.send(message{Say: sayConn, Name: name}, theirs); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("supervise: worker %d: %w", p.Worker, err)
	}
	return conn, nil
}
