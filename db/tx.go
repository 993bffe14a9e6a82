package db

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Tx is an open transaction: what [InTx] gives to its function. It belongs to
// that function and its goroutine; afterwards it answers [ErrTxDone].
type Tx struct {
	session Session
	db      *DB
	after   []func()
	signals []signal
	number  uint64 // of a transaction that is watched
	begun   context.Context
}

// Query runs a statement inside the transaction, seeing its own writes. Close
// the rows before the next statement.
func (tx *Tx) Query(ctx context.Context, sql string, args ...any) (Rows, error) {
	if watched(tx) == nil {
		return tx.session.Query(ctx, sql, args)
	}
	began := time.Now()
	rows, err := tx.session.Query(ctx, sql, args)
	tx.db.tell(ctx, Query, tx, sql, began, err)
	return rows, err
}

// Exec runs a statement inside the transaction. When it fails, return the
// error: whether a transaction can go on after one depends on the database.
func (tx *Tx) Exec(ctx context.Context, sql string, args ...any) (Result, error) {
	if watched(tx) == nil {
		return tx.session.Exec(ctx, sql, args)
	}
	began := time.Now()
	result, err := tx.session.Exec(ctx, sql, args)
	tx.db.tell(ctx, Statement, tx, sql, began, err)
	return result, err
}

// Dialect is the SQL that the database speaks, for what cannot be portable.
func (tx *Tx) Dialect() Dialect { return tx.db.Dialect() }

// Send is Exec for a statement of which only the effect matters: an adapter may
// send it together with the next one or with the commit, and so spare the time
// that a network takes. Statements run in the order in which they were given.
// When one fails that was sent so, a later one or [InTx] itself answers the
// error, and nothing is committed.
func (tx *Tx) Send(ctx context.Context, sql string, args ...any) error {
	if watched(tx) == nil {
		return tx.session.Send(ctx, sql, args)
	}
	began := time.Now()
	err := tx.session.Send(ctx, sql, args)
	tx.db.tell(ctx, Statement, tx, sql, began, err)
	return err
}

// AfterCommit has fn called once the transaction is committed, on the
// goroutine and before the return of [InTx]; never after a rollback. Calls
// run in the order in which they were added; what a run added that was rolled
// back and run again is forgotten. A failure in fn cannot undo the
// commit, so fn has nobody to report it to: use it for signals that may be
// lost, and a row in the same transaction for those that may not.
func (tx *Tx) AfterCommit(fn func()) { tx.after = append(tx.after, fn) }

// InTx runs fn in a transaction and commits when it returns nil. An error
// rolls back and is returned as it is; so does a panic, which is raised again.
// After an error the result is the zero T, except for one wrapped by [Keep].
//
// Transactions that run at the same time have the effect of some order one
// after the other, unless an option says otherwise. On a database that runs
// them side by side (PostgreSQL) one may lose to another for that. It is then
// rolled back and fn is called again, with a new Tx, after the [Hook] of ctx
// has begun again: until ctx ends, or for five seconds, when InTx answers
// [ErrConflict]. So fn must be safe to run again. It sets variables outside and
// does not add to them, and what must happen once it leaves to
// [Tx.AfterCommit].
//
// fn runs on the caller's goroutine. It must use tx for every statement
// (the DB itself is another connection, and a second InTx inside would wait
// for its own end) and must not call out over a network: others wait for the
// writer meanwhile. Statements that ctx interrupts fail, and so does the
// transaction. When InTx returns an error the transaction is not committed,
// but for [ErrInDoubt]; when it returns nil the transaction is durable, even if
// ctx has ended.
func InTx[T any](ctx context.Context, d *DB, fn func(tx *Tx) (T, error), options ...TxOption) (T, error) {
	var all TxOption
	for _, o := range options {
		all |= o
	}
	if watched(d) == nil {
		return inTx(ctx, d, 0, all, fn)
	}
	began, number := time.Now(), rand.Uint64()|1 //nolint:gosec // no secret; never 0, which means none
	out, err := inTx(ctx, d, number, all, fn)
	d.tell(ctx, Transaction, &Tx{number: number, begun: ctx}, "", began, err)
	return out, err
}

func inTx[T any](ctx context.Context, d *DB, number uint64, options TxOption, fn func(tx *Tx) (T, error)) (T, error) {
	for lost := (losses{}); ; {
		tx := Tx{db: d, number: number, begun: ctx}
		out, kept, err := try(ctx, &tx, options, fn)
		if err == nil {
			for _, fn := range tx.after {
				fn()
			}
			return out, kept
		}
		if !lost.again(ctx, d, &err) {
			var zero T
			return zero, err
		}
	}
}

// try runs fn in one transaction. Its result counts when err is nil.
func try[T any](ctx context.Context, tx *Tx, options TxOption, fn func(tx *Tx) (T, error)) (out T, kept, err error) {
	hook := hookOf(ctx)
	err = tx.db.driver.Transact(ctx, options, func(s Session) error {
		tx.session = s
		if hook != nil {
			if err := hook.Begin(ctx, tx); err != nil {
				return err
			}
		}
		result, err := fn(tx)
		if err != nil {
			k, ok := errors.AsType[*keep](err)
			if !ok {
				return err
			}
			kept = k.cause
		}
		if hook != nil {
			if err := hook.Commit(ctx, tx, result, kept); err != nil {
				return err
			}
		}
		out = result
		return nil
	})
	return out, kept, err
}

// Keep marks an error after which the transaction is committed all the same:
// a declined payment is recorded, and its caller still gets the refusal. The
// function of [InTx] returns Keep(err), InTx returns err itself. Keep of nil is
// nil.
func Keep(err error) error {
	if err == nil {
		return nil
	}
	return &keep{cause: err}
}

type keep struct{ cause error }

func (k *keep) Error() string { return k.cause.Error() }
func (k *keep) Unwrap() error { return k.cause }
