package ashlar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/trace"
)

// journal keeps what the app's cache invalidates among the app's events: they
// commit with the write, and every instance reads them in one order. Events that
// end answers by themselves are such notes too. It implements [cache.Journal].
type journal struct {
	db     *db.DB
	events *event.Log
	ends   *ends
}

// invalidated is the topic of a cache's notes.
const invalidated event.Topic[cache.Note] = "ashlar.cache.invalidated"

const (
	// lookEvery is how often the log is read although nothing was heard of. It
	// is how old values get at most on an instance that hears nothing.
	lookEvery = time.Second
	// breath is how long the log is not read again after it was read, so that
	// a busy instance reads many events at once.
	breath = 10 * time.Millisecond
	// backlook is how many events an instance reads at its start, so that it
	// can use what others have put into a shared tier since.
	backlook = 2 * event.MaxLimit
)

// Append implements [cache.Journal].
func (j journal) Append(ctx context.Context, tx cache.Tx, note cache.Note) error {
	switch tx := tx.(type) {
	case nil:
		// Not with the hooks of ctx: this transaction is none of its command.
		own, cancel := context.WithTimeout(trace.With(context.Background(), trace.From(ctx)), 5*time.Second)
		defer cancel()
		_, err := db.InTx(own, j.db, func(tx *db.Tx) (struct{}, error) { return struct{}{}, invalidated.Publish(own, tx, note) })
		return err
	case *db.Tx:
		return invalidated.Publish(ctx, tx, note)
	}
	return fmt.Errorf("a %T is no transaction of the app's database", tx)
}

// Follow implements [cache.Journal]. What cannot be read now is read later: the
// cache knows how long it has heard nothing.
func (j journal) Follow(ctx context.Context, told func(cache.Batch)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	news := make(chan struct{}, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		j.listen(ctx, news)
	}()
	defer func() { <-ended }()
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	f := following{journal: j, told: told, position: -1}
	for {
		if err := f.look(ctx); errors.Is(err, event.ErrReset) {
			f.position = -1
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-news:
		case <-tick.C:
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(breath):
		}
	}
}

// listen says when there may be something to read. This process' own events
// have ended what they end; the next reading of the log will do for them.
func (j journal) listen(ctx context.Context, news chan<- struct{}) {
	receive := func(records []*event.Record) {
		if slices.ContainsFunc(records, func(r *event.Record) bool { return !j.ends.known(r.ID) }) {
			nudge(news)
		}
	}
	for ctx.Err() == nil {
		_ = j.events.Tail(ctx, j.filter(), func() { nudge(news) }, receive) // without it the log is read every second
		select {
		case <-ctx.Done():
		case <-time.After(lookEvery):
		}
	}
}

// filter wants the events that the cache has to know of.
func (j journal) filter() event.Filter {
	return event.Filter{Topics: append(j.ends.all(), string(invalidated))}
}

// following is one Follow.
type following struct {
	journal

	told     func(cache.Batch)
	position int64 // of the last event that was read; below 0 before the first look
}

// look tells of everything that is committed by now.
func (f *following) look(ctx context.Context) error {
	asOf := time.Now()
	horizon, err := f.events.Horizon(ctx)
	if err != nil {
		return err
	}
	// Positions of the cache are one higher, so that an empty log has one too.
	b := cache.Batch{AsOf: asOf}
	var until int64
	switch {
	case f.position < 0:
		b.Reset, b.Since = true, max(horizon-backlook, 0)+1
		if b.Notes, until, err = f.read(ctx, b.Since-1, horizon); errors.Is(err, event.ErrReset) {
			b.Since, until, err = horizon+1, horizon, nil // what was before is not kept any more
		}
	case horizon < f.position:
		return event.ErrReset // the database was put back
	default:
		b.Notes, until, err = f.read(ctx, f.position, horizon)
	}
	if err != nil {
		return err
	}
	f.position, b.Position = until, until+1
	f.told(b)
	return nil
}

// read returns the notes after one position, up to another or further, and how
// far it came.
func (f *following) read(ctx context.Context, after, until int64) (notes []cache.Note, at int64, err error) {
	for after < until {
		page, err := f.events.Read(ctx, event.Query{Filter: f.filter(), After: after, Limit: event.MaxLimit})
		if err != nil {
			return nil, after, err
		}
		for _, r := range page.Records {
			note := cache.Note{Tags: f.ends.tags(r.Topic, r.Key), Dropped: f.ends.known(r.ID)}
			if r.Topic == string(invalidated) {
				if err := json.Unmarshal(r.Payload, &note); err != nil {
					return nil, after, fmt.Errorf("event %s is no invalidation: %w", r.ID, err)
				}
			}
			note.Position = r.Position + 1
			notes = append(notes, note)
		}
		if after = page.Next; !page.More {
			break
		}
	}
	return notes, max(after, until), nil
}
