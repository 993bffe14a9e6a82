package dbtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/ashlar-go/ashlar/db"
)

// diary is a hook that writes down what it sees, in Go and in the table diary.
type diary struct {
	name       string
	seen       *[]string
	failBegin  error
	failCommit error
}

func (h diary) note(ctx context.Context, tx *db.Tx, format string, args ...any) error {
	line := h.name + " " + fmt.Sprintf(format, args...)
	*h.seen = append(*h.seen, line)
	_, err := db.Exec(ctx, tx, `INSERT INTO diary (line) VALUES ($1)`, line)
	return err
}

func (h diary) Begin(ctx context.Context, tx *db.Tx) error {
	return errors.Join(h.note(ctx, tx, "begins"), h.failBegin)
}

func (h diary) Commit(ctx context.Context, tx *db.Tx, result any, err error) error {
	return errors.Join(h.note(ctx, tx, "commits %v, %v", result, err), h.failCommit)
}

func diaries(t *testing.T, d *db.DB) *[]string {
	t.Helper()
	notes(t, d)
	exec(t, d, `CREATE TABLE diary (line TEXT NOT NULL)`)
	return new([]string)
}

func hooks(t *testing.T, d *db.DB) {
	seen := diaries(t, d)
	ctx := db.WithHook(t.Context(), diary{name: "h", seen: seen})
	for i, fail := range []error{nil, db.Keep(errTest), errTest} {
		_, err := db.InTx(ctx, d, func(tx *db.Tx) (int, error) {
			*seen = append(*seen, "fn")
			return i, errors.Join(add(ctx, tx, i), fail)
		})
		if (err == nil) != (fail == nil) {
			t.Error(err)
		}
	}
	want := []string{
		"h begins", "fn", "h commits 0, <nil>",
		"h begins", "fn", "h commits 1, " + errTest.Error(),
		"h begins", "fn",
	}
	if !reflect.DeepEqual(*seen, want) {
		t.Errorf("%q, want %q", *seen, want)
	}
	if n := count(t, d, "diary"); n != 4 {
		t.Errorf("%d lines: what a hook writes must commit or roll back with the transaction", n)
	}

	*seen = nil
	if err := add(ctx, d, 10); err != nil {
		t.Error(err)
	}
	if _, err := db.One[int](ctx, d, `INSERT INTO notes VALUES (11, 'a') RETURNING id`); err != nil {
		t.Error(err)
	}
	if len(*seen) != 4 {
		t.Errorf("single statements that write are transactions too: %q", *seen)
	}
	if _, err := db.All[int](ctx, d, `SELECT id FROM notes`); err != nil || len(*seen) != 4 {
		t.Errorf("a read is no transaction: %q, %v", *seen, err)
	}
}

func hookErrors(t *testing.T, d *db.DB) {
	seen := diaries(t, d)
	for name, h := range map[string]diary{
		"Begin":  {name: "h", seen: seen, failBegin: errTest},
		"Commit": {name: "h", seen: seen, failCommit: errTest},
	} {
		ctx := db.WithHook(t.Context(), h)
		for _, fail := range []error{nil, db.Keep(errors.New("kept"))} {
			after := false
			got, err := db.InTx(ctx, d, func(tx *db.Tx) (int, error) {
				tx.AfterCommit(func() { after = true })
				return 1, errors.Join(add(ctx, tx, 1), fail)
			})
			if got != 0 || !errors.Is(err, errTest) || after {
				t.Errorf("%s: %d, %v, after commit %t", name, got, err, after)
			}
		}
	}
	if n, m := count(t, d, "notes"), count(t, d, "diary"); n+m != 0 {
		t.Errorf("%d notes and %d lines after the rollbacks", n, m)
	}
}

func hooksNest(t *testing.T, d *db.DB) {
	seen := diaries(t, d)
	ctx := db.WithHook(t.Context(), diary{name: "outer", seen: seen})
	ctx = db.WithHook(ctx, diary{name: "inner", seen: seen})
	if _, err := db.InTx(ctx, d, func(*db.Tx) (int, error) { return 5, nil }); err != nil {
		t.Fatal(err)
	}
	want := []string{"outer begins", "inner begins", "inner commits 5, <nil>", "outer commits 5, <nil>"}
	if !reflect.DeepEqual(*seen, want) {
		t.Errorf("%q, want %q", *seen, want)
	}
}
