package redis

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
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
	command := s.client.B().Publish().Channel(c.settings.channel + channel).Message(string(message)).Build()
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

// Listening reports whether Redis has confirmed all channels that somebody
// subscribes to: whoever waits for a message looks more often while it has not.
func (c *Client) Listening() bool {
	wanted, heard := c.hub.channels()
	return heard == wanted
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
		h.serve(s, c.settings, &c.counters)
		if time.Since(began) > steadyAfter {
			pause = firstPause
		}
		select {
		case <-s.life.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, longPause)
	}
}

// serve does so with one connection, which is made when somebody subscribes.
func (h *hub) serve(s *session, of *settings, n *counters) {
	for h.idle() {
		select {
		case <-s.life.Done():
			return
		case <-h.wake:
		}
	}
	ear, err := of.ear(s)
	if err != nil {
		return // which the commands notice as well
	}
	var hearing sync.WaitGroup
	stop := context.AfterFunc(s.life, func() { ear.end(net.ErrClosed) })
	defer func() {
		stop()
		ear.end(net.ErrClosed)
		hearing.Wait()
		<-ear.closed
		h.deafen()
	}()
	for asked := map[string]bool{}; ; {
		wanted := h.wanted()
		for _, channel := range wanted {
			if !asked[channel] {
				asked[channel] = true
				hearing.Go(func() { h.hear(ear, channel, n) })
			}
		}
		if len(asked) > len(wanted)+ignored {
			return
		}
		select {
		case <-ear.life.Done():
			return
		case <-h.wake:
		}
	}
}

// ignored is how many channels that nobody listens to any more a connection
// has. The library panics if a server that is busy answers to their end, so
// they end with the connection.
const ignored = 100

// hear subscribes to one channel until the connection ends, with which all
// others end.
func (h *hub) hear(ear *session, channel string, n *counters) {
	ctx := rueidis.WithOnSubscriptionHook(ear.life, func(m rueidis.PubSubSubscription) {
		if m.Kind == "subscribe" {
			h.confirm(m.Channel)
		}
	})
	err := ear.client.Receive(ctx, ear.client.B().Subscribe().Channel(channel).Build(), func(m rueidis.PubSubMessage) { h.deliver(m, n) })
	ear.end(err)
}

// ear makes the connection: to any node, because those of a cluster pass
// messages on.
func (s *settings) ear(beside *session) (*session, error) {
	nodes := slices.Collect(maps.Keys(beside.client.Nodes()))
	options := s.ClientOption
	options.InitAddress = []string{nodes[rand.N(len(nodes))]} //nolint:gosec // any will do
	options.Sentinel = rueidis.SentinelOption{}
	options.ForceSingleClient = true
	options.WriteBufferEachConn, options.RingScaleEachConn = 1<<10, 4 // it says little
	ctx, cancel := context.WithTimeout(beside.life, s.Dialer.Timeout)
	defer cancel()
	return s.open(ctx, options)
}

func (h *hub) wanted() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.topics))
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
