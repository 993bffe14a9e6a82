package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Client commands a parent from another process. Make one with [Connect].
type Client struct{ dir string }

// Connect returns a client of the parent that has the directory.
func Connect(dir string) Client { return Client{dir} }

// ErrNobody is returned where no parent answers.
var ErrNobody = errors.New("no workers are served from here")

// Status asks how the parent and its workers are.
func (c Client) Status(ctx context.Context) (Status, error) {
	var st Status
	err := c.ask(ctx, request{Do: "status"}, func(r reply) error {
		if r.Status != nil {
			st = *r.Status
		}
		return nil
	})
	return st, err
}

// Reload has all workers replaced, as [Parent.Reload]. progress is told what
// happens.
func (c Client) Reload(ctx context.Context, progress func(string)) error {
	return c.ask(ctx, request{Do: "reload"}, notes(progress))
}

// Stop has all workers leave, and returns when they have.
func (c Client) Stop(ctx context.Context, progress func(string)) error {
	return c.ask(ctx, request{Do: "stop"}, notes(progress))
}

// Logs hands on the last lines that workers wrote and pass the filter, up to
// last of them, and with follow those that they write from then on, until ctx
// ends. What was left out, because it came too fast, is told as a line of no
// worker.
func (c Client) Logs(ctx context.Context, filter Filter, last int, follow bool, line func(Line) error) error {
	err := c.ask(ctx, request{Do: "logs", Filter: filter, Last: last, Follow: follow}, func(r reply) error {
		switch {
		case r.Line != nil:
			return line(*r.Line)
		case r.Note != "":
			return line(Line{Error: true, Text: r.Note + "\n"})
		}
		return nil
	})
	if follow && ctx.Err() != nil {
		return nil //nolint:nilerr // it was to go on until then
	}
	return err
}

func notes(progress func(string)) func(reply) error {
	return func(r reply) error {
		if r.Note != "" && progress != nil {
			progress(r.Note)
		}
		return nil
	}
}

// ask sends a request and hands every line of the answer to each.
func (c Client) ask(ctx context.Context, r request, each func(reply) error) error {
	path, done, err := short(c.dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: there is no %s", ErrNobody, c.dir)
		}
		return fmt.Errorf("supervise: %w", err)
	}
	defer done()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("supervise: %w: nobody listens at %s", ErrNobody, filepath.Join(c.dir, controlName))
	case err != nil:
		return fmt.Errorf("supervise: %w", err)
	}
	defer func() { _ = conn.Close() }()
	end := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer end()
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return fmt.Errorf("supervise: %w", err)
	}
	answers := json.NewDecoder(conn)
	for {
		var a reply
		if err := answers.Decode(&a); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if errors.Is(err, io.EOF) && r.Do == "stop" {
				return nil // it is gone
			}
			return fmt.Errorf("supervise: the parent went silent: %w", err)
		}
		if err := each(a); err != nil {
			return err
		}
		switch {
		case a.Done && a.Error != "":
			return errors.New(a.Error)
		case a.Done:
			return nil
		}
	}
}

// longestPath is what the address of a socket holds, everywhere.
const longestPath = 100

// short returns a path of the socket that fits into an address: where the
// directory's own is too long, one by way of its descriptor.
func short(dir string) (path string, done func(), err error) {
	path = filepath.Join(dir, controlName)
	if len(path) <= longestPath {
		return path, func() {}, nil
	}
	d, err := os.Open(dir) //nolint:gosec // the caller's own
	if err != nil {
		return "", nil, err
	}
	return "/proc/self/fd/" + strconv.Itoa(int(d.Fd())) + "/" + controlName, func() { _ = d.Close() }, nil
}
