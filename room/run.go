package room

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

// A Bus passes messages of at most 8000 bytes to all processes, in the order in
// which one process published them, or loses them. Subscribe returns when ctx
// ends or it fails; it calls receive with nil after each time that it was
// connected.
type Bus interface {
	Publish(ctx context.Context, channel string, message []byte) error
	Subscribe(ctx context.Context, channel string, receive func(message []byte)) error
}

// patience is how long a message may take to be published.
const patience = 2 * time.Second

// Run tells other processes what happens here and hears from them, until ctx
// ends; then it tells them that its members are gone, and returns nil. Without a
// bus there is nothing to do.
func (h *Hub) Run(ctx context.Context) error {
	if h.cfg.Bus == nil {
		<-ctx.Done()
		return nil
	}
	var parts sync.WaitGroup
	parts.Go(func() { h.subscribe(ctx) })
	parts.Go(func() { h.publish(ctx) })
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		select {
		case now := <-beat.C:
			h.tick(now)
		case <-ctx.Done():
			parts.Wait()
			return nil
		}
	}
}

func (h *Hub) subscribe(ctx context.Context) {
	for ctx.Err() == nil {
		if err := h.cfg.Bus.Subscribe(ctx, channel, h.hear); err == nil || ctx.Err() != nil {
			continue
		}
		select { // what is wrong is said where a message cannot be published
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// publish publishes what is to be told, one after another.
func (h *Hub) publish(ctx context.Context) {
	failing := false
	for {
		select {
		case <-ctx.Done():
			h.tellEnd(context.WithoutCancel(ctx))
			return
		case text := <-h.out:
			within, cancel := context.WithTimeout(ctx, patience)
			err := h.cfg.Bus.Publish(within, channel, text)
			cancel()
			switch {
			case err != nil && ctx.Err() == nil:
				h.mu.Lock()
				h.counts.unsent++
				h.mu.Unlock()
				if !failing {
					h.cfg.Log.WarnContext(ctx, "other processes do not learn who is in a room here until they can be reached again", "error", err)
				}
				failing = true
			case failing && err == nil:
				h.cfg.Log.InfoContext(ctx, "other processes learn who is in a room here again")
				failing = false
			}
		}
	}
}

func (h *Hub) tellEnd(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	text, err := json.Marshal(message{From: h.self, What: toEnd})
	if err == nil {
		err = h.cfg.Bus.Publish(ctx, channel, text)
	}
	if err != nil {
		h.cfg.Log.WarnContext(ctx, "other processes were not told that this one ends; its members leave their rooms within 30 s", "error", err)
	}
}
