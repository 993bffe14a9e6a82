package job

import (
	"context"
	"log/slog"
	"time"
)

// trouble is what the runner remembers of a database that fails.
type trouble struct {
	since, told time.Time
	pause       time.Duration
}

// remind is how often the log is told that it goes on.
const remind = time.Minute

// with returns how long to wait before the next step: a little, and more each
// time, but little enough to notice in time that leases run out.
func (t *trouble) with(r *Runner, err error) time.Duration {
	now := r.now()
	if t.pause == 0 {
		t.since, t.pause = now, 50*time.Millisecond
	}
	if t.told.IsZero() || now.Sub(t.told) >= remind {
		t.told = now
		r.cfg.Log.LogAttrs(context.WithoutCancel(r.base), slog.LevelError, "jobs: the database fails, no job is begun meanwhile", slog.Any("error", err))
	}
	t.pause = min(2*t.pause, r.cfg.Lease/10)
	return t.pause
}

func (t *trouble) over(r *Runner) {
	if t.pause > 0 {
		r.cfg.Log.LogAttrs(context.WithoutCancel(r.base), slog.LevelInfo, "jobs: the database is back", slog.Duration("after", r.now().Sub(t.since)))
	}
	*t = trouble{}
}
