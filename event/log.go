package event

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/id"
)

// ErrReset says that a reader asked for what follows an event that the log no
// longer has, or never had: it was deleted after [Config.Keep], or the database
// was put back. Whatever the reader made of the events before may be wrong. It
// starts anew: load the present state, then read on from the log's head.
const ErrReset fault.Gone = "events_reset"

// channel names the events among the signals of a database and the messages of
// a bus.
const channel = "ashlar_event"

// A Bus tells other processes that there is something to look at. Losing its
// messages, or all of it, delays readers by [Config.Poll] and loses nothing.
// One that is lost without the end of Subscribe has a method Listening() bool:
// while it reports false, readers look as if there were no bus.
type Bus interface {
	// Publish sends message to whoever subscribes to channel now.
	Publish(ctx context.Context, channel string, message []byte) error
	// Subscribe calls receive with each message until ctx ends, and with nil
	// after each connection: some may have been missed.
	Subscribe(ctx context.Context, channel string, receive func(message []byte)) error
}

// Config says what a [Log] works with. Only DB is needed.
type Config struct {
	// DB keeps the events, in the tables of [Migrations].
	DB *db.DB
	// Bus tells other processes of new events. Nil is for one that is alone
	// with its database; others then notice within Poll.
	Bus Bus
	// Log is told what failed. Nil is not.
	Log *slog.Logger
	// Keep is how long events are kept after they were published. Zero means
	// 30 days; negative means forever. Events that a consumer has still to
	// handle are kept for as long again.
	Keep time.Duration
	// Most is how many events are kept at most. Zero means 10 million;
	// negative means any number.
	Most int64
	// Poll bounds how long an event of another process stays unnoticed where
	// no message of the bus tells of it. Zero means 500ms. It costs a query of
	// one row each time, while anybody listens.
	Poll time.Duration
	// Recent is how many events are kept in memory for those who listen, of
	// at most 16 MiB in all; who is further behind reads them from the
	// database. Zero means 4096.
	Recent int
	// Lease is how long a consumer is left to a process that is not heard
	// of. Zero means 10s; at least a second.
	Lease time.Duration
}

// Defaults of a [Config].
const (
	DefaultKeep   = 30 * 24 * time.Hour
	DefaultMost   = 10_000_000
	DefaultPoll   = 500 * time.Millisecond
	DefaultRecent = 4096
	DefaultLease  = 10 * time.Second
)

// A Log is the events of an application, in one order for everybody. Make it
// with [Open]. Safe for concurrent use.
type Log struct {
	db       *db.DB
	bus      Bus
	log      *slog.Logger
	keep     time.Duration
	most     int64
	poll     time.Duration
	lease    time.Duration
	instance string // this process among those that share the database
	sql      *dialect
	hub      *hub
	quiet    func() // ends the signals of the database

	woken     chan struct{} // something was published here
	news      chan struct{} // something was given a position here
	committed atomic.Int64  // events published here
	placing   sync.Mutex    // one pass at a time
	placed    atomic.Int64  // of committed: those that have a position for certain
	positions atomic.Int64  // given out here

	running   atomic.Int64 // calls of Run
	mute      atomic.Bool  // the bus failed last time
	peers     peers
	consuming consuming
	failures  atomic.Int64 // of handlers
	seen      atomic.Pointer[Stats]
}

// Open returns the log of a database. It reads nothing yet; see [Log.Run] for
// what must run beside it. Close it when it is done.
func Open(c Config) (*Log, error) {
	switch {
	case c.DB == nil:
		return nil, errors.New("event: Config.DB is missing")
	case c.Poll < 0 || c.Recent < 0:
		return nil, errors.New("event: Config.Poll and Config.Recent are not negative: zero means the default")
	case c.Lease != 0 && c.Lease < time.Second:
		return nil, fmt.Errorf("event: Config.Lease is %s: a second is the least, or processes take consumers from each other", c.Lease)
	}
	l := &Log{
		db: c.DB, bus: c.Bus, log: c.Log,
		keep: or(c.Keep, DefaultKeep), most: or(c.Most, DefaultMost),
		poll: or(c.Poll, DefaultPoll), lease: or(c.Lease, DefaultLease),
		instance: id.New("ins_"),
		sql:      statements(c.DB.Dialect()),
		woken:    make(chan struct{}, 1),
		news:     make(chan struct{}, 1),
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.hub = newHub(l, or(c.Recent, DefaultRecent))
	l.quiet = c.DB.Listen(channel, l.published)
	return l, nil
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Close ends all subscriptions and lets go of the database, which it does not
// close.
func (l *Log) Close() {
	l.quiet()
	l.hub.close()
}

// published is told of each event that was committed here, on the goroutine
// that did.
func (l *Log) published(string) {
	l.committed.Add(1)
	nudge(l.woken)
	if !l.sql.sequenced || l.running.Load() == 0 {
		l.hub.wake() // else after the pass
	}
}

// OnCommit has fn called with each event that this process has published, once
// its transaction is committed and before whoever wrote is told so, until stop
// is called: for what this process must not show any more. What others publish
// is told by [Log.Tail], and so is this. Calls come on the goroutine that
// committed, several at once, and keep it waiting: fn must only take note. One
// may still be under way when stop returns.
func (l *Log) OnCommit(fn func(id, topic, key string)) (stop func()) {
	return l.db.Listen(channel, func(message string) {
		id, rest, _ := strings.Cut(message, " ")
		topic, key, _ := strings.Cut(rest, " ")
		fn(id, topic, key)
	})
}

// nudge wakes whoever waits on c, which has room for one.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it will wake anyway
	}
}

//go:embed migrations
var migrations embed.FS

// Migrations returns the history of the package's tables as goose files, at
// the root, for SQLite and PostgreSQL.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the name is a constant and valid
	}
	return sub
}
