package ashlar

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/idem"
	"github.com/ashlar-go/ashlar/metric"
	"github.com/ashlar-go/ashlar/rest"
	"github.com/ashlar-go/ashlar/trace"
)

// idempotency joins three packages that do not know each other: rest asks
// before and after a command, db asks in each transaction between, and idem
// keeps the keys.
type idempotency struct {
	keys    *idem.Store
	db      *db.DB
	replays *metric.Family[metric.Counter]
}

// Begin returns the run of one request.
func (i idempotency) Begin(ctx context.Context, a rest.Attempt) (rest.Run, error) {
	key, err := idem.ParseKey(a.Header)
	if err != nil {
		return nil, err
	}
	claim, stored, err := i.keys.Begin(ctx, conn{i.db}, idem.Request{
		Principal: a.Principal, Operation: a.Operation, Key: key,
		Fingerprint: a.Fingerprint, TTL: a.TTL, Lease: a.Lease,
	})
	if err != nil {
		return nil, err
	}
	r := &run{claim: claim, db: i.db, replays: i.replays, encode: a.Encode, operation: a.Operation}
	if stored != nil {
		r.replay = r.answerOf(stored, true)
		return r, nil
	}
	r.ctx = db.WithHook(idem.WithClaim(ctx, claim), r)
	return r, nil
}

// sweepEvery is how often expired keys are deleted.
const sweepEvery = 10 * time.Minute

// sweep deletes expired keys until ctx ends.
func (i idempotency) sweep(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := trace.Do(ctx, "ashlar.idempotency.sweep", i.deleteExpired); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (i idempotency) deleteExpired(ctx context.Context) error {
	for {
		if n, err := i.keys.Sweep(ctx, conn{i.db}, 0); n == 0 || err != nil {
			return err
		}
	}
}

// run is one run of an idempotent command. As a hook of its transactions it
// writes the key: with a reference at the end of a phase, with the answer at
// the end of the last one.
type run struct {
	claim     *idem.Claim
	db        *db.DB
	replays   *metric.Family[metric.Counter]
	encode    func(any, error) (rest.Answer, bool)
	operation string
	ctx       context.Context
	replay    *rest.Answer
	answer    rest.Answer
}

func (r *run) Replay() *rest.Answer     { return r.replay }
func (r *run) Context() context.Context { return r.ctx }

// Begin writes nothing: the key needs no statement of its own at the start,
// because a twin that commits first makes the last statement here fail.
func (r *run) Begin(context.Context, *db.Tx) error { return nil }

// Commit writes the key as the last statement of a transaction.
func (r *run) Commit(ctx context.Context, tx *db.Tx, result any, kept error) error {
	if ref, ok := idem.Phased(ctx); ok {
		return r.claim.Phase(ctx, conn{tx}, ref)
	}
	answer, ok := r.encode(result, kept)
	if !ok {
		if kept != nil {
			return fmt.Errorf("%s: only a declared fault below 500 can be kept as the answer to a key: %w", r.operation, kept)
		}
		return fmt.Errorf("%s: a transaction returned %T, which is not the operation's answer: return the answer from the last transaction, and run those before it with idem.Phase", r.operation, result)
	}
	r.answer = answer
	return r.claim.Finish(ctx, conn{tx}, responseOf(answer))
}

// End finds the answer that the key stands for now.
func (r *run) End(ctx context.Context, out any, failed error) (*rest.Answer, error) {
	stored, err := r.claim.Settle(ctx, conn{r.db}, failed)
	switch {
	case stored != nil:
		// Either a twin was faster, or this run stored a refusal.
		return r.answerOf(stored, !r.claim.Stored()), nil
	case err != nil:
		return nil, err
	case r.claim.Stored():
		return &r.answer, nil
	}
	// The command had no transaction. What it did cannot be undone by a lost
	// key, so the key is written now, on its own.
	answer, ok := r.encode(out, nil)
	if !ok {
		return nil, errors.New(r.operation + ": the answer cannot be stored under its key")
	}
	if err := r.claim.Finish(ctx, conn{r.db}, responseOf(answer)); err != nil {
		return nil, err
	}
	return &answer, nil
}

func (r *run) answerOf(stored *idem.Response, replayed bool) *rest.Answer {
	if replayed {
		r.replays.With(r.operation).Inc()
	}
	return &rest.Answer{
		Status: stored.Status, ContentType: stored.ContentType, Location: stored.Location, ETag: stored.ETag,
		Body: stored.Body, Replayed: replayed,
	}
}

func responseOf(a rest.Answer) idem.Response {
	return idem.Response{Status: a.Status, ContentType: a.ContentType, Location: a.Location, ETag: a.ETag, Body: a.Body}
}

// conn shows a database or transaction to packages that take small interfaces.
type conn struct{ q db.Querier }

func (c conn) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	return db.Exec(ctx, c.q, sql, args...)
}

func (c conn) Row(ctx context.Context, sql string, args []any, dest ...any) (bool, error) {
	rows, err := c.q.Query(ctx, sql, args...)
	if err != nil {
		return false, err
	}
	found := rows.Next()
	if found {
		err = rows.Scan(dest...)
	}
	return found, errors.Join(err, rows.Err(), rows.Close())
}
