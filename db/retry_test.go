package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
)

// loser is a driver whose transactions lose to others for as often as it is
// told: PostgreSQL's behaviour at its worst, without the others.
type loser struct {
	db.Driver // what is not needed

	losses  int
	after   bool // at the commit, when the function has run
	options []db.TxOption
}

func (l *loser) lose() error {
	if l.losses == 0 {
		return nil
	}
	l.losses--
	return fmt.Errorf("%w: could not serialize", db.ErrConflict)
}

func (l *loser) Exec(context.Context, string, []any) (db.Result, error) {
	return db.Result{RowsAffected: 1}, l.lose()
}

func (l *loser) Transact(_ context.Context, options db.TxOption, fn func(db.Session) error) error {
	l.options = append(l.options, options)
	if !l.after {
		if err := l.lose(); err != nil {
			return err
		}
	}
	if err := fn(l); err != nil {
		return err
	}
	return l.lose()
}

func (l *loser) Send(context.Context, string, []any) error             { return nil }
func (l *loser) Query(context.Context, string, []any) (db.Rows, error) { return nil, db.ErrWrites }
func (l *loser) Migrate(context.Context, func(*sql.DB, db.Dialect) error) error {
	return errors.ErrUnsupported
}
func (l *loser) Stats() db.Stats { return db.Stats{Retries: -1} }

// counter is a hook that counts.
type counter struct{ begun, committed int }

func (c *counter) Begin(context.Context, *db.Tx) error              { c.begun++; return nil }
func (c *counter) Commit(context.Context, *db.Tx, any, error) error { c.committed++; return nil }

func TestATransactionThatLostRunsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := &loser{losses: 3, after: true}
		d := db.New(driver)
		hook := &counter{}
		var runs int
		var after []int
		var all []*db.Tx
		got, err := db.InTx(db.WithHook(t.Context(), hook), d, func(tx *db.Tx) (int, error) {
			runs++
			all = append(all, tx)
			tx.AfterCommit(func() { after = append(after, runs) })
			if runs < 4 {
				return 0, db.Keep(errors.New("of a run that came to nothing"))
			}
			return runs, nil
		}, db.ReadCommitted, db.ReadOnly)
		if got != 4 || err != nil {
			t.Errorf("%d, %v", got, err)
		}
		if hook.begun != 4 || hook.committed != 4 || !reflect.DeepEqual(after, []int{4}) {
			t.Errorf("the hook began %d and committed %d times, after the commit ran %v", hook.begun, hook.committed, after)
		}
		if all[0] == all[1] {
			t.Error("a run was given the Tx of one before")
		}
		both := db.ReadCommitted | db.ReadOnly
		if !reflect.DeepEqual(driver.options, []db.TxOption{both, both, both, both}) {
			t.Errorf("options %v", driver.options)
		}
		if n := d.Stats().Retries; n != 3 {
			t.Errorf("%d retries were counted", n)
		}

		driver.losses = 2
		if n, err := db.Exec(t.Context(), d, `UPDATE t SET n = n + 1`); n != 1 || err != nil {
			t.Errorf("a single statement: %d, %v", n, err)
		}
		driver.losses = 2
		if _, err := db.One[int](t.Context(), d, `INSERT`); !errors.Is(err, db.ErrWrites) {
			t.Errorf("a statement that returns rows: %v", err) // of the session, which has none
		}
		if n := d.Stats().Retries; n != 5 {
			t.Errorf("%d retries were counted", n)
		}
	})
}

func TestATransactionThatKeepsLosingGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := db.New(&loser{losses: -1})
		began := time.Now()
		_, err := db.InTx(t.Context(), d, func(*db.Tx) (int, error) { return 0, nil })
		took := time.Since(began)
		if took < 5*time.Second || took > 6*time.Second {
			t.Errorf("gave up after %s", took)
		}
		if !errors.Is(err, db.ErrConflict) || !errors.Is(err, fault.ErrUnavailable) || !strings.Contains(err.Error(), "times within 5s") {
			t.Errorf("%v", err)
		}
		if n := d.Stats().Retries; n < 50 || n > 1000 {
			t.Errorf("%d tries within %s", n, took)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		_, err = d.Exec(ctx, `UPDATE t SET n = n + 1`)
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, db.ErrConflict) || time.Since(began) != time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestOtherErrorsAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	d := db.New(&loser{})
	for _, want := range []error{errors.New("any"), db.ErrBusy, fault.ErrUnavailable} {
		runs := 0
		_, err := db.InTx(t.Context(), d, func(*db.Tx) (int, error) { runs++; return 0, want })
		if runs != 1 || !errors.Is(err, want) {
			t.Errorf("%v: %d runs, %v", want, runs, err)
		}
	}
}
