package load

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Result is what came of a load.
type Result struct {
	Answered int           // as they should be
	Refused  int           // 503, of calls that allow it
	Missed   int           // of an open loop: not answered when the time was over
	Wall     time.Duration // from the first request to the last answer
	latency  []time.Duration
	lag      []time.Duration
}

// Rate is how many requests were answered in a second.
func (r Result) Rate() float64 { return float64(r.Answered) / r.Wall.Seconds() }

// Percentile is the latency that the share of requests did not exceed.
func (r Result) Percentile(share float64) time.Duration { return percentile(r.latency, share) }

// Lag is the same of how late the generator itself was: it is part of every
// latency of an open loop, so what is below it was not measured.
func (r Result) Lag(share float64) time.Duration { return percentile(r.lag, share) }

func percentile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(share*float64(len(sorted)-1))]
}

// patience is how long a request may go unanswered.
const patience = 15 * time.Second

func bound(all []*client, end time.Time) {
	for _, c := range all {
		_ = c.conn.SetDeadline(end) // a connection that is gone fails by itself
	}
}

func merge(parts []Result, wall time.Duration) Result {
	all := Result{Wall: wall}
	for _, p := range parts {
		all.Answered += p.Answered
		all.Refused += p.Refused
		all.Missed += p.Missed
		all.latency = append(all.latency, p.latency...)
		all.lag = append(all.lag, p.lag...)
	}
	slices.Sort(all.latency)
	slices.Sort(all.lag)
	return all
}

// Open sends rate requests a second at random times that are set before, as
// independent callers do, whatever becomes of the earlier ones. A latency
// begins at the set time, not when a connection was free to send: a server
// that stalls is charged for everybody who came meanwhile (what is called
// correcting for coordinated omission). What is not answered when the time is
// over counts as taking until then.
//
// The times are the same for each server with one seed.
func Open(ctx context.Context, addr string, c Call, rate float64, connections int, limit time.Duration, seed uint64) (Result, error) {
	times := schedule(rate, limit, seed)
	all, err := connectAll(addr, c, connections)
	if err != nil {
		return Result{}, err
	}
	defer closeAll(all)
	var (
		parts, errs = make([]Result, connections), make([]error, connections)
		next        atomic.Int64
		running     sync.WaitGroup
	)
	start := time.Now()
	end := start.Add(limit + limit/4) // what is late by more is as good as lost
	bound(all, end)
	for i, each := range all {
		running.Go(func() { parts[i], errs[i] = each.follow(ctx, times, &next, start, end) })
	}
	running.Wait()
	r := merge(parts, max(limit, time.Since(start)))
	return r, errors.Join(errs...)
}

func schedule(rate float64, limit time.Duration, seed uint64) (times []time.Duration) {
	chance := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // the same times each time are the point
	for at := 0.0; ; {
		at += chance.ExpFloat64() / rate
		if t := time.Duration(at * float64(time.Second)); t < limit {
			times = append(times, t)
			continue
		}
		return times
	}
}

func (c *client) follow(ctx context.Context, times []time.Duration, next *atomic.Int64, start, end time.Time) (r Result, err error) {
	gone := false // the connection met the end of the time
	for {
		i := int(next.Add(1)) - 1
		if i >= len(times) || ctx.Err() != nil {
			return r, nil
		}
		due := start.Add(times[i])
		if gone {
			r.miss(end.Sub(due))
			continue
		}
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
			r.lag = append(r.lag, time.Since(due))
		}
		if !time.Now().Before(end) {
			gone = true
			r.miss(end.Sub(due))
			continue
		}
		refused, err := c.ask()
		switch {
		case err != nil && !time.Now().Before(end):
			gone = true
			r.miss(end.Sub(due))
		case err != nil:
			return r, err
		case refused:
			r.Refused++
		default:
			r.Answered++
			r.latency = append(r.latency, time.Since(due))
		}
	}
}

func (r *Result) miss(atLeast time.Duration) {
	r.Missed++
	r.latency = append(r.latency, atLeast)
}
