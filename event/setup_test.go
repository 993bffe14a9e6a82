package event_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/db/sqlite"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/internal/backing"
)

// Order is what the tests publish.
type Order struct {
	ID     string            `json:"id"`
	Shop   string            `json:"shop"`
	Amount int64             `json:"amount"`
	Tags   map[string]string `json:"tags,omitzero"`
}

func (o Order) EventKey() string   { return o.ID }
func (o Order) EventScope() string { return o.Shop }

const (
	placed  event.Topic[Order]  = "order.placed"
	paid    event.Topic[Order]  = "order.paid"
	counted event.Topic[int]    = "stock.counted" // without a key
	named   event.Topic[string] = "shop.named"
)

// bench is a log on a database of its own.
type bench struct {
	*event.Log

	t    *testing.T
	db   *db.DB
	logs *lines
}

// eachDatabase runs a test on every database there is.
func eachDatabase(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, onSQLite(t, event.Config{}))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, on(t, openURL(t, backing.Postgres(t)), event.Config{}))
	})
}

// eachFile runs a test on every database that other processes can open too.
func eachFile(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, filepath.Join(t.TempDir(), "events.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, backing.Postgres(t))
	})
}

// openURL opens the database of eachFile.
func openURL(t *testing.T, url string) *db.DB {
	t.Helper()
	var d *db.DB
	var err error
	if strings.HasPrefix(url, "postgres") {
		d, err = postgres.Open(context.Background(), postgres.Config{URL: url})
	} else {
		d, err = sqlite.Open(context.Background(), sqlite.Config{Path: url})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// onSQLite returns a log on a new database in memory.
func onSQLite(t *testing.T, c event.Config) *bench {
	t.Helper()
	d, err := sqlite.Open(t.Context(), sqlite.Config{Path: ":memory:"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return on(t, d, c)
}

// on returns a log on a database that may be empty.
func on(t *testing.T, d *db.DB, c event.Config) *bench {
	t.Helper()
	if _, err := db.Up(t.Context(), d, db.Migrations{Name: "ashlar_event", FS: event.Migrations()}); err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, db: d, logs: &lines{}}
	c.DB, c.Log = d, slog.New(slog.NewTextHandler(b.logs, nil))
	l, err := event.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	b.Log = l
	return b
}

// tx runs fn in a transaction, which must commit.
func (b *bench) tx(fn func(tx *db.Tx) error) {
	b.t.Helper()
	if err := inTx(b.t.Context(), b.db, fn); err != nil {
		b.t.Fatal(err)
	}
}

func inTx(ctx context.Context, d *db.DB, fn func(tx *db.Tx) error) error {
	_, err := db.InTx(ctx, d, func(tx *db.Tx) (struct{}, error) { return struct{}{}, fn(tx) })
	return err
}

// place publishes an order, in a transaction of its own.
func (b *bench) place(id, shop string) {
	b.t.Helper()
	b.tx(func(tx *db.Tx) error { return placed.Publish(b.t.Context(), tx, Order{ID: id, Shop: shop}) })
}

// count publishes numbers without a key, in a transaction of their own.
func (b *bench) count(numbers ...int) {
	b.t.Helper()
	b.tx(func(tx *db.Tx) error {
		for _, n := range numbers {
			if err := counted.Publish(b.t.Context(), tx, n); err != nil {
				return err
			}
		}
		return nil
	})
}

// read returns a page, which must be there.
func (b *bench) read(q event.Query) event.Page {
	b.t.Helper()
	p, err := b.Read(b.t.Context(), q)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// exec runs a statement, which must work.
func (b *bench) exec(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.db.Exec(b.t.Context(), sql, args...); err != nil {
		b.t.Fatal(err)
	}
}

// keys are those of records, in order.
func keys(records []event.Record) string {
	var all []string
	for _, r := range records {
		all = append(all, r.Key)
	}
	return strings.Join(all, " ")
}

// payloads are those of records, in order.
func payloads[R event.Record | *event.Record](records []R) string {
	var all []string
	for _, r := range records {
		switch r := any(r).(type) {
		case event.Record:
			all = append(all, string(r.Payload))
		case *event.Record:
			all = append(all, string(r.Payload))
		}
	}
	return strings.Join(all, " ")
}

func numbers(from, to int) string {
	var all []string
	for n := from; n <= to; n++ {
		all = append(all, fmt.Sprint(n))
	}
	return strings.Join(all, " ")
}

var errTest = errors.New("the test's own error")

// lines is what was logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// logged holds how many lines say something.
func logged(t *testing.T, b *bench, what string, want int) {
	t.Helper()
	if got := strings.Count(b.logs.String(), what); got != want {
		t.Errorf("%q was logged %d times, want %d:\n%s", what, got, want, b.logs)
	}
}
