package webhook

import (
	"context"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// sweepEvery is how often what is not kept any more is deleted.
const sweepEvery = 10 * time.Minute

// batch is how much of it goes in one transaction, so that others do not wait.
const batch = 500

func (h *Hooks) keepSweeping(ctx context.Context) {
	m := &mute{}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := h.Sweep(ctx); err != nil && ctx.Err() == nil {
			m.complain(ctx, h.cfg.Log, "old webhooks cannot be deleted", err)
		} else if err == nil {
			m.relieve(ctx, h.cfg.Log, "old webhooks are deleted again")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sweep deletes what ended longer ago than Config.Retention and what belongs to
// endpoints that were deleted, and drops what has waited as long for an endpoint
// that is disabled. Run calls it now and then.
func (h *Hooks) Sweep(ctx context.Context) error {
	before := h.cfg.Now().Add(-h.cfg.Retention)
	for _, step := range []func(context.Context, *db.Tx, time.Time) (int, error){h.drop, h.forget, h.abandon, h.unsay} {
		for n := batch; n == batch; {
			var err error
			n, err = db.InTx(ctx, h.cfg.DB, func(tx *db.Tx) (int, error) { return step(ctx, tx, before) }, db.ReadCommitted)
			if err != nil {
				return fmt.Errorf("webhook: sweep: %w", err)
			}
		}
	}
	return nil
}

// drop gives up what has waited too long for an endpoint that is disabled.
func (h *Hooks) drop(ctx context.Context, tx *db.Tx, before time.Time) (int, error) {
	old, err := db.All[struct{ ID, Endpoint, Lane string }](ctx, tx, `
		SELECT d.id, d.endpoint, d.lane FROM ashlar_webhook_deliveries d JOIN ashlar_webhook_endpoints e ON e.id = d.endpoint
		WHERE d.state = 'pending' AND d.created_at < $1 AND e.state = 'disabled' ORDER BY d.created_at LIMIT $2`, millis(before), batch)
	if err != nil {
		return 0, err
	}
	dropped := 0
	for _, one := range old {
		// Locked first, as by everybody who changes a lane.
		free, err := db.All[string](ctx, tx, `
			SELECT lane FROM ashlar_webhook_lanes WHERE endpoint = $1 AND lane = $2 AND (owner = '' OR due_at <= $3) FOR UPDATE`,
			one.Endpoint, one.Lane, millis(h.cfg.Now()))
		if err != nil {
			return 0, err
		}
		if len(free) == 0 {
			continue // an attempt is under way, or has just ended
		}
		dropped++
		if _, err := db.Exec(ctx, tx, `
			UPDATE ashlar_webhook_deliveries SET state = 'dropped', ended_at = $1 WHERE id = $2 AND state = 'pending'`,
			millis(h.cfg.Now()), one.ID); err != nil {
			return 0, err
		}
		if err := closeLane(ctx, tx, one.Endpoint, one.Lane); err != nil {
			return 0, err
		}
		tx.AfterCommit(func() { h.counts.dropped.Add(1) })
	}
	return dropped, nil
}

// forget deletes deliveries that ended long ago.
func (h *Hooks) forget(ctx context.Context, tx *db.Tx, before time.Time) (int, error) {
	return discard(ctx, tx, `
		SELECT id FROM ashlar_webhook_deliveries WHERE state <> 'pending' AND ended_at < $1 ORDER BY ended_at LIMIT $2`, millis(before), batch)
}

// abandon deletes all of endpoints that were deleted, and these when nothing is
// left. A transaction that saw one before may still enqueue, so they stay for
// an hour.
func (h *Hooks) abandon(ctx context.Context, tx *db.Tx, _ time.Time) (int, error) {
	n, err := discard(ctx, tx, `
		SELECT d.id FROM ashlar_webhook_endpoints e JOIN ashlar_webhook_deliveries d ON d.endpoint = e.id
		WHERE e.state = $1 LIMIT $2`, deleted, batch)
	if err != nil || n == batch {
		return n, err
	}
	if _, err := db.Exec(ctx, tx, `
		DELETE FROM ashlar_webhook_lanes WHERE endpoint IN (SELECT id FROM ashlar_webhook_endpoints WHERE state = $1)`, deleted); err != nil {
		return 0, err
	}
	_, err = db.Exec(ctx, tx, `DELETE FROM ashlar_webhook_endpoints WHERE state = $1 AND changed_at < $2`,
		deleted, millis(h.cfg.Now().Add(-time.Hour)))
	return n, err
}

// discard deletes deliveries and their attempts.
func discard(ctx context.Context, tx *db.Tx, which string, args ...any) (int, error) {
	ids, err := db.All[string](ctx, tx, which, args...)
	for _, one := range ids {
		if err == nil {
			_, err = db.Exec(ctx, tx, `DELETE FROM ashlar_webhook_attempts WHERE delivery = $1`, one)
		}
		if err == nil {
			_, err = db.Exec(ctx, tx, `DELETE FROM ashlar_webhook_deliveries WHERE id = $1`, one)
		}
	}
	return len(ids), err
}

// unsay deletes messages that no endpoint has any more.
func (h *Hooks) unsay(ctx context.Context, tx *db.Tx, before time.Time) (int, error) {
	n, err := db.Exec(ctx, tx, `
		DELETE FROM ashlar_webhook_messages WHERE created_at < $1 AND (account, id) IN (
			SELECT m.account, m.id FROM ashlar_webhook_messages m
			WHERE m.created_at < $1 AND NOT EXISTS (
				SELECT 1 FROM ashlar_webhook_deliveries d WHERE d.account = m.account AND d.message = m.id)
			ORDER BY m.created_at LIMIT $2)`, millis(before), batch)
	return int(n), err
}
