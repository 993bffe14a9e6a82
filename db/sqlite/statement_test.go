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
