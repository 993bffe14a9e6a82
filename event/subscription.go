package event

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"
)

// ErrSlow ends a subscription that fell further behind than it was to; see
// [Drop].
var ErrSlow = errors.New("event: the subscriber is too slow and was dropped: it may begin again after the last event it had")

// A Subscription is a reader that waits for what is new. It belongs to one
// goroutine, and costs some 500 bytes while it waits. Close it.
type Subscription struct {
	l      *Log
	filter Filter
	lag    int64         // events that it may be behind; 0 is any number
	ready  chan struct{} // there may be something

	// The hub's lock guards these: the hub writes under Lock, the owner under
	// RLock.
	at    int64 // everything up to here was returned, or is not wanted
	next  int64 // the first event after at that may be wanted; 0 if there is none
	epoch uint64
}

// A Start says where a reader begins.
type Start struct {
	from     uint8
	position int64
	id       string
}

const (
	fromNow = iota
	fromOldest
	fromPosition
	fromID
)

// Now begins with what is published from now on. It is the zero Start.
func Now() Start { return Start{} }

// Oldest begins with the oldest event that is kept.
func Oldest() Start { return Start{from: fromOldest} }

// After begins with what follows a position. After(0) is Oldest.
func After(position int64) Start {
	if position <= 0 {
		return Oldest()
	}
	return Start{from: fromPosition, position: position}
}

// AfterID begins with what follows an event. AfterID("") is Now, so that the
// Last-Event-ID of a client that has none yet need not be looked at.
func AfterID(id string) Start {
	if id == "" {
		return Now()
	}
	return Start{from: fromID, id: id}
}

// resolve returns the position that s stands for.
func (l *Log) resolve(ctx context.Context, s Start) (int64, error) {
	switch s.from {
	case fromOldest:
		return 0, nil
	case fromPosition:
		return s.position, nil
	case fromID:
		if err := l.settle(ctx); err != nil {
			return 0, err
		}
		return l.find(ctx, s.id)
	}
	head, _, err := l.newest(ctx)
	return head, err
}

// Subscribe returns a reader of the events that f wants. What is already there
// after its start comes first, then what is new, without a gap and nothing
// twice. It fails with [ErrReset] as [Log.Read] does; so does a later Next, if
// the database was put back meanwhile.
func (l *Log) Subscribe(ctx context.Context, f Filter, from Start) (*Subscription, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	ctx = current(ctx)
	at, err := l.resolve(ctx, from)
	if err != nil {
		return nil, err
	}
	s := &Subscription{l: l, filter: f, at: at, ready: make(chan struct{}, 1)}
	if err := l.hub.join(ctx, s); err != nil {
		return nil, err
	}
	return s, nil
}

// Drop has [Subscription.Next] fail with [ErrSlow] when the reader is more
// than this many events behind. Without it a slow reader reads on from the
// database and loses nothing, which costs a query for each [MaxLimit] events.
func (s *Subscription) Drop(lag int64) { s.lag = lag }

// Position is where a new subscription would begin to go on from here: After
// of it has nothing twice and leaves nothing out.
func (s *Subscription) Position() int64 { return s.at }

// Close ends the subscription. It may be called twice.
func (s *Subscription) Close() { s.l.hub.leave(s) }

// Next waits for events and returns them in the order of the log, at least one.
// It fails with [ErrReset], with [ErrSlow], with the error of ctx, or with
// that of the database.
func (s *Subscription) Next(ctx context.Context) ([]*Record, error) {
	entries, err := s.wait(ctx)
	if err != nil {
		return nil, err
	}
	records := make([]*Record, len(entries))
	for i, e := range entries {
		records[i] = &e.Record
	}
	return records, nil
}

func (s *Subscription) wait(ctx context.Context) ([]*entry, error) {
	for {
		entries, behind, err := s.take()
		if behind {
			entries, err = s.catchUp(ctx)
		}
		if len(entries) > 0 || err != nil {
			return entries, err
		}
		if behind {
			continue
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.ready:
		}
	}
}

// maxTake is how many of the recent events are looked at before the lock is
// given to others.
const maxTake = 256

// take returns what is wanted among the recent events. If the reader is behind
// these, the database has what it wants.
func (s *Subscription) take() (wanted []*entry, behind bool, err error) {
	h := s.l.hub
	h.mu.RLock()
	defer h.mu.RUnlock()
	switch {
	case h.closed:
		return nil, false, errClosed
	case s.epoch != h.epoch:
		return nil, false, ErrReset.Because("The log is not the one that was read before.")
	case s.next == 0:
		s.at = max(s.at, h.head)
		return nil, false, nil
	case s.lag > 0 && h.head-s.at > s.lag:
		h.dropped.Add(1)
		return nil, false, ErrSlow
	case len(h.recent) == 0 || s.next < h.recent[0].Position:
		return nil, true, nil
	}
	first := int(s.next - h.recent[0].Position)
	last := min(first+maxTake, len(h.recent))
	for _, e := range h.recent[first:last] {
		if s.filter.matches(&e.Record) {
			wanted = append(wanted, e)
		}
	}
	s.seek(h.recent[last-1].Position)
	return wanted, false, nil
}

// seek moves to a position. The caller holds the hub's lock.
func (s *Subscription) seek(position int64) {
	s.at, s.next = position, 0
	if position < s.l.hub.head {
		s.next = position + 1
	}
}

// catchUp reads what is wanted from the database.
func (s *Subscription) catchUp(ctx context.Context) ([]*entry, error) {
	h := s.l.hub
	select {
	case h.reading <- struct{}{}:
		defer func() { <-h.reading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	h.behind.Add(1)
	page, err := s.l.page(ctx, &s.filter, s.at, MaxLimit)
	if err != nil {
		return nil, err
	}
	h.mu.RLock()
	s.seek(page.Next)
	h.mu.RUnlock()
	entries := make([]*entry, len(page.Records))
	for i, r := range page.Records {
		entries[i] = &entry{Record: r}
	}
	return entries, nil
}

// entry is an event in memory, which many read.
type entry struct {
	Record

	data atomic.Pointer[decoded]
}

type decoded struct {
	value any // a *T
	err   error
}

// shared returns the payload of e, read once for all who ask. Nobody changes
// it.
func shared[T any](e *entry) (*T, error) {
	if d := e.data.Load(); d != nil {
		if value, ok := d.value.(*T); ok {
			return value, d.err
		}
	}
	value, err := Decode[T](&e.Record)
	e.data.Store(&decoded{&value, err})
	return &value, err
}

// flat reports whether a copy of a t shares nothing with it.
func flat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return false
	case reflect.Array:
		return flat(t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			if f.Type != timeType && !flat(f.Type) {
				return false
			}
		}
	}
	return true
}
