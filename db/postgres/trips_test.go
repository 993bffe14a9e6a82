package postgres_test

import (
	"errors"
	"testing"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/internal/backing"
)

// TestRoundTrips counts how often a client waits for the server: that is what
// a network makes expensive.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for name, pooler := range map[string]bool{"to the server": false, "to a pooler": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, url := throughProxy(t, backing.Postgres(t))
			d := open(t, postgres.Config{URL: url, MaxConns: 1, Pooler: pooler})
			statements(t, d, `CREATE TABLE t (id BIGINT PRIMARY KEY)`)
			const insert = `INSERT INTO t VALUES ($1)`
			id := 0
			next := func() int { id++; return id }
			var refused error
			for _, c := range []struct {
				name string
				want int64
				run  func() error
			}{
				{"a query", 1, func() error { _, err := db.All[int](t.Context(), d, `SELECT id FROM t`); return err }},
				{"a statement", 1, func() error { _, err := d.Exec(t.Context(), insert, next()); return err }},
				{"a transaction that does nothing", 0, func() error { return inTx(t, d, func(*db.Tx) error { return nil }) }},
				{"a transaction of two statements", 3, func() error {
					return inTx(t, d, func(tx *db.Tx) error {
						_, first := tx.Exec(t.Context(), insert, next())
						_, second := tx.Exec(t.Context(), insert, next())
						return errors.Join(first, second)
					})
				}},
				{"one that waits for none of them", 1, func() error {
					return inTx(t, d, func(tx *db.Tx) error {
						return errors.Join(tx.Send(t.Context(), insert, next()), tx.Send(t.Context(), insert, next()))
					})
				}},
				{"one that reads what it sent", 2, func() error {
					return inTx(t, d, func(tx *db.Tx) error {
						if err := tx.Send(t.Context(), insert, next()); err != nil {
							return err
						}
						_, err := db.One[int](t.Context(), tx, `SELECT id FROM t WHERE id = $1`, id)
						return err
					})
				}},
				{"one that fails", 2, func() error {
					refused = inTx(t, d, func(tx *db.Tx) error {
						return errors.Join(tx.Send(t.Context(), insert, next()), tx.Send(t.Context(), insert, 1))
					})
					return nil
				}},
			} {
				for round := range 2 { // in the first one statements are prepared
					before := p.syncs.Load()
					if err := c.run(); err != nil {
						t.Fatalf("%s: %v", c.name, err)
					}
					if got := p.syncs.Load() - before; round == 1 && got != c.want {
						t.Errorf("%s takes %d round trips, want %d", c.name, got, c.want)
					}
				}
			}
			if !db.IsUnique(refused, "t_pkey") {
				t.Errorf("what was sent without waiting fails with %v", refused)
			}
			if n, err := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM t`); err != nil || n != 12 {
				t.Errorf("%d rows, %v", n, err)
			}
		})
	}
}

func TestManyAreSentInPieces(t *testing.T) {
	t.Parallel()
	d := open(t, postgres.Config{URL: backing.Postgres(t)})
	statements(t, d, `CREATE TABLE t (id BIGINT PRIMARY KEY, body TEXT)`)
	const many = 1000
	err := inTx(t, d, func(tx *db.Tx) error {
		for i := range many {
			if err := tx.Send(t.Context(), `INSERT INTO t VALUES ($1, $2)`, i, "body"); err != nil {
				return err
			}
		}
		return tx.Send(t.Context(), `DELETE FROM t WHERE id = $1`, 0)
	})
	if n, e := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM t`); err != nil || e != nil || n != many-1 {
		t.Errorf("%d rows, %v, %v", n, err, e)
	}
	err = inTx(t, d, func(tx *db.Tx) error {
		for i := range many {
			if err := tx.Send(t.Context(), `INSERT INTO t VALUES ($1, $2)`, 10*i, "body"); err != nil {
				return err
			}
		}
		return nil
	})
	if n, e := db.One[int](t.Context(), d, `SELECT COUNT(*) FROM t`); !db.IsUnique(err) || e != nil || n != many-1 {
		t.Errorf("%d rows, %v, %v", n, err, e)
	}
}

func statements(t *testing.T, q db.Querier, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := q.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func inTx(t *testing.T, d *db.DB, fn func(tx *db.Tx) error, options ...db.TxOption) error {
	t.Helper()
	_, err := db.InTx(t.Context(), d, func(tx *db.Tx) (struct{}, error) { return struct{}{}, fn(tx) }, options...)
	return err
}
