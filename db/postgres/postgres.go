// Package postgres keeps a [db.DB] in PostgreSQL.
//
//	d, err := postgres.Open(ctx, postgres.Config{URL: os.Getenv("DATABASE_URL")})
//	if err != nil {
//		return err // names the server and what to do, never the password
//	}
//	defer d.Close()
//
// Transactions are SERIALIZABLE, single statements that write included, so that
// code means what it means on SQLite; [db.InTx] runs one again that lost to
// another. [db.ReadCommitted] loosens that for one transaction. Queries outside
// of transactions see what was committed when they began, and the server
// refuses to write for them.
//
// BEGIN travels with the first statement, what [db.Tx.Send] was given with the
// next one or with COMMIT, and a single statement with both: one round trip
// each. A statement whose ctx ends is stopped in the server. One that the
// server does not answer ends with its ctx too, or after
// [Config.StatementTimeout], and its connection is given up; the pool makes
// another when the server is back.
package postgres

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// Open connects to the database. The errors say which server, why, and what to
// do; those that a later try may not have, because the server does not answer
// or has no connection left, are a [github.com/ashlar-go/ashlar/fault.ErrUnavailable].
func Open(ctx context.Context, cfg Config) (*db.DB, error) {
	a, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return db.New(a), nil
}

func open(ctx context.Context, cfg Config) (*adapter, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	p, err := newPool(cfg)
	if err != nil {
		return nil, err
	}
	a := &adapter{primary: p, config: cfg}
	if err := a.first(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	if len(cfg.Replicas) > 0 {
		if a.replicas, err = follow(cfg); err != nil {
			return nil, errors.Join(err, a.Close())
		}
	}
	return a, nil
}

// first makes the first connection, so that a mistake shows at the start.
func (a *adapter) first(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.config.ConnectTimeout)
	defer cancel()
	c, err := a.primary.native.Acquire(ctx)
	if err != nil {
		return explain(err, a.primary.conn, a.config.ConnectTimeout)
	}
	c.Release()
	return nil
}

// adapter is the db.Driver of one database.
type adapter struct {
	primary  *pool
	replicas *replicas // nil where there are none
	config   Config

	committed, rolledBack atomic.Int64
}

var _ db.Driver = (*adapter)(nil)

func (a *adapter) Dialect() db.Dialect { return db.Postgres }

func (a *adapter) Query(ctx context.Context, sql string, args []any) (db.Rows, error) {
	if a.replicas != nil {
		if r, err := a.replicas.read(ctx, sql, args); r != nil || err != nil {
			return r, err
		}
	}
	return a.primary.read(ctx, sql, args)
}

func (p *pool) read(ctx context.Context, sql string, args []any) (db.Rows, error) {
	l, err := p.get(ctx)
	if err != nil {
		return nil, err
	}
	r, err := l.read(ctx, sql, args)
	if err != nil {
		p.put(l)
		return nil, err
	}
	r.release = func() { p.put(l) }
	return r, nil
}

// read runs a statement that may only read, and once more when it was prepared
// for a schema that is no more.
func (l *link) read(ctx context.Context, sql string, args []any) (*rows, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for again := true; ; again = false {
		st, err := l.prepare(ctx, sql)
		if err != nil {
			return nil, err
		}
		r, err := l.ask(ctx, st, args)
		if err == nil {
			r.alone = true
			return r, nil
		}
		if errors.Is(err, errOutdated) && again {
			continue
		}
		if l.pooler {
			l.rollback()
		}
		return nil, readOnly(err, db.ErrWrites)
	}
}

// ask is query for a statement outside of a transaction.
func (l *link) ask(ctx context.Context, st *statement, args []any) (*rows, error) {
	if !l.pooler {
		return l.query(ctx, st, args)
	}
	b := &batch{}
	l.own(b, beginQuery)
	l.bounds(b)
	main := len(b.texts)
	if err := l.add(b, st, args); err != nil {
		return nil, err
	}
	l.own(b, commit)
	r := &rows{link: l, ctx: ctx, statement: st}
	return r, l.send(r, b, main)
}

func (a *adapter) Exec(ctx context.Context, sql string, args []any) (db.Result, error) {
	l, err := a.primary.get(ctx)
	if err != nil {
		return db.Result{}, err
	}
	defer a.primary.put(l)
	result, err := l.once(ctx, sql, args)
	a.count(err == nil)
	return result, err
}

// once is one statement in a transaction of its own, in one round trip.
func (l *link) once(ctx context.Context, sql string, args []any) (db.Result, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	st, err := l.prepare(ctx, sql)
	if err != nil {
		return db.Result{}, err
	}
	b := &batch{}
	l.own(b, beginSerializable)
	l.bounds(b)
	main := len(b.texts)
	if err := l.add(b, st, args); err != nil {
		return db.Result{}, err
	}
	l.own(b, commit)
	r := rows{link: l, ctx: ctx, statement: st}
	err = l.send(&r, b, main)
	var result db.Result
	if err == nil {
		result, err = r.finish()
	}
	if err = r.verdict(err); err != nil {
		l.rollback()
		return db.Result{}, err
	}
	return result, nil
}

func (a *adapter) Transact(ctx context.Context, options db.TxOption, fn func(db.Session) error) error {
	l, err := a.primary.get(ctx)
	if err != nil {
		return err
	}
	committed := false
	defer func() {
		a.primary.put(l)
		a.count(committed)
	}()
	committed, err = l.transact(ctx, options, fn)
	committed = committed && err == nil
	return err
}

func (a *adapter) count(committed bool) {
	if committed {
		a.committed.Add(1)
	} else {
		a.rolledBack.Add(1)
	}
}

func (a *adapter) Ping(ctx context.Context) error {
	r, err := a.primary.read(ctx, "SELECT 1", nil)
	if err != nil {
		return err
	}
	return r.Close()
}

func (a *adapter) Stats() db.Stats {
	p := a.primary
	s := db.Stats{
		Connections:  int(p.native.Stat().TotalConns()),
		InUse:        int(p.inUse.Load()),
		Waiting:      int(p.waiting.Load()),
		Waits:        p.waits.Load(),
		WaitTime:     time.Duration(p.waitTime.Load()),
		Transactions: a.committed.Load(),
		Rollbacks:    a.rolledBack.Load(),
		Commits:      a.committed.Load(),
	}
	if a.replicas != nil {
		s.Replicas, s.Missed = a.replicas.stats()
	}
	return s
}

func (a *adapter) Close() error {
	if a.replicas == nil {
		return a.primary.close()
	}
	return errors.Join(a.replicas.close(), a.primary.close())
}
