package event

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/rule"
	"github.com/ashlar-go/ashlar/trace"
)

// A Consumer handles each event of its topics once: what its handler writes and
// how far it has come commit in one transaction. One process at a time works on
// it. Make it with [On], [OnBatch] or [OnAny], and give it to [Log.Consume].
//
// Its name is the name of its progress, so it must not change; it is lower-case
// words of letters, digits, - and _, joined by dots.
type Consumer struct {
	name   string
	filter Filter
	handle func(ctx context.Context, tx *db.Tx, list []delivery) error
	single bool // handle is to be given one event at a time

	oldest    bool
	attempts  int
	first     time.Duration
	longest   time.Duration
	timeout   time.Duration
	batch     int
	maxParked int
	failure   Failure
	mistakes  []error
}

// delivery is an event on its way to a handler.
type delivery struct {
	*entry

	attempt int
}

// Name is the consumer's name.
func (c Consumer) Name() string { return c.name }

// Topics are the topics that it consumes, as in a [Filter].
func (c Consumer) Topics() []string { return c.filter.Topics }

// On has fn handle each event of a topic: those of one key in the order of the
// log, in the transaction tx, which commits when fn returns nil, together with
// the note that the event was handled. So whatever fn writes through tx happens
// once, and the event is delivered again if fn fails, or if the process ends
// before the commit; what fn does elsewhere may then happen twice.
//
// Several events may share a transaction, and a transaction may be run again: fn
// must not wait for a network, keep tx, or count on being called once. To call
// the outside, add a job to tx.
func On[T any](t Topic[T], name string, fn func(ctx context.Context, tx *db.Tx, e Of[T]) error, options ...ConsumerOption) Consumer {
	handle := func(ctx context.Context, tx *db.Tx, list []delivery) error {
		for _, d := range list {
			data, err := Decode[T](&d.Record)
			if err != nil {
				return Permanent(err)
			}
			err = d.run(ctx, name, func(ctx context.Context) error { return fn(ctx, tx, Of[T]{d.Record, data, d.attempt, d.entry}) })
			if err != nil {
				return err
			}
		}
		return nil
	}
	c := newConsumer(name, []string{string(t)}, reflect.TypeFor[T](), fn == nil, handle, options)
	c.single = true
	return c
}

// OnBatch is On for a handler that takes several events at once, at most as
// many as [Batch] says. When it fails, the events are given to it one by one, to
// find the one that cannot be handled.
func OnBatch[T any](t Topic[T], name string, fn func(ctx context.Context, tx *db.Tx, list []Of[T]) error, options ...ConsumerOption) Consumer {
	handle := func(ctx context.Context, tx *db.Tx, list []delivery) error {
		events := make([]Of[T], len(list))
		for i, d := range list {
			data, err := Decode[T](&d.Record)
			if err != nil {
				return Permanent(err)
			}
			events[i] = Of[T]{d.Record, data, d.attempt, d.entry}
		}
		return trace.Do(ctx, name, func(ctx context.Context) error {
			return protect(ctx, func(ctx context.Context) error { return fn(ctx, tx, events) })
		})
	}
	return newConsumer(name, []string{string(t)}, reflect.TypeFor[T](), fn == nil, handle, options)
}

// OnAny is On for events of several topics, as they are in the log; topics are
// those of a [Filter].
func OnAny(topics []string, name string, fn func(ctx context.Context, tx *db.Tx, r *Record, attempt int) error, options ...ConsumerOption) Consumer {
	handle := func(ctx context.Context, tx *db.Tx, list []delivery) error {
		for _, d := range list {
			if err := d.run(ctx, name, func(ctx context.Context) error { return fn(ctx, tx, &d.Record, d.attempt) }); err != nil {
				return err
			}
		}
		return nil
	}
	c := newConsumer(name, topics, nil, fn == nil, handle, options)
	c.single = true
	return c
}

// run gives an event to fn, as a part of the trace in which it was published.
func (d *delivery) run(ctx context.Context, name string, fn func(context.Context) error) error {
	ctx, span := trace.Start(d.context(ctx), name, trace.Text("event.id", d.ID), trace.Text("event.topic", d.Topic), trace.Int("event.attempt", int64(d.attempt)))
	defer span.End()
	err := protect(ctx, fn)
	span.Fail(err)
	return err
}

// context is ctx as a part of the trace in which the event was published.
func (d *delivery) context(ctx context.Context) context.Context {
	if published, ok := trace.Parse(d.Trace); ok {
		return trace.With(ctx, published)
	}
	return ctx
}

// protect turns a panic into an error.
func protect(ctx context.Context, fn func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(ctx)
}

// Defaults of a [Consumer].
const (
	DefaultAttempts  = 10
	DefaultFirst     = time.Second
	DefaultLongest   = 5 * time.Minute
	DefaultTimeout   = 30 * time.Second
	DefaultBatch     = 100
	DefaultMaxParked = 10_000
)

var consumerName = regexp.MustCompile(`^[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)*$`)

func newConsumer(name string, topics []string, payload reflect.Type, missing bool, handle func(context.Context, *db.Tx, []delivery) error, options []ConsumerOption) Consumer {
	c := Consumer{
		name: name, filter: Filter{Topics: topics}, handle: handle,
		attempts: DefaultAttempts, first: DefaultFirst, longest: DefaultLongest,
		timeout: DefaultTimeout, batch: DefaultBatch, maxParked: DefaultMaxParked,
	}
	if len(name) > maxTopic || !consumerName.MatchString(name) {
		c.wrong("its name is words of a-z, 0-9, - and _, joined by dots, of at most %d bytes", maxTopic)
	}
	if missing {
		c.wrong("it has no handler")
	}
	if len(topics) == 0 {
		c.wrong(`it names no topic: "*" stands for all`)
	}
	if err := c.filter.check(); err != nil {
		c.wrong("%w", err)
	}
	if payload != nil {
		if _, err := rule.Describe(payload); err != nil {
			c.wrong("its payload: %w", err)
		}
	}
	for _, o := range options {
		o(&c)
	}
	return c
}

func (c *Consumer) wrong(format string, args ...any) {
	c.mistakes = append(c.mistakes, fmt.Errorf("event consumer %q: "+format, append([]any{c.name}, args...)...))
}

// A ConsumerOption changes how a [Consumer] works.
type ConsumerOption func(*Consumer)

// FromOldest has a consumer that is new begin with the oldest event that is
// kept. Otherwise it begins with those that are published after a process first
// had it.
func FromOldest() ConsumerOption { return func(c *Consumer) { c.oldest = true } }

// Attempts is how often an event is tried before it is a dead letter.
func Attempts(n int) ConsumerOption {
	return func(c *Consumer) {
		if c.attempts = n; n < 1 {
			c.wrong("%d attempts; one is the least", n)
		}
	}
}

// Backoff is the pause before the second attempt, which doubles with each to
// the longest. Each pause is shortened by up to a half at random.
func Backoff(first, longest time.Duration) ConsumerOption {
	return func(c *Consumer) {
		if c.first, c.longest = first, longest; first < time.Millisecond || longest < first {
			c.wrong("pauses of %s to %s; the first is at least 1ms and not above the longest", first, longest)
		}
	}
}

// Timeout bounds one run of the handler. It should be well below the time in
// which other writers give up waiting.
func Timeout(d time.Duration) ConsumerOption {
	return func(c *Consumer) {
		if c.timeout = d; d <= 0 {
			c.wrong("a timeout of %s; it is above 0", d)
		}
	}
}

// Batch is how many events share a transaction at most. On its own it never
// makes an event wait.
func Batch(n int) ConsumerOption {
	return func(c *Consumer) {
		if c.batch = n; n < 1 || n > MaxLimit {
			c.wrong("batches of %d; they have 1 to %d events", n, MaxLimit)
		}
	}
}

// MaxParked is how many events may be parked for the consumer: those that
// failed and those that wait behind them. When there are as many, it stands
// still until some of them are handled or discarded.
func MaxParked(n int) ConsumerOption {
	return func(c *Consumer) {
		if c.maxParked = n; n < 1 {
			c.wrong("%d events may be parked; one is the least", n)
		}
	}
}

// Failure says what happens to other events when one cannot be handled.
type Failure uint8

const (
	// Park sets the event aside and lets only the later ones of its key wait
	// behind it: their order is kept and nobody else is held up. Once its
	// attempts are used up it is a dead letter, and they wait until somebody
	// retries or discards it. Events without a key wait for none.
	Park Failure = iota
	// Skip sets only the event itself aside. Later ones of its key are handled
	// before it: choose it where order means nothing.
	Skip
	// Halt stands still, trying on, until the event is handled or somebody
	// moves the consumer past it: the order of all events is kept.
	Halt
)

// OnFailure chooses other than [Park].
func OnFailure(f Failure) ConsumerOption { return func(c *Consumer) { c.failure = f } }

// Check reports what is wrong with consumers that are to work on one log.
func Check(consumers ...Consumer) error {
	var errs []error
	seen := map[string]bool{}
	for _, c := range consumers {
		errs = append(errs, c.mistakes...)
		if c.handle == nil {
			errs = append(errs, errors.New("event: a Consumer was not made by On, OnBatch or OnAny"))
		} else if seen[c.name] {
			errs = append(errs, fmt.Errorf("event consumer %q: another one has its name", c.name))
		}
		seen[c.name] = true
	}
	return errors.Join(errs...)
}

// Permanent marks an error that no further attempt would mend: the event is a
// dead letter at once. Permanent of nil is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanent{err}
}

type permanent struct{ error }

func (p *permanent) Unwrap() error { return p.error }

// delay is the pause after so many attempts.
func (c *Consumer) delay(attempts int, random float64) time.Duration {
	d := c.longest
	if shift := attempts - 1; shift < 40 && c.first<<shift < c.longest && c.first<<shift > 0 {
		d = c.first << shift
	}
	return d - time.Duration(random*float64(d)/2)
}
