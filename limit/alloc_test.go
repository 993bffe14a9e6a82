//go:build !race

package limit_test

import (
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/limit"
)

func TestTakeDoesNotAllocate(t *testing.T) {
	l, err := limit.New(limit.NewMemory(limit.MemoryConfig{}), "principal", limit.Per(10, time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = l.Take(t.Context(), "ann")
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { _, _ = l.Take(ctx, limit.Network("192.0.2.1")) }); n != 0 {
		t.Errorf("a decision allocates %v times", n)
	}
}
