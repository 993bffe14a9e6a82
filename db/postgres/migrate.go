package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/ashlar-go/ashlar/db"
)

// lockMigrations asks for the advisory lock of those who migrate a schema: its
// first half is the bytes of "ashl", the other stands for the schema.
const lockMigrations = `SELECT pg_try_advisory_xact_lock(1634953324, hashtext(coalesce(current_schema(), '')))`

// Migrate runs fn while this process holds the lock. The lock belongs to a
// transaction on a connection of its own, which a pooler keeps in one piece. It
// is asked for again and again instead of waited for, because a statement that
// waits has a view of the database that CREATE INDEX CONCURRENTLY waits for.
func (a *adapter) Migrate(ctx context.Context, fn func(*sql.DB, db.Dialect) error) (err error) {
	if a.primary.closed.Load() {
		return db.ErrClosed
	}
	cfg := a.primary.native.Config().ConnConfig
	for _, name := range []string{"default_transaction_read_only", "default_transaction_isolation", "statement_timeout", "idle_in_transaction_session_timeout"} {
		delete(cfg.RuntimeParams, name)
	}
	cfg.BuildContextWatcherHandler = deadlines
	if a.config.Pooler {
		cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	simple := cfg.Copy() // what the extended protocol leaves open in a transaction keeps its view
	simple.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	lock, err := pgx.ConnectConfig(ctx, simple)
	if err != nil {
		return a.primary.unreachable(ctx, err)
	}
	defer lock.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the lock goes with the connection
	tx, err := lock.Begin(ctx)
	if err != nil {
		return fmt.Errorf("db/postgres: lock the migrations: %w", err)
	}
	if err := acquire(ctx, tx); err != nil {
		return err
	}
	// DDL that waits for a lock keeps everybody waiting who comes after it.
	cfg.RuntimeParams["lock_timeout"] = "15000"
	if a.config.Pooler {
		delete(cfg.RuntimeParams, "lock_timeout") // it refuses others than its own
	}
	pool := stdlib.OpenDB(*cfg)
	err = fn(pool, db.Postgres)
	if e := pool.Close(); err == nil {
		err = e
	}
	if e := tx.Commit(context.WithoutCancel(ctx)); e != nil && err == nil {
		err = fmt.Errorf("db/postgres: the lock of the migrations was lost while they ran, and another process may have migrated too: look at the state: %w", e)
	}
	return err
}

// deadlines ends what a connection does with its ctx, and the connection too.
func deadlines(pg *pgconn.PgConn) ctxwatch.Handler {
	return &pgconn.DeadlineContextWatcherHandler{Conn: pg.Conn()}
}

// acquire takes the lock for the transaction.
func acquire(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
		return fmt.Errorf("db/postgres: lock the migrations: %w", err)
	}
	for {
		got := false
		if err := tx.QueryRow(ctx, lockMigrations).Scan(&got); err != nil {
			return fmt.Errorf("db/postgres: lock the migrations: %w", err)
		}
		if got {
			return nil
		}
		const pause = 50 * time.Millisecond
		select {
		case <-ctx.Done():
			return fmt.Errorf("db/postgres: another process migrates, and was waited for: %w", ctx.Err())
		case <-time.After(pause + rand.N(pause)): //nolint:gosec // no secret
		}
	}
}
