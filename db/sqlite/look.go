package sqlite

import (
	"context"
	"fmt"

	"github.com/ashlar-go/ashlar/db"
)

// look runs a transaction that only reads on a reader: it sees one state of
// the database and has nothing to do with the writer.
func (d *adapter) look(ctx context.Context, fn func(db.Session) error) (err error) {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("db/sqlite: transaction not started: %w", err)
	}
	c, err := d.readers.get(ctx)
	if err != nil {
		return err
	}
	v := &view{conn: c}
	done := false
	defer func() { // also when fn panics or ends its goroutine
		if e := v.end(); done && e != nil {
			done, err = false, e
		}
		d.readers.put(c)
		if done {
			d.writer.committed.Add(1)
		} else {
			d.writer.rolledBack.Add(1)
		}
	}()
	if err := v.begin(); err != nil {
		return unusable(err, d.writer.file, d.writer.wait)
	}
	if err := fn(v); err != nil {
		return err
	}
	done = true
	return nil
}

// view is the session of a transaction that only reads. The connection's mutex
// guards it.
type view struct {
	conn *conn
	over bool  // its function has returned
	open *rows // the rows that are being read
}

var _ db.Session = (*view)(nil)

func (v *view) begin() error {
	v.conn.mu.Lock()
	defer v.conn.mu.Unlock()
	return v.conn.control("BEGIN")
}

func (v *view) Exec(ctx context.Context, sql string, args []any) (db.Result, error) {
	v.conn.mu.Lock()
	defer v.conn.mu.Unlock()
	s, err := v.prepare(ctx, sql)
	if err != nil {
		return db.Result{}, err
	}
	return v.conn.exec(ctx, s, args)
}

func (v *view) Send(ctx context.Context, sql string, args []any) error {
	_, err := v.Exec(ctx, sql, args)
	return err
}

func (v *view) Query(ctx context.Context, sql string, args []any) (db.Rows, error) {
	v.conn.mu.Lock()
	defer v.conn.mu.Unlock()
	s, err := v.prepare(ctx, sql)
	if err != nil {
		return nil, err
	}
	r, err := v.conn.query(ctx, s, args, func() {})
	if err != nil {
		return nil, err
	}
	v.open = r
	return r, nil
}

func (v *view) prepare(ctx context.Context, sql string) (*stmt, error) {
	switch {
	case v.over:
		return nil, db.ErrTxDone
	case v.open != nil && !v.open.closed:
		return nil, errOpenRows
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := v.conn.prepare(sql)
	if err == nil && !s.ReadOnly {
		return nil, db.ErrReadOnly
	}
	return s, err
}

// end closes the transaction, and rows that were left open, which is an error.
func (v *view) end() error {
	v.conn.mu.Lock()
	defer v.conn.mu.Unlock()
	v.over = true
	left := v.open != nil && !v.open.closed
	if left {
		v.open.end()
	}
	if v.conn.native.InTransaction() {
		if err := v.conn.control("ROLLBACK"); err != nil {
			return failed(err, "ROLLBACK")
		}
	}
	if left {
		return errOpenRows
	}
	return nil
}
