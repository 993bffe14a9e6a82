package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
)

type account struct {
	ID       string
	Owner    string
	Currency string
	Balance  int64
	Version  int64
	At       time.Time
}

const accounts = `CREATE TABLE accounts (
	id TEXT PRIMARY KEY, owner TEXT NOT NULL, currency TEXT NOT NULL,
	balance BIGINT NOT NULL, version BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL) WITHOUT ROWID`

const insert = `INSERT INTO accounts (id, owner, currency, balance, version, at) VALUES ($1, $2, $3, $4, $5, $6)`

func benchDB(b *testing.B, cfg sqlite.Config) *db.DB {
	b.Helper()
	cfg.Path = filepath.Join(b.TempDir(), "bench.db")
	d, err := sqlite.Open(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := d.Close(); err != nil {
			b.Error(err)
		}
	})
	if _, err := db.Exec(b.Context(), d, accounts); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	return d
}

// number is a sortable id, made without fmt to keep the measure about SQL.
func number(n int64) string {
	b := []byte("acc_0000000000")
	for i := len(b) - 1; n > 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return string(b)
}

func fill(b *testing.B, d *db.DB, n int64) {
	b.Helper()
	_, err := db.InTx(b.Context(), d, func(tx *db.Tx) (struct{}, error) {
		for i := range n {
			if _, err := db.Exec(b.Context(), tx, insert, number(i), "shop", "EUR", i, 1, time.Now()); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// cpu reports the processor time per operation beside the wall clock's, which
// a disk's sync decides.
func cpu(b *testing.B) {
	b.Helper()
	before := used(b)
	b.ResetTimer()
	b.Cleanup(func() {
		b.ReportMetric(float64(used(b)-before)/float64(b.N), "cpu-ns/op")
	})
}

func used(b *testing.B) int64 {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return r.Utime.Nano() + r.Stime.Nano()
}

func BenchmarkInsert(b *testing.B) {
	d := benchDB(b, sqlite.Config{})
	cpu(b)
	for i := range b.N {
		if _, err := db.Exec(b.Context(), d, insert, number(int64(i)), "shop", "EUR", 5, 1, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStatement is one insert of a long transaction: what a statement
// costs by itself.
func BenchmarkStatement(b *testing.B) {
	d := benchDB(b, sqlite.Config{})
	now := time.Now()
	_, err := db.InTx(b.Context(), d, func(tx *db.Tx) (struct{}, error) {
		cpu(b)
		for i := range b.N {
			if _, err := db.Exec(b.Context(), tx, insert, number(int64(i)), "shop", "EUR", 5, 1, now); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkPointSelect(b *testing.B) {
	d := benchDB(b, sqlite.Config{})
	fill(b, d, 10000)
	cpu(b)
	for i := range b.N {
		a, err := db.One[account](b.Context(), d, `SELECT id, owner, currency, balance, version, at FROM accounts WHERE id = $1`, number(int64(i%10000)))
		if err != nil || a.Owner != "shop" {
			b.Fatal(a, err)
		}
	}
}

func BenchmarkPointSelectCancellable(b *testing.B) {
	d := benchDB(b, sqlite.Config{})
	fill(b, d, 10000)
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	cpu(b)
	for i := range b.N {
		if _, err := db.One[int64](ctx, d, `SELECT balance FROM accounts WHERE id = $1`, number(int64(i%10000))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkListOf20(b *testing.B) {
	d := benchDB(b, sqlite.Config{})
	fill(b, d, 10000)
	cpu(b)
	for i := range b.N {
		list, err := db.All[account](b.Context(), d, `SELECT id, owner, currency, balance, version, at FROM accounts WHERE id > $1 ORDER BY id LIMIT 20`, number(int64(i%9000)))
		if err != nil || len(list) != 20 {
			b.Fatal(len(list), err)
		}
	}
}

func BenchmarkTxOf5Inserts(b *testing.B) {
	d := benchDB(b, sqlite.Config{})
	cpu(b)
	for i := range b.N {
		if err := inserts(b.Context(), d, int64(i)*5, 5); err != nil {
			b.Fatal(err)
		}
	}
}

func inserts(ctx context.Context, d *db.DB, from, n int64) error {
	_, err := db.InTx(ctx, d, func(tx *db.Tx) (struct{}, error) {
		for i := range n {
			if _, err := db.Exec(ctx, tx, insert, number(from+i), "shop", "EUR", i, 1, time.Now()); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// The next two are the reason for group commit: 64 goroutines, each with
// transactions of two inserts.

func BenchmarkGroupCommit(b *testing.B)  { concurrent(b, sqlite.Config{}) }
func BenchmarkSingleCommit(b *testing.B) { concurrent(b, sqlite.Config{Group: 1}) }

func concurrent(b *testing.B, cfg sqlite.Config) {
	b.Helper()
	d := benchDB(b, cfg)
	var next atomic.Int64
	b.SetParallelism(32) // times two processors
	start := time.Now()
	cpu(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := inserts(b.Context(), d, next.Add(2)-2, 2); err != nil {
				b.Error(err)
				return
			}
		}
	})
	s := d.Stats()
	b.ReportMetric(float64(s.Transactions)/float64(s.Commits), "tx/commit")
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "tx/s")
}

// BenchmarkOpen is the cold start: a new file, five migrations, the first row.
func BenchmarkOpen(b *testing.B) {
	m := db.Migrations{Name: "shop", FS: fstest.MapFS{}}
	for i := range 5 {
		m.FS.(fstest.MapFS)[fmt.Sprintf("%03d_step.sql", i+1)] = &fstest.MapFile{Data: fmt.Appendf(nil,
			"-- +goose Up\nCREATE TABLE t%d (id BIGINT PRIMARY KEY, body TEXT NOT NULL);\nCREATE INDEX i%d ON t%d (body);\n", i, i, i)}
	}
	for name, path := range map[string]func(int) string{
		"file":   func(i int) string { return filepath.Join(b.TempDir(), fmt.Sprint(i)) },
		"memory": func(int) string { return ":memory:" },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			cpu(b)
			for i := range b.N {
				d, err := sqlite.Open(b.Context(), sqlite.Config{Path: path(i)})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := db.Up(b.Context(), d, m); err != nil {
					b.Fatal(err)
				}
				if _, err := db.All[string](b.Context(), d, `SELECT body FROM t4`); err != nil {
					b.Fatal(err)
				}
				if err := d.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
