package db

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/fault"
)

// Querier runs SQL: a [*DB] or a [*Tx]. Repository functions take one, and
// hand it to [One], [All] and [Exec].
type Querier interface {
	// Query runs a statement that returns rows. The caller must close them.
	// Within a transaction only one Rows may be open at a time.
	Query(ctx context.Context, sql string, args ...any) (Rows, error)
	// Exec runs a statement and discards the rows it may return.
	Exec(ctx context.Context, sql string, args ...any) (Result, error)
}

// Rows is the result of a query, read forward once. It belongs to one
// goroutine.
type Rows interface {
	// Columns are the column names. The slice must not be modified.
	Columns() []string
	// Next moves to the next row and reports whether there is one. After
	// false, Err tells the end of the rows from a failure.
	Next() bool
	// Scan copies the current row into dst, one pointer per column: to any
	// of Go's strings, integers, floats, bool, []byte, time.Time, to a
	// pointer to one of them (nil is NULL), to any, or a sql.Scanner.
	Scan(dst ...any) error
	// Err is what ended the iteration early, or nil.
	Err() error
	// Close releases the connection. It may be called twice.
	Close() error
}

// Result says what a statement without rows did.
type Result struct {
	// RowsAffected counts the rows that were inserted, updated or deleted.
	RowsAffected int64
}

// Driver is what an adapter implements; applications never call it. Every
// method may be called by many goroutines at once.
type Driver interface {
	// Query runs a statement that only reads, on a connection of its own
	// until the Rows are closed. It answers [ErrWrites], without having run
	// anything, when the statement could write. An adapter with replicas gives
	// them the queries that [StaleOf] lets them answer.
	Query(ctx context.Context, sql string, args []any) (Rows, error)
	// Exec runs one statement in a transaction of its own. It answers
	// [ErrConflict] when that lost to another one.
	Exec(ctx context.Context, sql string, args []any) (Result, error)
	// Transact runs fn once in a transaction, on the caller's goroutine, and
	// commits when fn returns nil. An error of fn is returned as it is after
	// the rollback; a panic of fn is raised again after the rollback. The
	// Session is dead when fn has returned. When the transaction lost to
	// another one the error is an [ErrConflict], whatever fn made of it, and
	// nothing was committed: the caller runs it again.
	Transact(ctx context.Context, options TxOption, fn func(Session) error) error
	// Migrate runs fn with a database on which migrations may be applied,
	// while no other process can migrate. What fn did is kept only when it
	// returns nil, as far as the database can undo it.
	Migrate(ctx context.Context, fn func(*sql.DB, Dialect) error) error
	// Dialect is the SQL that the database speaks.
	Dialect() Dialect
	// Ping reports whether a statement can run now.
	Ping(ctx context.Context) error
	// Stats is a snapshot of the pool.
	Stats() Stats
	// Close waits for running transactions, then releases everything.
	Close() error
}

// Session is an open transaction of a [Driver]. It serves one goroutine.
type Session interface {
	Query(ctx context.Context, sql string, args []any) (Rows, error)
	Exec(ctx context.Context, sql string, args []any) (Result, error)
	// Send is Exec for a statement whose result nobody waits for. It runs
	// before what comes next, at the latest before the commit, and when it
	// fails so does that.
	Send(ctx context.Context, sql string, args []any) error
}

// Dialect names the SQL that a driver speaks, for what cannot be portable.
type Dialect string

// The dialects of Ashlar's own adapters.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// Stats is a snapshot of a pool. Counters grow for as long as the DB lives.
type Stats struct {
	Connections  int           // open connections, readers and writers
	InUse        int           // connections that run something now
	Waiting      int           // callers that wait for a connection now
	Waits        int64         // callers that ever had to wait
	WaitTime     time.Duration // how long they waited in all
	Transactions int64         // transactions committed
	Rollbacks    int64         // transactions rolled back
	Commits      int64         // commits made durable; below Transactions when they are grouped
	Retries      int64         // times a transaction was run again because it had lost to another
	Replicas     []Replica     // of the database; nil where there are none
	Missed       int64         // queries of [Stale] that no replica could answer
}

// DB is a database that many goroutines may use at once. A statement run on
// it directly is a transaction of its own; see [InTx] for more than one.
type DB struct {
	driver   Driver
	plans    plans
	retries  atomic.Int64
	watchers []func(context.Context, Event)
	signals  signals
}

// New wraps an adapter's driver. Applications call the adapter's Open.
func New(driver Driver) *DB { return &DB{driver: driver} }

// Query runs a statement that only reads. A statement that writes and returns
// rows (INSERT … RETURNING) is refused with [ErrWrites]: run it through [One],
// [All] or in [InTx], where its effect and its rows belong together.
func (d *DB) Query(ctx context.Context, sql string, args ...any) (Rows, error) {
	if watched(d) == nil {
		return d.driver.Query(ctx, sql, args)
	}
	began := time.Now()
	rows, err := d.driver.Query(ctx, sql, args)
	d.tell(ctx, Query, nil, sql, began, err)
	return rows, err
}

// Exec runs one statement in a transaction of its own, with the [Hook] of ctx
// if there is one.
func (d *DB) Exec(ctx context.Context, sql string, args ...any) (Result, error) {
	switch {
	case hookOf(ctx) != nil:
	case watched(d) == nil:
		return d.exec(ctx, sql, args)
	default:
		began := time.Now()
		result, err := d.exec(ctx, sql, args)
		d.tell(ctx, Statement, nil, sql, began, err)
		return result, err
	}
	return InTx(ctx, d, func(tx *Tx) (Result, error) { return tx.Exec(ctx, sql, args...) })
}

func (d *DB) exec(ctx context.Context, sql string, args []any) (Result, error) {
	for lost := (losses{}); ; {
		result, err := d.driver.Exec(ctx, sql, args)
		if err == nil || !lost.again(ctx, d, &err) {
			return result, err
		}
	}
}

// Dialect is the SQL that the database speaks, for what cannot be portable.
func (d *DB) Dialect() Dialect { return d.driver.Dialect() }

// Ping reports whether the database answers now.
func (d *DB) Ping(ctx context.Context) error { return d.driver.Ping(ctx) }

// Stats is a snapshot of the connections and transactions.
func (d *DB) Stats() Stats {
	s := d.driver.Stats()
	s.Retries = d.retries.Load()
	return s
}

// Close waits for running transactions to end and releases every connection.
// Calls made after it fail.
func (d *DB) Close() error { return d.driver.Close() }

// Errors that a caller may test for with errors.Is.
//
// What passes by itself or by an operator's hand (a busy database, a full disk,
// one that fails) is a [fault.ErrUnavailable], so that the client of an
// operation learns that the same request is right later. Its text is for the
// log and names the place and the reason. Adapters answer an ended ctx with its
// own error, and everything else with errors that are no fault.
var (
	// ErrNoRows is answered by [One] when the query found nothing.
	ErrNoRows = errors.New("db: no rows")
	// ErrManyRows is answered by [One] when the query found more than one
	// row. Add a condition, or LIMIT 1 to an ordered query.
	ErrManyRows = errors.New("db: more than one row")
	// ErrBusy means that a connection or the writer was not to be had in
	// time; the statement had no effect and may be tried again. It is a
	// [fault.ErrUnavailable].
	ErrBusy error = fault.ErrUnavailable.Wrap(errors.New("db: busy"))
	// ErrConflict means that a transaction lost to another one that ran at
	// the same time, and had no effect. [InTx] runs it again and answers this
	// only when it kept losing. It is a [fault.ErrUnavailable].
	ErrConflict error = fault.ErrUnavailable.Wrap(errors.New("db: lost to another transaction"))
	// ErrInDoubt means that the connection broke while a transaction was being
	// committed, and nobody knows whether it was. Look, or do it again under an
	// idempotency key. It is a [fault.ErrUnavailable]. SQLite never answers it.
	ErrInDoubt error = fault.ErrUnavailable.Wrap(errors.New("db: the connection broke at the commit, which may have happened"))
	// ErrClosed is answered by a closed [DB].
	ErrClosed = errors.New("db: closed")
	// ErrTxDone is answered by a [Tx] whose function has returned.
	ErrTxDone = errors.New("db: the transaction is over: a *db.Tx must not leave the function it was given to")
	// ErrWrites is answered by [DB.Query] for a statement that writes.
	ErrWrites = errors.New("db: a query that writes needs db.One, db.All or a transaction")
	// ErrReadOnly is answered for a statement that writes in a transaction
	// that was begun [ReadOnly].
	ErrReadOnly = errors.New("db: a statement that writes in a transaction of db.ReadOnly")
)
