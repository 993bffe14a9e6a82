package ashlar

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/metric"
)

// openEvents opens the log of what happens.
func (a *App) openEvents() (err error) {
	cfg := event.Config{DB: a.DB, Log: slog.New(latest{a}), Keep: a.cfg.EventsKeep}
	if a.bus != nil {
		cfg.Bus = a.bus
	}
	a.Events, err = event.Open(cfg)
	return err
}

// latest writes to the log that the app has then: it may be replaced after
// Open.
type latest struct{ app *App }

func (l latest) Enabled(ctx context.Context, level slog.Level) bool {
	return l.app.Log.Handler().Enabled(ctx, level)
}

func (l latest) Handle(ctx context.Context, r slog.Record) error {
	return l.app.Log.Handler().Handle(ctx, r)
}

func (l latest) WithAttrs(attrs []slog.Attr) slog.Handler {
	return l.app.Log.Handler().WithAttrs(attrs)
}

func (l latest) WithGroup(name string) slog.Handler { return l.app.Log.Handler().WithGroup(name) }

// Consumers returns the consumers of what is mounted, in the order of mounting.
func (a *App) Consumers() []event.Consumer {
	var list []event.Consumer
	for _, m := range a.modules {
		list = append(list, m.Consumers...)
	}
	return list
}

// eventTasks is what runs beside the server for events.
func (a *App) eventTasks() []Task {
	tasks := []Task{{"ashlar.events.run", a.Events.Run}}
	if consumers := a.Consumers(); len(consumers) > 0 {
		tasks = append(tasks, Task{"ashlar.events.consume", func(ctx context.Context) error { return a.Events.Consume(ctx, consumers...) }})
	}
	return tasks
}

// readEvents has the metrics show the log of events.
func readEvents(d *declaring, log *event.Log) {
	stat := func(read func(event.Stats) float64) func() float64 {
		return func() float64 { return read(log.Stats()) }
	}
	d.read("ashlar_events_published_total", "Events that this process has committed.", stat(func(s event.Stats) float64 { return float64(s.Published) }))
	d.read("ashlar_events_head", "Position of the newest event: as many were ever published.", stat(func(s event.Stats) float64 { return float64(s.Head) }))
	d.read("ashlar_events_kept", "Events in the log.", stat(func(s event.Stats) float64 {
		if s.Head == 0 {
			return 0
		}
		return float64(s.Head - s.Oldest + 1)
	}))
	d.read("ashlar_events_backlog", "Committed events that have no position yet, so that nobody sees them.", stat(func(s event.Stats) float64 { return float64(s.Backlog) }))
	d.read("ashlar_events_backlog_seconds", "Age of the oldest event without a position.", stat(func(s event.Stats) float64 { return s.Waiting.Seconds() }))
	d.read("ashlar_events_subscribers", "Listeners to events in this process, consumers included.", stat(func(s event.Stats) float64 { return float64(s.Subscribers) }))
	d.read("ashlar_events_read_total", "Events that this process has read for its listeners.", stat(func(s event.Stats) float64 { return float64(s.Read) }))
	d.read("ashlar_events_catch_ups_total", "Pages that were read from the database for listeners that were behind.", stat(func(s event.Stats) float64 { return float64(s.CatchUps) }))
	d.read("ashlar_events_dropped_total", "Listeners that were dropped because they were too slow.", stat(func(s event.Stats) float64 { return float64(s.Dropped) }))
	d.read("ashlar_events_handler_failures_total", "Attempts at which a consumer's handler failed.", stat(func(s event.Stats) float64 { return float64(s.Failures) }))
}

// openConsumers reports mistakes of the consumers, and has the metrics show
// each, once.
func (a *App) openConsumers() error {
	consumers := a.Consumers()
	if err := event.Check(consumers...); err != nil {
		return err
	}
	d := &declaring{r: a.metrics}
	for _, c := range consumers {
		if !slices.Contains(a.consumers, c.Name()) {
			a.consumers = append(a.consumers, c.Name())
			readConsumer(d, a.Events, c.Name())
		}
	}
	return d.err
}

func readConsumer(d *declaring, log *event.Log, name string) {
	label := metric.Label{Name: "consumer", Value: name}
	stat := func(read func(event.ConsumerStats) float64) func() float64 {
		return func() float64 {
			for _, c := range log.Stats().Consumers {
				if c.Name == name {
					return read(c)
				}
			}
			return 0
		}
	}
	truth := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	d.read("ashlar_events_consumer_lag", "Events that a consumer has still to handle, up to 10000.", stat(func(c event.ConsumerStats) float64 { return float64(c.Lag) }), label)
	d.read("ashlar_events_consumer_lag_seconds", "Age of the oldest event that a consumer has still to handle.", stat(func(c event.ConsumerStats) float64 { return c.Behind.Seconds() }), label)
	d.read("ashlar_events_consumer_parked", "Events that were set aside for a consumer because they or others of their key failed.", stat(func(c event.ConsumerStats) float64 { return float64(c.Parked) }), label)
	d.read("ashlar_events_consumer_dead", "Events that a consumer has given up on.", stat(func(c event.ConsumerStats) float64 { return float64(c.Dead) }), label)
	d.read("ashlar_events_consumer_stopped", "Whether a consumer stands still, paused or at an event that fails: 1 or 0.", stat(func(c event.ConsumerStats) float64 { return truth(c.Paused || c.Halted) }), label)
	d.read("ashlar_events_consumer_here", "Whether this process works on the consumer: 1 or 0.", stat(func(c event.ConsumerStats) float64 { return truth(c.Here) }), label)
}

// eventsCommand looks at events, and at those who consume them.
type eventsCommand struct {
	List      eventsList      `cmd:"" help:"List events, oldest first."`
	Consumers eventsConsumers `cmd:"" help:"List the consumers, how far each has come, and what it set aside."`
	Parked    eventsParked    `cmd:"" help:"List the events that were set aside for a consumer."`
	Retry     eventsRetry     `cmd:"" help:"Try events again that failed: those named, or all that were given up on."`
	Discard   eventsDiscard   `cmd:"" help:"Give up on events that were set aside, and let those behind them go on."`
	Pause     eventsPause     `cmd:"" help:"Have nobody work on a consumer."`
	Resume    eventsResume    `cmd:"" help:"End a pause."`
	Rewind    eventsRewind    `cmd:"" help:"Have a consumer go on from another place, back or ahead."`
	Forget    eventsForget    `cmd:"" help:"Remove all that is known of a consumer that is no longer in the program."`
}

type eventsList struct {
	Topic   []string `help:"Only of these topics; a * at the end stands for any."`
	Scope   string   `help:"Only of this scope."`
	Key     string   `help:"Only of this key."`
	After   string   `help:"Those after this id or position."`
	Limit   int      `default:"50" help:"How many, at most 1000."`
	Payload bool     `help:"Show payloads too, which may hold personal data."`
}

func (c eventsList) run(ctx context.Context, a *App, io console) error {
	q := event.Query{Filter: event.Filter{Topics: c.Topic, Scope: c.Scope, Key: c.Key}, Limit: c.Limit}
	if position, err := strconv.ParseInt(c.After, 10, 64); err == nil {
		q.After = position
	} else {
		q.AfterID = c.After
	}
	if err := a.migrateAtStart(ctx); err != nil {
		return err
	}
	page, err := a.Events.Read(ctx, q)
	if err != nil {
		return readable(err)
	}
	rows := []string{"POSITION\tAT\tID\tTOPIC\tKEY\tSCOPE"}
	if c.Payload {
		rows[0] += "\tPAYLOAD"
	}
	for _, r := range page.Records {
		row := []string{strconv.FormatInt(r.Position, 10), r.At.Format(time.RFC3339), r.ID, r.Topic, shown(r.Key), shown(r.Scope)}
		if c.Payload {
			row = append(row, shown(string(r.Payload)))
		}
		rows = append(rows, strings.Join(row, "\t"))
	}
	return io.table(rows...)
}

type eventsConsumers struct{}

func (eventsConsumers) run(ctx context.Context, a *App, io console) error {
	if err := a.migrateAtStart(ctx); err != nil {
		return err
	}
	head, err := a.Events.Head(ctx)
	if err != nil {
		return err
	}
	list, err := a.Events.Consumers(ctx)
	if err != nil {
		return err
	}
	rows := []string{"CONSUMER\tPOSITION\tHEAD\tPARKED\tDEAD\tSTATE\tSEEN\tERROR"}
	for _, c := range list {
		state := "idle"
		switch {
		case c.Paused:
			state = "paused"
		case c.Error != "":
			state = "stopped"
		case c.Until.After(time.Now()):
			state = "working"
		}
		rows = append(rows, fmt.Sprintf("%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s",
			c.Name, c.Position, head, c.Parked, c.Dead, state, c.Seen.Format(time.RFC3339), shown(c.Error)))
	}
	return io.table(rows...)
}

// someConsumer is the consumer that a command is about.
type someConsumer struct {
	Consumer string `arg:"" help:"Name of the consumer."`
}

// change brings the schema up to date and does something to a consumer. Servers
// that run notice within half a minute.
func (c someConsumer) change(ctx context.Context, a *App, io console, done string, change func() error) error {
	if err := a.migrateAtStart(ctx); err != nil {
		return err
	}
	if err := change(); err != nil {
		return readable(err)
	}
	io.printf("%s %s\n", c.Consumer, done)
	return nil
}

type eventsParked struct {
	someConsumer

	Dead  bool  `help:"Only those that were given up on."`
	After int64 `help:"Those after this position."`
	Limit int   `default:"50" help:"How many, at most 1000."`
}

func (c eventsParked) run(ctx context.Context, a *App, io console) error {
	if err := a.migrateAtStart(ctx); err != nil {
		return err
	}
	list, err := a.Events.Parked(ctx, c.Consumer, c.Dead, c.After, c.Limit)
	if err != nil {
		return err
	}
	rows := []string{"POSITION\tID\tTOPIC\tKEY\tATTEMPTS\tSTATE\tFAILED\tERROR"}
	for _, p := range list {
		state, failed := "waits behind another", "-"
		switch {
		case p.Dead:
			state = "dead"
		case p.Attempts > 0 || !p.Next.IsZero():
			state = "next at " + p.Next.Format(time.RFC3339)
		}
		if !p.Failed.IsZero() {
			failed = p.Failed.Format(time.RFC3339)
		}
		rows = append(rows, fmt.Sprintf("%d\t%s\t%s\t%s\t%d\t%s\t%s\t%s", p.Position, p.ID, p.Topic, shown(p.Key), p.Attempts, state, failed, shown(p.Error)))
	}
	return io.table(rows...)
}

type eventsRetry struct {
	someConsumer

	IDs []string `arg:"" optional:"" name:"id" help:"Ids of events that failed; all that were given up on if none is named."`
}

func (c eventsRetry) run(ctx context.Context, a *App, io console) error {
	n := int64(0)
	err := c.change(ctx, a, io, "tries again", func() (err error) {
		n, err = a.Events.Retry(ctx, c.Consumer, c.IDs...)
		return err
	})
	if err == nil {
		io.printf("%d events\n", n)
	}
	return err
}

type eventsDiscard struct {
	someConsumer

	IDs []string `arg:"" name:"id" help:"Ids of events that were set aside."`
}

func (c eventsDiscard) run(ctx context.Context, a *App, io console) error {
	return c.change(ctx, a, io, "goes on without "+strings.Join(c.IDs, ", "), func() error {
		_, err := a.Events.Discard(ctx, c.Consumer, c.IDs...)
		return err
	})
}

type eventsPause struct{ someConsumer }

func (c eventsPause) run(ctx context.Context, a *App, io console) error {
	return c.change(ctx, a, io, "is paused", func() error { return a.Events.Pause(ctx, c.Consumer) })
}

type eventsResume struct{ someConsumer }

func (c eventsResume) run(ctx context.Context, a *App, io console) error {
	return c.change(ctx, a, io, "goes on", func() error { return a.Events.Resume(ctx, c.Consumer) })
}

type eventsRewind struct {
	someConsumer

	To string `required:"" help:"An event's id or position, which is then the last one handled; or oldest; or now."`
}

func (c eventsRewind) run(ctx context.Context, a *App, io console) error {
	to, err := startOf(c.To)
	if err != nil {
		return err
	}
	return c.change(ctx, a, io, "goes on after "+c.To, func() error { return a.Events.Rewind(ctx, c.Consumer, to) })
}

func startOf(text string) (event.Start, error) {
	switch text {
	case "oldest":
		return event.Oldest(), nil
	case "now":
		return event.Now(), nil
	}
	if position, err := strconv.ParseInt(text, 10, 64); err == nil {
		return event.After(position), nil
	}
	if err := id.Valid("evt_", text); err != nil {
		return event.Start{}, fmt.Errorf("--to: %q is no id of an event, no position, and neither oldest nor now", text)
	}
	return event.AfterID(text), nil
}

type eventsForget struct{ someConsumer }

func (c eventsForget) run(ctx context.Context, a *App, io console) error {
	return c.change(ctx, a, io, "is forgotten", func() error { return a.Events.Forget(ctx, c.Consumer) })
}
