package dbtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"testing"

	"github.com/ashlar-go/ashlar/db"
)

func constraints(t *testing.T, d *db.DB) {
	exec(t, d,
		`CREATE TABLE shops (id BIGINT PRIMARY KEY, name TEXT NOT NULL)`,
		`CREATE TABLE items (
			id BIGINT PRIMARY KEY, shop BIGINT NOT NULL REFERENCES shops (id), code TEXT NOT NULL,
			price BIGINT NOT NULL CONSTRAINT positive CHECK (price > 0),
			CONSTRAINT items_code UNIQUE (shop, code))`,
		`INSERT INTO shops VALUES (1, 'one')`,
		`INSERT INTO items VALUES (1, 1, 'a', 5)`,
	)
	for name, c := range map[string]struct {
		sql  string
		is   func(error) bool
		isnt func(error) bool
	}{
		"unique":      {`INSERT INTO items VALUES (2, 1, 'a', 5)`, func(err error) bool { return db.IsUnique(err) && db.IsUnique(err, "items_code", "items.code") }, func(err error) bool { return db.IsUnique(err, "other") || db.IsCheck(err) }},
		"primary key": {`INSERT INTO items VALUES (1, 1, 'b', 5)`, func(err error) bool { return db.IsUnique(err) && db.IsUnique(err, "id", "items_pkey") }, func(err error) bool { return db.IsForeignKey(err) }},
		"foreign key": {`INSERT INTO items VALUES (3, 2, 'c', 5)`, func(err error) bool { return db.IsForeignKey(err) }, func(err error) bool { return db.IsUnique(err) }},
		"referred to": {`DELETE FROM shops`, func(err error) bool { return db.IsForeignKey(err) }, func(err error) bool { return db.IsNotNull(err) }},
		"check":       {`UPDATE items SET price = 0`, func(err error) bool { return db.IsCheck(err) && db.IsCheck(err, "positive") }, func(err error) bool { return db.IsCheck(err, "other") }},
		"not null":    {`UPDATE items SET code = NULL`, func(err error) bool { return db.IsNotNull(err) && db.IsNotNull(err, "items.code") }, func(err error) bool { return db.IsNotNull(err, "price") }},
	} {
		_, err := db.Exec(t.Context(), d, c.sql)
		if !c.is(err) || c.isnt(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := count(t, d, "items"); n != 1 {
		t.Errorf("%d items", n)
	}
}

func returning(t *testing.T, d *db.DB) {
	notes(t, d)
	id, err := db.One[int](t.Context(), d, `INSERT INTO notes VALUES ($1, $2) RETURNING id`, 7, "a")
	if id != 7 || err != nil {
		t.Error(id, err)
	}
	ids, err := db.All[int](t.Context(), d, `UPDATE notes SET body = 'b' RETURNING id`)
	if err != nil || !reflect.DeepEqual(ids, []int{7}) {
		t.Error(ids, err)
	}
	if rows, err := d.Query(t.Context(), `DELETE FROM notes RETURNING id`); !errors.Is(err, db.ErrWrites) {
		if err == nil {
			_ = rows.Close()
		}
		t.Errorf("a bare query that writes: %v", err)
	}
	if n := count(t, d, "notes"); n != 1 {
		t.Errorf("a refused query deleted the row")
	}
	// One that fails after the write must leave nothing.
	if _, err := db.One[int](t.Context(), d, `INSERT INTO notes VALUES (8, 'a'), (9, 'a') RETURNING id`); !errors.Is(err, db.ErrManyRows) {
		t.Error(err)
	}
	if n := count(t, d, "notes"); n != 1 {
		t.Errorf("One with two rows left %d notes", n)
	}
}

func commits(t *testing.T, d *db.DB) {
	notes(t, d)
	calls := 0
	got, err := db.InTx(t.Context(), d, func(tx *db.Tx) (string, error) {
		calls++
		return "done", errors.Join(add(t.Context(), tx, 1), add(t.Context(), tx, 2))
	})
	if got != "done" || err != nil || calls != 1 || count(t, d, "notes") != 2 {
		t.Error(got, err, calls)
	}
}

func isolation(t *testing.T, d *db.DB) {
	notes(t, d)
	err := inTx(t.Context(), d, func(tx *db.Tx) error {
		if err := add(t.Context(), tx, 1); err != nil {
			return err
		}
		if in, out := count(t, tx, "notes"), count(t, d, "notes"); in != 1 || out != 0 {
			t.Errorf("%d rows inside, %d outside before the commit", in, out)
		}
		if in, out := tx.Dialect(), d.Dialect(); in != out {
			t.Errorf("%s inside, %s outside", in, out)
		}
		return nil
	})
	if err != nil || count(t, d, "notes") != 1 {
		t.Error("after the commit", err)
	}
}

func rollsBack(t *testing.T, d *db.DB) {
	notes(t, d)
	got, err := db.InTx(t.Context(), d, func(tx *db.Tx) (string, error) {
		if err := add(t.Context(), tx, 1); err != nil {
			return "", err
		}
		return "partial", errTest
	})
	if got != "" || err != errTest { //nolint:errorlint // it must be the very error
		t.Errorf("%q, %v", got, err)
	}
	if n := count(t, d, "notes"); n != 0 {
		t.Errorf("%d rows after the rollback", n)
	}
}

func panics(t *testing.T, d *db.DB) {
	notes(t, d)
	func() {
		defer func() {
			if r := recover(); r != errTest { //nolint:errorlint // it must be the very error
				t.Errorf("recovered %v", r)
			}
		}()
		_ = inTx(t.Context(), d, func(tx *db.Tx) error {
			if err := add(t.Context(), tx, 1); err != nil {
				return err
			}
			panic(errTest)
		})
	}()
	gone := make(chan struct{})
	go func() { // as t.FailNow does inside a function
		defer close(gone)
		_ = inTx(t.Context(), d, func(tx *db.Tx) error {
			defer runtime.Goexit()
			return add(t.Context(), tx, 2)
		})
	}()
	<-gone
	if err := add(t.Context(), d, 3); err != nil {
		t.Fatalf("the database is stuck: %v", err)
	}
	if n := count(t, d, "notes"); n != 1 {
		t.Errorf("%d rows, want the last one only", n)
	}
}

func keeps(t *testing.T, d *db.DB) {
	notes(t, d)
	got, err := db.InTx(t.Context(), d, func(tx *db.Tx) (string, error) {
		return "declined", errors.Join(add(t.Context(), tx, 1), nil, db.Keep(errTest))
	})
	if got != "declined" || err != errTest { //nolint:errorlint // it must be the very error
		t.Errorf("%q, %v", got, err)
	}
	if n := count(t, d, "notes"); n != 1 {
		t.Error("the kept transaction was not committed")
	}
	if db.Keep(nil) != nil {
		t.Error("Keep(nil) is an error")
	}
	if err := db.Keep(errTest); !errors.Is(err, errTest) || err.Error() != errTest.Error() {
		t.Error("Keep hides its error")
	}
}

func over(t *testing.T, d *db.DB) {
	notes(t, d)
	var leaked *db.Tx
	var rows db.Rows
	if err := inTx(t.Context(), d, func(tx *db.Tx) (err error) {
		leaked = tx
		if err := add(t.Context(), tx, 1); err != nil {
			return err
		}
		rows, err = tx.Query(t.Context(), `SELECT id FROM notes`)
		if err != nil {
			return err
		}
		return rows.Close()
	}); err != nil {
		t.Fatal(err)
	}
	if rows.Next() {
		t.Error("closed rows go on")
	}
	if err := add(t.Context(), leaked, 2); !errors.Is(err, db.ErrTxDone) {
		t.Errorf("Exec afterwards: %v", err)
	}
	if _, err := db.One[int](t.Context(), leaked, `SELECT 1`); !errors.Is(err, db.ErrTxDone) {
		t.Errorf("Query afterwards: %v", err)
	}
}

func afterCommit(t *testing.T, d *db.DB) {
	notes(t, d)
	var seen []string
	run := func(fail error) {
		_ = inTx(t.Context(), d, func(tx *db.Tx) error {
			tx.AfterCommit(func() { seen = append(seen, fmt.Sprintf("first of %v, %d", fail, count(t, d, "notes"))) })
			tx.AfterCommit(func() { seen = append(seen, "second") })
			return errors.Join(add(t.Context(), tx, len(seen)), fail)
		})
	}
	run(errTest)
	run(nil)
	run(db.Keep(errTest))
	want := []string{"first of <nil>, 1", "second", "first of " + errTest.Error() + ", 2", "second"}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("%q, want %q", seen, want)
	}
}

func endedContext(t *testing.T, d *db.DB) {
	notes(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := inTx(ctx, d, func(*db.Tx) error {
		t.Error("the function ran")
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := add(ctx, d, 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := db.All[int](ctx, d, `SELECT id FROM notes`); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := count(t, d, "notes"); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func endingContext(t *testing.T, d *db.DB) {
	notes(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	err := inTx(ctx, d, func(tx *db.Tx) error {
		if err := add(ctx, tx, 1); err != nil {
			return err
		}
		cancel()
		return add(ctx, tx, 2)
	})
	if !errors.Is(err, context.Canceled) || count(t, d, "notes") != 0 {
		t.Error(err, count(t, d, "notes"))
	}
}

func deferredKeys(t *testing.T, d *db.DB) {
	exec(t, d,
		`CREATE TABLE parents (id BIGINT PRIMARY KEY)`,
		`CREATE TABLE children (id BIGINT PRIMARY KEY, parent BIGINT REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)`)
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			err := inTx(t.Context(), d, func(tx *db.Tx) error {
				if _, err := db.Exec(t.Context(), tx, `INSERT INTO children VALUES ($1, $2)`, i, i); err != nil {
					return err
				}
				if i%4 == 0 {
					return nil // and leaves the key dangling
				}
				_, err := db.Exec(t.Context(), tx, `INSERT INTO parents VALUES ($1)`, i)
				return err
			})
			if dangles := i%4 == 0; dangles != db.IsForeignKey(err) || !dangles && err != nil {
				t.Errorf("transaction %d: %v", i, err)
			}
		})
	}
	group.Wait()
	if p, c := count(t, d, "parents"), count(t, d, "children"); p != 30 || c != 30 {
		t.Errorf("%d parents, %d children, want 30 each", p, c)
	}
}

func failsAlone(t *testing.T, d *db.DB) {
	notes(t, d)
	exec(t, d, `INSERT INTO notes VALUES (-1, 'taken')`)
	var group sync.WaitGroup
	for i := range 90 {
		group.Go(func() {
			defer func() {
				if r := recover(); r != nil && i%3 != 2 {
					t.Errorf("transaction %d: %v", i, r)
				}
			}()
			err := inTx(t.Context(), d, func(tx *db.Tx) error {
				if err := add(t.Context(), tx, i); err != nil {
					return err
				}
				switch i % 3 {
				case 1:
					return add(t.Context(), tx, -1)
				case 2:
					panic("on purpose")
				}
				return nil
			})
			if fails := i%3 == 1; fails != db.IsUnique(err) || !fails && err != nil {
				t.Errorf("transaction %d: %v", i, err)
			}
		})
	}
	group.Wait()
	ids, err := db.All[int](t.Context(), d, `SELECT id FROM notes WHERE id >= 0 ORDER BY id`)
	if err != nil || len(ids) != 30 {
		t.Fatal(len(ids), err)
	}
	for _, id := range ids {
		if id%3 != 0 {
			t.Errorf("row %d of a failed transaction", id)
		}
	}
}

func increments(t *testing.T, d *db.DB) {
	exec(t, d, `CREATE TABLE counters (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)`, `INSERT INTO counters VALUES (1, 0)`)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 10 {
				if _, err := db.Exec(t.Context(), d, `UPDATE counters SET n = n + 1 WHERE id = $1`, 1); err != nil {
					t.Error(err)
				}
				if err := inTx(t.Context(), d, func(tx *db.Tx) error {
					_, err := db.Exec(t.Context(), tx, `UPDATE counters SET n = n + 1 WHERE id = $1`, 1)
					return err
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n, err := db.One[int](t.Context(), d, `SELECT n FROM counters`); n != 320 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func pool(t *testing.T, d *db.DB) {
	notes(t, d)
	if err := d.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	before := d.Stats()
	_ = inTx(t.Context(), d, func(tx *db.Tx) error { return add(t.Context(), tx, 1) })
	_ = inTx(t.Context(), d, func(*db.Tx) error { return errTest })
	after := d.Stats()
	if after.Transactions != before.Transactions+1 || after.Rollbacks != before.Rollbacks+1 || after.Commits <= before.Commits || after.InUse != 0 || after.Connections == 0 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
	if err := d.Ping(t.Context()); !errors.Is(err, db.ErrClosed) {
		t.Errorf("Ping after Close: %v", err)
	}
	if err := add(t.Context(), d, 2); !errors.Is(err, db.ErrClosed) {
		t.Errorf("Exec after Close: %v", err)
	}
}

func openRows(t *testing.T, d *db.DB) {
	notes(t, d)
	exec(t, d, `INSERT INTO notes VALUES (1, 'a'), (2, 'b')`)
	err := inTx(t.Context(), d, func(tx *db.Tx) error {
		rows, err := tx.Query(t.Context(), `SELECT id FROM notes`)
		if err != nil {
			return err
		}
		if err := add(t.Context(), tx, 3); err == nil {
			t.Error("a statement ran while rows were open")
		}
		return rows.Close()
	})
	if err != nil {
		t.Error(err)
	}
}

func streaming(t *testing.T, d *db.DB) {
	notes(t, d)
	const many = `WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) SELECT i FROM n`
	rows, err := d.Query(t.Context(), `WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT i FROM n`)
	if err != nil {
		t.Fatal(err)
	}
	var last, seen int
	for rows.Next() {
		if err := rows.Scan(&last); err != nil {
			t.Fatal(err)
		}
		seen++
	}
	if err := errors.Join(rows.Err(), rows.Close(), rows.Close()); err != nil || seen != 5000 || last != 5000 {
		t.Error(seen, last, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := db.One[int](ctx, d, `SELECT COUNT(*) FROM (`+many+`) AS many`)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted query: %v", err)
	}
}
