package sqlite

import (
	"context"
	"errors"

	"github.com/ashlar-go/ashlar/db"
)

// session is one transaction on the writer's connection: a member of a batch.
// The connection's mutex guards it.
type session struct {
	writer *writer
	conn   *conn
	begun  bool  // there is something to undo
	over   bool  // its function has returned
	lost   error // the database rolled everything back at this error
	open   *rows // the rows that are being read
}

var _ db.Session = (*session)(nil)

var errOpenRows = errors.New("db/sqlite: rows of this transaction are still open: read them to the end, or close them, before the next statement")

func (s *session) Exec(ctx context.Context, sql string, args []any) (db.Result, error) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	st, err := s.prepare(ctx, sql)
	if err != nil {
		return db.Result{}, err
	}
	r, err := s.conn.exec(s.interruptible(ctx, st), st, args)
	s.check(err)
	return r, err
}

// Send has nothing to gain from waiting.
func (s *session) Send(ctx context.Context, sql string, args []any) error {
	_, err := s.Exec(ctx, sql, args)
	return err
}

func (s *session) Query(ctx context.Context, sql string, args []any) (db.Rows, error) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	st, err := s.prepare(ctx, sql)
	if err != nil {
		return nil, err
	}
	r, err := s.conn.query(s.interruptible(ctx, st), st, args, s.closed)
	s.check(err)
	if err != nil {
		return nil, err
	}
	s.open = r
	return r, nil
}

func (s *session) closed() {
	s.conn.mu.Lock()
	s.open = nil
	s.conn.mu.Unlock()
}

func (s *session) prepare(ctx context.Context, sql string) (*stmt, error) {
	switch {
	case s.over:
		return nil, db.ErrTxDone
	case s.lost != nil:
		return nil, s.lost
	case s.open != nil && !s.open.closed:
		return nil, errOpenRows
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.conn.prepare(sql)
}

// interruptible is ctx when ctx may stop st in the middle. Stopping a write
// rolls back the whole SQL transaction, so a write in a batch that has other
// members runs to its end.
func (s *session) interruptible(ctx context.Context, st *stmt) context.Context {
	if st.ReadOnly || s.writer.batch.members == 0 {
		return ctx
	}
	return nil
}

// check notices that SQLite ended the transaction by itself, as it does when
// the disk fails: what would come next would not be part of it.
func (s *session) check(err error) {
	if err != nil && !s.conn.native.InTransaction() {
		s.lost = err
	}
}

// broken is why the transaction is lost, for the other members.
func (s *session) broken() error {
	if s.lost != nil {
		return s.lost
	}
	return errors.New("its rollback failed")
}

// settle ends a member that succeeded, so far as that can be known before
// the commit: what it left undone must not fail the others there.
func (s *session) settle() error {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.lost != nil {
		return s.lost
	}
	if s.open != nil && !s.open.closed {
		return errOpenRows
	}
	if s.conn.native.DanglingKeys() {
		return &db.Constraint{Kind: db.ForeignKey, Cause: errors.New("db/sqlite: a row refers to a row that does not exist at the end of the transaction")}
	}
	if s.writer.batch.members > 0 {
		if err := s.conn.control("RELEASE member"); err != nil {
			return failed(err, "RELEASE")
		}
	}
	s.end()
	return nil
}

// end makes the session useless, and closes rows that were left open.
func (s *session) end() {
	s.over = true
	if s.open != nil {
		s.open.end()
	}
}
