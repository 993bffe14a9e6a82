package db

import (
	"context"
	"time"
)

// Step says what an [Event] tells of.
type Step uint8

// The steps.
const (
	Query       Step = iota // a statement that returns rows, until they are read
	Statement               // one that returns none
	Transaction             // all of an [InTx], with the wait for its turn and its commit
	steps       = iota
)

// String returns the step in lower case, for labels.
func (s Step) String() string {
	return [...]string{"query", "statement", "transaction"}[min(s, steps-1)]
}

// Event is a statement or a transaction that has ended.
type Event struct {
	Step Step
	Tx   uint64 // a random number that names the transaction, the same for what is inside; 0 outside of one
	// In is what the transaction was begun with, for what is inside: the ctx of a
	// statement may be another, that of whom the work is for. Nil outside of one.
	In   context.Context
	SQL  string // as it was written, without its arguments; empty for a Transaction
	Took time.Duration
	Err  error // nil, or what the caller got: [ErrNoRows] too, and what a transaction's function returned
}

// Watch has fn told of each statement and transaction when it has ended, on
// the goroutine that ran it: the place for metrics and traces, and for nothing
// slow, because a transaction may be open meanwhile. Call it before the
// database is used; several are told in order. Of a Query that is not made by
// [One] or [All] it is told when the first row can be read.
func (d *DB) Watch(fn func(ctx context.Context, e Event)) { d.watchers = append(d.watchers, fn) }

// watched returns the database behind q if anybody watches it, or nil.
func watched(q Querier) *DB {
	var d *DB
	switch q := q.(type) {
	case *DB:
		d = q
	case *Tx:
		d = q.db
	}
	if d == nil || len(d.watchers) == 0 {
		return nil
	}
	return d
}

func (d *DB) tell(ctx context.Context, step Step, tx *Tx, sql string, began time.Time, err error) {
	e := Event{Step: step, SQL: sql, Took: time.Since(began), Err: err}
	if tx != nil {
		e.Tx, e.In = tx.number, tx.begun
	}
	for _, fn := range d.watchers {
		fn(ctx, e)
	}
}

// within is the transaction that q is, or nil.
func within(q Querier) *Tx {
	tx, _ := q.(*Tx)
	return tx
}

// query is q.Query, of which nobody is told.
func query(ctx context.Context, q Querier, sql string, args []any) (Rows, error) {
	switch q := q.(type) {
	case *DB:
		return q.driver.Query(ctx, sql, args)
	case *Tx:
		return q.session.Query(ctx, sql, args)
	}
	return q.Query(ctx, sql, args...)
}
