package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Streams opens n event streams and holds them. Each has had its first event
// when Streams returns; release closes them and returns how many had lived
// until then.
func Streams(ctx context.Context, addr string, c Call, n int) (release func() (alive int), err error) {
	var (
		mu      sync.Mutex
		all     []*client
		errs    []error
		opening sync.WaitGroup
		left    = make(chan struct{}, n)
	)
	for range n {
		left <- struct{}{}
	}
	close(left)
	const atOnce = 64
	for range atOnce {
		opening.Go(func() {
			for range left {
				each, err := openStream(ctx, addr, c)
				mu.Lock()
				if err != nil {
					errs = append(errs, err)
				} else {
					all = append(all, each)
				}
				failed := len(errs) > 0
				mu.Unlock()
				if failed {
					return
				}
			}
		})
	}
	opening.Wait()
	if len(errs) > 0 {
		closeAll(all)
		return nil, fmt.Errorf("after %d streams: %w", len(all), errors.Join(errs...))
	}
	return func() int {
		defer closeAll(all)
		return alive(all)
	}, nil
}

func openStream(ctx context.Context, addr string, c Call) (*client, error) {
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	each := newClient(conn, c, 1<<10)
	if err := each.begin(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return each, nil
}

// begin sends the request and reads up to the first event.
func (c *client) begin() error {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := c.conn.Write(c.call.raw); err != nil {
		return err
	}
	status, _, _, err := c.head()
	if err != nil {
		return err
	}
	if status != c.call.status {
		return fmt.Errorf("answered %d, not %d", status, c.call.status)
	}
	_, err = c.in.ReadSlice(':') // of ": here"
	return err
}

// alive counts the streams that the server has not ended.
func alive(all []*client) int {
	end := time.Now().Add(200 * time.Millisecond)
	var (
		n       atomic.Int64
		looking sync.WaitGroup
	)
	for _, c := range all {
		looking.Go(func() {
			if c.conn.SetReadDeadline(end) != nil {
				return
			}
			for {
				if _, err := c.in.ReadByte(); err != nil {
					if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
						n.Add(1)
					}
					return
				}
			}
		})
	}
	looking.Wait()
	return int(n.Load())
}
