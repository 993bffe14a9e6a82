// Package dbtest proves that an adapter keeps the promises of package db:
//
//	func TestConformance(t *testing.T) {
//		dbtest.Run(t, func(t *testing.T) *db.DB { return open(t) })
//	}
//
// and, with a database that waits only briefly for a connection, [RunBusy].
// The same SQL text runs on every adapter, so the suite is also the list of
// what portable repositories may rely on.
package dbtest

import (
	"context"
	"errors"
	"testing"

	"github.com/ashlar-go/ashlar/db"
)

// Run checks the adapter behind open, which returns an empty database for one
// test alone and closes it with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) *db.DB) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *db.DB){
		"values come back as they went in":            values,
		"a pointer is NULL or a value":                pointers,
		"JSON columns hold maps, slices and structs":  documents,
		"types convert themselves":                    converters,
		"scalars need one column":                     scalars,
		"embedded structs share the row":              embedded,
		"One wants one row":                           oneRow,
		"All is never nil":                            allRows,
		"a mismatch names the column and the type":    mismatches,
		"placeholders go by number":                   placeholders,
		"a statement is one statement":                statements,
		"constraints are told apart":                  constraints,
		"a writing query runs where it is safe":       returning,
		"a transaction commits once":                  commits,
		"a transaction sees its own writes":           isolation,
		"an error rolls back":                         rollsBack,
		"a panic rolls back and goes on":              panics,
		"a kept error commits":                        keeps,
		"a finished transaction is over":              over,
		"AfterCommit follows a commit":                afterCommit,
		"a context that has ended starts nothing":     endedContext,
		"a context that ends undoes the transaction":  endingContext,
		"deferred keys fail their transaction alone":  deferredKeys,
		"one of many fails alone":                     failsAlone,
		"increments are not lost":                     increments,
		"a condition holds until the commit":          conditions,
		"a loose transaction commits too":             loose,
		"a reading transaction sees one state":        oneState,
		"a reading transaction writes nothing":        readsOnly,
		"locks have one text":                         locks,
		"hooks join the transaction":                  hooks,
		"a hook's error rolls back":                   hookErrors,
		"hooks nest":                                  hooksNest,
		"migrations go up and down by module":         migrations,
		"a broken migration names its file":           brokenMigration,
		"processes that migrate at once take turns":   concurrentMigrations,
		"a list of migrations is checked":             migrationLists,
		"a dialect has its own migrations":            dialects,
		"an older program works on a newer schema":    olderProgram,
		"what is sent runs in order":                  sends,
		"the pool answers, counts, and stays closed":  pool,
		"rows of a transaction are read one by one":   openRows,
		"a large result streams and a query can stop": streaming,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// RunBusy checks what a caller is told when every connection is in use. The
// database that open returns must wait for one no longer than a test may, some
// milliseconds, and is closed with t.Cleanup.
func RunBusy(t *testing.T, open func(t *testing.T) *db.DB) {
	t.Helper()
	t.Run("a busy database is unavailable", func(t *testing.T) {
		t.Parallel()
		busy(t, open(t))
	})
}

var errTest = errors.New("the test's own error")

// exec runs statements that must succeed.
func exec(t *testing.T, q db.Querier, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(t.Context(), q, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// count is how many rows a table has.
func count(t *testing.T, q db.Querier, table string) int {
	t.Helper()
	n, err := db.One[int](t.Context(), q, "SELECT COUNT(*) FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// inTx is InTx for functions without a result.
func inTx(ctx context.Context, d *db.DB, fn func(tx *db.Tx) error) error {
	_, err := db.InTx(ctx, d, func(tx *db.Tx) (struct{}, error) { return struct{}{}, fn(tx) })
	return err
}

// add puts a row into the table notes, which most tests use.
func add(ctx context.Context, q db.Querier, id int) error {
	_, err := db.Exec(ctx, q, `INSERT INTO notes (id, body) VALUES ($1, $2)`, id, "note")
	return err
}

func notes(t *testing.T, d *db.DB) {
	t.Helper()
	exec(t, d, `CREATE TABLE notes (id BIGINT PRIMARY KEY, body TEXT NOT NULL)`)
}
