package event

import (
	"context"
	"strings"
	"sync"
	"time"
)

// What a message of the bus is about. Others are not for this package.
const (
	aboutEvents   = "events"
	aboutConsumer = "consumer "
	aboutPeer     = "peer "
)

// Run does what the log needs beside those who use it, until ctx ends: it gives
// committed events their positions, tells other processes and hears from them,
// and deletes what is not kept any more. It tries on when something fails, and
// returns nil. Every process that publishes runs it; without it a process reads
// what it publishes, and nobody else does until one that runs comes by.
func (l *Log) Run(ctx context.Context) error {
	l.running.Add(1)
	defer l.running.Add(-1)
	var parts sync.WaitGroup
	if l.sql.sequenced {
		parts.Go(func() { l.sequence(ctx) })
	}
	if l.bus != nil {
		parts.Go(func() { l.announce(ctx) })
		parts.Go(func() { l.hear(ctx) })
		parts.Go(func() { l.greet(ctx) })
	}
	parts.Go(func() { l.sweep(ctx) })
	parts.Go(func() { l.watch(ctx) })
	parts.Wait()
	return nil
}

// announce tells other processes that there is something new.
func (l *Log) announce(ctx context.Context) {
	news := l.news
	if !l.sql.sequenced { // a commit is all that is needed to be read
		news = l.woken
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-news:
			l.tell(ctx, aboutEvents)
		}
	}
}

// tell sends a message to every process, this one included. One that is lost
// delays somebody by Config.Poll.
func (l *Log) tell(ctx context.Context, message string) {
	if l.bus == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	err := l.bus.Publish(ctx, channel, []byte(message))
	if err != nil && ctx.Err() == nil && !l.mute.Swap(true) {
		l.log.WarnContext(ctx, "other processes cannot be told of events; they look for them instead", "error", err)
	}
	if err == nil && l.mute.Swap(false) {
		l.log.InfoContext(ctx, "other processes are told of events again")
	}
}

// hear listens to the bus.
func (l *Log) hear(ctx context.Context) {
	defer l.hub.connected.Store(false)
	pause := time.Second
	for ctx.Err() == nil {
		err := l.bus.Subscribe(ctx, channel, func(message []byte) {
			pause = time.Second
			l.heard(string(message))
		})
		l.hub.connected.Store(false)
		l.hub.wake()
		if ctx.Err() != nil {
			return
		}
		l.log.WarnContext(ctx, "messages about events cannot be heard; this process looks for events instead", "error", err, "retry_in", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, 30*time.Second)
	}
}

func (l *Log) heard(message string) {
	l.hub.connected.Store(true)
	if name, ok := strings.CutPrefix(message, aboutConsumer); ok {
		l.ask(name)
		return
	}
	if peer, ok := strings.CutPrefix(message, aboutPeer); ok {
		if peer != l.instance {
			l.peers.note(peer)
		}
		return
	}
	l.hub.wake() // and an empty one is a new connection
}

// peers are other processes that have consumers.
type peers struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

const (
	greetEvery = 10 * time.Second
	peerGone   = 3 * greetEvery
	maxPeers   = 1000
)

func (p *peers) note(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil {
		p.seen = map[string]time.Time{}
	}
	if _, known := p.seen[name]; known || len(p.seen) < maxPeers {
		p.seen[name] = time.Now()
	}
}

func (p *peers) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, at := range p.seen {
		if time.Since(at) > peerGone {
			delete(p.seen, name)
		}
	}
	return len(p.seen)
}

// greet tells others that this process is there, if it has consumers.
func (l *Log) greet(ctx context.Context) {
	tick := time.NewTicker(greetEvery)
	defer tick.Stop()
	for {
		if l.enlisted() > 0 {
			l.tell(ctx, aboutPeer+l.instance)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
