package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ashlar-go/ashlar/db"
)

// rows reads what the server answers to one exchange: to a single statement, or
// to a batch, of which one statement's rows are read and the others' passed
// over.
type rows struct {
	link      *link
	ctx       context.Context //nolint:containedctx // the statement's own
	statement *statement
	columns   []column
	names     []string

	one   *pgconn.ResultReader
	many  *pgconn.MultiResultReader // nil for a single statement
	texts []string                  // of the statements of the batch
	at    int                       // how many of them have ended
	main  int                       // the one that is read

	row     bool // a row is current, or waits for Next
	waiting bool // the first row was fetched and Next has not been called
	count   int
	alone   bool // no transaction goes on after them
	replica bool // the database itself can be asked when they break off
	done    bool // the server has answered everything
	closed  bool
	result  db.Result
	ending  string // the last statement's own word: COMMIT or ROLLBACK
	err     error
	release func() // called once, when closed; nil for rows that nobody reads
}

var _ db.Rows = (*rows)(nil)

// rearm is after how many rows the server's silence is measured anew.
const rearm = 256

// start reads to the first row, or to the end.
func (r *rows) start() error {
	if r.many != nil {
		for ; r.at < r.main; r.at++ {
			if !r.pass() {
				return r.end()
			}
		}
		if !r.many.NextResult() {
			return r.end()
		}
		r.one = r.many.ResultReader()
		if r.statement != nil {
			r.describe()
		}
	}
	r.step()
	r.waiting = r.row
	return r.err
}

// pass reads over the next result of a batch, and reports whether it is good.
func (r *rows) pass() bool {
	if !r.many.NextResult() {
		return false
	}
	tag, err := r.many.ResultReader().Close()
	r.ending = tag.String()
	return err == nil
}

// describe learns the columns of a statement that was not prepared.
func (r *rows) describe() {
	if r.statement.desc != nil {
		r.columns, r.names = r.statement.columns, r.statement.names
		return
	}
	for _, f := range r.one.FieldDescriptions() {
		r.columns = append(r.columns, column{name: f.Name, oid: f.DataTypeOID, format: f.Format})
		r.names = append(r.names, f.Name)
	}
}

// step moves to the next row, or to the end of everything.
func (r *rows) step() {
	if r.count++; r.count%rearm == 0 && r.ctx.Err() == nil {
		r.link.arm()
	}
	if r.row = r.one.NextRow(); !r.row {
		_ = r.end() // kept as r.err
	}
}

// end reads what the server still has to say, and keeps the first error.
func (r *rows) end() error {
	if r.done {
		return r.err
	}
	r.done, r.row, r.waiting = true, false, false
	var err error
	if r.one != nil {
		var tag pgconn.CommandTag
		if tag, err = r.one.Close(); err == nil {
			r.result.RowsAffected = affected(tag)
			r.ending = tag.String()
			r.at = r.main + 1
		}
	}
	if r.many != nil {
		for err == nil && r.at < len(r.texts) && r.pass() {
			r.at++
		}
		if e := r.many.Close(); err == nil {
			err = e
		}
	}
	if err != nil {
		r.err = r.link.failed(r.ctx, err, r.text())
		if r.replica {
			r.err = fmt.Errorf("%w: server %s: %w", db.ErrReplica, r.link.server, r.err)
		}
	}
	return r.err
}

// text is the statement that is being answered.
func (r *rows) text() string {
	switch {
	case r.many == nil:
		return r.statement.sql
	case r.at < len(r.texts):
		return r.texts[r.at]
	}
	return r.texts[len(r.texts)-1]
}

// affected counts as every database does: rows that are only read do not count.
func affected(tag pgconn.CommandTag) int64 {
	if tag.Select() {
		return 0
	}
	return tag.RowsAffected()
}

// finish reads to the end and returns what the statement did.
func (r *rows) finish() (db.Result, error) {
	if err := r.end(); err != nil {
		return db.Result{}, err
	}
	return r.result, nil
}

func (r *rows) Columns() []string { return r.names }

func (r *rows) Err() error { return r.err }

func (r *rows) Next() bool {
	r.link.mu.Lock()
	defer r.link.mu.Unlock()
	switch {
	case r.closed:
		return false
	case r.waiting:
		r.waiting = false
	case r.row:
		r.step()
	}
	return r.row
}

func (r *rows) Scan(dst ...any) error {
	r.link.mu.Lock()
	defer r.link.mu.Unlock()
	if r.closed || r.waiting || !r.row {
		return errors.New("db/postgres: Scan without a row: call Next first")
	}
	values := r.one.Values()
	if len(dst) != len(values) {
		return fmt.Errorf("db/postgres: %d columns for %d values", len(values), len(dst))
	}
	for i, d := range dst {
		if err := scan(&r.columns[i], values[i], d); err != nil {
			return fmt.Errorf("column %q: %w", r.columns[i].name, err)
		}
	}
	return nil
}

// Close leaves the rest of the rows to the server's memory where it can: it
// reads on for as long as that is cheap, and then cuts the connection of a
// statement that is no part of a transaction.
func (r *rows) Close() error {
	r.link.mu.Lock()
	first := !r.closed
	r.closed = true
	if first {
		r.drain(r.alone)
	}
	r.link.mu.Unlock()
	if first && r.release != nil {
		r.release()
	}
	return nil
}

// surplus is how many rows are read for nothing before the connection is cut.
const surplus = 1000

// drain comes to the end of the rows, or of the connection if it may.
func (r *rows) drain(mayCut bool) {
	if r.done {
		return
	}
	for n := 0; n < surplus && r.row; n++ {
		r.step()
	}
	if r.row && mayCut {
		r.done, r.row = true, false
		r.link.cut()
		return
	}
	for r.row {
		r.step()
	}
	_ = r.end() // the caller wanted no more; what failed shows in what comes next
}
