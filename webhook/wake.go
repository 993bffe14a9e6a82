package webhook

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// channel is where transactions of this process, and by way of the bus those of
// others, say that there is something to send.
const channel = "ashlar_webhooks"

// news wakes the dispatcher, and other processes when there is more than this
// one can do.
type news struct {
	wake    chan struct{} // of one place
	outward chan struct{} // of one place
}

func newNews() *news {
	return &news{wake: make(chan struct{}, 1), outward: make(chan struct{}, 1)}
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has not woken yet
	}
}

// mute complains once of what goes on failing.
type mute struct{ on atomic.Bool }

func (m *mute) complain(ctx context.Context, log *slog.Logger, what string, err error) {
	if !m.on.Swap(true) {
		log.ErrorContext(ctx, what, "error", err)
	}
}

func (m *mute) relieve(ctx context.Context, log *slog.Logger, what string) {
	if m.on.Swap(false) {
		log.InfoContext(ctx, what)
	}
}

// announce tells other processes of what is new here, for as long as ctx.
func (h *Hooks) announce(ctx context.Context) {
	if h.cfg.Bus == nil {
		return
	}
	m := &mute{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.news.outward:
		}
		within, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := h.cfg.Bus.Publish(within, channel, []byte("due"))
		cancel()
		switch {
		case ctx.Err() != nil:
		case err != nil:
			m.complain(ctx, h.cfg.Log, "other processes cannot be told of webhooks; they look for them instead", err)
		default:
			m.relieve(ctx, h.cfg.Log, "other processes are told of webhooks again")
		}
	}
}

// hear listens to other processes, for as long as ctx.
func (h *Hooks) hear(ctx context.Context) {
	if h.cfg.Bus == nil {
		return
	}
	m := &mute{}
	for ctx.Err() == nil {
		err := h.cfg.Bus.Subscribe(ctx, channel, func([]byte) {
			m.relieve(ctx, h.cfg.Log, "other processes are heard of webhooks again")
			nudge(h.news.wake)
		})
		if err != nil && ctx.Err() == nil {
			m.complain(ctx, h.cfg.Log, "other processes cannot be heard; webhooks are looked for instead", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}
