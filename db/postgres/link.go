package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// link is one connection and the statements prepared on it. Whoever uses it
// holds mu, so that rows or a transaction that escaped to another goroutine
// get an error and never another's answer.
type link struct {
	mu         sync.Mutex
	pg         *pgconn.PgConn
	pooled     *pgxpool.Conn // while it is in use
	server     string        // host:port, for errors
	canceler   *canceler
	pooler     bool          // a transaction pooler stands between
	standby    bool          // the server only reads, and is meant to
	limit      time.Duration // the longest that the server may be silent
	timeout    string        // what begins every transaction behind a pooler, or ""
	statements map[string]*statement
	clock      uint64
	number     uint64 // of the statement prepared last
	args       arguments
	used       time.Time // when it was put back
	gone       bool      // the server has closed it, and probably others
}

// arm bounds how long the server may be silent from now on, whatever the ctx
// says: one that is gone without a word must not keep anybody.
func (l *link) arm() {
	_ = l.pg.Conn().SetDeadline(time.Now().Add(l.limit)) // on a closed one the statement fails
}

// usable reports whether the connection can be given to somebody else.
func (l *link) usable() bool {
	return !l.pg.IsClosed() && !l.pg.IsBusy() && l.pg.TxStatus() == 'I' && !l.canceler.spoiled
}

// cut closes the connection without a word to the server.
func (l *link) cut() {
	_ = l.pg.Conn().Close() // what is written next fails
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = l.pg.Close(ctx)
}

// batch is statements that go to the server together.
type batch struct {
	native pgconn.Batch
	texts  []string // of each statement
	bytes  int      // of their arguments
}

// own adds a statement of the adapter's own.
func (l *link) own(b *batch, sql string) {
	b.texts = append(b.texts, sql)
	if l.pooler {
		b.native.ExecParams(sql, nil, nil, nil, nil)
	} else {
		b.native.ExecPrepared(sql, nil, nil, nil)
	}
}

// add adds a statement of the application.
func (l *link) add(b *batch, s *statement, args []any) error {
	if err := l.bind(s, args); err != nil {
		return err
	}
	b.texts = append(b.texts, s.sql)
	b.bytes += len(l.args.arena)
	if s.desc != nil {
		b.native.ExecStatement(s.desc, l.args.values, l.args.formats, s.formats)
	} else {
		b.native.ExecParams(s.sql, l.args.values, nil, l.args.formats, nil)
	}
	l.args.forget()
	return nil
}

func (l *link) bind(s *statement, args []any) error {
	var oids []uint32
	if s.desc != nil {
		if oids = s.desc.ParamOIDs; len(args) != len(oids) {
			return fmt.Errorf("db/postgres: %d placeholders, %d arguments in %s", len(oids), len(args), brief(s.sql))
		}
		if oids == nil {
			oids = []uint32{}
		}
	}
	if err := l.args.encode(args, oids); err != nil {
		return fmt.Errorf("db/postgres: %w in %s", err, brief(s.sql))
	}
	return nil
}

// query sends one statement by itself, and returns its rows when the first one
// is there, or the end.
func (l *link) query(ctx context.Context, s *statement, args []any) (*rows, error) {
	r := &rows{link: l, ctx: ctx, statement: s}
	if s.desc == nil {
		b := &batch{}
		if err := l.add(b, s, args); err != nil {
			return nil, err
		}
		err := l.send(r, b, 0)
		return r, err
	}
	if err := l.bind(s, args); err != nil {
		return nil, err
	}
	l.arm()
	r.columns, r.names = s.columns, s.names
	r.one = l.pg.ExecStatement(ctx, s.desc, l.args.values, l.args.formats, s.formats)
	l.args.forget()
	err := r.start()
	return r, err
}

// send sends a batch, of which r reads the statement numbered main.
func (l *link) send(r *rows, b *batch, main int) error {
	l.arm()
	r.texts, r.main = b.texts, main
	r.many = l.pg.ExecBatch(r.ctx, &b.native)
	return r.start()
}

// run sends a batch of which only the effect matters.
func (l *link) run(ctx context.Context, b *batch) error {
	r := rows{link: l, ctx: ctx}
	if err := l.send(&r, b, len(b.texts)-1); err != nil {
		return err
	}
	_, err := r.finish()
	return err
}
