package postgres

import (
	"context"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ashlar-go/ashlar/db"
)

// Bus wakes other instances of an app through the database they share, by
// LISTEN and NOTIFY. Messages are not kept: who is not connected misses them,
// and learns that something may have been missed. So a bus carries hints, and
// whoever waits for one also looks now and then.
//
// It has connections of its own, to the server itself and not to a pooler: one
// that listens, and two at most that publish. All of what apps in one schema of
// a database publish goes through one channel of the server.
type Bus struct {
	pool    *pool
	config  *pgx.ConnConfig
	channel string // of the server

	mu        sync.Mutex
	listeners map[string][]*listener
	connected bool
	end       context.CancelFunc // nil before the first listener
	ended     chan struct{}      // closed when nobody listens any more
	closed    chan struct{}

	published, received, dropped, connections atomic.Int64
}

// BusStats is what a bus has done so far.
type BusStats struct {
	Published   int64 // messages given to the server
	Received    int64 // messages from the server, of all instances
	Dropped     int64 // of those, too many for one that listens; it was told
	Connections int64 // times that the listening connection was made
	Connected   bool  // it is there now
}

// NewBus returns a bus that connects when it is used. Close it.
func NewBus(cfg Config) (*Bus, error) {
	cfg.Pooler, cfg.MaxConns = false, 2
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	// A notification is a transaction that nobody needs after a crash.
	p, err := newPool(cfg, "synchronous_commit", "off")
	if err != nil {
		return nil, err
	}
	conn := p.native.Config().ConnConfig
	for _, name := range []string{"default_transaction_read_only", "statement_timeout", "idle_in_transaction_session_timeout"} {
		delete(conn.RuntimeParams, name)
	}
	conn.BuildContextWatcherHandler = deadlines
	h := fnv.New32a()
	_, _ = h.Write([]byte(conn.RuntimeParams["search_path"]))
	return &Bus{
		pool: p, config: conn, channel: fmt.Sprintf("ashlar_%08x", h.Sum32()),
		listeners: map[string][]*listener{}, ended: make(chan struct{}), closed: make(chan struct{}),
	}, nil
}

// Bounds of what is published.
const (
	maxMessage = 8000
	maxChannel = 60
	maxPayload = 7999 // of the server
)

// checkChannel refuses names that are no channel.
func checkChannel(name string) error {
	if name == "" || len(name) > maxChannel || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return fmt.Errorf("db/postgres: %.60q is no channel: 1 to %d of a-z and _", name, maxChannel)
	}
	return nil
}

// Publish sends a message of at most 8000 bytes to all who subscribed to the
// channel, on this instance too. It is no part of a transaction: the server
// commits those that notify one after another. The error is a
// [github.com/ashlar-go/ashlar/fault.ErrUnavailable] while the server is away.
func (b *Bus) Publish(ctx context.Context, channel string, message []byte) error {
	if err := checkChannel(channel); err != nil {
		return err
	}
	if len(message) > maxMessage {
		return fmt.Errorf("db/postgres: a message of %d bytes: at most %d", len(message), maxMessage)
	}
	l, err := b.pool.get(ctx)
	if err != nil {
		return err
	}
	defer b.pool.put(l)
	first, second := pack(channel, message)
	sql, args := `SELECT pg_notify($1, $2)`, []any{b.channel, first}
	if second != "" {
		sql, args = `SELECT pg_notify($1, $2), pg_notify($1, $3)`, append(args, second)
	}
	r, err := l.read(ctx, sql, args)
	if err != nil {
		return err
	}
	if err := r.Close(); err != nil {
		return err
	}
	b.published.Add(1)
	return r.err
}

// The kinds of a payload: a message that is text, one in base64, and the parts
// of one that is too long for the server.
const (
	whole  = 't'
	packed = 'b'
	start  = '1'
	rest   = '2'
)

func pack(channel string, message []byte) (first, second string) {
	const room = maxPayload - 1 - maxChannel - 1
	text := string(message)
	if len(text) <= room && utf8.ValidString(text) && !strings.Contains(text, "\x00") {
		return string(whole) + channel + ":" + text, ""
	}
	text = base64.StdEncoding.EncodeToString(message)
	if len(text) <= room {
		return string(packed) + channel + ":" + text, ""
	}
	return string(start) + channel + ":" + text[:len(text)/2], string(rest) + channel + ":" + text[len(text)/2:]
}

// unpack reads what pack wrote. Halves are the first parts that wait for the
// second, by the process of the server that sent them: it sends both at once.
func unpack(payload string, pid uint32, halves map[uint32]string) (channel string, message []byte, ok bool) {
	if payload == "" {
		return "", nil, false
	}
	channel, text, ok := strings.Cut(payload[1:], ":")
	if !ok || checkChannel(channel) != nil {
		return "", nil, false
	}
	switch payload[0] {
	case whole:
		return channel, []byte(text), true
	case packed:
	case start:
		clear(halves) // one that nothing followed is of a process that has gone
		halves[pid] = text
		return "", nil, false
	case rest:
		text = halves[pid] + text
		delete(halves, pid)
	default:
		return "", nil, false
	}
	message, err := base64.StdEncoding.DecodeString(text)
	return channel, message, err == nil
}

// Subscribe calls receive with each message that is published on the channel,
// one after another, until ctx or the bus ends. It calls receive(nil) each time
// that the bus was connected, the first time included, and when so many
// messages waited that the rest was dropped: something may have been missed.
// While the server is away it waits. An empty message comes as one that is not
// nil. The error is nil when ctx has ended, and [db.ErrClosed] after Close.
func (b *Bus) Subscribe(ctx context.Context, channel string, receive func(message []byte)) error {
	if err := checkChannel(channel); err != nil {
		return err
	}
	l := &listener{wake: make(chan struct{}, 1)}
	if err := b.add(channel, l); err != nil {
		return err
	}
	defer b.remove(channel, l)
	for {
		for message, ok := l.next(); ok; message, ok = l.next() {
			if ctx.Err() != nil {
				return nil
			}
			receive(message)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-b.closed:
			return db.ErrClosed
		case <-l.wake:
		}
	}
}

// Stats is a snapshot.
func (b *Bus) Stats() BusStats {
	b.mu.Lock()
	connected := b.connected
	b.mu.Unlock()
	return BusStats{b.published.Load(), b.received.Load(), b.dropped.Load(), b.connections.Load(), connected}
}

// Listening reports whether the listening connection is there now: whoever
// waits for a message looks more often while it is not.
func (b *Bus) Listening() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.connected
}

// Close ends every Subscribe and the connections.
func (b *Bus) Close() error {
	b.mu.Lock()
	select {
	case <-b.closed:
		b.mu.Unlock()
		return nil
	default:
	}
	close(b.closed)
	end := b.end
	b.mu.Unlock()
	if end != nil {
		end()
		<-b.ended
	}
	return b.pool.close()
}

// listener is one call of Subscribe, and what waits for it.
type listener struct {
	mu     sync.Mutex
	queue  [][]byte
	missed bool // something, which the receiver was not told of yet
	wake   chan struct{}
}

// maxWaiting bounds what waits for one receiver.
const maxWaiting = 1024

func (l *listener) next() (message []byte, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.missed {
		l.missed = false
		return nil, true
	}
	if len(l.queue) == 0 {
		l.queue = nil
		return nil, false
	}
	message = l.queue[0]
	l.queue = l.queue[1:]
	return message, true
}

// tell queues a message, or nil for what was missed, and reports whether there
// was room for it.
func (l *listener) tell(message []byte) bool {
	l.mu.Lock()
	fits := len(l.queue) < maxWaiting
	switch {
	case message == nil:
		l.missed = true
	case fits:
		l.queue = append(l.queue, message)
	default:
		l.missed = true
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return fits || message == nil
}

func (b *Bus) add(channel string, l *listener) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.closed:
		return db.ErrClosed
	default:
	}
	b.listeners[channel] = append(b.listeners[channel], l)
	if b.connected {
		l.tell(nil)
	}
	if b.end == nil {
		ctx, cancel := context.WithCancel(context.Background())
		b.end = cancel
		go b.listen(ctx)
	}
	return nil
}

func (b *Bus) remove(channel string, l *listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := b.listeners[channel][:0:0]
	for _, other := range b.listeners[channel] {
		if other != l {
			kept = append(kept, other)
		}
	}
	if b.listeners[channel] = kept; len(kept) == 0 {
		delete(b.listeners, channel)
	}
}

// The pauses before the listening connection is made again.
const (
	firstRetry = 50 * time.Millisecond
	longRetry  = 5 * time.Second
)

// listen keeps the listening connection until ctx ends.
func (b *Bus) listen(ctx context.Context) {
	defer close(b.ended)
	for pause := firstRetry; ctx.Err() == nil; pause = min(2*pause, longRetry) {
		before := b.connections.Load()
		_ = b.session(ctx) // why it ended does not matter: it is made again
		if b.connections.Load() != before {
			pause = firstRetry
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // no secret
		}
	}
}

// session listens on one connection until it breaks.
func (b *Bus) session(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, b.config)
	if err != nil {
		return err
	}
	defer func() {
		b.turn(false)
		ended, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ended)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+b.channel); err != nil {
		return err
	}
	b.connections.Add(1)
	b.turn(true)
	halves := map[uint32]string{}
	for {
		n, err := b.wait(ctx, conn)
		switch {
		case err != nil:
			return err
		case n == nil:
			continue
		}
		channel, message, ok := unpack(n.Payload, n.PID, halves)
		if ok {
			b.received.Add(1)
			b.deliver(channel, message)
		}
	}
}

// wait returns the next notification, or nil after a while without one in which
// the connection was found to work.
func (b *Bus) wait(ctx context.Context, conn *pgx.Conn) (n *pgconn.Notification, err error) {
	const quiet, answer = 15 * time.Second, 5 * time.Second
	patient, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	n, err = conn.WaitForNotification(patient)
	if err == nil || ctx.Err() != nil || patient.Err() == nil || conn.IsClosed() {
		return n, err
	}
	trial, stop := context.WithTimeout(ctx, answer)
	defer stop()
	return nil, conn.Ping(trial)
}

// turn notes that the connection was made or lost. Whoever listens may have
// missed something before it was made.
func (b *Bus) turn(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.connected = on
	if !on {
		return
	}
	for _, list := range b.listeners {
		for _, l := range list {
			l.tell(nil)
		}
	}
}

func (b *Bus) deliver(channel string, message []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.listeners[channel] {
		if !l.tell(message) {
			b.dropped.Add(1)
		}
	}
}
