package ashlartest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/job"
	"github.com/ashlar-go/ashlar/op"
)

// In a bubble of testing/synctest an app's clock stands still until the test
// sleeps, so that a test of what takes a week takes milliseconds.
func TestTimeIsTheTests(t *testing.T) {
	t.Parallel()
	for name, try := range map[string]func(t *testing.T){
		"the key of a request expires": func(t *testing.T) {
			t.Helper()
			ann := open(t).As("ann", write).Key("k") // kept for an hour
			call(ann, "notes.create", newNote{Title: "one"}).OK()
			time.Sleep(time.Hour - time.Second)
			call(ann, "notes.create", newNote{Title: "two"}).Fails(fault.ErrKeyReused)
			time.Sleep(2 * time.Second)
			call(ann, "notes.create", newNote{Title: "two"}).OK()
		},
		"a limit recovers": func(t *testing.T) {
			t.Helper()
			ann := timed(t).As("ann")
			tick(ann, "timed.tick", nil).OK()
			tick(ann, "timed.tick", nil).OK()
			tick(ann, "timed.tick", nil).Fails(fault.ErrLimited)
			time.Sleep(30 * time.Second)
			tick(ann, "timed.tick", nil).OK()
			tick(ann, "timed.tick", nil).Fails(fault.ErrLimited)
		},
		"a token expires": func(t *testing.T) {
			t.Helper()
			app := timed(t)
			app.Migrate()
			account, err := app.Accounts.Create(t.Context(), auth.NewAccount{Email: "ann@example.com", Password: "square-and-true", Role: "clerk"})
			if err != nil {
				t.Fatal(err)
			}
			grant, err := app.Accounts.OpenSession(t.Context(), account)
			if err != nil {
				t.Fatal(err)
			}
			ann := app.Bearer(grant.AccessToken)
			time.Sleep(15*time.Minute - time.Second)
			tick(ann, "timed.tick", nil).OK()
			time.Sleep(2 * time.Minute)
			tick(ann, "timed.tick", nil).Fails(fault.ErrToken)
		},
		"a schedule comes round": func(t *testing.T) {
			t.Helper()
			app := timed(t)
			app.Migrate()
			if n := app.RunJobs(0); n != 0 {
				t.Errorf("%d jobs ran at once", n)
			}
			time.Sleep(25 * time.Hour)
			if n := app.RunJobs(0); n != 1 {
				t.Errorf("%d jobs ran a day later", n)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			synctest.Test(t, try)
			t.Logf("took %s", time.Since(begun).Round(time.Millisecond))
		})
	}
}

var tick = ashlartest.Call[struct{}]

// timed is an app with what depends on time.
func timed(t *testing.T) *ashlartest.App {
	t.Helper()
	app := ashlartest.Open(t)
	app.Grant("clerk", read)
	app.Mount(ashlar.Module{
		Name: "timed",
		Operations: []op.Operation{
			op.Command("timed.tick", "POST /tick", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil },
				op.Authenticated(), op.Limit(2, time.Minute)),
		},
		Jobs: []job.Handler{
			job.On(job.Queue[struct{}]("timed.nightly"), func(context.Context, struct{}) error { return nil }, job.Every(24*time.Hour)),
		},
	})
	return app
}
