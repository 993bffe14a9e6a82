package payment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/ledger"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
)

const columns = `id, merchant_id, status, amount, captured_amount, refunded_amount, currency, card,
	reference, description, metadata, decline_code, created_at, updated_at, version`

// An intent is a payment whose outcome is not known yet.
type intent struct {
	Payment
	Capture     bool   `db:"capture"`     // whether approval captures at once
	Fingerprint string `db:"fingerprint"` // of the card
}

// insert records an intent.
func insert(ctx context.Context, tx *db.Tx, p intent) error {
	_, err := db.Exec(ctx, tx, `
		INSERT INTO payments (`+columns+`, capture, fingerprint)
		VALUES ($1, $2, $3, $4, 0, 0, $5, $6, $7, $8, $9, '', $10, $10, 0, $11, $12)`,
		p.ID, p.MerchantID, p.Status, p.Amount, p.Currency, p.Card,
		p.Reference, p.Description, p.Metadata, p.CreatedAt, p.Capture, p.Fingerprint)
	return err
}

// find returns a payment that the caller may see. What belongs to somebody else
// is not found, as if it were not there.
func find(ctx context.Context, q db.Querier, id string) (Payment, error) {
	return findVisible(ctx, q, id, "")
}

// findToChange is find for a transaction that changes the payment.
func findToChange(ctx context.Context, tx *db.Tx, id string) (Payment, error) {
	return findVisible(ctx, tx, id, forChange)
}

func findVisible(ctx context.Context, q db.Querier, id, lock string) (Payment, error) {
	p, err := db.One[Payment](ctx, q, `
		SELECT `+columns+` FROM payments
		WHERE id = $1 AND status <> 'pending' AND ($2 = '' OR merchant_id = $2)`+lock, id, merchant.Scope(ctx))
	if errors.Is(err, db.ErrNoRows) {
		return Payment{}, ErrNotFound
	}
	return p, err
}

// forChange is the clause that keeps a payment that was read from being changed
// by others until the transaction ends. Every change reads with it and writes
// under the condition of the version that it read, and what it writes elsewhere
// it adds: that is why [db.ReadCommitted] is enough for it. The stricter
// default would run one again whenever two of one merchant met in its balances.
const forChange = ` FOR UPDATE`

// findIntent returns a payment in whatever state it is now.
func findIntent(ctx context.Context, q db.Querier, id string) (intent, error) {
	return db.One[intent](ctx, q, `SELECT `+columns+`, capture, fingerprint FROM payments WHERE id = $1`, id)
}

// errChanged says that somebody else changed the payment since it was read.
var errChanged = errors.New("payment was changed by another transaction")

// save writes a change of p: its row, its ledger entries and its event. It
// returns the payment as it is now.
func save(ctx context.Context, tx *db.Tx, p Payment, c change, at time.Time) (Payment, error) {
	p.Version, p.UpdatedAt = p.Version+1, at
	n, err := db.Exec(ctx, tx, `
		UPDATE payments SET status = $1, captured_amount = $2, refunded_amount = $3, decline_code = $4, updated_at = $5, version = $6
		WHERE id = $7 AND version = $8`,
		p.Status, p.CapturedAmount, p.RefundedAmount, p.DeclineCode, p.UpdatedAt, p.Version, p.ID, p.Version-1)
	if err == nil && n == 0 {
		err = errChanged
	}
	if err == nil {
		err = ledger.Post(ctx, tx, ledger.Subject{
			PaymentID: p.ID, MerchantID: p.MerchantID, Currency: p.Currency, Reason: string(c.event), At: at,
		}, c.moves...)
	}
	if err == nil {
		err = c.event.Publish(ctx, tx, p)
	}
	if err != nil {
		return Payment{}, fmt.Errorf("%s of %s: %w", c.event, p.ID, err)
	}
	return p, nil
}

// now is the time to the millisecond, which is what the API shows.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
