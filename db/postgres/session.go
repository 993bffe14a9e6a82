package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// session is one transaction. BEGIN goes to the server together with the first
// statement, and what was sent without waiting together with the next one or
// with COMMIT. The link's mutex guards it.
type session struct {
	link    *link
	begin   string // the statement that begins it
	begun   bool   // BEGIN has been sent
	over    bool   // its function has returned
	pending *batch // not sent yet
	open    *rows  // the rows that are being read
	failed  error  // what ended the transaction in the server
}

var _ db.Session = (*session)(nil)

var errOpenRows = errors.New("db/postgres: rows of this transaction are still open: read them to the end, or close them, before the next statement")

func beginOf(options db.TxOption) string {
	switch {
	case options.Has(db.ReadOnly):
		return beginSnapshot
	case options.Has(db.ReadCommitted):
		return beginReadCommitted
	}
	return beginSerializable
}

func (s *session) Exec(ctx context.Context, sql string, args []any) (db.Result, error) {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	r, err := s.query(ctx, sql, args)
	if err != nil {
		return db.Result{}, err
	}
	result, err := r.finish()
	return result, s.check(err)
}

// maxPending bounds what waits to be sent.
const (
	maxPending      = 64
	maxPendingBytes = 1 << 20
)

// Send keeps the statement for the next round trip.
func (s *session) Send(ctx context.Context, sql string, args []any) error {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	st, err := s.prepare(ctx, sql)
	if err != nil {
		return err
	}
	b, err := s.queue(st, args)
	if err != nil {
		return err
	}
	s.pending = b
	if len(b.texts) < maxPending && b.bytes < maxPendingBytes {
		return nil
	}
	s.begun, s.pending = true, nil
	return s.check(s.link.run(ctx, b))
}

func (s *session) Query(ctx context.Context, sql string, args []any) (db.Rows, error) {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	r, err := s.query(ctx, sql, args)
	if err != nil {
		return nil, err
	}
	r.release = func() { s.closed(r) }
	s.open = r
	return r, nil
}

// closed notes the end of rows, and what failed while they were read.
func (s *session) closed(r *rows) {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	if s.open == r {
		s.open = nil
	}
	if !s.over {
		_ = s.check(r.err) // whoever read them was told
	}
}

func (s *session) query(ctx context.Context, sql string, args []any) (*rows, error) {
	st, err := s.prepare(ctx, sql)
	if err != nil {
		return nil, err
	}
	if s.begun && s.pending == nil {
		r, err := s.link.query(ctx, st, args)
		return r, s.check(err)
	}
	b, err := s.queue(st, args)
	if err != nil {
		return nil, err
	}
	s.begun, s.pending = true, nil
	r := &rows{link: s.link, ctx: ctx, statement: st}
	return r, s.check(s.link.send(r, b, len(b.texts)-1))
}

// queue adds a statement to what is sent next, behind BEGIN if that was not
// sent yet.
func (s *session) queue(st *statement, args []any) (*batch, error) {
	b := s.pending
	if b == nil {
		b = &batch{}
		if !s.begun {
			s.link.own(b, s.begin)
			s.link.bounds(b)
		}
	}
	if err := s.link.add(b, st, args); err != nil {
		return nil, err
	}
	return b, nil
}

func (s *session) prepare(ctx context.Context, sql string) (*statement, error) {
	switch {
	case s.over:
		return nil, db.ErrTxDone
	case s.failed != nil:
		return nil, fmt.Errorf("db/postgres: the transaction is over since a statement failed: return its error from the function: %s", s.failed.Error())
	case s.open != nil && !s.open.closed:
		return nil, errOpenRows
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st, err := s.link.prepare(ctx, sql)
	return st, s.check(err)
}

// check notes what ended the transaction in the server: there, every statement
// that fails does.
func (s *session) check(err error) error {
	if err == nil {
		return nil
	}
	if s.begun && s.failed == nil && (s.link.pg.TxStatus() != 'T' || s.link.pg.IsClosed()) {
		s.failed = err
	}
	if s.begin == beginSnapshot {
		return readOnly(err, db.ErrReadOnly)
	}
	return err
}

// transact is one transaction on a connection, from BEGIN to COMMIT.
func (l *link) transact(ctx context.Context, options db.TxOption, fn func(db.Session) error) (committed bool, err error) {
	s := &session{link: l, begin: beginOf(options)}
	defer func() { // also when fn panics or ends its goroutine
		l.mu.Lock()
		defer l.mu.Unlock()
		s.end()
		if conflict(s.failed) && err != nil {
			err = s.failed // what fn made of it does not matter
		}
	}()
	if err := fn(s); err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case s.failed != nil:
		if conflict(s.failed) {
			return false, s.failed
		}
		return false, fmt.Errorf("db/postgres: nothing was committed: a statement failed, and the function went on: %s", s.failed.Error())
	case s.open != nil && !s.open.closed:
		return false, errOpenRows
	case !s.begun && s.pending == nil:
		return true, nil // nothing was done
	}
	return true, s.commit(ctx)
}

// commit ends the transaction for good. That ctx has ended does not matter
// unless the server needs long.
func (s *session) commit(ctx context.Context) error {
	s.over = true
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), reaction)
		defer cancel()
	}
	b := s.pending
	if b == nil {
		b = &batch{}
	}
	s.link.own(b, commit)
	s.begun, s.pending = true, nil
	return s.check(s.link.commit(ctx, b, len(b.texts)-1))
}

// commit sends a batch that ends with COMMIT.
func (l *link) commit(ctx context.Context, b *batch, main int) error {
	r := rows{link: l, ctx: ctx}
	err := l.send(&r, b, main)
	if err == nil {
		_, err = r.finish()
	}
	return r.verdict(err)
}

// verdict is the outcome of a batch that ends with COMMIT.
func (r *rows) verdict(err error) error {
	switch {
	case r.ending == "COMMIT":
		return nil // even if the connection broke right after it
	case err == nil:
		return errors.New("db/postgres: the server rolled the transaction back at its COMMIT")
	case !r.link.pg.IsClosed():
		return err // it is the server's own word
	}
	if _, said := errors.AsType[*refusal](err); said && r.at < len(r.texts)-1 {
		return err // of a statement before COMMIT, which was passed over then
	}
	return fmt.Errorf("%w: %w", db.ErrInDoubt, err)
}

// end rolls back what is not committed, and makes the session useless.
func (s *session) end() {
	s.over = true
	if s.open != nil && !s.open.closed {
		s.open.closed = true
		s.open.drain(true)
	}
	s.pending = nil
	if s.begun {
		s.link.rollback()
	}
}

// rollback ends a transaction that is open in the server, or the connection.
func (l *link) rollback() {
	if l.pg.IsClosed() || l.pg.TxStatus() == 'I' {
		return
	}
	const patience = 2 * time.Second // a server that does not answer this has ended the transaction, or will
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b := &batch{}
	l.own(b, rollback)
	if err := l.run(ctx, b); err != nil && !l.pg.IsClosed() {
		l.cut()
	}
}

// bounds adds what a session's settings would be, behind a pooler.
func (l *link) bounds(b *batch) {
	if l.pooler && l.timeout != "" {
		l.own(b, l.timeout)
	}
}

// conflict reports whether a transaction lost to another one.
func conflict(err error) bool { return err != nil && errors.Is(err, db.ErrConflict) }
