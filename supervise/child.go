package supervise

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// child is a worker as the parent sees it: one process, from its start to its
// end.
type child struct {
	worker  int // from 1
	program *program
	cmd     *exec.Cmd
	wire    *wire
	started time.Time
	ready   chan struct{} // closed when it says so
	exited  chan struct{} // closed when it is gone and its last lines are read
	state   error         // why it ended, nil for exit status 0; before exited closes

	silence silence
	dump    dump

	told map[string]string

	mu       sync.Mutex
	replies  bool      // when asked for a sign of life
	became   time.Time // ready
	leaving  bool
	requests uint64
	sample   sample
	previous sample
	last     []string // lines of its output
	legacy   []byte
}

// sample is what was seen of a process at a time.
type sample struct {
	at       time.Time
	requests uint64
	cpu      time.Duration
	resident int64
}

// start starts a program as a worker.
func (p *Parent) start(worker int, from *program, first bool) (*child, error) {
	ours, theirs, err := pair(packets)
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirs.Close() }()
	w, err := newWire(ours)
	if err != nil {
		return nil, err
	}
	c := &child{
		worker: worker, program: from, wire: w, started: time.Now(),
		ready: make(chan struct{}), exited: make(chan struct{}), told: p.tell(),
	}
	post := post{Worker: worker, First: first, Tell: c.told}
	inherited := []*os.File{theirs}
	for _, s := range p.sockets {
		post.Sockets = append(post.Sockets, s.name)
		inherited = append(inherited, s.file)
	}
	told, err := json.Marshal(post)
	if err != nil {
		return nil, err
	}
	c.cmd = &exec.Cmd{
		Path: from.place(), Args: append([]string{p.cfg.Program}, p.cfg.Args...),
		Env: append(withoutService(p.cfg.Env), variable+"="+string(told)), ExtraFiles: inherited, SysProcAttr: apart(),
	}
	if p.cfg.Memory > 0 && os.Getenv("GOMEMLIMIT") == "" {
		c.cmd.Env = append(c.cmd.Env, fmt.Sprintf("GOMEMLIMIT=%d", p.cfg.Memory/10*9))
	}
	if err := p.run(c); err != nil {
		w.close()
		return nil, fmt.Errorf("supervise: start worker %d from %s: %w", worker, from.path, err)
	}
	return c, nil
}

// run starts the process with pipes for its output. They are the parent's own,
// not those of exec.Cmd, whose Wait would also wait for every process that the
// worker leaves behind.
func (p *Parent) run(c *child) error {
	out, outIn, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = outIn.Close() }()
	errs, errsIn, err := os.Pipe()
	if err != nil {
		_ = out.Close()
		return err
	}
	defer func() { _ = errsIn.Close() }()
	c.cmd.Stdout, c.cmd.Stderr = outIn, errsIn
	if err := c.cmd.Start(); err != nil {
		_, _ = out.Close(), errs.Close()
		return err
	}
	var read sync.WaitGroup
	read.Go(func() { p.read(c, out, false) })
	read.Go(func() { p.read(c, errs, true) })
	heard := make(chan struct{})
	go func() { p.hear(c); close(heard) }()
	go func() {
		c.state = c.cmd.Wait()
		done := make(chan struct{})
		go func() { read.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(lastWords): // somebody else holds the pipe
		}
		<-heard
		if p.cfg.Ended != nil {
			p.cfg.Ended(Process{c, c.worker, c.cmd.Process.Pid}, c.legacy)
		}
		close(c.exited)
	}()
	return nil
}

// lastWords is how long the output of a worker that is gone is still read for.
const lastWords = time.Second

// longestLine is where a line that does not end is cut.
const longestLine = 1 << 20

// read passes on what a worker writes, line by line.
func (p *Parent) read(c *child, from *os.File, isErr bool) {
	defer func() { _ = from.Close() }()
	lines := bufio.NewReaderSize(from, 32<<10)
	var line []byte
	for {
		part, err := lines.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > 0 && (err == nil || !errors.Is(err, bufio.ErrBufferFull) || len(line) >= longestLine) {
			text := string(line)
			if !strings.HasSuffix(text, "\n") {
				text += "\n"
			}
			if !isErr || !c.dump.take(text) {
				c.note(text)
				p.output(Line{Worker: c.worker, PID: c.cmd.Process.Pid, Error: isErr, Text: text})
			}
			line = line[:0]
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// note keeps a worker's last lines for whoever asks why it ended.
func (c *child) note(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last = append(c.last, text); len(c.last) > lastLines {
		c.last = append(c.last[:0], c.last[1:]...)
	}
}

// hear reads what a worker says until it is gone.
func (p *Parent) hear(c *child) {
	defer c.wire.close()
	for {
		m, f, err := c.wire.receive()
		if err != nil {
			return
		}
		switch m.Say {
		case sayReady:
			c.mu.Lock()
			if c.became.IsZero() {
				c.became, c.replies = time.Now(), m.Answers
				close(c.ready)
			}
			c.mu.Unlock()
		case sayBeat:
			c.mu.Lock()
			c.requests = m.Requests
			c.mu.Unlock()
		case sayAlive:
			c.silence.answered()
		case sayLeave:
			c.legacy = append(c.legacy, m.Data...) // read once this function has returned
		case sayConn:
			if f != nil {
				p.relay(c, m, f)
			}
		default:
		}
		if f != nil {
			_ = f.Close()
		}
	}
}

// drain tells a worker to leave.
func (c *child) drain(last bool) {
	c.mu.Lock()
	told := c.leaving
	c.leaving = true
	c.mu.Unlock()
	if !told {
		_ = c.wire.send(message{Say: sayDrain, Last: last}, nil) // if it fails the worker is gone, or will be killed
	}
}

func (c *child) kill() { _ = c.cmd.Process.Kill() }

// serves reports whether the worker is ready and was not told to leave.
func (c *child) serves() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.became.IsZero() && !c.leaving && !over(c.exited)
}

// answers reports whether the worker is one that can be asked for a sign of life.
func (c *child) answers() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.replies && !c.leaving
}

// lived is for how long the worker has been ready.
func (c *child) lived() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.became.IsZero() {
		return 0
	}
	return time.Since(c.became)
}

// look takes a sample.
func (c *child) look() {
	resident, cpu, err := usage(c.cmd.Process.Pid)
	if err != nil {
		return // it is gone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.previous, c.sample = c.sample, sample{at: time.Now(), requests: c.requests, cpu: cpu, resident: resident}
}

// Failure is a worker that ended, or did not become ready.
type Failure struct {
	Worker int      // from 1
	Why    string   // such as "exit status 1 before it was ready"
	Lines  []string // what it wrote last, line ends included
}

func (f *Failure) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "worker %d: %s", f.Worker, f.Why)
	if len(f.Lines) > 0 {
		b.WriteString("; its last lines:")
	}
	for _, l := range f.Lines {
		b.WriteString("\n  ")
		b.WriteString(strings.TrimRight(l, "\n"))
	}
	return b.String()
}

// failure says why a worker is of no use, with its last lines.
func (c *child) failure(why string) *Failure {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &Failure{Worker: c.worker, Why: why, Lines: append([]string(nil), c.last...)}
}

// end says how a worker ended, once it has.
func (c *child) end() string {
	if c.state == nil {
		return "exit status 0"
	}
	return c.state.Error()
}

func over(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
