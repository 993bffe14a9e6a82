package event

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// parked is what a runner knows of the events that were set aside for its
// consumer. Only the runner changes them during its turn: whoever else does ends
// the turn.
//
// Of each key the first event is tried again when its time comes, or is dead,
// and the others wait behind it: they are due never, until it is their turn.
type parked struct {
	keys  map[string]int // how many of each
	total int
	next  time.Time // the first of them is due, or zero if that is to be looked up
}

// never is when an event is due that waits behind another.
const never = math.MaxInt64

// maxError bounds the text of an error that is kept, in bytes.
const maxError = 2000

// errFull says that no more events may be parked.
var errFull = errors.New("event: as many events are parked for the consumer as may be")

func (l *Log) parked(ctx context.Context, consumer string) (parked, error) {
	p := parked{keys: map[string]int{}}
	list, err := db.All[struct {
		Key string
		N   int
	}](ctx, l.db, `SELECT key, COUNT(*) AS n FROM ashlar_event_parked WHERE consumer = $1 GROUP BY key`, consumer)
	if err != nil {
		return p, fmt.Errorf("event: read what is parked for consumer %s: %w", consumer, err)
	}
	for _, k := range list {
		p.keys[k.Key] = k.N
		p.total += k.N
	}
	return p, nil
}

func (p *parked) add(key string, n int) {
	p.total += n
	if p.keys[key] += n; p.keys[key] == 0 {
		delete(p.keys, key)
	}
}

// due returns when the next of the events that were set aside is to be tried
// again, or a time long from now.
func (l *Log) due(ctx context.Context, consumer string) (time.Time, error) {
	at, err := db.One[int64](ctx, l.db, `
		SELECT next_at FROM ashlar_event_parked WHERE consumer = $1 AND dead = 0 ORDER BY next_at LIMIT 1`, consumer)
	switch {
	case errors.Is(err, db.ErrNoRows), err == nil && at == never:
		return time.Now().Add(24 * time.Hour), nil
	case err != nil:
		return time.Time{}, fmt.Errorf("event: read what is parked for consumer %s: %w", consumer, err)
	}
	return time.UnixMilli(at), nil
}

// behind sets an event aside that has to wait for another of its key.
func (r *runner) behind(ctx context.Context, tx *db.Tx, d delivery, before int) (bool, error) {
	if d.Key == "" || r.c.failure != Park || r.parked.keys[d.Key] == 0 {
		return false, nil
	}
	if r.parked.total+before >= r.c.maxParked { // at most, and exactly for the first one
		return true, errFull
	}
	if err := r.park(ctx, tx, d, 0, never, false, nil); err != nil {
		return true, err
	}
	return true, nil
}

// park sets an event aside.
func (r *runner) park(ctx context.Context, tx *db.Tx, d delivery, attempts int, next int64, dead bool, cause error) error {
	failed := int64(0)
	if cause != nil {
		failed = time.Now().UnixMilli()
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO ashlar_event_parked (consumer, `+columns+`, attempts, next_at, dead, failed_at, error)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		r.c.name, d.Position, d.ID, d.Topic, d.Key, d.Scope, int64(d.Version), d.At.UnixMilli(), d.Trace, string(d.Payload),
		int64(attempts), next, number(dead), failed, shown(cause))
	if err != nil {
		return &broken{fmt.Errorf("event: park an event for consumer %s: %w", r.c.name, err)}
	}
	tx.AfterCommit(func() { r.parked.add(d.Key, 1) })
	return nil
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// shown is the text of an error as it is kept.
func shown(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	if len(text) > maxError {
		text = text[:maxError]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// fail deals with a new event that could not be handled.
func (r *runner) fail(ctx context.Context, d delivery, cause error) (on bool, err error) {
	attempts := 1
	full := r.c.failure != Halt && r.parked.total >= r.c.maxParked
	if r.c.failure == Halt || full {
		if r.halted.position == d.Position {
			attempts = r.halted.attempts + 1
		}
		pause := r.c.delay(attempts, rand.Float64()) //nolint:gosec // no secret
		r.halted = halted{d.Position, attempts, time.Now().Add(pause)}
		r.report(ctx, d, attempts, cause, slog.String("then", "the consumer stands still"), slog.Duration("retry_in", pause))
		return false, r.stand(ctx, cause)
	}
	dead, next, then := r.verdict(attempts, cause)
	err = r.inTx(ctx, func(tx *db.Tx) error {
		if err := r.park(ctx, tx, d, attempts, next, dead, cause); err != nil {
			return err
		}
		return r.checkpoint(ctx, tx, d.Position)
	})
	if err != nil {
		return false, err
	}
	r.parked.soon(next)
	r.report(ctx, d, attempts, cause, then)
	return true, nil
}

// soon takes note that an event is due at a time.
func (p *parked) soon(at int64) {
	if t := time.UnixMilli(at); !p.next.IsZero() && at != never && t.Before(p.next) {
		p.next = t
	}
}

// verdict is what becomes of an event after so many attempts.
func (r *runner) verdict(attempts int, cause error) (dead bool, next int64, then slog.Attr) {
	if _, ok := errors.AsType[*permanent](cause); ok || attempts >= r.c.attempts {
		return true, never, slog.String("then", "it is a dead letter")
	}
	pause := r.c.delay(attempts, rand.Float64()) //nolint:gosec // no secret
	return false, time.Now().Add(pause).UnixMilli(), slog.Duration("retry_in", pause)
}

func (r *runner) report(ctx context.Context, d delivery, attempts int, cause error, then ...slog.Attr) {
	r.l.failures.Add(1)
	attrs := append([]slog.Attr{
		slog.String("consumer", r.c.name), slog.String("event", d.ID), slog.String("topic", d.Topic),
		slog.Int("attempt", attempts), slog.Any("error", cause),
	}, then...)
	r.l.log.LogAttrs(d.context(ctx), slog.LevelError, "an event was not handled", attrs...)
}

// stand writes down why the consumer stands still.
func (r *runner) stand(ctx context.Context, cause error) error {
	now := time.Now()
	n, err := db.Exec(ctx, r.l.db, `
		UPDATE ashlar_event_consumers SET error = $1, leased_until = $2, seen_at = $3 WHERE name = $4 AND fence = $5`,
		shown(cause), now.Add(r.l.lease).UnixMilli(), now.UnixMilli(), r.c.name, r.fence)
	if err == nil && n == 0 {
		return errLost
	}
	return err
}

// retry tries events again that were set aside and are due, those of one key,
// and returns when the next are due.
func (r *runner) retry(ctx context.Context) (due time.Time, err error) {
	if r.parked.total == 0 {
		return time.Now().Add(24 * time.Hour), nil
	}
	if r.parked.next.IsZero() {
		if r.parked.next, err = r.l.due(ctx, r.c.name); err != nil {
			return due, err
		}
	}
	if time.Until(r.parked.next) > 0 {
		return r.parked.next, nil
	}
	list, err := r.again(ctx)
	if err != nil {
		return due, err
	}
	err = r.advance(ctx, list, steps{
		each: func(context.Context, *db.Tx, delivery, int) (bool, error) { return false, nil },
		done: func(tx *db.Tx, done []delivery) error { return r.unpark(ctx, tx, done) },
		fail: r.failAgain,
	})
	r.parked.next = time.Time{}
	return time.Now(), err
}

// again returns the events of one key that can be tried again now, in order, or
// one without a key.
func (r *runner) again(ctx context.Context) (list []delivery, err error) {
	key, err := db.One[struct {
		Key      string
		Position int64
	}](ctx, r.l.db, `
		SELECT key, position FROM ashlar_event_parked WHERE consumer = $1 AND dead = 0 ORDER BY next_at, position LIMIT 1`, r.c.name)
	if err != nil {
		return nil, fmt.Errorf("event: read what is due for consumer %s: %w", r.c.name, err)
	}
	limit := int64(r.c.batch)
	if key.Key == "" || r.c.failure != Park {
		limit = 1
	}
	rows, err := r.l.db.Query(ctx, `
		SELECT `+columns+`, attempts, next_at, dead FROM ashlar_event_parked
		WHERE consumer = $1 AND key = $2 AND position >= $3 ORDER BY position LIMIT $4`, r.c.name, key.Key, key.Position, limit)
	if err != nil {
		return nil, fmt.Errorf("event: read what is due for consumer %s: %w", r.c.name, err)
	}
	defer rows.Close()
	for rows.Next() {
		e := &entry{}
		var attempts, next, dead int64
		if err := e.scan(rows, &attempts, &next, &dead); err != nil {
			return nil, err
		}
		if dead != 0 || next != never && next > time.Now().UnixMilli() {
			return list, nil // nothing overtakes it
		}
		list = append(list, delivery{e, int(attempts) + 1})
	}
	return list, rows.Err()
}

// unpark deletes events that were handled at last. The next of their key is due
// now.
func (r *runner) unpark(ctx context.Context, tx *db.Tx, done []delivery) error {
	for _, d := range done {
		if _, err := tx.Exec(ctx, `DELETE FROM ashlar_event_parked WHERE consumer = $1 AND position = $2`, r.c.name, d.Position); err != nil {
			return &broken{err}
		}
	}
	last := done[len(done)-1]
	if last.Key != "" {
		if err := promote(ctx, tx, r.c.name, last.Key); err != nil {
			return &broken{err}
		}
	}
	tx.AfterCommit(func() { r.parked.add(last.Key, -len(done)) })
	return r.checkpoint(ctx, tx, r.wrote)
}

// promote makes the first event of a key due now, if it waited behind another.
func promote(ctx context.Context, tx *db.Tx, consumer, key string) error {
	_, err := tx.Exec(ctx, `
		UPDATE ashlar_event_parked SET next_at = 0 WHERE consumer = $1 AND next_at = $2 AND dead = 0 AND position = (
			SELECT MIN(position) FROM ashlar_event_parked WHERE consumer = $1 AND key = $3)`, consumer, int64(never), key)
	return err
}

// failAgain deals with an event that was tried again and failed.
func (r *runner) failAgain(ctx context.Context, d delivery, cause error) (on bool, err error) {
	dead, next, then := r.verdict(d.attempt, cause)
	err = r.inTx(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `
			UPDATE ashlar_event_parked SET attempts = $1, next_at = $2, dead = $3, failed_at = $4, error = $5
			WHERE consumer = $6 AND position = $7`,
			int64(d.attempt), next, number(dead), time.Now().UnixMilli(), shown(cause), r.c.name, d.Position)
		if err != nil {
			return &broken{err}
		}
		return r.checkpoint(ctx, tx, r.wrote)
	})
	if err == nil {
		r.report(ctx, d, d.attempt, cause, then)
	}
	return false, err // what follows waits behind it
}
