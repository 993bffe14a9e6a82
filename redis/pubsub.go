package redis

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// MaxMessage is the most bytes of a message.
const MaxMessage = 8000

// waiting is how many messages of a subscription may wait for its receiver.
const waitingMessages = 256

// Publish sends message to all that subscribe to channel now, at most once. A
// message that is lost, or an error, must be no harm: it wakes those who would
// otherwise look by themselves a little later. A channel's name consists of
// 1 to 60 small letters and underscores.
func (c *Client) Publish(ctx context.Context, channel string, message []byte) error {
	if err := checkChannel(channel); err != nil {
		return err
	}
	if len(message) > MaxMessage {
		return fmt.Errorf("redis: a message of %d bytes; the most is %d", len(message), MaxMessage)
	}
	s, err := c.live()
	if err != nil {
		return err
	}
	command := s.client.B().Publish().Channel(c.settings.channel + channel).Message(rueidis.BinaryString(message)).Build()
	if err := c.do(ctx, s, command).Error(); err != nil {
		return err
	}
	c.counters.published.Add(1)
	return nil
}

// Subscribe calls receive with each message that is published on channel, one
// after another, until ctx or the client ends. It calls receive(nil) each time
// that the channel was connected, the first time included, and when so many
// messages waited that the rest was dropped: something may have been missed.
// While Redis is away it waits.
//
// All subscriptions of a client share one connection, which no receiver can
// hold up. The message is the receiver's to keep.
func (c *Client) Subscribe(ctx context.Context, channel string, receive func(message []byte)) error {
	if err := checkChannel(channel); err != nil {
		return err
	}
	sub := &subscription{channel: c.settings.channel + channel, wake: make(chan struct{}, 1)}
	c.hub.add(sub)
	defer c.hub.remove(sub)
	for {
		for {
			message, ok := sub.next()
			if !ok {
				break
			}
			receive(message)
			if ctx.Err() != nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-c.ended:
			return ErrClosed
		case <-sub.wake:
		}
	}
}

func checkChannel(name string) error {
	const most = 60
	if name == "" || len(name) > most || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return fmt.Errorf("redis: %.60q is no channel: 1 to %d of a-z and _", name, most)
	}
	return nil
}

// subscription is one call of Subscribe.
type subscription struct {
	channel string
	wake    chan struct{}

	mu     sync.Mutex
	queue  [][]byte
	missed bool // something, which the receiver was not told of yet
}

// next returns what the receiver is to be told: nil if something was missed.
func (s *subscription) next() (message []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.missed {
		s.missed = false
		return nil, true
	}
	if len(s.queue) == 0 {
		s.queue = nil
		return nil, false
	}
	message = s.queue[0]
	s.queue = s.queue[1:]
	return message, true
}

// put queues a message. Where too many wait, all of them are dropped: whoever
// is told that it missed something looks for itself.
func (s *subscription) put(message []byte) (lost int) {
	s.mu.Lock()
	if len(s.queue) >= waitingMessages {
		lost = len(s.queue) + 1
		s.queue, s.missed = nil, true
	} else {
		s.queue = append(s.queue, message)
	}
	s.mu.Unlock()
	s.nudge()
	return lost
}

// miss tells the receiver that something may have been missed.
func (s *subscription) miss() {
	s.mu.Lock()
	s.missed = true
	s.mu.Unlock()
	s.nudge()
}

func (s *subscription) nudge() {
	select {
	case s.wake <- struct{}{}:
	default: // it has not looked since the last time
	}
}

// hub has all subscriptions of a client, and the connection that serves them.
type hub struct {
	mu     sync.Mutex
	topics map[string]map[*subscription]struct{}
	heard  map[string]bool // channels that the connection has confirmed
	wake   chan struct{}   // the topics changed
}

func (h *hub) add(s *subscription) {
	h.mu.Lock()
	if h.topics == nil {
		h.topics = map[string]map[*subscription]struct{}{}
	}
	if h.topics[s.channel] == nil {
		h.topics[s.channel] = map[*subscription]struct{}{}
	}
	h.topics[s.channel][s] = struct{}{}
	if h.heard[s.channel] {
		s.miss()
	}
	h.mu.Unlock()
	h.changed()
}

func (h *hub) remove(s *subscription) {
	h.mu.Lock()
	delete(h.topics[s.channel], s)
	if len(h.topics[s.channel]) == 0 {
		delete(h.topics, s.channel)
	}
	h.mu.Unlock()
	h.changed()
}

func (h *hub) changed() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// listen serves the subscriptions while a session lasts.
func (h *hub) listen(s *session, c *Client) {
	pause := firstPause
	for {
		began := time.Now()
		h.serve(s, c)
		if time.Since(began) > steadyAfter {
			pause = firstPause
		}
		select {
		case <-s.done:
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, longPause)
	}
}

// serve does so with one connection, which is made when somebody subscribes.
func (h *hub) serve(s *session, c *Client) {
	for h.idle() {
		select {
		case <-s.done:
			return
		case <-h.wake:
		}
	}
	wire, release := s.client.Dedicate()
	defer release()
	defer h.deafen()
	broken := wire.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage: func(m rueidis.PubSubMessage) { h.deliver(m, &c.counters) },
		OnSubscription: func(m rueidis.PubSubSubscription) {
			if m.Kind == "subscribe" {
				h.confirm(m.Channel)
			}
		},
	})
	asked := map[string]bool{}
	for {
		if err := h.ask(wire, c.settings.Dialer.Timeout, asked); err != nil {
			return
		}
		select {
		case <-s.done:
			return
		case _, open := <-broken: // at the connection's end; why is seen by the commands too
			if !open {
				return
			}
		case <-h.wake:
		}
	}
}

// channels returns how many channels are subscribed to, and how many of them
// the server has confirmed.
func (h *hub) channels() (wanted, heard int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for channel := range h.topics {
		if h.heard[channel] {
			heard++
		}
	}
	return len(h.topics), heard
}

func (h *hub) idle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.topics) == 0
}

// ask subscribes to what is wanted and was not asked for, and ends what is not
// wanted any more.
func (h *hub) ask(wire rueidis.DedicatedClient, patience time.Duration, asked map[string]bool) error {
	h.mu.Lock()
	wanted := slices.Collect(maps.Keys(h.topics))
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, channel := range wanted {
		if asked[channel] {
			continue
		}
		if err := wire.Do(ctx, wire.B().Subscribe().Channel(channel).Build()).Error(); err != nil {
			return err
		}
		asked[channel] = true
	}
	for channel := range asked {
		if slices.Contains(wanted, channel) {
			continue
		}
		h.mu.Lock()
		delete(h.heard, channel)
		h.mu.Unlock()
		if err := wire.Do(ctx, wire.B().Unsubscribe().Channel(channel).Build()).Error(); err != nil {
			return err
		}
		delete(asked, channel)
	}
	return nil
}

// confirm notes that messages of a channel come in from now on. It runs on the
// connection's reader, so it must not wait.
func (h *hub) confirm(channel string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.heard == nil {
		h.heard = map[string]bool{}
	}
	h.heard[channel] = true
	for s := range h.topics[channel] {
		s.miss()
	}
}

func (h *hub) deafen() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = nil
}

// deliver hands a message to its subscriptions, on the connection's reader.
func (h *hub) deliver(m rueidis.PubSubMessage, n *counters) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.topics[m.Channel] {
		n.received.Add(1)
		n.lost.Add(uint64(s.put([]byte(m.Message))))
	}
}
