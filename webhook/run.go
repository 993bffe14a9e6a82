package webhook

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Run sends what is due until ctx ends, then waits for the attempts that are
// under way, for at most Config.Drain, and returns nil. It tries on when the
// database fails. Any number of processes may run it.
func (h *Hooks) Run(ctx context.Context) error {
	stop := h.cfg.DB.Listen(channel, func(string) { nudge(h.news.wake) })
	defer stop()

	working, breakOff := context.WithCancel(context.WithoutCancel(ctx))
	defer breakOff()
	d := &dispatcher{hooks: h, working: working, running: map[string]int{}}
	var parts sync.WaitGroup
	parts.Go(func() { h.hear(ctx) })
	parts.Go(func() { h.announce(ctx) })
	parts.Go(func() { h.watch(ctx) })
	parts.Go(func() { h.keepSweeping(ctx) })
	d.loop(ctx)

	drained := make(chan struct{})
	go func() { d.runners.Wait(); close(drained) }()
	select {
	case <-drained:
	case <-time.After(h.cfg.Drain):
		breakOff()
		<-drained // an attempt ends with its context
	}
	parts.Wait()
	return nil
}

// A dispatcher has runners, each of which sends what is due at one endpoint.
type dispatcher struct {
	hooks                        *Hooks
	working                      context.Context //nolint:containedctx // of attempts, which outlive that of Run
	runners                      sync.WaitGroup
	looking, claiming, recording mute

	mu      sync.Mutex
	running map[string]int // by endpoint
	total   int
	short   bool // there was more to do than runners
}

// loop looks for what is due when there are news, and now and then.
func (d *dispatcher) loop(ctx context.Context) {
	tick := time.NewTicker(d.hooks.cfg.Poll)
	defer tick.Stop()
	after := ""
	for ctx.Err() == nil {
		var err error
		if after, err = d.round(ctx, after); err != nil && ctx.Err() == nil {
			d.looking.complain(ctx, d.hooks.cfg.Log, "webhooks cannot be looked for", err)
		} else if err == nil {
			d.looking.relieve(ctx, d.hooks.cfg.Log, "webhooks are looked for again")
		}
		select {
		case <-ctx.Done():
		case <-d.hooks.news.wake:
		case <-tick.C:
		}
	}
}

// page is how many endpoints are looked up at once.
const page = 64

// round starts a runner for each endpoint that has something due, in a circle
// that begins after the one where the last round ran out of runners.
func (d *dispatcher) round(ctx context.Context, after string) (next string, err error) {
	start, turned := after, after == ""
	for d.room() {
		list, err := d.hooks.due(ctx, after, page)
		if err != nil {
			return start, err
		}
		for _, endpoint := range list {
			if turned && start != "" && endpoint > start {
				return start, nil // all the way round
			}
			if !d.start(ctx, endpoint) && !d.room() {
				return after, nil
			}
			after = endpoint
		}
		if len(list) == page {
			continue
		}
		if turned {
			return "", nil
		}
		after, turned = "", true
	}
	return after, nil
}

// room reports whether there may be another runner, and remembers if not.
func (d *dispatcher) room() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.short = d.total >= d.hooks.cfg.Workers; d.short {
		nudge(d.hooks.news.outward) // others may have room
	}
	return !d.short
}

// start runs another runner for an endpoint, if there may be one.
func (d *dispatcher) start(ctx context.Context, endpoint string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.total >= d.hooks.cfg.Workers || d.running[endpoint] >= d.hooks.cfg.PerEndpoint {
		return false
	}
	d.running[endpoint]++
	d.total++
	d.runners.Go(func() { d.run(ctx, endpoint) })
	return true
}

// burst is how many messages a runner sends before others get their turn.
const burst = 16

// run sends what is due at an endpoint, one after the other.
func (d *dispatcher) run(ctx context.Context, endpoint string) {
	h := d.hooks
	more := true
	for n := 0; n < burst && more && ctx.Err() == nil; n++ {
		c, err := h.claim(ctx, endpoint)
		if err != nil && ctx.Err() == nil {
			d.claiming.complain(ctx, h.cfg.Log, "webhooks cannot be claimed", err)
		} else if err == nil {
			d.claiming.relieve(ctx, h.cfg.Log, "webhooks are claimed again")
		}
		if c == nil || err != nil {
			more = false
			break
		}
		// One that is well gets another runner while there is more than one
		// thing to do; one that fails is tried by one at a time.
		if c.delivery.Failures == 0 {
			if more, err = h.isDue(ctx, endpoint); more && err == nil {
				d.start(ctx, endpoint)
			}
		}
		d.deliver(ctx, c)
		more, err = h.isDue(ctx, endpoint)
		more = more && err == nil
	}
	d.mu.Lock()
	d.total--
	if d.running[endpoint]--; d.running[endpoint] == 0 {
		delete(d.running, endpoint)
	}
	short := d.short
	d.mu.Unlock()
	if more || short {
		nudge(h.news.wake)
	}
}

// deliver makes one attempt and writes down what came of it. It is not broken
// off by the end of ctx.
func (d *dispatcher) deliver(ctx context.Context, c *claim) {
	h := d.hooks
	r := h.attempt(d.working, c)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var s settled
	var err error
	if r.broken {
		err = h.release(ctx, c)
		h.counts.broken.Add(1)
	} else {
		s, err = h.settle(ctx, c, r)
	}
	switch {
	case errors.Is(err, errLost):
		h.counts.lost.Add(1)
		h.cfg.Log.WarnContext(ctx, "a webhook's attempt took longer than its lease, and is made again", "endpoint", c.endpoint, "delivery", c.delivery.ID, "took", r.took)
		return
	case err != nil: // the lease ends, and it is sent again
		d.recording.complain(ctx, h.cfg.Log, "an attempt at a webhook cannot be recorded, and is made again", err)
		return
	case r.broken:
		return
	}
	d.recording.relieve(ctx, h.cfg.Log, "attempts at webhooks are recorded again")
	h.counts.note(r)
	if r.outcome != Success {
		h.cfg.Log.InfoContext(ctx, "webhook failed", "endpoint", c.endpoint, "delivery", c.delivery.ID, "message", c.delivery.Message,
			"attempt", c.delivery.Attempts+1, "outcome", string(r.outcome), "status", r.status, "given_up", s.givenUp, "error", r.cause)
	}
	if s.givenUp {
		h.counts.givenUp.Add(1)
	}
	if s.disabled != nil {
		h.counts.disabled.Add(1)
		h.cfg.Log.WarnContext(ctx, "webhook endpoint disabled", "endpoint", c.endpoint, "account", s.disabled.Account, "reason", string(s.disabled.Reason),
			"failing_since", s.disabled.FailingSince)
	}
	if s.recovered {
		if err := h.hasten(ctx, c.endpoint); err != nil {
			h.cfg.Log.WarnContext(ctx, "what waits for a webhook endpoint that is well again cannot be hastened", "endpoint", c.endpoint, "error", err)
		}
	}
}
