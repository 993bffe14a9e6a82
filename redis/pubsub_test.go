package redis_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/event/eventtest"
	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/job"
	"github.com/ashlar-go/ashlar/redis"
)

// A client is what others ask for, in their own words.
var (
	_ cache.Bus = (*redis.Client)(nil)
	_ event.Bus = (*redis.Client)(nil)
	_ job.Bus   = (*redis.Client)(nil)
)

func TestAClientIsABus(t *testing.T) {
	t.Parallel()
	eventtest.RunBus(t, func(t *testing.T) event.Bus {
		t.Helper()
		url, prefix := backing.Redis(t)
		return up(t, redis.Config{URL: url, Prefix: prefix, Timeout: patient})
	})
}

// Messages reach every subscription of their channel, in order and as they
// were, and none of another channel, database or prefix.
func TestMessagesArrive(t *testing.T) {
	t.Parallel()
	url, prefix := backing.Redis(t)
	one, two := up(t, redis.Config{URL: url, Prefix: prefix, Timeout: patient}), up(t, redis.Config{URL: url, Prefix: prefix, Timeout: patient})
	other := up(t, redis.Config{URL: url, Prefix: prefix + "other:", Timeout: patient})
	heard := []<-chan []byte{listen(t, one, "news"), listen(t, one, "news"), listen(t, two, "news")}
	apart := []<-chan []byte{listen(t, one, "news_too"), listen(t, other, "news")}
	for _, h := range append(heard, apart...) {
		if got := next(t, h); got != nil {
			t.Fatalf("before anything was sent: %q", got)
		}
	}
	messages := [][]byte{{}, []byte("hello"), {0, 255, '\r', '\n', '$'}, bytes.Repeat([]byte("x"), redis.MaxMessage)}
	for i := range 100 {
		messages = append(messages, fmt.Append(nil, i))
	}
	for _, m := range messages {
		if err := two.Publish(t.Context(), "news", m); err != nil {
			t.Fatal(err)
		}
	}
	for i, h := range heard {
		for _, want := range messages {
			if got := next(t, h); got == nil || !bytes.Equal(got, want) {
				t.Fatalf("subscription %d got %.40q, want %.40q", i, got, want)
			}
		}
	}
	for i, c := range []*redis.Client{one, other} {
		if err := c.Publish(t.Context(), []string{"news_too", "news"}[i], []byte("apart")); err != nil {
			t.Fatal(err)
		}
		if got := next(t, apart[i]); string(got) != "apart" {
			t.Errorf("subscription %d got %.40q of another channel", i, got)
		}
	}
	if s := two.Stats(); s.Published != uint64(len(messages)) || s.Received != uint64(len(messages)) || s.Channels != 1 || s.Heard != 1 {
		t.Errorf("got %+v", s)
	}
}

func TestPublishAndSubscribeRefuse(t *testing.T) {
	t.Parallel()
	url, prefix := backing.Redis(t)
	client := up(t, redis.Config{URL: url, Prefix: prefix, Timeout: patient})
	for _, channel := range []string{"", "News", "a.b", "a b", "a*", "é", strings.Repeat("a", 61)} {
		if err := client.Publish(t.Context(), channel, nil); err == nil {
			t.Errorf("published on %q", channel)
		}
		if err := client.Subscribe(t.Context(), channel, func([]byte) {}); err == nil {
			t.Errorf("subscribed to %q", channel)
		}
	}
	if err := client.Publish(t.Context(), strings.Repeat("a", 60), make([]byte, redis.MaxMessage+1)); err == nil {
		t.Error("published too much")
	}
	if s := client.Stats(); s.Commands != 0 {
		t.Errorf("mistakes were sent: %+v", s)
	}
}

// A receiver that is slow holds up nobody, is told that it missed something,
// and costs no more than so much memory.
func TestSlowReceiverMissesMessages(t *testing.T) {
	t.Parallel()
	url, prefix := backing.Redis(t)
	client := up(t, redis.Config{URL: url, Prefix: prefix, Timeout: patient})
	release, slow := make(chan struct{}), make(chan []byte, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- client.Subscribe(ctx, "news", func(m []byte) {
			slow <- m
			if string(m) == "first" {
				<-release
			}
		})
	}()
	quick := listen(t, client, "news")
	if first, second := next(t, slow), next(t, quick); first != nil || second != nil {
		t.Fatalf("before anything was sent: %q, %q", first, second)
	}
	send := func(m string) {
		t.Helper()
		if err := client.Publish(t.Context(), "news", []byte(m)); err != nil {
			t.Fatal(err)
		}
		if got := next(t, quick); string(got) != m {
			t.Fatalf("the quick one got %q", got)
		}
	}
	send("first")
	const many = 300
	for range many {
		send("more")
	}
	close(release)
	var got []string
	for len(got) < 2 || got[len(got)-1] != "last" {
		if len(got) == 1 {
			send("last")
		}
		m := next(t, slow)
		got = append(got, string(m))
		if m == nil {
			got[len(got)-1] = "missed"
		}
	}
	if got[0] != "first" || got[1] != "missed" || len(got) > 100 {
		t.Errorf("the slow one got %d: %.60q", len(got), got)
	}
	if lost := client.Stats().Lost; lost < 200 || lost > many {
		t.Errorf("%d were lost", lost)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("a subscription whose context ended: %v", err)
	}
}

// Subscriptions come and go. However many channels there were, the server
// keeps a bounded number for the client, and those that stay hear on.
func TestSubscriptionsComeAndGo(t *testing.T) {
	t.Parallel()
	server := backing.RedisServer(t)
	client := up(t, redis.Config{URL: server.URL(), Timeout: patient})
	stays := listen(t, client, "stays")
	const channels = 250
	for i := range channels {
		ctx, cancel := context.WithCancel(t.Context())
		ended, heard := make(chan error, 1), make(chan []byte, 10)
		name := "n" + strings.Map(func(digit rune) rune { return digit - '0' + 'a' }, fmt.Sprint(i))
		go func() { ended <- client.Subscribe(ctx, name, func(m []byte) { heard <- m }) }()
		if got := next(t, heard); got != nil {
			t.Fatalf("got %q", got)
		}
		for string(next(t, publish(t, client, name, heard))) != "now" { // it may be told again that it missed something
			continue
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(tell(t, server.Addr(), "PUBSUB CHANNELS"), "ashlar:"); got > channels/2 {
		t.Errorf("the server has %d channels", got)
	}
	if got := strings.Count(tell(t, server.Addr(), "CLIENT LIST"), " name=ashlar "); got != 2 {
		t.Errorf("the client has %d connections", got)
	}
	eventually(t, "one channel is left", func() bool { s := client.Stats(); return s.Channels == 1 && s.Heard == 1 })
	if s := client.Stats(); s.Episodes != 0 {
		t.Errorf("got %+v", s)
	}
	publish(t, client, "stays", stays)
	missed := 0
	for next(t, stays) == nil {
		missed++
	}
	if missed < 2 {
		t.Errorf("the one that stays was told %d times that it may have missed something", missed)
	}
}

func publish(t *testing.T, client *redis.Client, channel string, heard <-chan []byte) <-chan []byte {
	t.Helper()
	if err := client.Publish(t.Context(), channel, []byte("now")); err != nil {
		t.Fatal(err)
	}
	return heard
}

// Who subscribes while Redis is away hears what comes after it is back.
func TestSubscribeWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	server := backing.RedisServer(t)
	server.Kill()
	client := open(t, redis.Config{URL: server.URL(), Timeout: patient})
	heard := listen(t, client, "news")
	select {
	case got := <-heard:
		t.Fatalf("got %q of nobody", got)
	case <-time.After(50 * time.Millisecond):
	}
	server.Start()
	if got := next(t, heard); got != nil {
		t.Errorf("got %q", got)
	}
	if err := client.Publish(t.Context(), "news", []byte("now")); err != nil {
		t.Fatal(err)
	}
	if got := next(t, heard); string(got) != "now" {
		t.Errorf("got %q", got)
	}
}
