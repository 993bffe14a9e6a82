package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/backing"
)

// unavailable holds that a caller learns of a 503 and nothing else, and the
// log learns what says names.
func unavailable(t *testing.T, err error, says ...string) {
	t.Helper()
	if p := fault.ProblemOf(err, ""); err == nil || p.Status != fault.ErrUnavailable.Status() || p.Detail != "" || len(p.Members) != 0 {
		t.Errorf("%v is told as %+v", err, p)
		return
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%v must say %q", err, s)
		}
	}
}

// within runs fn with a ctx that ends after limit, and holds that fn returns
// about then at the latest.
func within(t *testing.T, limit time.Duration, fn func(ctx context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	began := time.Now()
	err := fn(ctx)
	if took := time.Since(began); took > limit+30*time.Second { // machines are busy
		t.Errorf("returned after %s, where %s was the limit", took, limit)
	}
	return err
}

func one(ctx context.Context, d *db.DB) error {
	n, err := db.One[int](ctx, d, `SELECT COUNT(*) FROM t`)
	if err == nil && n == 0 {
		err = errors.New("the row is gone")
	}
	return err
}

func write(ctx context.Context, d *db.DB) error {
	_, err := d.Exec(ctx, `UPDATE t SET n = n + 1`)
	return err
}

func change(ctx context.Context, d *db.DB) error {
	_, err := db.InTx(ctx, d, func(tx *db.Tx) (int64, error) { return db.Exec(ctx, tx, `UPDATE t SET n = n + 1`) })
	return err
}

var uses = map[string]func(context.Context, *db.DB) error{"a query": one, "a statement": write, "a transaction": change}

// recovers holds that everything works again, at the first try.
func recovers(t *testing.T, d *db.DB) {
	t.Helper()
	for name, use := range uses {
		if err := within(t, time.Minute, func(ctx context.Context) error { return use(ctx, d) }); err != nil {
			t.Errorf("afterwards, %s: %v", name, err)
		}
	}
}

// crowd opens several connections, so that more than one dies.
func crowd(t *testing.T, d *db.DB) {
	t.Helper()
	var all []db.Rows
	for range 4 {
		rows, err := d.Query(t.Context(), `SELECT n FROM t`)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rows)
	}
	for _, rows := range all {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAServerThatDiesAndComesBack(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*backing.PostgresProcess){
		"killed": (*backing.PostgresProcess).Kill, "shut down": (*backing.PostgresProcess).Shut,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := backing.PostgresServer(t)
			d := open(t, postgres.Config{URL: server.URL()})
			statements(t, d, `CREATE TABLE t (n BIGINT)`, `INSERT INTO t VALUES (1)`)
			crowd(t, d)
			end(server)
			for name, use := range uses {
				err := within(t, time.Minute, func(ctx context.Context) error { return use(ctx, d) })
				unavailable(t, err, server.Addr())
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s waited for its deadline: %v", name, err)
				}
			}
			unavailable(t, d.Ping(t.Context()), server.Addr())
			server.Start()
			recovers(t, d)
		})
	}
}

func TestAServerThatStopsAnswering(t *testing.T) {
	t.Parallel()
	server := backing.PostgresServer(t)
	d := open(t, postgres.Config{URL: server.URL(), ConnectTimeout: 500 * time.Millisecond})
	statements(t, d, `CREATE TABLE t (n BIGINT)`, `INSERT INTO t VALUES (1)`)
	crowd(t, d)
	server.Stop()
	for name, use := range uses {
		err := within(t, time.Second, func(ctx context.Context) error { return use(ctx, d) })
		unavailable(t, err)
		if err == nil {
			t.Errorf("%s was answered by a server that is stopped", name)
		}
	}
	server.Start()
	recovers(t, d)
}

func TestANetworkThatGoesSilent(t *testing.T) {
	t.Parallel()
	p, url := throughProxy(t, backing.Postgres(t))
	d := open(t, postgres.Config{URL: url, ConnectTimeout: 500 * time.Millisecond, StatementTimeout: time.Second})
	statements(t, d, `CREATE TABLE t (n BIGINT)`, `INSERT INTO t VALUES (1)`)
	crowd(t, d)
	p.silent.Store(true)
	for _, use := range uses {
		unavailable(t, within(t, time.Second, func(ctx context.Context) error { return use(ctx, d) }), p.addr)
	}
	// Whoever has no deadline is not kept for ever either.
	unavailable(t, within(t, time.Minute, func(context.Context) error { return one(t.Context(), d) }), p.addr)
	p.silent.Store(false)
	p.cut()
	recovers(t, d)
}

func TestACommitInDoubt(t *testing.T) {
	t.Parallel()
	p, url := throughProxy(t, backing.Postgres(t))
	d := open(t, postgres.Config{URL: url})
	statements(t, d, `CREATE TABLE t (n BIGINT)`, `INSERT INTO t VALUES (1)`)
	runs := 0
	err := within(t, 5*time.Second, func(ctx context.Context) error {
		_, err := db.InTx(ctx, d, func(tx *db.Tx) (int64, error) {
			runs++
			n, err := db.Exec(ctx, tx, `UPDATE t SET n = 2`)
			p.deaf.Store(true) // the server hears COMMIT, and nobody hears the server
			return n, err
		})
		return err
	})
	if !errors.Is(err, db.ErrInDoubt) || runs != 1 {
		t.Errorf("%d runs, %v", runs, err)
	}
	unavailable(t, err, p.addr)
	p.deaf.Store(false)
	p.cut()
	if n, err := db.One[int](t.Context(), d, `SELECT n FROM t`); n != 2 || err != nil {
		t.Errorf("the transaction in doubt left %d, %v: it was committed here", n, err)
	}

	// Before its commit there is no doubt.
	err = within(t, time.Minute, func(ctx context.Context) error {
		_, err := db.InTx(ctx, d, func(tx *db.Tx) (int64, error) {
			n, err := db.Exec(ctx, tx, `UPDATE t SET n = 3`)
			p.cut()
			_, after := db.Exec(ctx, tx, `UPDATE t SET n = 4`)
			return n, errors.Join(err, after)
		})
		return err
	})
	unavailable(t, err, p.addr)
	if errors.Is(err, db.ErrInDoubt) {
		t.Errorf("a transaction that was never committed is in doubt: %v", err)
	}
}

// TestAnEndedStatementIsStopped holds that the server works no longer for a
// client that has gone (P14.7), and that the connection is kept.
func TestAnEndedStatementIsStopped(t *testing.T) {
	t.Parallel()
	d := open(t, postgres.Config{URL: backing.Postgres(t), MaxConns: 2})
	statements(t, d, `CREATE TABLE t (n BIGINT)`, `INSERT INTO t VALUES (1)`)
	pid := func() int {
		n, err := db.One[int](t.Context(), d, `SELECT pg_backend_pid()`)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := pid()
	for name, run := range map[string]func(context.Context) error{
		"a query": func(ctx context.Context) error {
			_, err := db.One[string](ctx, d, `SELECT CAST(pg_sleep(60) AS TEXT)`)
			return err
		},
		"a statement": func(ctx context.Context) error { _, err := d.Exec(ctx, `SELECT pg_sleep(60)`); return err },
		"a transaction": func(ctx context.Context) error {
			_, err := db.InTx(ctx, d, func(tx *db.Tx) (db.Result, error) { return tx.Exec(ctx, `SELECT pg_sleep(60)`) })
			return err
		},
	} {
		err := within(t, 100*time.Millisecond, run)
		if p := fault.ProblemOf(err, ""); !errors.Is(err, context.DeadlineExceeded) || p.Status != fault.ErrTimeout.Status() {
			t.Errorf("%s: %v, told as %d", name, err, p.Status)
		}
		sleeping, err := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM pg_stat_activity
			WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()`)
		if err != nil || sleeping != 0 {
			t.Errorf("%s: %d statements go on in the server, %v", name, sleeping, err)
		}
	}
	if after := pid(); after != before {
		t.Errorf("the connection %d was given up, and %d made", before, after)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := d.Exec(ctx, `SELECT pg_sleep(60)`); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestAStatementThatTakesTooLong(t *testing.T) {
	t.Parallel()
	for name, pooler := range map[string]bool{"by the session's limit": false, "behind a pooler": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, postgres.Config{URL: backing.Postgres(t), StatementTimeout: time.Second, Pooler: pooler})
			_, err := db.One[string](t.Context(), d, `SELECT CAST(pg_sleep(60) AS TEXT)`)
			unavailable(t, err, "timeout", "pg_sleep")
			_, err = d.Exec(t.Context(), `SELECT pg_sleep(60)`)
			unavailable(t, err, "timeout", "pg_sleep")
		})
	}
}

func TestConnectionsThatAreNotToBeHad(t *testing.T) {
	t.Parallel()
	d := open(t, postgres.Config{URL: backing.Postgres(t), MaxConns: 1, Wait: 20 * time.Millisecond})
	rows, err := d.Query(t.Context(), `SELECT 1`)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err = d.Exec(t.Context(), `SELECT 1`)
		if !errors.Is(err, db.ErrBusy) {
			t.Error(err)
		}
		unavailable(t, err, "all 1 connections", "20ms")
	}
	if s := d.Stats(); s.Waits < 3 || s.WaitTime < 60*time.Millisecond || s.InUse != 1 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	if _, err := d.Exec(t.Context(), `SELECT 1`); err != nil {
		t.Errorf("after the release: %v", err)
	}
}
