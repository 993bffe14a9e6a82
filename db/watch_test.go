package db_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/db"
)

// watchedBank is a bank, and what its watcher was told.
func watchedBank(t *testing.T) (*db.DB, func() []string) {
	t.Helper()
	d := bank(t.Context())
	t.Cleanup(func() { _ = d.Close() })
	var told []string
	d.Watch(func(_ context.Context, e db.Event) {
		if e.Took <= 0 {
			t.Errorf("%s %q took %s", e.Step, e.SQL, e.Took)
		}
		word, _, _ := strings.Cut(e.SQL, " ")
		told = append(told, strings.Join(strings.Fields(fmt.Sprint(e.Step, " ", word, " ", e.Err)), " "))
	})
	return d, func() []string { was := told; told = nil; return was }
}

func TestAWatcherIsToldOfEachStep(t *testing.T) {
	t.Parallel()
	d, told := watchedBank(t)
	ctx := t.Context()
	failed := errors.New("failed")
	for _, c := range []struct {
		name string
		do   func() error
		want []string
	}{
		{"one", func() error { _, err := find(ctx, d, "alice"); return err }, []string{"query SELECT <nil>"}},
		{"none", func() error { _, err := find(ctx, d, "nobody"); return err }, []string{"query SELECT db: no rows"}},
		{"all", func() error { _, err := db.All[Account](ctx, d, `SELECT id, balance FROM accounts`); return err }, []string{"query SELECT <nil>"}},
		{"exec", func() error { return move(ctx, d, "alice", 1) }, []string{"statement UPDATE <nil>"}},
		{"rows", func() error {
			rows, err := d.Query(ctx, `SELECT id FROM accounts`)
			if err == nil {
				err = rows.Close()
			}
			return err
		}, []string{"query SELECT <nil>"}},
		{"a query that writes", func() error {
			_, err := db.One[string](ctx, d, `UPDATE accounts SET balance = 1 WHERE id = 'bob' RETURNING id`)
			return err
		}, []string{"query UPDATE <nil>", "transaction <nil>"}},
		{"transaction", func() error {
			_, err := db.InTx(ctx, d, func(tx *db.Tx) (Account, error) {
				if err := move(ctx, tx, "alice", 1); err != nil {
					return Account{}, err
				}
				return find(ctx, tx, "alice")
			})
			return err
		}, []string{"statement UPDATE <nil>", "query SELECT <nil>", "transaction <nil>"}},
		{"rollback", func() error {
			_, err := db.InTx(ctx, d, func(*db.Tx) (int, error) { return 0, failed })
			if !errors.Is(err, failed) {
				t.Errorf("the transaction answers %v", err)
			}
			return nil
		}, []string{"transaction failed"}},
	} {
		if err := c.do(); err != nil && !errors.Is(err, db.ErrNoRows) {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := told(); !slices.Equal(got, c.want) {
			t.Errorf("%s: told of %q, not of %q", c.name, got, c.want)
		}
	}
}

// A statement can be told to belong to its transaction, and to no other.
func TestTransactionsAreNumbered(t *testing.T) {
	t.Parallel()
	d := bank(t.Context())
	t.Cleanup(func() { _ = d.Close() })
	var events []db.Event
	d.Watch(func(_ context.Context, e db.Event) { events = append(events, e) })
	for range 2 {
		if _, err := db.InTx(t.Context(), d, func(tx *db.Tx) (Account, error) { return find(t.Context(), tx, "alice") }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := find(t.Context(), d, "alice"); err != nil {
		t.Fatal(err)
	}
	if len(events) != 5 {
		t.Fatalf("told of %d events", len(events))
	}
	if events[0].Tx == 0 || events[0].Tx != events[1].Tx || events[2].Tx != events[3].Tx || events[0].Tx == events[2].Tx || events[4].Tx != 0 {
		t.Errorf("numbers: %+v", events)
	}
}
