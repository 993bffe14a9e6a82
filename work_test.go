package ashlar_test

import (
	"context"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
)

// TestComputingTakesItsTurn: an operation that computes waits while others do,
// and one that does not is served meanwhile.
func TestComputingTakesItsTurn(t *testing.T) {
	t.Parallel()
	nothing := func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }
	app := ashlartest.Open(t)
	app.Mount(ashlar.Module{Name: "charts", Operations: []op.Operation{
		op.Query("charts.draw", "GET /charts", nothing, op.Public(), op.CPU(), op.Timeout(3*time.Second)),
		op.Query("charts.two", "GET /two", nothing, op.Public(), op.CPU(), op.Concurrency(1)),
		op.Query("charts.list", "GET /list", nothing, op.Public()),
	}})
	call := ashlartest.Call[struct{}]

	for range app.Work.Stats().Slots {
		if err := app.Work.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	call(app.Anonymous(), "charts.draw", nil).Fails(fault.ErrTimeout)
	call(app.Anonymous(), "charts.list", nil).OK()
	for range app.Work.Stats().Slots {
		app.Work.Leave()
	}
	call(app.Anonymous(), "charts.draw", nil).OK()
	call(app.Anonymous(), "charts.two", nil).OK()
	call(app.Anonymous(), "charts.two", nil).OK() // the first one left both rooms
	if s := app.Work.Stats(); s.Running != 0 || s.Waiting != 0 {
		t.Errorf("left behind: %+v", s)
	}
}

// TestHashingTakesItsTurn: passwords are hashed where everything else computes.
func TestHashingTakesItsTurn(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	app.Mount(ashlar.SignIn(app.App))
	app.Migrate()
	before := app.Work.Stats().Done
	app.Anonymous().Do("POST", "/v1/auth/login", `{"email":"nobody@a.test","password":"correct horse"}`)
	if done := app.Work.Stats().Done - before; done != 1 {
		t.Errorf("a sign-in took %d turns, want 1", done)
	}
}
