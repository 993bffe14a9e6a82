package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// readers are the connections for statements outside a transaction. There are
// few of them: beyond the number of processors, readers only take turns and
// starve the writer.
type readers struct {
	free chan *conn // cap is the size; nil stands for one not opened yet
	open func() (*conn, error)
	wait time.Duration

	done     chan struct{} // closed by close
	opened   atomic.Int64
	waiting  atomic.Int64
	waits    atomic.Int64
	waitTime atomic.Int64
}

func newReaders(size int, wait time.Duration, open func() (*conn, error)) *readers {
	p := &readers{free: make(chan *conn, size), open: open, wait: wait, done: make(chan struct{})}
	for range size {
		p.free <- nil
	}
	return p
}

func (p *readers) get(ctx context.Context) (*conn, error) {
	var c *conn
	select {
	case <-p.done:
		return nil, db.ErrClosed
	case c = <-p.free:
	default:
		var err error
		if c, err = p.queue(ctx); err != nil {
			return nil, err
		}
	}
	if c != nil {
		return c, nil
	}
	c, err := p.open()
	if err != nil {
		p.free <- nil
		return nil, err
	}
	p.opened.Add(1)
	return c, nil
}

func (p *readers) queue(ctx context.Context) (*conn, error) {
	start := time.Now()
	p.waiting.Add(1)
	p.waits.Add(1)
	defer func() {
		p.waiting.Add(-1)
		p.waitTime.Add(int64(time.Since(start)))
	}()
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	select {
	case c := <-p.free:
		return c, nil
	case <-ctx.Done():
		ended := ctx.Err()
		if errors.Is(ended, context.Canceled) {
			return nil, fmt.Errorf("db/sqlite: waiting for a reader: %w", ended)
		}
		return nil, fmt.Errorf("%w: db/sqlite: all %d readers were in use for as long as the caller could wait: %w", db.ErrBusy, cap(p.free), ended)
	case <-p.done:
		return nil, db.ErrClosed
	case <-timer.C:
		return nil, fmt.Errorf("%w: db/sqlite: all %d readers were in use for %s: close rows sooner, or run no query while reading the rows of another", db.ErrBusy, cap(p.free), p.wait)
	}
}

func (p *readers) put(c *conn) { p.free <- c }

// close waits for connections in use and closes all.
func (p *readers) close() error {
	close(p.done)
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	var first error
	for n := range cap(p.free) {
		select {
		case c := <-p.free:
			if c == nil {
				continue
			}
			if err := c.close(); err != nil && first == nil {
				first = err
			}
		case <-timer.C:
			return fmt.Errorf("db/sqlite: Close: %d readers are still in use after %s: some rows were not closed", cap(p.free)-n, p.wait)
		}
	}
	return first
}
