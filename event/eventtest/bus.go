// Package eventtest has a bus for tests of what follows events, and the suite
// that every [event.Bus] passes.
package eventtest

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/ashlar-go/ashlar/event"
)

// A Bus is an [event.Bus] in memory, for several logs of one test. It can be
// cut, as a network can. Safe for concurrent use.
type Bus struct {
	mu   sync.Mutex
	subs map[*sub]struct{}
	cut  bool
	sent int
}

type sub struct {
	channel string
	lines   chan []byte
}

var _ event.Bus = (*Bus)(nil)

// errCut is what a bus answers that was cut.
var errCut = errors.New("eventtest: the bus is cut")

// NewBus returns a bus that works.
func NewBus() *Bus { return &Bus{subs: map[*sub]struct{}{}} }

// Publish implements [event.Bus]. A subscriber that has a thousand messages to
// receive misses further ones.
func (b *Bus) Publish(ctx context.Context, channel string, message []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cut {
		return errCut
	}
	b.sent++
	for s := range b.subs {
		if s.channel == channel {
			s.send(bytes.Clone(message))
		}
	}
	return nil
}

func (s *sub) send(message []byte) {
	select {
	case s.lines <- message:
	default: // a bus may lose messages
	}
}

// Subscribe implements [event.Bus].
func (b *Bus) Subscribe(ctx context.Context, channel string, receive func(message []byte)) error {
	s := &sub{channel, make(chan []byte, 1000)}
	b.mu.Lock()
	if !b.cut {
		s.send(nil)
	}
	b.subs[s] = struct{}{}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs, s)
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case message := <-s.lines:
			receive(message)
		}
	}
}

// Cut has the bus lose every message until it is mended, and tell so those who
// publish; subscribers hear nothing.
func (b *Bus) Cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut = true
}

// Mend ends a cut. Subscribers are connected again.
func (b *Bus) Mend() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut = false
	for s := range b.subs {
		s.send(nil)
	}
}

// Listening reports whether the bus works.
func (b *Bus) Listening() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.cut
}

// Sent counts the messages that were published.
func (b *Bus) Sent() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent
}
