package event

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// Bounds of a hub.
const (
	// maxRecent bounds the payloads that are kept in memory, in bytes.
	maxRecent = 16 << 20
	// maxPull is how many events are read at once.
	maxPull = 512
	// maxReaders is how many subscriptions may read the database at once
	// because they are behind.
	maxReaders = 4
	// linger is the longest that a reading waits for company.
	linger = 2 * time.Millisecond
)

// hub hands the log to those who listen in this process. One goroutine reads
// each event once, keeps it among the recent ones and wakes whoever wants it;
// it runs while there is somebody.
//
// A subscription has no queue of its own. It is a position in the log, and the
// events after it are among the recent ones or still in the database.
type hub struct {
	l    *Log
	most int // recent events

	mu      sync.RWMutex
	recent  []*entry // without a gap, the newest last
	size    int      // of their payloads
	head    int64    // the newest position that was read
	headID  string   // its event, by which another history is told
	epoch   uint64   // of the history: grows when it turns out to be another
	scopes  map[string]map[*Subscription]struct{}
	members int
	closed  bool
	reader  *reader // nil while there is nobody

	woken     chan struct{}
	connected atomic.Bool // the bus tells of what others do
	reading   chan struct{}
	looked    atomic.Int64 // when the database was read last, in Unix milliseconds
	read      atomic.Int64 // events
	behind    atomic.Int64 // pages that were read for subscriptions
	dropped   atomic.Int64 // subscriptions that were too slow
}

// reader is one run of the hub's goroutine.
type reader struct {
	stop  context.CancelFunc
	ended chan struct{}
}

var errClosed = errors.New("event: the log is closed")

func newHub(l *Log, most int) *hub {
	return &hub{
		l: l, most: most, scopes: map[string]map[*Subscription]struct{}{},
		woken: make(chan struct{}, 1), reading: make(chan struct{}, maxReaders),
	}
}

func (h *hub) wake() { nudge(h.woken) }

// join adds a subscription, which begins after s.at.
func (h *hub) join(ctx context.Context, s *Subscription) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return errClosed
	}
	if h.reader == nil {
		if err := h.begin(ctx); err != nil {
			return err
		}
	}
	set := h.scopes[s.filter.Scope]
	if set == nil {
		set = map[*Subscription]struct{}{}
		h.scopes[s.filter.Scope] = set
	}
	set[s] = struct{}{}
	h.members++
	s.epoch = h.epoch
	s.seek(s.at)
	return nil
}

// begin starts to read, at the log's head. The caller holds the lock.
func (h *hub) begin(ctx context.Context) error {
	head, id, err := h.l.newest(ctx)
	if err != nil {
		return err
	}
	h.recent, h.size, h.head, h.headID = nil, 0, head, id
	running, stop := context.WithCancel(context.Background())
	r := &reader{stop, make(chan struct{})}
	h.reader = r
	go func() {
		defer close(r.ended)
		h.run(running, r)
	}()
	return nil
}

func (h *hub) leave(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	set := h.scopes[s.filter.Scope]
	if _, in := set[s]; !in {
		return
	}
	if delete(set, s); len(set) == 0 {
		delete(h.scopes, s.filter.Scope)
	}
	if h.members--; h.members == 0 {
		h.rest()
	}
}

// rest ends the goroutine, which nobody waits for: it finds that it is not the
// hub's any more. The caller holds the lock.
func (h *hub) rest() {
	if h.reader != nil {
		h.reader.stop()
		h.reader = nil
	}
	h.recent, h.size = nil, 0
}

func (h *hub) close() {
	h.mu.Lock()
	r := h.reader
	h.closed = true
	h.rest()
	for s := range h.all() {
		nudge(s.ready)
	}
	h.mu.Unlock()
	if r != nil {
		<-r.ended
	}
}

// all visits every subscription. The caller holds the lock.
func (h *hub) all() func(yield func(*Subscription) bool) {
	return func(yield func(*Subscription) bool) {
		for _, set := range h.scopes {
			for s := range set {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// run reads what is new until ctx ends. Where nobody tells of new events it
// looks for them, at growing intervals up to Config.Poll.
func (h *hub) run(ctx context.Context, r *reader) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	shortest := max(h.l.poll/16, time.Millisecond)
	pause, failing := shortest, false
	for {
		began := time.Now()
		found, err := h.pull(ctx, r)
		took := time.Since(began)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if !failing {
				h.l.log.ErrorContext(ctx, "events cannot be read", "error", err)
			}
			pause = max(pause, h.l.poll) // an outage is not to be hammered at
		case found > 0:
			pause = shortest
		default:
			pause = min(2*pause, h.l.poll)
		}
		if err == nil && failing {
			h.l.log.InfoContext(ctx, "events are read again")
		}
		failing = err != nil
		if found == maxPull {
			continue
		}
		if !h.idle(ctx, timer, pause, failing) {
			continue
		}
		// Under load the next reading waits for as long as the last one took,
		// so that it finds more than one event.
		if found > 0 {
			timer.Reset(min(took, linger))
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		}
	}
}

// relaxed is how many times less often the database is looked at while the bus
// is connected.
const relaxed = 10

// idle waits until the database is to be looked at, and reports whether
// somebody has said that there is something new.
func (h *hub) idle(ctx context.Context, timer *time.Timer, pause time.Duration, failing bool) (woken bool) {
	for n := 1; ; n++ {
		hears := h.hears() && !failing
		if hears {
			pause = h.l.poll
		}
		timer.Reset(pause)
		select {
		case <-ctx.Done():
			return false
		case <-h.woken:
			return true
		case <-timer.C:
		}
		if !hears || n == relaxed || !h.hears() {
			return false
		}
	}
}

// hears reports whether the bus tells of what others do.
func (h *hub) hears() bool {
	if !h.connected.Load() {
		return false
	}
	bus, ok := h.l.bus.(interface{ Listening() bool })
	return !ok || bus.Listening()
}

// newest returns the log's head.
func (l *Log) newest(ctx context.Context) (position int64, id string, err error) {
	if err := l.settle(ctx); err != nil {
		return 0, "", err
	}
	head, err := db.One[struct {
		Position int64
		ID       string
	}](ctx, l.db, `SELECT position, id FROM ashlar_event_log ORDER BY position DESC LIMIT 1`)
	if err != nil && !errors.Is(err, db.ErrNoRows) {
		return 0, "", fmt.Errorf("event: read the log's head: %w", err)
	}
	return head.Position, head.ID, nil
}

// pull reads what follows the head. It begins with the head's own row, whose
// payload is left out: if that is another event now, so is the whole history.
const pull = `
SELECT position, id, topic, key, scope, version, at, trace, CASE WHEN position = $1 THEN '' ELSE payload END
FROM ashlar_event_log WHERE position >= $1 ORDER BY position LIMIT $2`

// pull reads a part of what is new, gives it to the subscriptions and returns
// how much it was.
func (h *hub) pull(ctx context.Context, r *reader) (int, error) {
	if err := h.l.settle(ctx); err != nil {
		return 0, err
	}
	h.mu.RLock()
	head, headID := h.head, h.headID
	h.mu.RUnlock()
	entries, err := h.l.after(ctx, head)
	if err != nil {
		return 0, err
	}
	h.looked.Store(time.Now().UnixMilli())
	same := head == 0
	if len(entries) > 0 && entries[0].Position == head {
		same = entries[0].ID == headID
		entries = entries[1:]
	} else if len(entries) > 0 {
		same = true // the head's row is not kept any more
	}
	if !same || len(entries) > 0 && entries[0].Position != head+1 {
		return 0, h.reset(ctx, r)
	}
	h.give(r, entries)
	return len(entries), nil
}

// catchUp reads all that is new, now.
func (h *hub) catchUp(ctx context.Context) error {
	for {
		h.mu.RLock()
		r := h.reader
		h.mu.RUnlock()
		if r == nil {
			return nil
		}
		if n, err := h.pull(ctx, r); n < maxPull || err != nil {
			return err
		}
	}
}

// after reads what follows a position, that event included.
func (l *Log) after(ctx context.Context, head int64) ([]*entry, error) {
	rows, err := l.db.Query(ctx, pull, head, int64(maxPull+1))
	if err != nil {
		return nil, fmt.Errorf("event: read new events: %w", err)
	}
	defer rows.Close()
	var entries []*entry
	for size := 0; size < maxBytes && rows.Next(); {
		e := &entry{}
		if err := e.scan(rows); err != nil {
			return nil, fmt.Errorf("event: read new events: %w", err)
		}
		size += len(e.Payload)
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("event: read new events: %w", err)
	}
	return entries, nil
}

// reset begins anew at the head of another history, and has every subscription
// told.
func (h *hub) reset(ctx context.Context, r *reader) error {
	head, id, err := h.l.newest(ctx)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reader != r {
		return nil
	}
	h.l.log.WarnContext(ctx, "the log of events is not the one that was read before; subscribers begin anew", "head", h.head, "new_head", head)
	h.recent, h.size, h.head, h.headID = nil, 0, head, id
	h.epoch++
	for s := range h.all() {
		nudge(s.ready)
	}
	return nil
}

// give adds events to the recent ones and wakes whoever wants one of them.
func (h *hub) give(r *reader, entries []*entry) {
	for _, s := range h.add(r, entries) {
		nudge(s.ready) // without the lock, which they want
	}
}

// add returns whom to wake.
func (h *hub) add(r *reader, entries []*entry) (waking []*Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reader != r {
		return nil
	}
	for len(entries) > 0 && entries[0].Position <= h.head { // another pull was faster
		entries = entries[1:]
	}
	if len(entries) == 0 || entries[0].Position != h.head+1 {
		return nil
	}
	h.read.Add(int64(len(entries)))
	last := entries[len(entries)-1]
	h.head, h.headID = last.Position, last.ID
	h.recent = append(h.recent, entries...)
	for _, e := range entries {
		h.size += len(e.Payload)
	}
	gone := 0
	for len(h.recent)-gone > h.most || h.size > maxRecent {
		h.size -= len(h.recent[gone].Payload)
		gone++
	}
	if gone > 0 {
		clear(h.recent[:gone]) // append moves what is left to a new place now and then
		h.recent = h.recent[gone:]
	}
	for _, e := range entries {
		waking = tell(waking, h.scopes[""], e)
		if e.Scope != "" {
			waking = tell(waking, h.scopes[e.Scope], e)
		}
	}
	return waking
}

// tell adds those of set who want e and had nothing to read so far.
func tell(waking []*Subscription, set map[*Subscription]struct{}, e *entry) []*Subscription {
	for s := range set {
		if s.next == 0 && e.Position > s.at && s.filter.matches(&e.Record) {
			s.next = e.Position
			waking = append(waking, s)
		}
	}
	return waking
}
