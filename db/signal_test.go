package db_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/sqlite"
)

func TestSignalsAreReceivedAfterTheCommit(t *testing.T) {
	t.Parallel()
	d, err := sqlite.Open(t.Context(), sqlite.Config{Path: ":memory:"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })

	var first, second []string
	stop := d.Listen("jobs", func(message string) { first = append(first, message) })
	d.Listen("jobs", func(message string) { second = append(second, message) })
	d.Listen("events", func(message string) { t.Errorf("%s came on another channel", message) })

	refused := errors.New("refused")
	signal := func(fail, want error, messages ...string) {
		t.Helper()
		_, err := db.InTx(t.Context(), d, func(tx *db.Tx) (struct{}, error) {
			before := len(second)
			for _, m := range messages {
				tx.Signal("jobs", m)
			}
			tx.Signal("nobody", "listens")
			if len(second) != before {
				t.Error("a signal came before the commit")
			}
			return struct{}{}, fail
		})
		if err != want {
			t.Fatal(err)
		}
	}
	signal(nil, nil, "a", "b", "a")
	signal(refused, refused, "lost")
	signal(nil, nil)
	stop()
	stop()
	signal(db.Keep(refused), refused, "c")

	if want := []string{"a", "b"}; !slices.Equal(first, want) {
		t.Errorf("until it stopped, the first received %v, want %v", first, want)
	}
	if want := []string{"a", "b", "c"}; !slices.Equal(second, want) {
		t.Errorf("the second received %v, want %v", second, want)
	}
}
