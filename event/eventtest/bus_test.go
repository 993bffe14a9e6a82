package eventtest_test

import (
	"testing"

	"github.com/ashlar-go/ashlar/event"
	"github.com/ashlar-go/ashlar/event/eventtest"
)

func TestBus(t *testing.T) {
	t.Parallel()
	eventtest.RunBus(t, func(*testing.T) event.Bus { return eventtest.NewBus() })
}

func TestACutBusTellsAndMends(t *testing.T) {
	t.Parallel()
	b := eventtest.NewBus()
	heard := make(chan string, 10)
	go func() {
		_ = b.Subscribe(t.Context(), "c", func(m []byte) { heard <- string(m) })
	}()
	if got := <-heard; got != "" {
		t.Error(got)
	}
	b.Cut()
	if err := b.Publish(t.Context(), "c", []byte("lost")); err == nil {
		t.Error("a cut bus takes messages")
	}
	b.Mend()
	if got := <-heard; got != "" {
		t.Error(got)
	}
	if err := b.Publish(t.Context(), "c", []byte("kept")); err != nil || <-heard != "kept" || b.Sent() != 1 {
		t.Error(err)
	}
}
