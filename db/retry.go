package db

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// How long a transaction is run again that loses to others, and the longest
// pause before that. Pauses are random, so that those who lost together do not
// meet again, and grow from a millisecond, for as long as the crowd is large.
const (
	patience = 5 * time.Second
	maxPause = 64 * time.Millisecond
)

// losses are the times that one transaction lost to another.
type losses struct {
	count int
	since time.Time
}

// again waits and reports true when the transaction that ended with err is to
// be run once more. Else *err is what the caller is told.
func (l *losses) again(ctx context.Context, d *DB, err *error) bool {
	if !errors.Is(*err, ErrConflict) {
		return false
	}
	l.count++
	if l.count == 1 {
		l.since = time.Now()
	} else if time.Since(l.since) >= patience {
		*err = fmt.Errorf("%w (%d times within %s: too many change the same rows at once)", *err, l.count, patience)
		return false
	}
	pause := rand.N(min(time.Millisecond<<min(l.count, 10), maxPause)) //nolint:gosec // no secret
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		*err = fmt.Errorf("db: not run again after it had lost %d times (%s): %w", l.count, (*err).Error(), ctx.Err())
		return false
	case <-timer.C:
	}
	d.retries.Add(1)
	return true
}
