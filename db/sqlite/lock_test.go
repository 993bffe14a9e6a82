package sqlite_test

import (
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/db/sqlite"
)

func TestLockingClausesGo(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		`SELECT 1 FOR UPDATE`:                                                       `SELECT 1`,
		`select 1 for no key update skip locked`:                                    `select 1`,
		"SELECT 1\nFOR\nUPDATE NOWAIT;":                                             "SELECT 1\n\n;",
		`SELECT 1 FOR UPDATE OF a, "b c", d.e NOWAIT`:                               `SELECT 1`,
		`SELECT 1 FOR SHARE OF a FOR UPDATE OF b`:                                   `SELECT 1`,
		`DELETE FROM t WHERE i IN (SELECT 1 FOR KEY SHARE SKIP LOCKED) RETURNING i`: `DELETE FROM t WHERE i IN (SELECT 1 ) RETURNING i`,
		`SELECT 'it''s FOR UPDATE' FOR/* FOR UPDATE */UPDATE -- FOR UPDATE`:         `SELECT 'it''s FOR UPDATE' -- FOR UPDATE`,
		// No clause, or not at the end of a SELECT.
		`SELECT 'a' -- FOR UPDATE`:         `SELECT 'a' -- FOR UPDATE`,
		`SELECT "FOR UPDATE" FROM t`:       `SELECT "FOR UPDATE" FROM t`,
		`SELECT [FOR UPDATE], 'FOR UPDATE`: `SELECT [FOR UPDATE], 'FOR UPDATE`,
		`SELECT 1 /* FOR UPDATE */`:        `SELECT 1 /* FOR UPDATE */`,
		`SELECT 1 FOR`:                     `SELECT 1 FOR`,
		`SELECT 1 FOR UPDATE OF`:           `SELECT 1 FOR UPDATE OF`,
		`SELECT 1 FOR UPDATE SKIP`:         `SELECT 1 FOR UPDATE SKIP`,
		`SELECT 1 FOR UPDATE WAIT`:         `SELECT 1 FOR UPDATE WAIT`,
		`SELECT 1 FOR NO UPDATE`:           `SELECT 1 FOR NO UPDATE`,
		`SELECT x_FOR UPDATE`:              `SELECT x_FOR UPDATE`,
		`CREATE TRIGGER a AFTER UPDATE ON t FOR EACH ROW BEGIN SELECT 1; END`: `CREATE TRIGGER a AFTER UPDATE ON t FOR EACH ROW BEGIN SELECT 1; END`,
	} {
		got := sqlite.Unlocked(from)
		if len(got) != len(from) {
			t.Errorf("%q has %d bytes, %q %d: positions move", got, len(got), from, len(from))
		}
		if fields(got) != fields(want) {
			t.Errorf("%q became %q, want %q", from, got, want)
		}
	}
}

func fields(s string) string { return strings.Join(strings.Fields(s), " ") }

// FuzzLockingClauses holds that a text only ever loses whole clauses.
func FuzzLockingClauses(f *testing.F) {
	for _, s := range []string{"SELECT 1 FOR UPDATE OF a.b, c SKIP LOCKED;", "FOR FOR UPDATE", "'FOR UPDATE", "[", "\"", "--", "/*FOR", "for\x00update", "É FOR SHARE)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		got := sqlite.Unlocked(sql)
		if len(got) != len(sql) {
			t.Fatalf("%q has another length than %q", got, sql)
		}
		for i := range sql {
			if got[i] != sql[i] && got[i] != ' ' {
				t.Fatalf("%q changed %q at %d", got, sql, i)
			}
		}
		if again := sqlite.Unlocked(got); again != got && strings.Count(strings.ToUpper(sql), "FOR") < 2 {
			t.Errorf("%q loses more at the second time: %q", got, again)
		}
		if !strings.Contains(strings.ToUpper(sql), "FOR") && got != sql {
			t.Errorf("%q became %q without a clause in it", sql, got)
		}
	})
}
