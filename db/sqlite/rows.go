package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/ashlar-go/ashlar/db"
)

// rows is the running statement of a connection.
type rows struct {
	conn    *conn
	stmt    *stmt
	ctx     context.Context // interrupts the statement; nil where it must not
	err     error
	row     bool   // a row is current, or waits for Next
	waiting bool   // the first row was fetched and Next has not been called
	closed  bool   // the statement is the connection's again
	release func() // called once, after closed
}

var _ db.Rows = (*rows)(nil)

// query starts s. The first step is taken at once: it is the one that fails,
// and the one that knows the columns after a change of the schema. The caller
// holds conn.mu.
func (c *conn) query(ctx context.Context, s *stmt, args []any, release func()) (*rows, error) {
	if err := c.bind(s, args); err != nil {
		return nil, err
	}
	r := &rows{conn: c, stmt: s, ctx: ctx, release: release}
	r.step()
	if r.err != nil {
		s.Reset()
		return nil, r.err
	}
	if s.Renew() || len(s.kinds) != len(s.Columns) {
		s.kinds = kindsOf(s.Declared)
	}
	r.waiting = true
	return r, nil
}

func (r *rows) step() {
	r.conn.native.Ctx = r.ctx
	row, err := r.stmt.Step()
	r.conn.native.Ctx = nil
	r.row = row
	if err != nil {
		r.err = interrupted(r.ctx, err, r.stmt.sql)
	}
}

func (r *rows) Columns() []string { return r.stmt.Columns }

func (r *rows) Err() error { return r.err }

func (r *rows) Next() bool {
	r.conn.mu.Lock()
	defer r.conn.mu.Unlock()
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
	r.conn.mu.Lock()
	defer r.conn.mu.Unlock()
	if r.closed || r.waiting || !r.row {
		return errors.New("db/sqlite: Scan without a row: call Next first")
	}
	if len(dst) != len(r.stmt.Columns) {
		return fmt.Errorf("db/sqlite: %d columns for %d values", len(r.stmt.Columns), len(dst))
	}
	for i, d := range dst {
		if err := scan(r.stmt, i, d); err != nil {
			return fmt.Errorf("column %q: %w", r.stmt.Columns[i], err)
		}
	}
	return nil
}

func (r *rows) Close() error {
	r.conn.mu.Lock()
	first := r.end()
	r.conn.mu.Unlock()
	if first {
		r.release()
	}
	return nil
}

// end gives the statement back. The caller holds conn.mu.
func (r *rows) end() bool {
	if r.closed {
		return false
	}
	r.closed, r.row = true, false
	r.stmt.Reset()
	return true
}
