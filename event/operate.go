package event

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
)

// ErrUnknown says that no process ever had a consumer of that name, or that the
// event is not parked for it.
const ErrUnknown fault.NotFound = "event_consumer_unknown"

// ConsumerState is where a consumer is.
type ConsumerState struct {
	Name     string
	Position int64 // up to here everything is handled or parked
	// Owner is the process that works on it until Until, or did last.
	Owner  string
	Until  time.Time
	Paused bool
	Parked int64     // events that were set aside, dead ones included
	Dead   int64     // of them, those that nobody tries again
	Seen   time.Time // a process last had it
	Error  string    // why it stands still, or nothing
}

// Consumers returns every consumer that a process ever had, by name.
func (l *Log) Consumers(ctx context.Context) ([]ConsumerState, error) {
	rows, err := db.All[struct {
		ConsumerState

		LeasedUntil, SeenAt int64
	}](ctx, l.db, `
		SELECT name, position, owner, leased_until, paused = 1 AS paused, seen_at, error,
			(SELECT COUNT(*) FROM ashlar_event_parked WHERE consumer = name) AS parked,
			(SELECT COUNT(*) FROM ashlar_event_parked WHERE consumer = name AND dead = 1) AS dead
		FROM ashlar_event_consumers ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("event: read the consumers: %w", err)
	}
	list := make([]ConsumerState, len(rows))
	for i, r := range rows {
		list[i] = r.ConsumerState
		list[i].Until, list[i].Seen = time.UnixMilli(r.LeasedUntil).UTC(), time.UnixMilli(r.SeenAt).UTC()
	}
	return list, nil
}

// Parked is an event that was set aside for a consumer.
type Parked struct {
	Record

	Consumer string
	Attempts int  // 0 for one that waits behind another of its key
	Dead     bool // nobody tries it again by itself
	// Next is when it is tried again; zero if it is dead or waits.
	Next   time.Time
	Failed time.Time // zero if it waits
	Error  string    // of its last attempt
}

// Parked returns events that were set aside for a consumer after a position,
// in the order of the log, at most limit of them: those that failed and those
// that wait behind them, or only dead letters. A limit of 0 means 100;
// [MaxLimit] is the most.
func (l *Log) Parked(ctx context.Context, consumer string, onlyDead bool, after int64, limit int) ([]Parked, error) {
	if limit < 0 || limit > MaxLimit {
		return nil, fmt.Errorf("event: a limit of %d; it is between 1 and %d", limit, MaxLimit)
	}
	rows, err := l.db.Query(ctx, `
		SELECT `+columns+`, attempts, next_at, dead, failed_at, error FROM ashlar_event_parked
		WHERE consumer = $1 AND position > $2 AND dead >= $3 ORDER BY position LIMIT $4`,
		consumer, after, number(onlyDead), int64(or(limit, 100)))
	if err != nil {
		return nil, fmt.Errorf("event: read what is parked for consumer %s: %w", consumer, err)
	}
	defer rows.Close()
	list := []Parked{}
	for rows.Next() {
		p := Parked{Consumer: consumer}
		var attempts, next, dead, failed int64
		if err := p.scan(rows, &attempts, &next, &dead, &failed, &p.Error); err != nil {
			return nil, fmt.Errorf("event: read what is parked for consumer %s: %w", consumer, err)
		}
		p.Attempts, p.Dead = int(attempts), dead != 0
		if next != never {
			p.Next = time.UnixMilli(next).UTC()
		}
		if failed != 0 {
			p.Failed = time.UnixMilli(failed).UTC()
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

// Retry has events that failed tried again now, those with these ids or all
// dead letters, and returns how many they are. Their attempts count anew.
func (l *Log) Retry(ctx context.Context, consumer string, ids ...string) (int64, error) {
	return l.change(ctx, consumer, func(tx *db.Tx) (int64, error) {
		if len(ids) == 0 {
			return db.Exec(ctx, tx, `
				UPDATE ashlar_event_parked SET dead = 0, attempts = 0, next_at = 0 WHERE consumer = $1 AND dead = 1`, consumer)
		}
		sum := int64(0)
		for _, id := range ids {
			n, err := db.Exec(ctx, tx, `
				UPDATE ashlar_event_parked SET dead = 0, attempts = 0, next_at = 0
				WHERE consumer = $1 AND id = $2 AND (dead = 1 OR next_at <> $3)`, consumer, id, int64(never))
			if err == nil && n == 0 {
				err = ErrUnknown.Because("Event %s did not fail for consumer %s, or is not parked for it.", shortened(id), shortened(consumer))
			}
			if err != nil {
				return 0, err
			}
			sum += n
		}
		return sum, nil
	})
}

// Discard gives up on events that were set aside, those with these ids, which
// are then not handled at all; what waits behind them goes on. Without an id it
// does nothing.
func (l *Log) Discard(ctx context.Context, consumer string, ids ...string) (int64, error) {
	return l.change(ctx, consumer, func(tx *db.Tx) (int64, error) {
		for _, id := range ids {
			key, err := db.One[string](ctx, tx, `DELETE FROM ashlar_event_parked WHERE consumer = $1 AND id = $2 RETURNING key`, consumer, id)
			if errors.Is(err, db.ErrNoRows) {
				return 0, ErrUnknown.Because("Event %s is not parked for consumer %s.", shortened(id), shortened(consumer))
			}
			if err == nil && key != "" {
				err = promote(ctx, tx, consumer, key)
			}
			if err != nil {
				return 0, err
			}
		}
		return int64(len(ids)), nil
	})
}

// Pause has nobody work on a consumer until it is resumed. Events that wait for
// it are kept as [Log.Sweep] says.
func (l *Log) Pause(ctx context.Context, consumer string) error {
	return l.set(ctx, consumer, `paused = 1`)
}

// Resume ends [Log.Pause].
func (l *Log) Resume(ctx context.Context, consumer string) error {
	return l.set(ctx, consumer, `paused = 0`)
}

// Rewind has a consumer go on from another place: back, to have it handle
// events again, or ahead, past those that it is not to handle. What is parked
// for it from after that place is forgotten, because it is delivered again.
func (l *Log) Rewind(ctx context.Context, consumer string, to Start) error {
	position, err := l.resolve(ctx, to)
	if err != nil {
		return err
	}
	oldest, _, err := l.bounds(ctx, l.db)
	if err != nil {
		return err
	}
	if position < oldest-1 && to.from != fromOldest {
		return ErrReset.Because("What followed that event is not kept any more.").With("oldest", oldest)
	}
	_, err = l.change(ctx, consumer, func(tx *db.Tx) (int64, error) {
		_, err := tx.Exec(ctx, `
			UPDATE ashlar_event_consumers SET position = $1, error = '' WHERE name = $2`, max(position, oldest-1), consumer)
		if err != nil {
			return 0, err
		}
		return db.Exec(ctx, tx, `DELETE FROM ashlar_event_parked WHERE consumer = $1 AND position > $2`, consumer, position)
	})
	return err
}

// Forget removes all that is known of a consumer, one that was taken out of the
// program. If a process still has it, it begins as a new one.
func (l *Log) Forget(ctx context.Context, consumer string) error {
	_, err := l.change(ctx, consumer, func(tx *db.Tx) (int64, error) {
		if _, err := tx.Exec(ctx, `DELETE FROM ashlar_event_parked WHERE consumer = $1`, consumer); err != nil {
			return 0, err
		}
		return db.Exec(ctx, tx, `DELETE FROM ashlar_event_consumers WHERE name = $1`, consumer)
	})
	return err
}

func (l *Log) set(ctx context.Context, consumer, assignment string) error {
	_, err := l.change(ctx, consumer, func(tx *db.Tx) (int64, error) {
		return db.Exec(ctx, tx, `UPDATE ashlar_event_consumers SET `+assignment+` WHERE name = $1`, consumer)
	})
	return err
}

// change runs fn after it has ended the turn of whoever works on the consumer:
// what that process has under way is rolled back, and it looks at everything
// anew.
func (l *Log) change(ctx context.Context, consumer string, fn func(tx *db.Tx) (int64, error)) (int64, error) {
	n, err := db.InTx(ctx, l.db, func(tx *db.Tx) (int64, error) {
		known, err := db.Exec(ctx, tx, `
			UPDATE ashlar_event_consumers SET fence = fence + 1, leased_until = 0 WHERE name = $1`, consumer)
		if err != nil {
			return 0, err
		}
		if known == 0 {
			return 0, ErrUnknown.Because("No process has had a consumer %s.", shortened(consumer))
		}
		return fn(tx)
	})
	switch _, refused := fault.Of(err); {
	case refused:
		return 0, err
	case err != nil:
		return 0, fmt.Errorf("event: change consumer %s: %w", consumer, err)
	}
	l.ask(consumer)
	l.tell(ctx, aboutConsumer+consumer)
	return n, nil
}

// shortened is a name that somebody typed, as a part of an answer to them.
func shortened(name string) string {
	if len(name) > maxTopic {
		name = name[:maxTopic]
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}
