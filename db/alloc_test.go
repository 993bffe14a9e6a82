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
	before := fewest(work)
	seen := 0
	d.Watch(func(context.Context, db.Event) { seen++ })
	if got := fewest(work); got > before {
		t.Errorf("%v allocations when watched, %v when not", got, before)
	}
	if seen == 0 {
		t.Error("the watcher was told of nothing")
	}
}

// fewest is how often f allocates where nobody else does: others, as the
// goroutine that commits, can only add to what is counted.
func fewest(f func()) float64 {
	least := testing.AllocsPerRun(50, f)
	for range 9 {
		least = min(least, testing.AllocsPerRun(50, f))
	}
	return least
}
