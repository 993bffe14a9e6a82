package dbtest

import (
	"errors"
	"reflect"
	"sync"
	"testing"

	"github.com/ashlar-go/ashlar/db"
)

// conditions lets many transactions at once see that there is room, and fill
// it: what a transaction read must still be so when it commits. One statement
// that reads and writes is held to the same.
func conditions(t *testing.T, d *db.DB) {
	notes(t, d)
	const room = 5
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if err := inTx(t.Context(), d, func(tx *db.Tx) error {
				n, err := db.One[int](t.Context(), tx, `SELECT COUNT(*) FROM notes WHERE id < 100`)
				if err != nil || n >= room {
					return err
				}
				return add(t.Context(), tx, i)
			}); err != nil {
				t.Errorf("transaction %d: %v", i, err)
			}
			if _, err := db.Exec(t.Context(), d, `INSERT INTO notes (id, body)
				SELECT CAST($1 AS BIGINT), 'note' WHERE (SELECT COUNT(*) FROM notes WHERE id >= 100) < $2`, 100+i, room); err != nil {
				t.Errorf("statement %d: %v", i, err)
			}
		})
	}
	group.Wait()
	for _, where := range []string{"id < 100", "id >= 100"} {
		if n := count(t, d, "notes WHERE "+where); n != room {
			t.Errorf("%d notes with %s, want %d", n, where, room)
		}
	}
}

func loose(t *testing.T, d *db.DB) {
	exec(t, d, `CREATE TABLE counters (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)`, `INSERT INTO counters VALUES (1, 0)`)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 5 {
				if _, err := db.InTx(t.Context(), d, func(tx *db.Tx) (int64, error) {
					return db.Exec(t.Context(), tx, `UPDATE counters SET n = n + 1 WHERE id = $1`, 1)
				}, db.ReadCommitted); err != nil {
					t.Error(err)
				}
				// What is locked is read as it is at the end of the wait.
				if _, err := db.InTx(t.Context(), d, func(tx *db.Tx) (int64, error) {
					n, err := db.One[int](t.Context(), tx, `SELECT n FROM counters WHERE id = $1 FOR UPDATE`, 1)
					if err != nil {
						return 0, err
					}
					return db.Exec(t.Context(), tx, `UPDATE counters SET n = $1 WHERE id = $2`, n+1, 1)
				}, db.ReadCommitted); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n, err := db.One[int](t.Context(), d, `SELECT n FROM counters`); n != 160 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func oneState(t *testing.T, d *db.DB) {
	notes(t, d)
	if err := add(t.Context(), d, 1); err != nil {
		t.Fatal(err)
	}
	after := false
	got, err := db.InTx(t.Context(), d, func(tx *db.Tx) ([]int, error) {
		tx.AfterCommit(func() { after = true })
		first := count(t, tx, "notes")
		if err := add(t.Context(), d, 2); err != nil { // beside it, and waits for nothing
			return nil, err
		}
		return []int{first, count(t, tx, "notes"), count(t, d, "notes")}, nil
	}, db.ReadOnly)
	if !reflect.DeepEqual(got, []int{1, 1, 2}) || err != nil || !after {
		t.Errorf("%v, %v, after commit %t: want one note before and after another is added, and two outside", got, err, after)
	}
	if n := count(t, d, "notes"); n != 2 {
		t.Errorf("%d notes afterwards: the connection still looks at the old state", n)
	}
}

func readsOnly(t *testing.T, d *db.DB) {
	notes(t, d)
	for name, fn := range map[string]func(tx *db.Tx) error{
		"Exec": func(tx *db.Tx) error { return add(t.Context(), tx, 1) },
		"One": func(tx *db.Tx) error {
			_, err := db.One[int](t.Context(), tx, `INSERT INTO notes VALUES (1, 'a') RETURNING id`)
			return err
		},
	} {
		_, err := db.InTx(t.Context(), d, func(tx *db.Tx) (int, error) { return 0, fn(tx) }, db.ReadOnly, db.ReadCommitted)
		if !errors.Is(err, db.ErrReadOnly) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var leaked *db.Tx
	_, err := db.InTx(t.Context(), d, func(tx *db.Tx) (db.Rows, error) {
		leaked = tx
		return tx.Query(t.Context(), `SELECT id FROM notes`)
	}, db.ReadOnly)
	if err == nil {
		t.Error("rows were left open, and nobody is told")
	}
	if _, err := db.One[int](t.Context(), leaked, `SELECT 1`); !errors.Is(err, db.ErrTxDone) {
		t.Errorf("Query afterwards: %v", err)
	}
	if _, err := db.InTx(t.Context(), d, func(*db.Tx) (int, error) { return 0, errTest }, db.ReadOnly); err != errTest { //nolint:errorlint // it must be the very error
		t.Error(err)
	}
	if err := add(t.Context(), d, 1); err != nil || count(t, d, "notes") != 1 {
		t.Errorf("afterwards: %v, %d notes", err, count(t, d, "notes"))
	}
}

// locks are what a worker takes work with.
func locks(t *testing.T, d *db.DB) {
	notes(t, d)
	exec(t, d, `INSERT INTO notes VALUES (1, 'FOR UPDATE'), (2, 'for share'), (3, 'c')`)
	for i, sql := range []string{
		`SELECT id FROM notes WHERE body <> 'FOR UPDATE' ORDER BY id LIMIT 1 FOR UPDATE`,
		`SELECT id FROM notes WHERE body = 'for share' FOR UPDATE SKIP LOCKED;`,
		`SELECT id FROM notes WHERE id = 2 FOR NO KEY UPDATE OF notes NOWAIT -- FOR UPDATE`,
		`WITH two AS (SELECT id FROM notes WHERE id = 2 for share) SELECT id FROM two`,
	} {
		id, err := db.InTx(t.Context(), d, func(tx *db.Tx) (int, error) { return db.One[int](t.Context(), tx, sql) })
		if id != 2 || err != nil {
			t.Errorf("%d: %d, %v", i, id, err)
		}
	}
	taken, err := db.All[int](t.Context(), d, `UPDATE notes SET body = 'taken' WHERE id IN (
		SELECT id FROM notes WHERE body <> 'taken' ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED) RETURNING id`)
	if len(taken) != 2 || err != nil {
		t.Errorf("claimed %v, %v", taken, err)
	}
	if n := count(t, d, "notes WHERE body = 'taken'"); n != 2 {
		t.Errorf("%d were taken", n)
	}
}

func sends(t *testing.T, d *db.DB) {
	notes(t, d)
	err := inTx(t.Context(), d, func(tx *db.Tx) error {
		for i := range 3 {
			if err := tx.Send(t.Context(), `INSERT INTO notes (id, body) VALUES ($1, $2)`, i, "sent"); err != nil {
				return err
			}
		}
		if n := count(t, tx, "notes"); n != 3 {
			t.Errorf("%d notes are seen after three were sent", n)
		}
		return tx.Send(t.Context(), `UPDATE notes SET body = $1 WHERE id = $2`, "changed", 1)
	})
	if n := count(t, d, "notes WHERE body = 'changed'"); n != 1 || err != nil {
		t.Errorf("%d notes were changed, %v", n, err)
	}
	for name, fn := range map[string]func(tx *db.Tx) error{
		"the commit": func(*db.Tx) error { return nil },
		"the next":   func(tx *db.Tx) error { return add(t.Context(), tx, 9) },
	} {
		err := inTx(t.Context(), d, func(tx *db.Tx) error {
			if err := add(t.Context(), tx, 8); err != nil {
				return err
			}
			if err := tx.Send(t.Context(), `INSERT INTO notes (id, body) VALUES (1, 'taken')`); err != nil {
				return err
			}
			return fn(tx)
		})
		if !db.IsUnique(err) {
			t.Errorf("%s answers %v", name, err)
		}
	}
	if n := count(t, d, "notes"); n != 3 {
		t.Errorf("%d notes after what failed", n)
	}
	var leaked *db.Tx
	if err := inTx(t.Context(), d, func(tx *db.Tx) error { leaked = tx; return nil }); err != nil {
		t.Error(err)
	}
	if err := leaked.Send(t.Context(), `DELETE FROM notes`); !errors.Is(err, db.ErrTxDone) {
		t.Errorf("Send afterwards: %v", err)
	}
}
