package torture

import (
	"context"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/db"
)

// sabotage shows that the audit finds what it is there to find: each defect is
// planted in books that were found in order, must break its promise, and is
// taken back.
func (a *audit) sabotage(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, plant := range []struct {
		defect, breaks string // the promise starts so
		sql, undo      string
	}{
		{
			"a payment is lost", "an acknowledged payment",
			`UPDATE payments SET reference = 'lost-' || reference WHERE id = $1`,
			`UPDATE payments SET reference = substr(reference, 6) WHERE id = $1`,
		},
		{
			"a payment is charged twice", "an acknowledged payment",
			`INSERT INTO payments SELECT 'x' || id, merchant_id, status, amount, captured_amount, refunded_amount, currency, card, fingerprint,
				reference, description, metadata, decline_code, capture, created_at, updated_at, version FROM payments WHERE id = $1`,
			`DELETE FROM payments WHERE id = 'x' || $1`,
		},
		{
			"a change is lost", "an acknowledged change",
			`UPDATE payments SET version = version - 1 WHERE id = $1`,
			`UPDATE payments SET version = version + 1 WHERE id = $1`,
		},
		{
			"a refund is made twice", "a refund that was acknowledged",
			`INSERT INTO refunds (id, payment_id, amount, currency, reason, created_at) SELECT 'x' || id, id, 1, currency, '', created_at FROM payments WHERE id = $1`,
			`DELETE FROM refunds WHERE id = 'x' || $1`,
		},
		{
			"money moves twice", "no money moves twice",
			`UPDATE ledger_entries SET amount = 2 * amount WHERE payment_id = $1`,
			`UPDATE ledger_entries SET amount = amount / 2 WHERE payment_id = $1`,
		},
		{
			"half of a movement is lost", "the ledger of every currency",
			`UPDATE ledger_entries SET amount = amount + 1 WHERE payment_id = $1 AND amount > 0`,
			`UPDATE ledger_entries SET amount = amount - 1 WHERE payment_id = $1 AND amount > 0`,
		},
	} {
		id := a.anyCaptured()
		if id == "" {
			t.Error("no payment was captured: there is nothing to plant a defect in")
			return
		}
		if n, err := db.Exec(ctx, a.books, plant.sql, id); err != nil || n == 0 {
			t.Errorf("plant %q: %d rows, %v", plant.defect, n, err)
			continue
		}
		again := &audit{books: a.books, shop: a.shop, buyers: a.buyers, history: a.history, receiver: a.receiver}
		if err := again.run(ctx); err != nil {
			t.Errorf("%s: %v", plant.defect, err)
		}
		if !again.found(plant.breaks) {
			t.Errorf("the audit did not find that %s", plant.defect)
		}
		if _, err := db.Exec(ctx, a.books, plant.undo, id); err != nil {
			t.Errorf("take back that %s: %v", plant.defect, err)
		}
	}
}

// anyCaptured is a payment that moved money.
func (a *audit) anyCaptured() string {
	for _, b := range a.buyers {
		for _, p := range b.known {
			if p.last.Captured > p.last.Refunded {
				return p.id
			}
		}
	}
	return ""
}

func (a *audit) found(rule string) bool {
	for _, p := range a.promises {
		if strings.HasPrefix(p.rule, rule) {
			return len(p.broken) > 0
		}
	}
	return false
}
