package ashlar_test

import (
	"context"
	"errors"
	"iter"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
)

// consignment is what the tests of events send about.
type consignment struct {
	ID string `json:"id"`
}

func (p consignment) EventKey() string { return p.ID }

const (
	shipped event.Topic[consignment] = "parcel.shipped"
	billed  event.Topic[consignment] = "parcel.billed"
)

// shipping publishes, listens and consumes.
func shippingEvents(app *ashlar.App, fail *error) ashlar.Module {
	return ashlar.Module{
		Name: "parcels",
		Operations: []op.Operation{
			op.Command("parcels.ship", "POST /parcels", func(ctx context.Context, in consignment) (consignment, error) {
				return db.InTx(ctx, app.DB, func(tx *db.Tx) (consignment, error) {
					err := shipped.Publish(ctx, tx, in)
					if in.ID == "lost" {
						err = errors.Join(err, errors.New("lost"))
					}
					return in, err
				})
			}, op.Public()),
			op.Stream("parcels.shipped", "GET /parcels/shipped", func(ctx context.Context, _ struct{}) iter.Seq2[consignment, error] {
				return event.Listen(ctx, app.Events, shipped, nil)
			}, op.Public()),
		},
		Consumers: []event.Consumer{
			event.On(shipped, "billing", func(ctx context.Context, tx *db.Tx, e event.Of[consignment]) error {
				if *fail != nil {
					return *fail
				}
				return billed.Publish(ctx, tx, e.Data)
			}, event.Attempts(1)),
		},
	}
}

func TestEventsOfAnApp(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	var fail error
	app.Mount(shippingEvents(app.App, &fail))
	call := ashlartest.Call[consignment]
	who := app.Anonymous()

	call(who, "parcels.ship", consignment{"a"}).OK()
	call(who, "parcels.ship", consignment{"b"}).OK()
	call(who, "parcels.ship", consignment{"lost"}).Fails(fault.ErrInternal)
	if got := ashlartest.Published(app, shipped); len(got) != 2 || got[0].ID != "a" || got[1].ID != "b" {
		t.Errorf("%v", got)
	}
	if got := ashlartest.Published(app, billed); len(got) != 0 {
		t.Errorf("%v", got)
	}
	app.Deliver()
	app.Deliver()
	if got := ashlartest.Published(app, billed); len(got) != 2 || got[0].ID != "a" || got[1].ID != "b" {
		t.Errorf("%v", got)
	}
	if err := app.Events.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	shows(t, app, map[string]float64{
		"ashlar_events_published_total": 4, "ashlar_events_head": 4, "ashlar_events_kept": 4, "ashlar_events_backlog": 0,
	})
	if _, there := value(t, app, `ashlar_events_consumer_lag{consumer="billing"}`); !there {
		t.Error("the consumer's lag is not shown")
	}
}

// TestEventsOfARunningApp sends one through a process that serves: command,
// consumer and stream.
func TestEventsOfARunningApp(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t, "ASHLAR_ADDR", "127.0.0.1:0", "ASHLAR_ADMIN_ADDR", "127.0.0.1:0")
	fail := error(nil)
	app.Mount(shippingEvents(app.App, &fail))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	deadline := time.Now().Add(lost)
	for !strings.Contains(app.Log(), `"msg":"serving"`) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not serve:\n%s", app.Log())
		}
		time.Sleep(time.Millisecond)
	}

	listening, bills := event.Listen(ctx, app.Events, billed, nil), make(chan consignment, 1)
	go func() {
		for p, err := range listening {
			if err != nil {
				t.Error(err)
			}
			bills <- p
		}
	}()
	awaits(t, app, "ashlar_events_subscribers", func(v float64) bool { return v == 3 }) // the consumer, the cache and this one
	_, err := db.InTx(ctx, app.DB, func(tx *db.Tx) (struct{}, error) {
		return struct{}{}, shipped.Publish(ctx, tx, consignment{"a"})
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case p := <-bills:
		if p.ID != "a" {
			t.Errorf("%v", p)
		}
	case <-time.After(lost):
		t.Fatal("nothing was billed")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestMistakesOfConsumersKeepAnAppFromStarting(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	fn := func(context.Context, *db.Tx, event.Of[consignment]) error { return nil }
	app.Mount(ashlar.Module{Name: "a", Consumers: []event.Consumer{event.On(shipped, "Billing", fn)}})
	app.Mount(ashlar.Module{Name: "b", Consumers: []event.Consumer{event.On(shipped, "b", fn), event.On(shipped, "b", fn)}})
	_, err := app.App.Handler()
	for _, want := range []string{`"Billing": its name`, `"b": another one has its name`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// The commands of an operator change consumers in the database, from which
// servers that run learn of it.
func TestEventCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(args string) (string, int) { return output(t, appIn(t, "good", dir, args)) }
	if out, code := run("events list"); code != 0 || !strings.Contains(out, "POSITION") {
		t.Fatalf("%d: %s", code, out)
	}
	id := poison(t, ashlartest.DatabaseIn(t, dir))
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{args: "events list", want: id},
		{args: "events list --payload --topic=parcel.* --key=a", want: `{"id":"a"}`},
		{args: "events list --after=" + id, want: "parcel.shipped"},
		{args: "events list --after=77", code: 1, want: "not kept any more"},
		{args: "events list --after=nothing", code: 1, want: "not known"},
		{args: "events list --topic=A", code: 1, want: `"A" is no topic`},
		{args: "events list --limit=5000", code: 1, want: "between 1 and 1000"},
		{args: "events consumers", want: "billing"},
		{args: "events parked billing", want: "waits behind another"},
		{args: "events parked billing --dead", want: "spoiled"},
		{args: "events retry billing evt_none", code: 1, want: "Event evt_none did not fail"},
		{args: "events retry nobody", code: 1, want: "No process has had a consumer nobody"},
		{args: "events retry billing " + id, want: "1 events"},
		{args: "events parked billing", want: "next at"},
		{args: "events discard billing " + id, want: "goes on without " + id},
		{args: "events discard billing", code: 2, want: "<id>"},
		{args: "events pause billing", want: "is paused"},
		{args: "events consumers", want: "paused"},
		{args: "events resume billing", want: "goes on"},
		{args: "events rewind billing --to=" + id, want: "goes on after " + id},
		{args: "events rewind billing --to=1", want: "goes on after 1"},
		{args: "events rewind billing --to=oldest", want: "goes on after oldest"},
		{args: "events rewind billing --to=now", want: "goes on after now"},
		{args: "events rewind billing --to=yesterday", code: 1, want: "is no id of an event"},
		{args: "events forget billing", want: "is forgotten"},
		{args: "events forget billing", code: 1, want: "No process has had a consumer billing"},
	} {
		if out, code := run(c.args); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit code %d, want %d with %q:\n%s", c.args, code, c.code, c.want, out)
		}
	}
}

// poison publishes two events and has a consumer fail at the first, whose id it
// returns.
func poison(t *testing.T, url string) string {
	t.Helper()
	app := ashlartest.Open(t, "DATABASE_URL", url)
	consumer := event.On(shipped, "billing", func(context.Context, *db.Tx, event.Of[consignment]) error {
		return event.Permanent(errors.New("spoiled"))
	}, event.FromOldest())
	for range 2 {
		_, err := db.InTx(t.Context(), app.DB, func(tx *db.Tx) (struct{}, error) {
			return struct{}{}, shipped.Publish(t.Context(), tx, consignment{"a"})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Events.Drain(t.Context(), consumer); err != nil {
		t.Fatal(err)
	}
	page, err := app.Events.Read(t.Context(), event.Query{})
	if err != nil {
		t.Fatal(err)
	}
	return page.Records[0].ID
}

func appIn(t *testing.T, name, dir, args string) *exec.Cmd {
	t.Helper()
	return app(t, name, []string{"ASHLAR_DATA_DIR=" + dir}, strings.Fields(args)...)
}
