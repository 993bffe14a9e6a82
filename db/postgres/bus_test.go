package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/event/eventtest"
	"github.com/ashlar-go/ashlar/internal/backing"
)

func bus(t *testing.T, url string) *postgres.Bus {
	t.Helper()
	b, err := postgres.NewBus(postgres.Config{URL: url, ConnectTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestABusIsABus(t *testing.T) {
	t.Parallel()
	eventtest.RunBus(t, func(t *testing.T) event.Bus {
		t.Helper()
		return bus(t, backing.PostgresSchema(t))
	})
}

// inbox is a subscription and what it has received.
type inbox struct {
	t        *testing.T
	messages chan []byte
}

func subscribe(t *testing.T, b *postgres.Bus, channel string) *inbox {
	t.Helper()
	in := &inbox{t, make(chan []byte, 5000)}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		err := b.Subscribe(ctx, channel, func(m []byte) { in.messages <- m })
		if err != nil && !errors.Is(err, db.ErrClosed) {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	in.connected()
	return in
}

func (in *inbox) next() []byte {
	in.t.Helper()
	select {
	case m := <-in.messages:
		return m
	case <-time.After(2 * time.Minute):
		in.t.Fatal("nothing was received")
		return nil
	}
}

func (in *inbox) connected() {
	in.t.Helper()
	if m := in.next(); m != nil {
		in.t.Errorf("received %q instead of word of a connection", m)
	}
}

func TestABusReachesAllInstances(t *testing.T) {
	t.Parallel()
	url := backing.Postgres(t)
	here, there := bus(t, url), bus(t, url)
	one, two, other := subscribe(t, here, "wake"), subscribe(t, there, "wake"), subscribe(t, there, "other_channel")
	messages := [][]byte{
		[]byte("plain"),
		{},
		[]byte("naïve ✓ 'quoted' $1"),
		{0},
		{0xff, 0xfe},
		[]byte("a\x00b"),
		bytes.Repeat([]byte("x"), 8000), bytes.Repeat([]byte{0, 1, 255}, 2666), bytes.Repeat([]byte("é"), 4000),
		bytes.Repeat([]byte("y"), 7936), bytes.Repeat([]byte("y"), 7937), []byte("again"), []byte("again"),
	}
	for i, m := range messages {
		if err := here.Publish(t.Context(), "wake", m); err != nil {
			t.Fatal(err)
		}
		for name, in := range map[string]*inbox{"here": one, "there": two} {
			if got := in.next(); got == nil || !bytes.Equal(got, m) {
				t.Errorf("message %d of %d bytes came %s as %d bytes (nil is %t)", i, len(m), name, len(got), got == nil)
			}
		}
	}
	if err := there.Publish(t.Context(), "other_channel", []byte("o")); err != nil {
		t.Fatal(err)
	}
	if got := other.next(); string(got) != "o" {
		t.Errorf("another channel received %q", got)
	}
	if len(one.messages) > 0 {
		t.Errorf("received %q of another channel", <-one.messages)
	}
	for began := time.Now(); here.Stats().Received <= int64(len(messages)) && time.Since(began) < 2*time.Minute; {
		time.Sleep(time.Millisecond) // it is counted when it has been handed over
	}
	if s := here.Stats(); s.Published != int64(len(messages)) || s.Received != int64(len(messages))+1 || !s.Connected || s.Connections != 1 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
}

func TestABusConnectsAgain(t *testing.T) {
	t.Parallel()
	server := backing.PostgresServer(t)
	p, url := throughProxy(t, server.URL())
	b := bus(t, url)
	in := subscribe(t, b, "wake")
	p.cut()
	in.connected()
	if !b.Listening() {
		t.Error("a bus that is connected does not say so")
	}
	server.Kill()
	for began := time.Now(); b.Listening() && time.Since(began) < 2*time.Minute; {
		time.Sleep(time.Millisecond)
	}
	if b.Listening() {
		t.Error("a bus without a server says that it listens")
	}
	if err := within(t, time.Minute, func(ctx context.Context) error { return b.Publish(ctx, "wake", []byte("lost")) }); err == nil {
		t.Error("published to a server that is dead")
	} else {
		unavailable(t, err, p.addr)
	}
	server.Start()
	in.connected()
	if err := b.Publish(t.Context(), "wake", []byte("back")); err != nil {
		t.Fatal(err)
	}
	if got := in.next(); string(got) != "back" {
		t.Errorf("received %q", got)
	}
}

func TestABusRefuses(t *testing.T) {
	t.Parallel()
	url := backing.Postgres(t)
	b := bus(t, url)
	for _, channel := range []string{"", "Wake", "wake-up", "wake1", "a;b", strings.Repeat("a", 61)} {
		if err := b.Publish(t.Context(), channel, nil); err == nil {
			t.Errorf("published on %q", channel)
		}
		if err := b.Subscribe(t.Context(), channel, func([]byte) {}); err == nil {
			t.Errorf("subscribed to %q", channel)
		}
	}
	if err := b.Publish(t.Context(), "wake", make([]byte, 8001)); err == nil {
		t.Error("published 8001 bytes")
	}
	if err := b.Publish(t.Context(), strings.Repeat("a", 60), make([]byte, 8000)); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if err := b.Publish(t.Context(), "wake", nil); !errors.Is(err, db.ErrClosed) {
		t.Errorf("Publish after Close: %v", err)
	}
	if err := b.Subscribe(t.Context(), "wake", func([]byte) {}); !errors.Is(err, db.ErrClosed) {
		t.Errorf("Subscribe after Close: %v", err)
	}
}

// TestASlowReceiverIsTold lets more messages come than may wait.
func TestASlowReceiverIsTold(t *testing.T) {
	t.Parallel()
	b := bus(t, backing.Postgres(t))
	busy, entered := make(chan struct{}), make(chan struct{}, 5000)
	var missed, seen int
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.Subscribe(ctx, "wake", func(m []byte) {
			entered <- struct{}{}
			if m == nil {
				missed++
			} else {
				seen++
			}
			<-busy
		})
	}()
	<-entered // word of the connection
	const many = 1100
	for range many {
		if err := b.Publish(t.Context(), "wake", []byte("m")); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(2 * time.Minute); b.Stats().Received < many && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	close(busy)
	for range 1024 + 1 {
		<-entered
	}
	cancel()
	<-done
	if s := b.Stats(); s.Dropped != many-1024 || seen != 1024 || missed != 2 {
		t.Errorf("%d seen, %d times told of missing some, %+v", seen, missed, s)
	}
}
