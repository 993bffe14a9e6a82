package idem_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/idem"

	_ "modernc.org/sqlite" // the driver
)

// conn is an idem.Conn over a *sql.DB or a *sql.Tx.
type conn struct {
	db interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
}

func (c conn) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := c.db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (c conn) Row(ctx context.Context, query string, args []any, dest ...any) (bool, error) {
	err := c.db.QueryRowContext(ctx, query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// migrate applies the Up part of the migrations, as goose does.
func migrate(db *sql.DB) error {
	return fs.WalkDir(idem.Migrations(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(idem.Migrations(), name)
		if err != nil {
			return err
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		_, err = db.Exec(up)
		return err
	})
}

// bench is one database, one clock and one store: what a test works at.
type bench struct {
	*testing.T
	db    *sql.DB
	store *idem.Store
	clock *clock
}

// setup returns a database of its own, with a table for effects.
func setup(t *testing.T, options string) *bench {
	t.Helper()
	db := open(t, options)
	if _, err := db.Exec(`CREATE TABLE effects (key TEXT NOT NULL, phase INTEGER NOT NULL, ref TEXT NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	c := &clock{at: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	return &bench{T: t, db: db, store: idem.New(c.now), clock: c}
}

// open makes a migrated database. Options go into the driver's data source
// name.
func open(t testing.TB, options string) *sql.DB {
	t.Helper()
	dsn := "file:" + filepath.Join(t.TempDir(), "idem.db") +
		"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)" + options
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := migrate(db); err != nil {
		t.Fatal(err)
	}
	return db
}

// wait lets a lost race for SQLite's only writer be a wait, not an error.
const wait = "&_pragma=busy_timeout(20000)"

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// inTx runs fn in a transaction, which rolls back if fn fails.
func (b *bench) inTx(fn func(tx idem.Conn) error) error {
	tx, err := b.db.Begin()
	if err != nil {
		return err
	}
	if err := fn(conn{tx}); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// effect is what must not happen twice.
func effect(tx idem.Conn, key string, phase int, ref string) error {
	_, err := tx.Exec(context.Background(), `INSERT INTO effects (key, phase, ref) VALUES ($1, $2, $3)`, key, int64(phase), ref)
	return err
}

// effects counts what one phase of a key's operation has done.
func (b *bench) effects(key string, phase int) int {
	b.Helper()
	var n int
	if err := b.db.QueryRow(`SELECT count(*) FROM effects WHERE key = $1 AND phase = $2`, key, phase).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// begin returns a claim, and fails the test if the key is not free.
func (b *bench) begin(r idem.Request) *idem.Claim {
	b.Helper()
	c, stored, err := b.store.Begin(b.Context(), conn{b.db}, r)
	if c == nil || stored != nil || err != nil {
		b.Fatalf("Begin = %v, %v, %v; want a claim", c, stored, err)
	}
	return c
}

// replayed returns the stored response, and fails the test without one.
func (b *bench) replayed(r idem.Request) idem.Response {
	b.Helper()
	c, stored, err := b.store.Begin(b.Context(), conn{b.db}, r)
	if c != nil || stored == nil || err != nil {
		b.Fatalf("Begin = %v, %v, %v; want a stored response", c, stored, err)
	}
	return *stored
}

// refused fails the test unless the key is refused with want.
func (b *bench) refused(r idem.Request, want error) error {
	b.Helper()
	c, stored, err := b.store.Begin(b.Context(), conn{b.db}, r)
	if c != nil || stored != nil || !errors.Is(err, want) {
		b.Fatalf("Begin = %v, %v, %v; want %v", c, stored, err, want)
	}
	return err
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
