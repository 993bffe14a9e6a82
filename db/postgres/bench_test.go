package postgres_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/internal/backing"
)

const benchTables = `CREATE TABLE payments (id TEXT PRIMARY KEY, amount BIGINT NOT NULL)`

const (
	insertPayment = `INSERT INTO payments (id, amount) VALUES ($1, $2)`
	insertEntry   = `INSERT INTO entries (payment, amount) VALUES ($1, $2)`
	selectPayment = `SELECT id, amount FROM payments WHERE id = $1`
)

type payment struct {
	ID     string
	Amount int64
}

// BenchmarkTransaction inserts two rows: as a bare handler does it on pgxpool,
// which waits for the server four times, and in each way that InTx knows. Eight
// clients for each processor run side by side. The server is that of the
// tests; ASHLAR_BENCH_POSTGRES_URL names another.
func BenchmarkTransaction(b *testing.B) {
	url, d := benchDatabase(b)
	var next atomic.Int64
	id := func() string { return strconv.FormatInt(next.Add(1), 10) }
	ours := func(insert func(ctx context.Context, tx *db.Tx, sql string, args ...any) error, options ...db.TxOption) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := db.InTx(ctx, d, func(tx *db.Tx) (struct{}, error) {
				key := id()
				return struct{}{}, errors.Join(insert(ctx, tx, insertPayment, key, 5), insert(ctx, tx, insertEntry, key, 5))
			}, options...)
			return err
		}
	}
	wait := func(ctx context.Context, tx *db.Tx, sql string, args ...any) error {
		_, err := tx.Exec(ctx, sql, args...)
		return err
	}
	send := func(ctx context.Context, tx *db.Tx, sql string, args ...any) error { return tx.Send(ctx, sql, args...) }
	bare := benchPool(b, url)
	for _, c := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"bare pgx, read committed", func(ctx context.Context) error {
			return pgx.BeginFunc(ctx, bare, func(tx pgx.Tx) error {
				key := id()
				_, first := tx.Exec(ctx, insertPayment, key, 5)
				_, second := tx.Exec(ctx, insertEntry, key, 5)
				return errors.Join(first, second)
			})
		}},
		{"exec, serializable", ours(wait)},
		{"exec, read committed", ours(wait, db.ReadCommitted)},
		{"send, serializable", ours(send)},
		{"send, read committed", ours(send, db.ReadCommitted)},
	} {
		b.Run(c.name, func(b *testing.B) { crowded(b, c.run) })
	}
	b.Logf("%d transactions were run again", d.Stats().Retries)
}

// BenchmarkQuery reads a row by its key.
func BenchmarkQuery(b *testing.B) {
	url, d := benchDatabase(b)
	if _, err := d.Exec(b.Context(), insertPayment, "1", 5); err != nil {
		b.Fatal(err)
	}
	bare := benchPool(b, url)
	b.Run("bare pgx", func(b *testing.B) {
		crowded(b, func(ctx context.Context) error {
			var p payment
			return bare.QueryRow(ctx, selectPayment, "1").Scan(&p.ID, &p.Amount)
		})
	})
	b.Run("one", func(b *testing.B) {
		crowded(b, func(ctx context.Context) error {
			_, err := db.One[payment](ctx, d, selectPayment, "1")
			return err
		})
	})
}

func benchDatabase(b *testing.B) (string, *db.DB) {
	b.Helper()
	url := os.Getenv("ASHLAR_BENCH_POSTGRES_URL")
	if url == "" {
		url = backing.Postgres(b)
	}
	d, err := postgres.Open(b.Context(), postgres.Config{URL: url})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	for _, sql := range []string{`DROP TABLE IF EXISTS payments`, `DROP TABLE IF EXISTS entries`, benchTables, `CREATE TABLE entries (payment TEXT NOT NULL, amount BIGINT NOT NULL)`} {
		if _, err := d.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	return url, d
}

// benchPool is what a bare handler has.
func benchPool(b *testing.B, url string) *pgxpool.Pool {
	b.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		b.Fatal(err)
	}
	cfg.MaxConns = 16
	pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	return pool
}

func crowded(b *testing.B, run func(context.Context) error) {
	b.Helper()
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		ctx, cancel := context.WithCancel(b.Context()) // as a request has one
		defer cancel()
		for pb.Next() {
			if err := run(ctx); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
