package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite/internal/native"
)

// migrate runs fn inside one transaction on the writer: the lock of that
// transaction keeps other processes out, and whatever fails is undone whole.
// A "transaction" that fn begins is a savepoint in it.
//
// Foreign keys are not enforced meanwhile, as SQLite's way of changing a table
// (make a new one, copy, drop, rename) demands; the rows are checked before the
// commit instead.
func (w *writer) migrate(ctx context.Context, fn func(*sql.DB, db.Dialect) error) error {
	if err := w.alone(ctx, false); err != nil {
		return err
	}
	defer w.grant(true)
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	n := w.conn.native

	if err := n.Run("PRAGMA foreign_keys = OFF"); err != nil {
		return unusable(err, w.file, w.wait)
	}
	defer n.Run("PRAGMA foreign_keys = ON") //nolint:errcheck // it was on before; there is no way for it to fail
	n.Ctx = ctx
	err := n.Run("BEGIN IMMEDIATE")
	n.Ctx = nil
	if err != nil {
		return notLocked(ctx, err, w.file, w.wait)
	}
	defer func() {
		if n.InTransaction() {
			err := n.Run("ROLLBACK")
			_ = err // nothing was committed, whatever it says
		}
	}()

	changes := n.TotalChanges()
	pool := sql.OpenDB(connector{n})
	pool.SetMaxOpenConns(1)
	err = fn(pool, db.SQLite)
	if e := pool.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if !n.InTransaction() {
		return errors.New("db/sqlite: a migration ended the transaction that all migrations run in: take BEGIN, COMMIT and ROLLBACK out of it")
	}
	if n.TotalChanges() != changes {
		if err := dangling(n); err != nil {
			return err
		}
	}
	if err := n.Run("COMMIT"); err != nil {
		return unusable(err, w.file, w.wait)
	}
	return nil
}

// dangling finds the first row that refers to nothing.
func dangling(n *native.Conn) error {
	s, err := n.Prepare("PRAGMA foreign_key_check")
	if err != nil {
		return err
	}
	defer s.Close()
	row, err := s.Step()
	if err != nil || !row {
		return err
	}
	return &db.Constraint{
		Kind: db.ForeignKey, Table: string(s.Raw(0)),
		Cause: fmt.Errorf("db/sqlite: after the migrations, row %d of %s refers to a row of %s that does not exist", s.Int(1), s.Raw(0), s.Raw(2)),
	}
}

// connector, session and the rest are as much of a database/sql driver as
// migrations need, on a connection that is already in a transaction.
type connector struct{ native *native.Conn }

func (c connector) Connect(context.Context) (driver.Conn, error) { return pooled(c), nil }
func (c connector) Driver() driver.Driver                        { return c }
func (c connector) Open(string) (driver.Conn, error)             { return pooled(c), nil }

type pooled struct{ native *native.Conn }

// Close leaves the connection to its owner.
func (p pooled) Close() error { return nil }

func (p pooled) Begin() (driver.Tx, error) {
	return step(p), p.native.Run("SAVEPOINT step")
}

// step is what a migration takes for its transaction.
type step struct{ native *native.Conn }

func (s step) Commit() error { return s.native.Run("RELEASE step") }

func (s step) Rollback() error {
	if err := s.native.Run("ROLLBACK TO step"); err != nil {
		return err
	}
	return s.native.Run("RELEASE step")
}

func (p pooled) Prepare(text string) (driver.Stmt, error) {
	s, err := p.native.Prepare(text)
	switch {
	case errors.Is(err, native.ErrNoStatement):
		return nothing{}, nil
	case err != nil:
		return nil, failed(err, text)
	}
	return prepared{conn: &conn{native: p.native}, stmt: &stmt{Stmt: s, sql: text}}, nil
}

// prepared is a statement of a migration.
type prepared struct {
	conn *conn
	stmt *stmt
}

func (p prepared) Close() error  { p.stmt.Close(); return nil }
func (p prepared) NumInput() int { return p.stmt.Args }

func (p prepared) Exec(args []driver.Value) (driver.Result, error) {
	r, err := p.conn.exec(context.Background(), p.stmt, plain(args))
	return driver.RowsAffected(r.RowsAffected), err
}

func (p prepared) Query(args []driver.Value) (driver.Rows, error) {
	r, err := p.conn.query(context.Background(), p.stmt, plain(args), func() {})
	if err != nil {
		return nil, err
	}
	return result{r}, nil
}

func plain(args []driver.Value) []any {
	list := make([]any, len(args))
	for i, a := range args {
		list[i] = a
	}
	return list
}

// result is a migration's own query.
type result struct{ *rows }

func (r result) Next(dst []driver.Value) error {
	if !r.rows.Next() {
		if err := r.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	for i := range dst {
		v, err := value(r.stmt, i)
		if err != nil {
			return err
		}
		dst[i] = v
	}
	return nil
}

// nothing is a text of comments.
type nothing struct{}

func (nothing) Close() error                               { return nil }
func (nothing) NumInput() int                              { return 0 }
func (nothing) Exec([]driver.Value) (driver.Result, error) { return driver.RowsAffected(0), nil }
func (nothing) Query([]driver.Value) (driver.Rows, error) {
	return nil, errors.New("db/sqlite: no statement")
}
