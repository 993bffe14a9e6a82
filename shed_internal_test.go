package ashlar

import (
	"context"
	"testing"

	"github.com/ashlar-go/ashlar/config"
	"github.com/ashlar-go/ashlar/op"
)

// TestEachRankHasItsGate: a rank finds its priority, what must always be
// served has no gate, and neither has anything where shedding is off.
func TestEachRankHasItsGate(t *testing.T) {
	t.Parallel()
	fn := func(context.Context, struct{}) (int, error) { return 1, nil }
	for rank := op.Low; rank <= op.High; rank++ {
		a := openShedding(t, "auto")
		room := a.gateOf(op.Query("a", "GET /a", fn, op.Public(), op.Priority(rank)).Spec())
		if err := room.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := a.gate.Stats(); s.Inside != 1 || s.Admitted[rank-op.Low] != 1 {
			t.Errorf("rank %s: %+v", rank, s)
		}
		room.Leave()
		if a.gateOf(op.Query("a", "GET /a", fn, op.Public(), op.Priority(op.Always)).Spec()) != nil {
			t.Error("what must always be served has a gate")
		}
	}
	off := openShedding(t, "off")
	s := op.Query("a", "GET /a", fn, op.Public()).Spec()
	if off.gateOf(s) != nil || off.placesOf(s) != nil {
		t.Error("there is a gate where there should be none")
	}
}

func openShedding(t *testing.T, mode string) *App {
	t.Helper()
	cfg, err := config.Load[Config](config.Map(map[string]string{
		"DATABASE_URL": "sqlite::memory:", "ASHLAR_DATA_DIR": t.TempDir(), "ASHLAR_SHED": mode,
	}))
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}
