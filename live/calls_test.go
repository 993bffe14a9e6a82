//go:build !race

package live_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/ashlar-go/ashlar/live"
	"github.com/ashlar-go/ashlar/op"
)

// A socket that always has a call under way holds nothing of those that are
// over.
func TestCallsLeaveNothing(t *testing.T) { //nolint:paralleltest // it measures the process's memory
	s := withSocket(t, live.Config{MessageRate: 1 << 20}, nil,
		op.Query("notes.wait", "GET /wait", func(ctx context.Context, _ struct{}) (note, error) {
			<-ctx.Done()
			return note{}, ctx.Err()
		}, op.Allow(read)),
		op.Query("notes.get", "GET /get", func(context.Context, struct{}) (note, error) { return note{}, nil }, op.Allow(read)))
	w := s.dial("/ws")
	w.send(`{"type":"call","id":"wait","op":"notes.wait"}`)
	ask := func(n int) {
		for i := range n {
			w.send(fmt.Sprintf(`{"type":"call","id":"%d","op":"notes.get"}`, i))
			if m := w.next(); m["status"] != 200.0 {
				t.Fatal(m)
			}
		}
	}
	size := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	ask(100)
	before := size()
	const calls = 5000
	ask(calls)
	if each := (size() - before) / calls; each > 50 {
		t.Errorf("a call leaves %d bytes", each)
	}
}
