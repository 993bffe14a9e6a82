package eventtest

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/event"
)

// wait bounds what a bus may need to deliver a message to a test.
const wait = 2 * time.Minute

// RunBus checks the bus behind open, which returns one for one test alone: on
// it there are no other messages.
func RunBus(t *testing.T, open func(t *testing.T) event.Bus) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, event.Bus){
		"subscribers learn that they are connected":   connects,
		"everybody hears a message once and in order": fansOut,
		"channels are apart":                          channels,
		"messages are kept as they are":               contents,
		"a subscription ends with its context":        ends,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// listen subscribes and returns once that is connected.
func listen(t *testing.T, b event.Bus, channel string) <-chan []byte {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	t.Cleanup(func() { cancel(); listening.Wait() })
	messages := make(chan []byte, 1000)
	listening.Go(func() {
		err := b.Subscribe(ctx, channel, func(message []byte) { messages <- bytes.Clone(message) })
		if ctx.Err() == nil {
			t.Errorf("Subscribe returned %v", err)
		}
	})
	if first := hear(t, messages); first != nil {
		t.Fatalf("%q came before the connection was told of", first)
	}
	return messages
}

func hear(t *testing.T, messages <-chan []byte) []byte {
	t.Helper()
	select {
	case m := <-messages:
		return m
	case <-time.After(wait):
		t.Fatal("nothing was heard")
		return nil
	}
}

func publish(t *testing.T, b event.Bus, channel, message string) {
	t.Helper()
	if err := b.Publish(t.Context(), channel, []byte(message)); err != nil {
		t.Fatal(err)
	}
}

func connects(t *testing.T, b event.Bus) {
	publish(t, b, "test_one", "nobody hears this")
	listen(t, b, "test_one")
	listen(t, b, "test_one")
}

func fansOut(t *testing.T, b event.Bus) {
	one, two := listen(t, b, "test_one"), listen(t, b, "test_one")
	for n := range 50 {
		publish(t, b, "test_one", strconv.Itoa(n))
	}
	for n := range 50 {
		for _, heard := range []<-chan []byte{one, two} {
			if got := string(hear(t, heard)); got != strconv.Itoa(n) {
				t.Fatalf("%s, want %d", got, n)
			}
		}
	}
}

func channels(t *testing.T, b event.Bus) {
	one, two := listen(t, b, "test_one"), listen(t, b, "test_two")
	publish(t, b, "test_one", "1")
	publish(t, b, "test_two", "2")
	if got := string(hear(t, one)) + string(hear(t, two)); got != "12" {
		t.Error(got)
	}
}

func contents(t *testing.T, b event.Bus) {
	heard := listen(t, b, "test_one")
	for _, message := range []string{"ü \" ' \\ %", string(bytes.Repeat([]byte("x"), 7000))} {
		publish(t, b, "test_one", message)
		if got := string(hear(t, heard)); got != message {
			t.Errorf("%q, want %q", got, message)
		}
	}
}

func ends(t *testing.T, b event.Bus) {
	ctx, cancel := context.WithCancel(t.Context())
	done, connected := make(chan error, 1), make(chan struct{}, 10)
	go func() {
		done <- b.Subscribe(ctx, "test_one", func([]byte) { connected <- struct{}{} })
	}()
	select {
	case <-connected:
	case <-time.After(wait):
		t.Fatal("nothing was heard")
	}
	cancel()
	select {
	case err := <-done:
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(wait):
		t.Fatal("Subscribe goes on after its context")
	}
	if err := b.Publish(ctx, "test_one", []byte("x")); err == nil {
		t.Error("Publish works after its context")
	}
}
