package webhook

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// Stats is a snapshot for metrics. Attempts and what follows are of this
// process and grow for as long as it lives; the others are of the database, as
// they were within the last quarter of a minute, while Run runs.
type Stats struct {
	Pending   int           // deliveries that are to be sent or tried again, counted up to 100 000
	Oldest    time.Duration // age of the oldest of them
	Held      int           // deliveries that wait for an endpoint which is disabled, counted up to 100 000
	Endpoints int           // that are enabled
	Resting   int           // of these, those that are left alone for a while
	Disabled  int           // endpoints that are disabled

	Attempts struct {
		Success   int64
		Refused   int64 // answered with anything but 2xx
		Timeout   int64
		NoAnswer  int64 // for another reason
		Forbidden int64 // the target may not be called
	}
	Took     time.Duration // of all attempts together
	Broken   int64         // attempts that were broken off by the end of a process
	Lost     int64         // attempts that outlived their lease
	GivenUp  int64         // deliveries whose schedule was over
	Dropped  int64         // deliveries that waited too long for a disabled endpoint
	Switched int64         // endpoints that were disabled by this package
}

type counts struct {
	success, refused, timeout, noAnswer, forbidden atomic.Int64
	took                                           atomic.Int64
	broken, lost, givenUp, dropped, disabled       atomic.Int64
}

func (c *counts) note(r result) {
	c.took.Add(int64(r.took))
	switch r.outcome {
	case Success:
		c.success.Add(1)
	case Refused, Redirect:
		c.refused.Add(1)
	case Timeout:
		c.timeout.Add(1)
	case Forbidden:
		c.forbidden.Add(1)
	case NoAnswer:
		c.noAnswer.Add(1)
	}
}

// seen is what the database had when somebody last looked.
type seen struct {
	mu sync.Mutex
	at time.Time
	Stats
}

// Stats returns a snapshot.
func (h *Hooks) Stats() Stats {
	h.seen.mu.Lock()
	s := h.seen.Stats
	h.seen.mu.Unlock()
	c := &h.counts
	s.Attempts.Success, s.Attempts.Refused = c.success.Load(), c.refused.Load()
	s.Attempts.Timeout, s.Attempts.NoAnswer, s.Attempts.Forbidden = c.timeout.Load(), c.noAnswer.Load(), c.forbidden.Load()
	s.Took = time.Duration(c.took.Load())
	s.Broken, s.Lost, s.GivenUp, s.Dropped, s.Switched = c.broken.Load(), c.lost.Load(), c.givenUp.Load(), c.dropped.Load(), c.disabled.Load()
	return s
}

// watchEvery is how often the database is looked at for Stats.
const watchEvery = 15 * time.Second

// watch looks now and then, until ctx ends.
func (h *Hooks) watch(ctx context.Context) {
	m := &mute{}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		if err := h.look(ctx); err != nil && ctx.Err() == nil {
			m.complain(ctx, h.cfg.Log, "webhooks cannot be counted", err)
		} else if err == nil {
			m.relieve(ctx, h.cfg.Log, "webhooks are counted again")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look counts what is in the database.
func (h *Hooks) look(ctx context.Context) error {
	now := h.cfg.Now()
	var s Stats
	of := func(to *int, query string, args ...any) error {
		n, err := db.One[int](ctx, h.cfg.DB, query, args...)
		*to = n
		return err
	}
	const waiting = `SELECT COUNT(*) FROM (SELECT 1 FROM ashlar_webhook_deliveries d JOIN ashlar_webhook_endpoints e ON e.id = d.endpoint
		WHERE d.state = 'pending' AND e.state = $1 LIMIT 100000) AS found`
	err := errors.Join(
		of(&s.Pending, waiting, Enabled),
		of(&s.Held, waiting, Disabled),
		of(&s.Endpoints, `SELECT COUNT(*) FROM ashlar_webhook_endpoints WHERE state = $1`, Enabled),
		of(&s.Disabled, `SELECT COUNT(*) FROM ashlar_webhook_endpoints WHERE state = $1`, Disabled),
		of(&s.Resting, `SELECT COUNT(*) FROM ashlar_webhook_endpoints WHERE state = $1 AND rest_until > $2`, Enabled, millis(now)),
	)
	if err != nil {
		return err
	}
	oldest, err := db.One[int64](ctx, h.cfg.DB, `
		SELECT d.created_at FROM ashlar_webhook_deliveries d JOIN ashlar_webhook_endpoints e ON e.id = d.endpoint
		WHERE d.state = 'pending' AND e.state = 'enabled' ORDER BY d.created_at LIMIT 1`)
	switch {
	case err == nil:
		s.Oldest = max(0, now.Sub(moment(oldest)))
	case !errors.Is(err, db.ErrNoRows):
		return err
	}
	h.seen.mu.Lock()
	defer h.seen.mu.Unlock()
	h.seen.Stats, h.seen.at = s, now
	return nil
}
