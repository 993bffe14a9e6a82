package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What lies in the directory of a parent.
const (
	controlName = "control.sock"
	pidName     = "pid"
)

// request is what a client asks for, in one line.
type request struct {
	Do     string `json:"do"` // status, reload, stop or logs
	Last   int    `json:"last,omitempty"`
	Follow bool   `json:"follow,omitempty"`
	Filter Filter `json:"filter,omitzero"`
}

// reply is a line of the answer; one with Done is the last.
type reply struct {
	Status *Status `json:"status,omitempty"`
	Note   string  `json:"note,omitempty"`
	Line   *Line   `json:"line,omitempty"`
	Done   bool    `json:"done,omitempty"`
	Error  string  `json:"error,omitempty"`
}

// Control is the place where other processes of the same user command a parent:
// a directory that nobody else may enter, with a socket and the parent's process
// id. Make one with [Open], before anything is started.
type Control struct {
	dir  string
	pid  *os.File // locked while this process lives
	sock net.Listener
}

// Open makes the directory, if it is missing, and takes it for this process. It
// fails if others may enter it, and if another parent has it, whose process id
// it names.
func Open(dir string) (*Control, error) {
	if !supported {
		return nil, ErrUnsupported
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("supervise: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("supervise: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("supervise: others may enter %s (%s): name a directory that is made for this alone, or give it the mode 0700", dir, mode)
	}
	pid, err := os.OpenFile(filepath.Join(dir, pidName), os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // in a directory of our own
	if err != nil {
		return nil, fmt.Errorf("supervise: %w", err)
	}
	taken, err := lock(pid)
	if err != nil || !taken {
		if err == nil {
			err = fmt.Errorf("supervise: process %s serves with workers from %s already: \"status\" shows it, \"stop\" ends it", owner(dir), dir)
		}
		return nil, errors.Join(err, pid.Close())
	}
	c := &Control{dir: dir, pid: pid}
	if err := c.listen(); err != nil {
		return nil, errors.Join(err, pid.Close())
	}
	return c, nil
}

func (c *Control) listen() error {
	if err := errors.Join(c.pid.Truncate(0), writePID(c.pid)); err != nil {
		return fmt.Errorf("supervise: %w", err)
	}
	path, done, err := short(c.dir)
	if err != nil {
		return err
	}
	defer done()
	_ = os.Remove(path) // whoever left it behind is gone, or the lock would be taken
	if c.sock, err = new(net.ListenConfig).Listen(context.Background(), "unix", path); err != nil {
		return fmt.Errorf("supervise: %w", err)
	}
	if l, ok := c.sock.(*net.UnixListener); ok {
		l.SetUnlinkOnClose(false) // by a path that may be gone by then
	}
	if err := os.Chmod(filepath.Join(c.dir, controlName), 0o600); err != nil {
		return errors.Join(fmt.Errorf("supervise: %w", err), c.sock.Close())
	}
	return nil
}

func writePID(f *os.File) error {
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// owner is the process id that the directory names.
func owner(dir string) string {
	id, err := os.ReadFile(filepath.Join(dir, pidName)) //nolint:gosec // a file of our own
	if err != nil || strings.TrimSpace(string(id)) == "" {
		return "(unknown)"
	}
	return strings.TrimSpace(string(id))
}

// Close gives the directory back. The file of the process id stays, empty: who
// waits for its lock must not get that of a file that is gone.
func (c *Control) Close() error {
	_ = c.sock.Close() // again, where Serve did
	return errors.Join(os.Remove(filepath.Join(c.dir, controlName)), c.pid.Truncate(0), c.pid.Close())
}

// Serve answers what is asked about p, until ctx ends. A stop that was asked for
// is answered when stopped closes.
func (c *Control) Serve(ctx context.Context, p *Parent, stopped <-chan struct{}) error {
	end := context.AfterFunc(ctx, func() { _ = c.sock.Close() })
	defer end()
	var clients sync.WaitGroup
	defer clients.Wait()
	for {
		conn, err := c.sock.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil // closed because ctx ended
			}
			return fmt.Errorf("supervise: %w", err)
		}
		clients.Go(func() {
			defer func() { _ = conn.Close() }()
			end := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer end()
			if u, ok := conn.(*net.UnixConn); ok && sameUser(u) {
				client{p, conn, json.NewEncoder(conn), new(sync.Mutex)}.answer(ctx, stopped)
				p.Rest()
			}
		})
	}
}

// client is one who asks.
type client struct {
	parent *Parent
	conn   net.Conn
	out    *json.Encoder
	mu     *sync.Mutex
}

func (c client) say(r reply) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(sendTimeout))
	return c.out.Encode(r) == nil
}

func (c client) end(err error) {
	r := reply{Done: true}
	if err != nil {
		r.Error = err.Error()
	}
	c.say(r)
}

func (c client) answer(ctx context.Context, stopped <-chan struct{}) {
	var r request
	_ = c.conn.SetReadDeadline(time.Now().Add(sendTimeout))
	if err := json.NewDecoder(c.conn).Decode(&r); err != nil {
		return
	}
	_ = c.conn.SetReadDeadline(time.Time{})
	switch r.Do {
	case "status":
		st := c.parent.Status()
		c.say(reply{Status: &st, Done: true})
	case "reload": // goes on without the one who asked for it
		c.end(c.parent.Reload(ctx, func(note string) { c.say(reply{Note: note}) }))
	case "stop":
		c.say(reply{Note: fmt.Sprintf("process %d leaves", os.Getpid())})
		c.parent.Stop()
		<-stopped
		c.end(nil)
	case "logs":
		c.logs(ctx, r)
	default:
		c.end(fmt.Errorf("supervise: %q cannot be asked for", r.Do))
	}
}

// logs sends lines until nobody reads them.
func (c client) logs(ctx context.Context, r request) {
	last, next, stop := c.parent.tail.follow(keptLines)
	defer stop()
	var fit []Line
	for _, l := range last {
		if r.Filter.fits(l) {
			fit = append(fit, l)
		}
	}
	for _, l := range fit[max(len(fit)-r.Last, 0):] {
		if !c.say(reply{Line: &l}) {
			return
		}
	}
	if !r.Follow {
		c.end(nil)
		return
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = c.conn.Read(make([]byte, 1)) // a client says nothing more, so this is its end
	}()
	for {
		select {
		case l := <-next.lines:
			if r.Filter.fits(l) && !c.say(reply{Line: &l}) {
				return
			}
			if n := c.parent.tail.left(next); n > 0 && !c.say(reply{Note: fmt.Sprintf("%d lines left out: they came faster than they were read", n)}) {
				return
			}
		case <-gone:
			return
		case <-ctx.Done():
			return
		}
	}
}
