package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// ErrAway answers a command while Redis cannot be used. It comes at once, and
// wraps the reason.
var ErrAway = errors.New("redis is away")

// ErrClosed answers everything after [Client.Close].
var ErrClosed = errors.New("the redis client is closed")

// A Client is a way to one Redis, be it there or not.
type Client struct {
	settings *settings
	timeout  time.Duration
	changed  func(error)
	state    atomic.Pointer[state]
	hub      hub
	counters counters

	cancel context.CancelFunc
	ended  chan struct{} // closed when nothing of the client runs any more
}

// state is what the client is in. One is never changed.
type state struct {
	session *session  // nil while Redis is away
	reason  error     // then: why, as callers get it
	since   time.Time // then: from when on
}

type counters struct {
	commands, failures, refused atomic.Uint64
	published, received, lost   atomic.Uint64
	believed                    atomic.Uint64
	episodes                    atomic.Uint64
	away                        atomic.Int64 // nanoseconds, of episodes that are over
}

// Open returns a client for the Redis that c names. It tries to reach it once,
// for [Config.DialTimeout] at most, and succeeds whether or not that does: see
// [Client.Err]. It fails if the URL is mistaken or the server refuses the
// password, because waiting cures neither. No error shows the password.
func Open(ctx context.Context, c Config) (*Client, error) {
	s, err := c.parse()
	if err != nil {
		return nil, fmt.Errorf("redis: the URL %w", err)
	}
	return open(ctx, c, s)
}

func open(ctx context.Context, c Config, s *settings) (*Client, error) {
	client := &Client{settings: s, timeout: s.timeout, changed: c.Changed, ended: make(chan struct{})}
	if client.changed == nil {
		client.changed = func(error) {}
	}
	client.hub.wake = make(chan struct{}, 1)
	session, err := client.connect(ctx)
	if isRefused(err) {
		return nil, fmt.Errorf("redis: the server refuses user or password: %w", err)
	}
	if err != nil {
		client.away(nil, err)
	} else {
		client.state.Store(&state{session: session})
	}
	ctx, client.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go client.run(ctx)
	return client, nil
}

// Close ends the client, its connections and its subscriptions.
func (c *Client) Close() {
	c.cancel()
	<-c.ended
}

// Err is nil while Redis can be used, else it wraps [ErrAway] and the reason.
// It is what the client knows, and asks nobody.
func (c *Client) Err() error { return c.state.Load().reason }

// The pace of the goroutine that looks after the connection.
const (
	pingEvery   = time.Second
	firstPause  = 50 * time.Millisecond
	longPause   = 2 * time.Second
	steadyAfter = 10 * time.Second // who stayed so long starts with the first pause again
)

// run keeps the client connected until ctx ends.
func (c *Client) run(ctx context.Context) {
	defer close(c.ended)
	defer c.close()
	var listening sync.WaitGroup
	defer listening.Wait()
	pause := firstPause
	for ctx.Err() == nil {
		if s := c.state.Load().session; s != nil {
			began := time.Now()
			listening.Go(func() { c.hub.listen(s, c) })
			reason := s.watch(ctx, 3*c.timeout)
			c.lose(s, reason)
			listening.Wait()
			if time.Since(began) > steadyAfter {
				pause = firstPause
			}
		}
		// Who died young is not tried again at once: it would come back for
		// one slow answer each time.
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // spreads instances, hides nothing
		}
		pause = min(2*pause, longPause)
		s, err := c.connect(ctx)
		if err != nil {
			c.away(nil, err)
			continue
		}
		c.back(s)
	}
}

func (c *Client) close() {
	old := c.state.Swap(&state{reason: ErrClosed})
	if old.session != nil {
		old.session.end(ErrClosed)
		<-old.session.closed
	}
}

// lose ends a session if nobody did yet.
func (c *Client) lose(s *session, reason error) {
	s.end(reason)
	c.away(s, reason)
}

// away notes that Redis cannot be used, and since when. From is the session
// that was lost, or nil when another attempt failed.
func (c *Client) away(from *session, reason error) {
	next := &state{reason: fmt.Errorf("%w: %w", ErrAway, reason), since: time.Now()}
	for {
		now := c.state.Load()
		switch {
		case now != nil && now.session != from, now != nil && errors.Is(now.reason, ErrClosed):
			return // somebody else noted it first
		case now != nil && now.session == nil:
			next.since = now.since
		}
		if c.state.CompareAndSwap(now, next) {
			if now == nil || now.session != nil {
				c.counters.episodes.Add(1)
				c.changed(reason)
			}
			return
		}
	}
}

// back notes that Redis can be used again.
func (c *Client) back(s *session) {
	old := c.state.Swap(&state{session: s})
	c.counters.away.Add(int64(time.Since(old.since)))
	c.changed(nil)
}

// live returns the session, or the reason why there is none.
func (c *Client) live() (*session, error) {
	now := c.state.Load()
	if now.session == nil {
		c.counters.refused.Add(1)
		return nil, now.reason
	}
	return now.session, nil
}

// do sends one command. Its error is that of ctx, of the way, or an answer of
// the server's; nil as an answer is none.
func (c *Client) do(ctx context.Context, s *session, command rueidis.Completed) rueidis.RedisResult {
	within, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	err := s.enter(within)
	if err != nil {
		c.judge(ctx, s, err)
		return rueidis.NewErrorResult(err)
	}
	defer s.leave()
	r := s.client.Do(within, command)
	c.judge(ctx, s, r.Error())
	return r
}

// judge draws the conclusion from what became of a command.
func (c *Client) judge(ctx context.Context, s *session, err error) {
	c.counters.commands.Add(1)
	switch {
	case isAnswer(err):
		s.tally(false)
		return
	case ctx.Err() != nil:
		return // the caller left, which says nothing of Redis
	}
	c.counters.failures.Add(1)
	if errors.Is(err, context.DeadlineExceeded) && !s.tally(true) {
		return
	}
	c.lose(s, err)
}

// isAnswer reports whether the server did its work, if only to say that a
// command was wrong.
func isAnswer(err error) bool {
	if err == nil || rueidis.IsRedisNil(err) {
		return true
	}
	answer, ok := rueidis.IsRedisErr(err)
	if !ok {
		return false
	}
	word, _, _ := strings.Cut(answer.Error(), " ")
	return !unfit[word]
}

// unfit are the words with which a server says that it is in no state to
// serve.
var unfit = map[string]bool{
	"LOADING": true, "READONLY": true, "OOM": true, "MISCONF": true, "MASTERDOWN": true, "CLUSTERDOWN": true,
	"NOAUTH": true, "WRONGPASS": true, "NOPERM": true, "BUSY": true, "NOREPLICAS": true, "MOVED": true, "ASK": true, "TRYAGAIN": true,
}

// isRefused reports whether a server does not accept user or password. Old
// servers say it without a word of its own.
func isRefused(err error) bool {
	answer, ok := rueidis.IsRedisErr(err)
	if !ok {
		return false
	}
	text := answer.Error()
	word, _, _ := strings.Cut(text, " ")
	return word == "NOAUTH" || word == "WRONGPASS" || strings.Contains(text, "invalid password") || strings.Contains(text, "AUTH <password> called without any password")
}

// Stats is a snapshot of a [Client]. Counters grow for as long as it lives.
type Stats struct {
	Up        bool          // whether Redis can be used
	Commands  uint64        // that were sent, each pipeline counting once
	Failures  uint64        // of these: without a use, by time, connection or state of the server
	Refused   uint64        // that were not sent, because Redis was away
	Believed  uint64        // limits that were refused without asking: see [Client.Limits]
	Episodes  uint64        // how often Redis went away
	Away      time.Duration // for how long it was, in all
	Published uint64        // messages that were sent
	Received  uint64        // messages that came in, once for each subscription
	Lost      uint64        // of these: too many for a subscription that was slow
	Channels  int           // that are subscribed to
	Heard     int           // of these: that the server has confirmed
}

// Stats returns a snapshot, for metrics.
func (c *Client) Stats() Stats {
	now, n := c.state.Load(), &c.counters
	s := Stats{
		Up: now.session != nil, Commands: n.commands.Load(), Failures: n.failures.Load(), Refused: n.refused.Load(),
		Believed: n.believed.Load(), Episodes: n.episodes.Load(), Away: time.Duration(n.away.Load()),
		Published: n.published.Load(), Received: n.received.Load(), Lost: n.lost.Load(),
	}
	s.Channels, s.Heard = c.hub.channels()
	if now.session == nil && !now.since.IsZero() {
		s.Away += time.Since(now.since)
	}
	return s
}
