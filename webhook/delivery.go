package webhook

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
)

// What can be wrong with a request for a delivery.
const (
	ErrNoDelivery fault.NotFound = "webhook_delivery_not_found"
	// ErrExhausted says that a message was attempted a hundred times.
	ErrExhausted fault.Conflict = "webhook_delivery_exhausted"
)

// DeliveryState says what became of a message at an endpoint.
type DeliveryState string

// The states of a delivery.
const (
	Pending   DeliveryState = "pending"   // to be sent, or tried again
	Delivered DeliveryState = "delivered" // the endpoint took it
	Failed    DeliveryState = "failed"    // given up at the end of the schedule
	Dropped   DeliveryState = "dropped"   // it waited too long for a disabled endpoint
)

// Delivery is one message at one endpoint.
type Delivery struct {
	ID        string
	Endpoint  string
	Message   string // its ID
	Type      string
	Key       string
	State     DeliveryState
	Attempts  int       // so far
	DueAt     time.Time // when it is tried next; zero if it has ended or waits for another
	CreatedAt time.Time
	EndedAt   time.Time // zero while it is pending
}

// Attempt is one try at a delivery.
type Attempt struct {
	Delivery string
	Number   int // from 1
	At       time.Time
	Took     time.Duration
	Outcome  Outcome
	Status   int    // of the answer; 0 if there was none
	Response string // how the answer's body begins; text from outside
}

type deliveryRow struct {
	ID, Endpoint, Message, Type, Ordering string
	State                                 DeliveryState
	Attempts                              int
	DueAt, CreatedAt, EndedAt             int64
}

func (r deliveryRow) delivery() Delivery {
	return Delivery{
		ID: r.ID, Endpoint: r.Endpoint, Message: r.Message, Type: r.Type, Key: r.Ordering, State: r.State, Attempts: r.Attempts,
		DueAt: moment(r.DueAt), CreatedAt: moment(r.CreatedAt), EndedAt: moment(r.EndedAt),
	}
}

// A delivery shows when it is tried next if it is the first one of its lane,
// nobody is at it, and its endpoint is enabled.
const selectDeliveries = `
	SELECT d.id, d.endpoint, d.message, m.type, m.ordering, d.state, d.attempts, d.created_at, d.ended_at,
		COALESCE((SELECT CASE WHEN l.due_at > e.rest_until THEN l.due_at ELSE e.rest_until END
			FROM ashlar_webhook_lanes l JOIN ashlar_webhook_endpoints e ON e.id = l.endpoint AND e.state = 'enabled'
			WHERE d.state = 'pending' AND l.endpoint = d.endpoint AND l.lane = d.lane AND l.owner = ''
				AND NOT EXISTS (SELECT 1 FROM ashlar_webhook_deliveries f
					WHERE f.endpoint = d.endpoint AND f.lane = d.lane AND f.state = 'pending' AND f.place < d.place)), 0) AS due_at
	FROM ashlar_webhook_deliveries d JOIN ashlar_webhook_messages m ON m.account = d.account AND m.id = d.message`

// Deliveries lists what was and is to be sent to an endpoint, newest first,
// older than the delivery before (empty for the newest). The error is
// [ErrNotFound] if the account has no such endpoint.
func (h *Hooks) Deliveries(ctx context.Context, account, endpoint, before string, limit int) ([]Delivery, error) {
	if _, err := find(ctx, h.cfg.DB, account, endpoint); err != nil {
		return nil, err
	}
	rows, err := db.All[deliveryRow](ctx, h.cfg.DB, selectDeliveries+`
		WHERE d.endpoint = $1 AND d.id < $2 ORDER BY d.id DESC LIMIT $3`, endpoint, cmp.Or(before, afterAll), limit)
	list := make([]Delivery, len(rows))
	for i, row := range rows {
		list[i] = row.delivery()
	}
	return list, err
}

const attemptColumns = `a.delivery, a.number, a.at, a.took, a.outcome, a.status, a.response`

// Attempts lists the attempts at a delivery, in order: at most a hundred. The
// error is [ErrNotFound] if the account has no such endpoint.
func (h *Hooks) Attempts(ctx context.Context, account, endpoint, delivery string) ([]Attempt, error) {
	if _, err := find(ctx, h.cfg.DB, account, endpoint); err != nil {
		return nil, err
	}
	rows, err := db.All[attemptRow](ctx, h.cfg.DB, `SELECT `+attemptColumns+`
		FROM ashlar_webhook_attempts a JOIN ashlar_webhook_deliveries d ON d.id = a.delivery
		WHERE a.delivery = $1 AND d.endpoint = $2 ORDER BY a.number`, delivery, endpoint)
	list := make([]Attempt, len(rows))
	for i, row := range rows {
		list[i] = row.attempt()
	}
	return list, err
}

// LastAttempts returns the last ten attempts at each of the deliveries in a
// page of [Hooks.Deliveries], in order, with one statement.
func (h *Hooks) LastAttempts(ctx context.Context, page []Delivery) (map[string][]Attempt, error) {
	if len(page) == 0 {
		return nil, nil //nolint:nilnil // there are none, and reading it works
	}
	rows, err := db.All[attemptRow](ctx, h.cfg.DB, `SELECT `+attemptColumns+`
		FROM ashlar_webhook_attempts a JOIN ashlar_webhook_deliveries d ON d.id = a.delivery
		WHERE d.endpoint = $1 AND d.id >= $2 AND d.id <= $3 AND a.number > d.attempts - 10
		ORDER BY a.delivery, a.number`, page[0].Endpoint, page[len(page)-1].ID, page[0].ID)
	list := make(map[string][]Attempt, len(page))
	for _, row := range rows {
		list[row.Delivery] = append(list[row.Delivery], row.attempt())
	}
	return list, err
}

type attemptRow struct {
	Delivery string
	Number   int
	At, Took int64
	Outcome  Outcome
	Status   int
	Response string
}

func (r attemptRow) attempt() Attempt {
	return Attempt{r.Delivery, r.Number, moment(r.At), time.Duration(r.Took) * time.Millisecond, r.Outcome, r.Status, r.Response}
}

// Redeliver has a message sent to an endpoint again: the same bytes under the
// same ID. One that has ended goes to the end of its key's line and begins the
// schedule anew; one that is pending is tried now, if it is the first of its
// key. The errors are [ErrNotFound], [ErrNoDelivery], [ErrDisabled] and
// [ErrExhausted].
func (h *Hooks) Redeliver(ctx context.Context, account, endpoint, delivery string) (Delivery, error) {
	return db.InTx(ctx, h.cfg.DB, func(tx *db.Tx) (Delivery, error) {
		e, err := find(ctx, tx, account, endpoint)
		if err != nil {
			return Delivery{}, err
		}
		if e.State == Disabled {
			return Delivery{}, ErrDisabled.Because("The endpoint is disabled. Enable it first.")
		}
		d, err := db.One[struct {
			Lane     string
			State    DeliveryState
			Attempts int
		}](ctx, tx, `SELECT lane, state, attempts FROM ashlar_webhook_deliveries WHERE id = $1 AND endpoint = $2`, delivery, endpoint)
		if errors.Is(err, db.ErrNoRows) {
			return Delivery{}, ErrNoDelivery
		}
		if err != nil {
			return Delivery{}, err
		}
		if d.Attempts+len(h.cfg.Schedule) >= maxAttempts {
			return Delivery{}, ErrExhausted.Because("The message was attempted %d times. Fetch what it tells of instead.", d.Attempts)
		}
		now := millis(h.cfg.Now())
		if d.State != Pending {
			err = again(ctx, tx, endpoint, d.Lane, delivery, now)
		} else {
			_, err = db.Exec(ctx, tx, `
				UPDATE ashlar_webhook_lanes SET due_at = $1, set_at = $1
				WHERE endpoint = $2 AND lane = $3 AND owner = '' AND due_at > $1`, now, endpoint, d.Lane)
		}
		if err != nil {
			return Delivery{}, err
		}
		// Who asks for it expects that the endpoint is well again.
		if _, err := db.Exec(ctx, tx, `UPDATE ashlar_webhook_endpoints SET rest_until = 0, rested_at = 0 WHERE id = $1 AND rest_until > $2`, endpoint, now); err != nil {
			return Delivery{}, err
		}
		tx.Signal(channel, "")
		row, err := db.One[deliveryRow](ctx, tx, selectDeliveries+` WHERE d.id = $1`, delivery)
		return row.delivery(), err
	})
}

func again(ctx context.Context, tx *db.Tx, endpoint, lane, delivery string, now int64) error {
	place, err := queue(ctx, tx, endpoint, lane, now)
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, tx, `
		UPDATE ashlar_webhook_deliveries SET state = 'pending', place = $1, tries = 0, ended_at = 0 WHERE id = $2`, place, delivery)
	return err
}
