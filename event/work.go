package event

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
)

// work handles what there is, and returns how long to wait for more.
func (r *runner) work(ctx context.Context) (pause, error) {
	ctx, stop := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() { r.renew(ctx, func() { stop(errLost) }) })
	defer renewing.Wait()
	defer stop(nil)

	if r.gone {
		return r.stuck(ctx)
	}
	r.move(r.at)
	for {
		due, err := r.retry(ctx)
		if err == nil && time.Until(r.halted.until) > 0 {
			return pause{max(0, min(time.Until(due), time.Until(r.halted.until))), true}, nil
		}
		list := []delivery(nil)
		if err == nil {
			list, err = r.next(ctx)
		}
		if err == nil && len(list) > 0 {
			err = r.handle(ctx, list)
		}
		switch {
		case errors.Is(context.Cause(ctx), errLost):
			return pause{}, errLost
		case errors.Is(err, ErrReset) && r.same():
			return r.stuck(ctx)
		case err != nil:
			return pause{}, err
		case len(list) == 0 && time.Until(due) > 0:
			return pause{most: min(time.Until(due), idle)}, r.skip(ctx)
		}
		if r.generous() {
			r.release(ctx)
			r.fence, r.offered = -1, time.Now() // it comes after others now, as they do
			return pause{}, nil
		}
	}
}

// stuck stands still before events that were deleted: nobody may take it that
// they were handled.
func (r *runner) stuck(ctx context.Context) (pause, error) {
	return pause{idle, true}, r.stand(ctx, fmt.Errorf("events after position %d were deleted before they were handled; rewind the consumer to go on", r.at))
}

// same reports whether the log is the one that this turn began with.
func (r *runner) same() bool {
	r.l.hub.mu.RLock()
	defer r.l.hub.mu.RUnlock()
	return r.s.epoch == r.l.hub.epoch
}

// next returns the events that follow, as many as may share a transaction.
func (r *runner) next(ctx context.Context) ([]delivery, error) {
	for {
		entries, behind, err := r.s.take()
		if behind {
			entries, err = r.s.catchUp(ctx)
		}
		if err != nil {
			return nil, err
		}
		if len(entries) > r.c.batch {
			entries = entries[:r.c.batch]
			r.move(entries[len(entries)-1].Position) // what is left is read again
		}
		if len(entries) > 0 {
			list := make([]delivery, len(entries))
			for i, e := range entries {
				list[i] = delivery{e, 1}
			}
			return list, nil
		}
		r.at = r.s.at
		if !r.some() {
			return nil, nil
		}
	}
}

// skipped is how far events that a consumer does not want may take it before
// that is noted: less is not worth a write.
const skipped = 1000

// skip notes that there was nothing for the consumer for long.
func (r *runner) skip(ctx context.Context) error {
	if r.at < r.wrote+skipped {
		return nil
	}
	return r.inTx(ctx, func(tx *db.Tx) error { return r.checkpoint(ctx, tx, r.at) })
}

func (r *runner) inTx(ctx context.Context, fn func(tx *db.Tx) error) error {
	_, err := db.InTx(ctx, r.l.db, func(tx *db.Tx) (struct{}, error) { return struct{}{}, fn(tx) })
	return err
}

// checkpoint notes that everything up to a position is handled or parked, if it
// is still this process's turn.
func (r *runner) checkpoint(ctx context.Context, tx *db.Tx, position int64) error {
	now := time.Now()
	until := now.Add(r.l.lease).UnixMilli()
	n, err := db.Exec(ctx, tx, `
		UPDATE ashlar_event_consumers SET position = $1, leased_until = $2, seen_at = $3, error = '' WHERE name = $4 AND fence = $5`,
		position, until, now.UnixMilli(), r.c.name, r.fence)
	switch {
	case err != nil:
		return &broken{fmt.Errorf("event: note the progress of consumer %s: %w", r.c.name, err)}
	case n == 0:
		return errLost
	}
	tx.AfterCommit(func() {
		r.until.Store(until)
		r.at, r.wrote = position, position
		r.steps++
	})
	return nil
}

// handle handles events that follow each other.
func (r *runner) handle(ctx context.Context, list []delivery) error {
	err := r.advance(ctx, list, steps{
		each: r.behind,
		done: func(tx *db.Tx, done []delivery) error { return r.checkpoint(ctx, tx, done[len(done)-1].Position) },
		fail: r.fail,
	})
	if errors.Is(err, errFull) { // and what failed is tried again
		r.halted = halted{until: time.Now().Add(r.c.delay(1, 0))}
		return r.stand(ctx, err)
	}
	return err
}

// steps are what differs between new events and those that were parked.
type steps struct {
	// each reports whether an event is not for the handler now, and does what
	// there is to do with it instead. Before it so many others of the list were
	// dealt with in the transaction.
	each func(ctx context.Context, tx *db.Tx, d delivery, before int) (instead bool, err error)
	// done ends a transaction in which these were dealt with.
	done func(tx *db.Tx, list []delivery) error
	// fail deals with an event that the handler could not handle, after the
	// rollback. With false no further event is handled now.
	fail func(ctx context.Context, d delivery, cause error) (on bool, err error)
}

// failure is what a handler returned.
type failure struct {
	index int // of the event in its list; -1 if it may be any
	cause error
}

func (f *failure) Error() string { return f.cause.Error() }
func (f *failure) Unwrap() error { return f.cause }

// broken is what the database answered to the runner's own statements: nothing
// that an event could be blamed for.
type broken struct{ error }

func (b *broken) Unwrap() error { return b.error }

// advance has the handler handle a list in order, in as few transactions as
// possible. What fails is rolled back; what comes before it is handled again
// and committed, and then the step fail decides.
func (r *runner) advance(ctx context.Context, list []delivery, s steps) error {
	most, single := len(list), false
	known := error(nil) // of the event after the next most
	for len(list) > 0 {
		n, err := r.attempt(ctx, list[:most], s)
		switch {
		case err == nil:
			list, most = list[n:], most-n
			if most > 0 || len(list) == 0 {
				continue
			}
			most = len(list)
			if single {
				most = 1
			}
			if known == nil {
				continue
			}
			err = &failure{0, known} // what came before it is committed
		case ctx.Err() != nil || !blamable(err):
			return err
		}
		known = nil
		f, ok := errors.AsType[*failure](err)
		switch {
		case ok && f.index > 0:
			most, known = f.index, f.cause
			continue
		case ok && f.index == 0 || most == 1:
		default: // one of them, and which cannot be told
			most, single = 1, true
			continue
		}
		if ok {
			err = f.cause
		}
		on, err := s.fail(ctx, list[0], err)
		if err != nil || !on {
			return err
		}
		list = list[1:]
		most, single = len(list), false
	}
	return nil
}

// blamable reports whether an event may be the reason of an error.
func blamable(err error) bool {
	if errors.Is(err, errLost) || errors.Is(err, errFull) || errors.Is(err, db.ErrBusy) || errors.Is(err, db.ErrConflict) || errors.Is(err, db.ErrClosed) {
		return false
	}
	if _, own := errors.AsType[*broken](err); own {
		return false
	}
	_, handler := errors.AsType[*failure](err)
	return handler || !errors.Is(err, fault.ErrUnavailable) // a commit may fail for what the handler wrote
}

// patience is how long a transaction takes further events: others who write may
// have to wait for it.
const patience = 10 * time.Millisecond

// attempt deals with the beginning of a list in one transaction, and returns
// how much it was.
func (r *runner) attempt(ctx context.Context, list []delivery, s steps) (int, error) {
	done := 0
	err := r.inTx(ctx, func(tx *db.Tx) error { // may run again
		done = 0
		ctx, cancel := context.WithTimeout(ctx, r.c.timeout)
		defer cancel()
		began := time.Now()
		var together []delivery
		for i, d := range list {
			instead, err := s.each(ctx, tx, d, i)
			if errors.Is(err, errFull) && i > 0 {
				break // what comes before it is dealt with
			}
			switch {
			case err != nil:
				return err
			case instead:
			case r.c.single:
				if err := r.c.handle(ctx, tx, list[i:i+1]); err != nil {
					return &failure{i, err}
				}
			default:
				together = append(together, d)
			}
			if done = i + 1; r.c.single && time.Since(began) > patience {
				break
			}
		}
		if len(together) > 0 {
			if err := r.c.handle(ctx, tx, together); err != nil {
				return &failure{-1, err}
			}
		}
		return s.done(tx, list[:done])
	})
	return done, err
}
