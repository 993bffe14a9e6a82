package webhook

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// A claim is a lease on a lane, and the first delivery in it: what is to be
// sent now. Only its owner moves the lane, until the lease ends.
type claim struct {
	endpoint string
	lane     string
	owner    string
	delivery claimed
}

// claimed is all that an attempt needs to know.
type claimed struct {
	ID          string
	Message     string
	Type        string
	Payload     []byte
	Traceparent string
	Attempts    int
	Tries       int
	URL         string
	Secrets     []byte
	Failures    int // of the endpoint
}

// due lists endpoints that have something to be sent now, beginning after one
// of them. It looks at each endpoint that has any lane once, however many lanes
// there are: a receiver that is down for days costs the others nothing.
func (h *Hooks) due(ctx context.Context, after string, limit int) ([]string, error) {
	return db.All[string](ctx, h.cfg.DB, `
		WITH RECURSIVE waiting(endpoint) AS (
			SELECT MIN(endpoint) FROM ashlar_webhook_lanes WHERE endpoint > $1
			UNION ALL
			SELECT (SELECT MIN(l.endpoint) FROM ashlar_webhook_lanes l WHERE l.endpoint > waiting.endpoint)
			FROM waiting WHERE waiting.endpoint IS NOT NULL
		)
		SELECT e.id FROM waiting JOIN ashlar_webhook_endpoints e ON e.id = waiting.endpoint
		WHERE e.state = 'enabled' AND `+rested+`
			AND EXISTS (SELECT 1 FROM ashlar_webhook_lanes l WHERE l.endpoint = e.id AND `+isDue+`)
		ORDER BY e.id LIMIT $4`, after, millis(h.cfg.Now()), h.implausible(), limit)
}

// isDue reports whether an endpoint has something to be sent now.
func (h *Hooks) isDue(ctx context.Context, endpoint string) (bool, error) {
	n, err := db.One[int](ctx, h.cfg.DB, `
		SELECT COUNT(*) FROM ashlar_webhook_endpoints e
		WHERE e.id = $1 AND e.state = 'enabled' AND `+rested+`
			AND EXISTS (SELECT 1 FROM ashlar_webhook_lanes l WHERE l.endpoint = e.id AND `+isDue+`)`,
		endpoint, millis(h.cfg.Now()), h.implausible())
	return n == 1, err
}

// Whose time has come: $2 is now, and $3 a time that is implausible. What was
// set under a clock that was ahead does not wait until that clock's time comes:
// it is due. Each pause says when it was set, because a pause alone may be a day.
const (
	isDue  = `(l.due_at <= $2 OR l.due_at > $3 AND (l.owner <> '' OR l.set_at > $3))`
	rested = `(e.rest_until <= $2 OR e.rested_at > $3)`
)

// implausible is a time by which no lease that was taken under this clock can
// end, and after which nothing can have been set. A lease that ends later is
// over, as its owner will find out when it settles.
func (h *Hooks) implausible() int64 { return millis(h.cfg.Now().Add(2 * h.cfg.Lease)) }

// claim takes the lane of an endpoint that has waited longest; nil if there is
// none that is due and free, or nothing may be sent to the endpoint now.
func (h *Hooks) claim(ctx context.Context, endpoint string) (*claim, error) {
	c, err := db.InTx(ctx, h.cfg.DB, func(tx *db.Tx) (*claim, error) { return h.claimIn(ctx, tx, endpoint) }, db.ReadCommitted)
	if err != nil {
		return nil, fmt.Errorf("webhook: claim what is due at %s: %w", endpoint, err)
	}
	return c, nil
}

func (h *Hooks) claimIn(ctx context.Context, tx *db.Tx, endpoint string) (*claim, error) {
	now := h.cfg.Now()
	c := &claim{endpoint: endpoint, owner: rand.Text()}
	var err error
	c.lane, err = db.One[string](ctx, tx, `
		UPDATE ashlar_webhook_lanes SET owner = $4, due_at = $5
		WHERE endpoint = $1 AND lane = (
			SELECT l.lane FROM ashlar_webhook_lanes l
			JOIN ashlar_webhook_endpoints e ON e.id = l.endpoint AND e.state = 'enabled' AND `+rested+`
			WHERE l.endpoint = $1 AND `+isDue+`
			ORDER BY l.due_at, l.lane LIMIT 1 FOR UPDATE OF l SKIP LOCKED)
		RETURNING lane`, endpoint, millis(now), h.implausible(), c.owner, millis(now.Add(h.cfg.Lease)))
	if errors.Is(err, db.ErrNoRows) {
		return nil, nil //nolint:nilnil // there is nothing to do
	}
	if err != nil {
		return nil, err
	}
	c.delivery, err = db.One[claimed](ctx, tx, `
		SELECT d.id, d.message, m.type, m.payload, m.traceparent, d.attempts, d.tries, e.url, e.secrets, e.failures
		FROM ashlar_webhook_deliveries d
		JOIN ashlar_webhook_messages m ON m.account = d.account AND m.id = d.message
		JOIN ashlar_webhook_endpoints e ON e.id = d.endpoint
		WHERE d.endpoint = $1 AND d.lane = $2 AND d.state = 'pending' ORDER BY d.place LIMIT 1`, endpoint, c.lane)
	if errors.Is(err, db.ErrNoRows) { // what it was for has been dropped
		return nil, closeLane(ctx, tx, endpoint, c.lane)
	}
	return c, err
}

// errLost says that the lease of a claim had ended and somebody else has the
// lane: whatever came of the attempt is theirs to find out again.
var errLost = errors.New("webhook: the lease ended before the attempt did")

// release gives a lane back as it was found, for an attempt that was broken
// off by us.
func (h *Hooks) release(ctx context.Context, c *claim) error {
	n, err := db.Exec(ctx, h.cfg.DB, `
		UPDATE ashlar_webhook_lanes SET owner = '', due_at = $1, set_at = $1
		WHERE endpoint = $2 AND lane = $3 AND owner = $4`, millis(h.cfg.Now()), c.endpoint, c.lane, c.owner)
	if err == nil && n == 0 {
		err = errLost
	}
	return err
}

// settle writes down what came of an attempt, and moves the lane on. It returns
// the endpoint if it was disabled by that, and whether it had been resting and
// is well again.
func (h *Hooks) settle(ctx context.Context, c *claim, r result) (s settled, err error) {
	s, err = db.InTx(ctx, h.cfg.DB, func(tx *db.Tx) (settled, error) { return h.settleIn(ctx, tx, c, r) }, db.ReadCommitted)
	if err != nil && !errors.Is(err, errLost) {
		err = fmt.Errorf("webhook: record an attempt at %s: %w", c.delivery.ID, err)
	}
	return s, err
}

// settled is what an outcome led to.
type settled struct {
	disabled  *Endpoint
	recovered bool // the endpoint had failed often enough to rest
	givenUp   bool
}

func (h *Hooks) settleIn(ctx context.Context, tx *db.Tx, c *claim, r result) (s settled, err error) {
	now := h.cfg.Now()
	// The lane is locked first, and until the end: who enqueues waits, so that a
	// lane which is found empty is empty.
	n, err := db.Exec(ctx, tx, `
		UPDATE ashlar_webhook_lanes SET owner = '', due_at = $1, set_at = $1
		WHERE endpoint = $2 AND lane = $3 AND owner = $4`, millis(now), c.endpoint, c.lane, c.owner)
	if err != nil {
		return s, err
	}
	if n == 0 {
		return s, errLost
	}
	if err := record(ctx, tx, c.delivery, r); err != nil {
		return s, err
	}
	if r.outcome == Success {
		s.recovered, err = h.well(ctx, tx, c.endpoint)
		if err != nil {
			return s, err
		}
		return s, h.end(ctx, tx, c, Delivered, now)
	}
	if s.disabled, err = h.unwell(ctx, tx, c.endpoint, r, now); err != nil {
		return s, err
	}
	if c.delivery.Tries >= len(h.cfg.Schedule) {
		s.givenUp = true
		return s, h.end(ctx, tx, c, Failed, now)
	}
	delay := h.delay(c.delivery.Tries, r.retryAfter)
	if _, err := db.Exec(ctx, tx, `
		UPDATE ashlar_webhook_lanes SET due_at = $1, set_at = $2 WHERE endpoint = $3 AND lane = $4`,
		millis(now.Add(delay)), millis(now), c.endpoint, c.lane); err != nil {
		return s, err
	}
	_, err = db.Exec(ctx, tx, `
		UPDATE ashlar_webhook_deliveries SET attempts = attempts + 1, tries = tries + 1 WHERE id = $1`, c.delivery.ID)
	return s, err
}

// end brings the first delivery of a locked lane to its end. The next one is
// due at once; without one the lane goes.
func (h *Hooks) end(ctx context.Context, tx *db.Tx, c *claim, state DeliveryState, now time.Time) error {
	if _, err := db.Exec(ctx, tx, `
		UPDATE ashlar_webhook_deliveries SET state = $1, attempts = attempts + 1, tries = tries + 1, ended_at = $2 WHERE id = $3`,
		state, millis(now), c.delivery.ID); err != nil {
		return err
	}
	return closeLane(ctx, tx, c.endpoint, c.lane)
}

// closeLane deletes a lane that tx has locked, if nothing is left in it. The
// statement must not be the one that locks: what it compares with would be as
// it was before the wait.
func closeLane(ctx context.Context, tx *db.Tx, endpoint, lane string) error {
	_, err := db.Exec(ctx, tx, `
		DELETE FROM ashlar_webhook_lanes WHERE endpoint = $1 AND lane = $2 AND NOT EXISTS (
			SELECT 1 FROM ashlar_webhook_deliveries d WHERE d.endpoint = $1 AND d.lane = $2 AND d.state = 'pending')`,
		endpoint, lane)
	return err
}
