//go:build !race

// The race detector makes sync.Pool forget, so allocations are only exact
// without it.

package db_test

import (
	"context"
	"testing"

	"github.com/ashlar-go/ashlar/db"
)

// What nobody watches costs nothing, and to be watched allocates nothing.
func TestWatchingAllocatesNothing(t *testing.T) {
	d := bank(t.Context())
	t.Cleanup(func() { _ = d.Close() })
	work := func() {
		if _, err := find(t.Context(), d, "alice"); err != nil {
			t.Fatal(err)
		}
		if err := move(t.Context(), d, "bob", 1); err != nil {
			t.Fatal(err)
		}
	}
	before := testing.AllocsPerRun(50, work)
	seen := 0
	d.Watch(func(context.Context, db.Event) { seen++ })
	if got := testing.AllocsPerRun(50, work); got != before {
		t.Errorf("%v allocations when watched, %v when not", got, before)
	}
	if seen == 0 {
		t.Error("the watcher was told of nothing")
	}
}
