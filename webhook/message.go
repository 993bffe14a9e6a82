package webhook

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/trace"
)

// Message is what an account is told of.
type Message struct {
	// ID names the message for ever, and travels as webhook-id: receivers use
	// it to do nothing twice. It is 1 to 100 letters, digits, - and _, and
	// unique in its account; an event's own id is a good one.
	ID string
	// Type is what happened: payment.captured.
	Type string
	// Key orders: of two messages with the same key, an endpoint gets the
	// second one only when it has taken the first, or the first was given up.
	// It is at most 200 bytes. Messages without a key have no order.
	Key string
	// Account is whose endpoints get it.
	Account string
	// Payload is sent byte for byte, as application/json. It is at most
	// Config.MaxPayload.
	Payload []byte
}

var messageID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// maxKey bounds a key in bytes.
const maxKey = 200

func (h *Hooks) checkMessage(m Message) error {
	switch {
	case !messageID.MatchString(m.ID):
		return errors.New("webhook: the ID of a message has 1 to 100 letters, digits, - and _")
	case len(m.Type) > maxType || !typeName.MatchString(m.Type):
		return fmt.Errorf("webhook: message %s: the Type must be a name such as payment.captured", m.ID)
	case len(m.Key) > maxKey || strings.Contains(m.Key, "\x00"):
		return fmt.Errorf("webhook: message %s: the Key has at most %d bytes, none of them 0", m.ID, maxKey)
	case len(m.Payload) > h.cfg.MaxPayload:
		return fmt.Errorf("webhook: message %s: the Payload has %d bytes, more than the %d that are allowed; send a reference that the receiver can fetch", m.ID, len(m.Payload), h.cfg.MaxPayload)
	}
	return nil
}

// A subscriber is an endpoint that may want a message.
type subscriber struct{ ID, Types string }

// Enqueue has a message sent to every endpoint of its account whose filters
// let it through, those that are disabled included, once tx is committed. A
// message whose ID was enqueued before is left alone, so that it is safe to
// repeat.
//
// Messages of one key are sent in the order in which their transactions
// commit: Enqueue waits for another transaction that enqueues one of the same
// key and has not ended. So call it last.
func (h *Hooks) Enqueue(ctx context.Context, tx *db.Tx, m Message) error {
	if err := h.checkMessage(m); err != nil {
		return err
	}
	all, err := db.All[subscriber](ctx, tx, `SELECT id, types FROM ashlar_webhook_endpoints WHERE account = $1 AND state <> 'deleted' ORDER BY id`, m.Account)
	if err != nil {
		return fmt.Errorf("webhook: enqueue %s: %w", m.ID, err)
	}
	first := true
	for _, s := range all {
		if !takes(strings.Fields(s.Types), m.Type) {
			continue
		}
		if first {
			if added, err := h.insert(ctx, tx, m); err != nil || !added {
				return err
			}
			first = false
		}
		if err := h.line(ctx, tx, m, s.ID); err != nil {
			return fmt.Errorf("webhook: enqueue %s: %w", m.ID, err)
		}
	}
	if !first {
		tx.Signal(channel, "")
	}
	return nil
}

// insert writes the message, unless it is there.
func (h *Hooks) insert(ctx context.Context, tx *db.Tx, m Message) (added bool, err error) {
	payload := m.Payload
	if payload == nil {
		payload = []byte{} // nil would be NULL
	}
	n, err := db.Exec(ctx, tx, `
		INSERT INTO ashlar_webhook_messages (account, id, type, ordering, payload, traceparent, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account, id) DO NOTHING`,
		m.Account, m.ID, m.Type, m.Key, payload, trace.From(ctx).Traceparent(), millis(h.cfg.Now()))
	if err != nil {
		return false, fmt.Errorf("webhook: enqueue %s: %w", m.ID, err)
	}
	return n == 1, nil
}

// line puts the message at the end of its lane at one endpoint.
func (h *Hooks) line(ctx context.Context, tx *db.Tx, m Message, endpoint string) error {
	delivery, now := id.New("whd_"), millis(h.cfg.Now())
	lane := laneOf(m.Key, delivery)
	place, err := queue(ctx, tx, endpoint, lane, now)
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, tx, `
		INSERT INTO ashlar_webhook_deliveries (id, endpoint, account, message, lane, place, state, attempts, tries, created_at, ended_at)
		VALUES ($1, $2, $3, $4, $5, $6, 'pending', 0, 0, $7, 0)`, delivery, endpoint, m.Account, m.ID, lane, place, now)
	return err
}

// laneOf is the lane of a key, or of a delivery alone.
func laneOf(key, delivery string) string {
	if key == "" {
		return "1 " + delivery
	}
	return "k " + key
}

// queue gives out the next place of a lane, and locks it until tx ends. A lane
// that was empty is due at once.
func queue(ctx context.Context, tx *db.Tx, endpoint, lane string, now int64) (place int64, err error) {
	return db.One[int64](ctx, tx, `
		INSERT INTO ashlar_webhook_lanes (endpoint, lane, tail, due_at, owner, set_at) VALUES ($1, $2, 1, $3, '', $3)
		ON CONFLICT (endpoint, lane) DO UPDATE SET tail = ashlar_webhook_lanes.tail + 1
		RETURNING tail`, endpoint, lane, now)
}
