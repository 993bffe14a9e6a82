package sqlite_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
)

// FuzzStatement runs any text as a query: it may fail, and must neither harm
// the connection nor get past the refusal of statements that control it.
func FuzzStatement(f *testing.F) {
	for _, s := range []string{
		"SELECT 1", "-- x\nBEGIN", "/* a */ /* b */ commit", ";;END", "/*", "--", "SELECT $1, '$2', \"$3\" -- $4",
		"SELECT 1; SELECT 2", "SELECT ?1", "SELECT $0", "SELECT $99999999999", "SELECT 'a\x00b'", "SELECT $1::text",
		"INSERT INTO t (id) VALUES (1) RETURNING id", "SELECT * FROM t", "VALUES (x'00', NULL, 1.5)", "EXPLAIN SELECT 1",
	} {
		f.Add(s)
	}
	d, err := sqlite.Open(context.Background(), sqlite.Config{Path: ":memory:", Readers: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = d.Close() })
	if _, err := db.Exec(context.Background(), d, table); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		for _, r := range sqlite.FirstWord(sql) {
			if r < 'A' || r > 'Z' {
				t.Errorf("word %q", sqlite.FirstWord(sql))
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		rows, err := d.Query(ctx, sql)
		if err == nil {
			for i := 0; i < 100 && rows.Next(); i++ {
				dst := make([]any, len(rows.Columns()))
				for i := range dst {
					dst[i] = new(any)
				}
				_ = rows.Scan(dst...) // a text in a column declared as a time may fail
			}
			if err := rows.Close(); err != nil {
				t.Error(err)
			}
		} else if errors.Is(err, db.ErrBusy) {
			t.Errorf("%q left the connection busy: %v", sql, err)
		}
		if n, err := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM t`); err != nil || n != 0 {
			t.Errorf("after %q: %d rows, %v", sql, n, err)
		}
	})
}

// TestTableChangesItsShape runs one statement before and after another process
// might have migrated: a table of as many columns, in another order and with
// another name and type among them.
func TestTableChangesItsShape(t *testing.T) {
	t.Parallel()
	type row struct {
		ID   string    `json:"id"`
		Note string    `json:"note"`
		At   time.Time `json:"at"`
	}
	for name, q := range map[string]func(*db.DB, func(db.Querier) (row, error)) (row, error){
		"a reader": func(d *db.DB, read func(db.Querier) (row, error)) (row, error) { return read(d) },
		"the writer": func(d *db.DB, read func(db.Querier) (row, error)) (row, error) {
			return db.InTx(t.Context(), d, func(tx *db.Tx) (row, error) { return read(tx) })
		},
	} {
		d := open(t, sqlite.Config{Path: ":memory:", Readers: 1})
		read := func(from db.Querier) (row, error) {
			return db.One[row](t.Context(), from, `SELECT * FROM r`)
		}
		exec := func(statements ...string) {
			for _, s := range statements {
				if _, err := db.Exec(t.Context(), d, s); err != nil {
					t.Fatal(err)
				}
			}
		}
		exec(`CREATE TABLE r (id TEXT, note TEXT)`, `INSERT INTO r VALUES ('r1', 'n1')`)
		want := row{ID: "r1", Note: "n1"}
		if got, err := q(d, read); got != want || err != nil {
			t.Fatalf("%s: %+v, %v", name, got, err)
		}
		exec(`DROP TABLE r`, `CREATE TABLE r (note TEXT, id TEXT)`, `INSERT INTO r VALUES ('n1', 'r1')`)
		if got, err := q(d, read); got != want || err != nil {
			t.Errorf("%s: in another order: %+v, %v", name, got, err)
		}
		exec(`DROP TABLE r`, `CREATE TABLE r (at TIMESTAMPTZ, id TEXT)`, `INSERT INTO r VALUES ('2026-11-22T17:00:00.000000Z', 'r1')`)
		want = row{ID: "r1", At: time.Date(2026, 11, 22, 17, 0, 0, 0, time.UTC)}
		if got, err := q(d, read); got != want || err != nil {
			t.Errorf("%s: with another name: %+v, %v", name, got, err)
		}
	}
}
