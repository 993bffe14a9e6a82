package event

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Drain works on consumers until nothing is left for them to do now, what their
// handlers publish included, and returns: for tests, and for a command that is
// to end. Events that failed and are to be tried again later are left. It fails
// if another process works on one of them.
func (l *Log) Drain(ctx context.Context, consumers ...Consumer) error {
	if err := Check(consumers...); err != nil {
		return err
	}
	runners, err := l.enlist(consumers)
	if err != nil {
		return err
	}
	defer l.discharge(runners)
	defer func() {
		for _, r := range runners {
			r.release(ctx)
			r.close()
		}
	}()
	for quiet := false; !quiet; {
		quiet = true
		for _, r := range runners {
			did, err := r.drain(ctx)
			if err != nil {
				return fmt.Errorf("event: drain consumer %s: %w", r.c.name, err)
			}
			quiet = quiet && !did
		}
	}
	return nil
}

// drain works on one consumer, and reports whether it did anything.
func (r *runner) drain(ctx context.Context) (did bool, err error) {
	if err := r.open(ctx); err != nil {
		return false, err
	}
	if err := r.l.hub.catchUp(ctx); err != nil {
		return false, err
	}
	if r.until.Load() == 0 {
		row, err := r.look(ctx)
		switch {
		case err != nil:
			return false, err
		case row.Paused:
			return false, nil
		case row.LeasedUntil > time.Now().UnixMilli():
			return false, errors.New("another process works on it")
		}
		r.move(row.Position)
		if err := r.claim(ctx, row); err != nil {
			return false, err
		}
	}
	before := r.steps
	_, err = r.work(ctx)
	return r.steps != before, err
}
