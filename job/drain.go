package job

import (
	"context"
	"log/slog"
	"time"
)

// The end is bounded: handlers that were told to stop have so long to do so, and
// the database so long to take the last endings.
const (
	mercy   = 2 * time.Second
	lastTry = 3 * time.Second
)

// drain lets running jobs end, and gives back those that do not.
func (r *Runner) drain(ctx context.Context) {
	r.draining = true
	r.until(ctx, max(r.cfg.Grace, 0), func() bool { return len(r.runs) == 0 && len(r.endings) == 0 })
	if len(r.runs) > 0 {
		for _, run := range r.runs {
			run.cancel(ErrDraining)
		}
		r.until(ctx, mercy, func() bool { return len(r.runs) == 0 })
	}
	for id, run := range r.runs {
		delete(r.runs, id)
		r.byName[run.Queue].running--
		r.endings = append(r.endings, ending{run: run, kind: scheduled, free: true, at: r.now(), outcome: WasReturned})
	}
	r.until(ctx, lastTry, func() bool { return len(r.endings) == 0 })
	if n := len(r.endings); n > 0 {
		r.cfg.Log.LogAttrs(ctx, slog.LevelError, "jobs: not given back, their leases must run out", slog.Int("jobs", n))
		r.endings = nil
	}
}

// until goes on with the bookkeeping until it is done, or for so long. The time
// is the wall's, as it is for whoever waits for the process to end.
func (r *Runner) until(ctx context.Context, patience time.Duration, done func() bool) {
	if patience <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		wait, err := r.step(ctx)
		if done() || ctx.Err() != nil {
			return
		}
		r.sleep(ctx, max(wait, time.Millisecond), err == nil)
	}
}
