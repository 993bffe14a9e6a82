//go:build !linux

package load

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Closed drives a server with clients that each wait for an answer before
// they ask again, for a time. Any answer but the expected one is an error.
func Closed(ctx context.Context, addr string, c Call, clients int, limit time.Duration) (Result, error) {
	all, err := connectAll(addr, c, clients)
	if err != nil {
		return Result{}, err
	}
	defer closeAll(all)
	parts, errs := make([]Result, clients), make([]error, clients)
	start := time.Now()
	end := start.Add(limit)
	bound(all, end.Add(patience))
	var running sync.WaitGroup
	for i, each := range all {
		running.Go(func() { parts[i], errs[i] = each.repeat(ctx, end) })
	}
	running.Wait()
	return merge(parts, time.Since(start)), errors.Join(errs...)
}

func (c *client) repeat(ctx context.Context, end time.Time) (r Result, err error) {
	for now := time.Now(); now.Before(end) && ctx.Err() == nil; {
		refused, err := c.ask()
		if err != nil {
			return r, err
		}
		then := now
		now = time.Now()
		if refused {
			r.Refused++
			continue
		}
		r.Answered++
		r.latency = append(r.latency, now.Sub(then))
	}
	return r, nil
}
