package job

import (
	"context"
	"time"
)

// Open makes a runner ready for Step, without Run.
func (r *Runner) Open(ctx context.Context) (stop func()) { return r.open(ctx) }

// Step is one step of Run.
func (r *Runner) Step(ctx context.Context) error {
	_, err := r.step(ctx)
	return err
}

// Steady gives the runner another clock that nobody sets.
func (r *Runner) Steady(now func() time.Time) { r.steady = now }

// Idle is how long Run would sleep now.
func (r *Runner) Idle() time.Duration { return r.idle() }

// Running are the jobs that run here.
func (r *Runner) Running() int { return len(r.runs) }

// Ended is how many handlers have returned, whose ends are not taken in.
func (r *Runner) Ended() int {
	r.news.mu.Lock()
	defer r.news.mu.Unlock()
	return len(r.news.ended)
}

// Jitter is the pause after a failed attempt.
func Jitter(attempt int, base, most time.Duration) time.Duration { return jitter(attempt, base, most) }

// Parameters is a list of parameters.
func Parameters(from int, values []string) (string, []any) { return list(from, values) }

// WithClock has additions of ctx go by a clock.
func WithClock(ctx context.Context, now func() time.Time) context.Context {
	return context.WithValue(ctx, clockKey{}, now)
}
