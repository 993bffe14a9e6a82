package ashlar

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/metric"
	"github.com/ashlar-go/ashlar/redis"
)

// bus is how instances wake each other. Losing it delays what they would have
// been told of, since all of them look too, and loses nothing.
type bus interface {
	Publish(ctx context.Context, channel string, message []byte) error
	Subscribe(ctx context.Context, channel string, receive func(message []byte)) error
	Listening() bool
}

// openBus takes Redis where there is one, and else the PostgreSQL that the
// instances share. A pooler that gives each transaction another connection
// passes no notifications on, and SQLite knows none: their instances only look.
func (a *App) openBus(ctx context.Context) error {
	path, err := a.cfg.databasePath()
	switch {
	case err != nil || onlyDeclared(ctx):
		return err
	case a.Redis != nil:
		a.bus = a.Redis
	case path != "" || a.cfg.Pooler == switchOn:
		return nil
	default:
		if a.notices, err = postgres.NewBus(a.cfg.postgres()); err != nil {
			return fmt.Errorf("DATABASE_URL: %w", err)
		}
		a.bus = a.notices
	}
	a.announcements, a.pokes = make(chan struct{}, 1), make(chan struct{}, 1)
	return nil
}

func (a *App) closeBus() error {
	if a.notices == nil {
		return nil
	}
	return a.notices.Close()
}

// busTasks are what an app that can wake others does in the background.
func (a *App) busTasks() []Task {
	if a.bus == nil {
		return nil
	}
	return []Task{
		{"ashlar.revocations.announce", a.announceRevocations},
		{"ashlar.revocations.listen", a.listenForRevocations},
	}
}

// revocationsChannel is where instances are told to look for revocations.
const revocationsChannel = "ashlar_revocations"

// announceRevocations tells other instances, after each commit, to look. It is
// apart from the commit, which waits for nobody.
func (a *App) announceRevocations(ctx context.Context) error {
	const patience = 2 * time.Second
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-a.announcements:
		}
		within, cancel := context.WithTimeout(ctx, patience)
		err := a.bus.Publish(within, revocationsChannel, nil)
		cancel()
		// That Redis is away is said elsewhere.
		if err != nil && !failing && !errors.Is(err, redis.ErrAway) && ctx.Err() == nil {
			a.Log.WarnContext(ctx, "other instances were not told of a revocation and find it by themselves", "error", err)
		}
		failing = err != nil
	}
}

// listenForRevocations has this instance look when another one says so.
func (a *App) listenForRevocations(ctx context.Context) error {
	return a.bus.Subscribe(ctx, revocationsChannel, func([]byte) { nudge(a.pokes) })
}

// nudge leaves word in a channel with one place, or finds it there.
func nudge(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// readNotices is for apps whose instances wake each other through PostgreSQL.
func (a *App) readNotices(d *declaring) {
	stat := func(name, help string, read func(postgres.BusStats) float64, labels ...metric.Label) {
		d.read(name, help, func() float64 { return read(a.notices.Stats()) }, labels...)
	}
	stat("ashlar_notify_up", "Whether PostgreSQL's notifications are heard: 1 or 0.", func(s postgres.BusStats) float64 {
		if s.Connected {
			return 1
		}
		return 0
	})
	stat("ashlar_notify_connections_total", "Times that the connection was made on which PostgreSQL's notifications are heard.", func(s postgres.BusStats) float64 { return float64(s.Connections) })
	for outcome, read := range map[string]func(postgres.BusStats) int64{
		"published": func(s postgres.BusStats) int64 { return s.Published },
		"received":  func(s postgres.BusStats) int64 { return s.Received },
		"lost":      func(s postgres.BusStats) int64 { return s.Dropped },
	} {
		stat("ashlar_notify_messages_total", "Messages between instances through PostgreSQL: published, received, and of these lost, because too many waited.",
			func(s postgres.BusStats) float64 { return float64(read(s)) }, metric.Label{Name: "outcome", Value: outcome})
	}
}
