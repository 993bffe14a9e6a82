package webhook

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// The rests of an endpoint that keeps failing.
const (
	firstRest = 30 * time.Second
	longRest  = time.Hour
)

// well notes a success, and reports whether the endpoint had been resting.
func (h *Hooks) well(ctx context.Context, tx *db.Tx, endpoint string) (recovered bool, err error) {
	failures, err := db.One[int](ctx, tx, `SELECT failures FROM ashlar_webhook_endpoints WHERE id = $1`, endpoint)
	if errors.Is(err, db.ErrNoRows) || err == nil && failures == 0 { // deleted meanwhile; or as always
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = db.Exec(ctx, tx, `
		UPDATE ashlar_webhook_endpoints SET failures = 0, failing_since = 0, rest_until = 0, rested_at = 0 WHERE id = $1`, endpoint)
	return failures >= h.cfg.Trip, err
}

// unwell notes a failure: the endpoint rests when there were several in a row,
// and is disabled when it is gone or has failed for too long.
func (h *Hooks) unwell(ctx context.Context, tx *db.Tx, endpoint string, r result, now time.Time) (disabled *Endpoint, err error) {
	row, err := db.One[endpointRow](ctx, tx, `
		UPDATE ashlar_webhook_endpoints
		SET failures = failures + 1, failing_since = CASE WHEN failing_since = 0 THEN $1 ELSE failing_since END
		WHERE id = $2 RETURNING `+endpointColumns, millis(now), endpoint)
	if errors.Is(err, db.ErrNoRows) {
		return nil, nil //nolint:nilnil // deleted meanwhile
	}
	if err != nil {
		return nil, err
	}
	var why Reason
	switch {
	case row.State != Enabled:
		return nil, nil //nolint:nilnil // by its owner meanwhile
	case r.gone():
		why = Gone
	case now.Sub(moment(row.FailingSince)) >= h.cfg.DisableAfter:
		why = Failing
	case row.Failures >= h.cfg.Trip:
		_, err := db.Exec(ctx, tx, `UPDATE ashlar_webhook_endpoints SET rest_until = $1, rested_at = $2 WHERE id = $3`,
			millis(now.Add(h.rest(row.Failures))), millis(now), endpoint)
		return nil, err
	default:
		return nil, nil //nolint:nilnil // it may have been chance
	}
	row.State, row.Reason, row.ChangedAt = Disabled, why, millis(now)
	if _, err := db.Exec(ctx, tx, `UPDATE ashlar_webhook_endpoints SET state = $1, reason = $2, changed_at = $3 WHERE id = $4`,
		row.State, row.Reason, row.ChangedAt, endpoint); err != nil {
		return nil, err
	}
	e := row.endpoint()
	if h.cfg.Disabled != nil {
		if err := h.cfg.Disabled(ctx, tx, e); err != nil {
			return nil, err
		}
	}
	return &e, nil
}

// rest is how long an endpoint is left alone after so many failures in a row.
func (h *Hooks) rest(failures int) time.Duration {
	d := longRest
	if doubled := failures - h.cfg.Trip; doubled < 7 { // 30 s << 7 is more than an hour
		d = firstRest << doubled
	}
	return d*3/4 + rand.N(d/4+1) //nolint:gosec // spread, not secrecy
}

// hasten has everything that waits for a retry at an endpoint be sent now: it
// is called when the endpoint takes messages again after a long time, so that
// it need not wait for what is up to a day away.
func (h *Hooks) hasten(ctx context.Context, endpoint string) error {
	now := millis(h.cfg.Now())
	_, err := db.InTx(ctx, h.cfg.DB, func(tx *db.Tx) (int64, error) {
		return db.Exec(ctx, tx, `
			UPDATE ashlar_webhook_lanes SET due_at = $1, set_at = $1 WHERE endpoint = $2 AND owner = '' AND due_at > $1`, now, endpoint)
	}, db.ReadCommitted)
	return err
}
