package event

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/trace"
)

const (
	sweepEvery = 10 * time.Minute
	sweepBatch = 1000
	// sweepPause is between two batches, so that others get to write.
	sweepPause = 20 * time.Millisecond
)

// sweep deletes what is not kept any more, until ctx ends.
func (l *Log) sweep(ctx context.Context) {
	for {
		var n int64
		err := trace.Do(ctx, "ashlar.events.sweep", func(ctx context.Context) (err error) {
			n, err = l.Sweep(ctx)
			return err
		})
		if err != nil && ctx.Err() == nil {
			l.log.ErrorContext(ctx, "old events cannot be deleted", "error", err)
		}
		pause := sweepEvery - time.Duration(rand.Int64N(int64(sweepEvery/4))) //nolint:gosec // no secret
		if n == sweepBatch {
			pause = sweepPause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// Sweep deletes a batch of the events that are not kept any more, at most 1000
// of the oldest, and returns how many it were. [Log.Run] calls it.
//
// Events that a consumer has still to handle are kept for twice as long as
// others, if any process has had the consumer within [Config.Keep]; then they go
// too, and the consumer stands still with an error until it is moved past them
// with [Log.Rewind]. The newest event is always kept.
func (l *Log) Sweep(ctx context.Context) (int64, error) {
	now := time.Now()
	oldest, head, err := l.bounds(ctx, l.db)
	if err != nil || head == 0 {
		return 0, err
	}
	last := min(oldest+sweepBatch-1, head-1)
	soft, err := l.surplus(ctx, now, 1, last, head)
	if err != nil {
		return 0, err
	}
	if soft < oldest {
		return 0, nil
	}
	hard, err := l.surplus(ctx, now, 2, last, head)
	if err != nil {
		return 0, err
	}
	alive := now.Add(-l.keep).UnixMilli()
	if l.keep < 0 {
		alive = 0
	}
	waiting, err := db.One[int64](ctx, l.db, `
		SELECT COALESCE(MIN(position), $1) FROM ashlar_event_consumers WHERE seen_at >= $2`, int64(math.MaxInt64), alive)
	if err != nil {
		return 0, fmt.Errorf("event: read what consumers have still to handle: %w", err)
	}
	if hard > waiting {
		l.log.ErrorContext(ctx, "events are deleted that a consumer has not handled: they were kept for twice as long as others", "from", waiting+1, "to", hard)
	}
	n, err := db.Exec(ctx, l.db, `DELETE FROM ashlar_event_log WHERE position <= $1`, max(min(soft, waiting), hard))
	if err != nil {
		return 0, fmt.Errorf("event: delete old events: %w", err)
	}
	return n, nil
}

// surplus returns the last position, up to last, of those that are older or
// more than what is kept times so many.
func (l *Log) surplus(ctx context.Context, now time.Time, times, last, head int64) (int64, error) {
	position := int64(0)
	if l.most > 0 {
		position = min(head-times*l.most, last)
	}
	if l.keep < 0 || position == last {
		return position, nil
	}
	young, err := db.One[int64](ctx, l.db, `
		SELECT COALESCE(MIN(position), $1) FROM ashlar_event_log WHERE position <= $2 AND at >= $3`,
		last+1, last, now.Add(-time.Duration(times)*l.keep).UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("event: look for old events: %w", err)
	}
	return max(position, young-1), nil
}
