package redis

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A Clock stands still until it is moved, for a client and its server.
type Clock struct {
	client *Client
	key    string
	server int64 // microseconds
	local  atomic.Int64
}

// OpenWithClock opens a client whose scripts read a clock of their own, and
// keep what they write long enough for it.
func OpenWithClock(tb testing.TB, c Config) (*Client, *Limits, *Clock) {
	tb.Helper()
	s, err := c.parse()
	if err != nil {
		tb.Fatal(err)
	}
	clock := &Clock{key: s.prefix + "clock", server: time.Now().UnixMicro()}
	replace := func(old, with string) {
		text := s.texts[takeScript]
		if strings.Count(text, old) != 1 {
			tb.Fatalf("the script has not one %q", old)
		}
		s.texts[takeScript] = strings.Replace(text, old, with, 1)
	}
	replace("local time = redis.call('TIME')\n", "")
	replace("time[1] * 1000000 + time[2]", "tonumber(redis.call('GET', '"+clock.key+"'))")
	replace("string.format('%.0f', math.ceil(s / 1000000))", "'600000'")
	client, err := open(tb.Context(), c, s)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(client.Close)
	clock.client = client
	clock.Step(tb, 0)
	limits := client.Limits()
	limits.refusals.clock = func() time.Duration { return time.Duration(clock.local.Load()) }
	return client, limits, clock
}

// Step moves the clock. Nobody can set back what a process measures time by.
func (c *Clock) Step(tb testing.TB, d time.Duration) {
	tb.Helper()
	c.server += d.Microseconds()
	c.local.Add(int64(max(d, 0)))
	s, err := c.client.live()
	if err != nil {
		tb.Fatal(err)
	}
	set := s.client.B().Set().Key(c.key).Value(strconv.FormatInt(c.server, 10)).PxMilliseconds(600_000).Build()
	if err := c.client.do(context.Background(), s, set).Error(); err != nil {
		tb.Fatal(err)
	}
}

// StepLocally moves what the client believes to be the time.
func (l *Limits) StepLocally(clock func() time.Duration) { l.refusals.clock = clock }
