// Package ledger keeps the books, in double entry.
//
// Money never appears or vanishes: a [Transfer] takes an amount from one
// account's side and puts it on another's, and [Post] is the only way to write.
// So for each currency the entries always sum to zero, and so do the balances.
// A positive amount is a debit, a negative one a credit.
//
// Each merchant has four accounts:
//
//	authorized  what issuers hold for us, not yet ours       (debit)
//	held        the same, promised to the merchant           (credit)
//	receivable  what the card network owes us                (debit)
//	payable     what we owe the merchant                     (credit)
//
// An authorisation fills the first pair, its capture, void or expiry empties
// it; a capture fills the second pair, and a refund takes back from it.
package ledger

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
	"github.com/ashlar-go/ashlar/id"
)

// An Account is one of a merchant's accounts.
type Account string

// The accounts.
const (
	Authorized Account = "authorized"
	Held       Account = "held"
	Receivable Account = "receivable"
	Payable    Account = "payable"
)

// A Subject is what a posting is about.
type Subject struct {
	PaymentID  string
	MerchantID string
	Currency   money.Currency
	// Reason is what happened: "payment.captured".
	Reason string
	At     time.Time
}

// A Transfer moves an amount: Debit gains it, Credit gives it.
type Transfer struct {
	Debit, Credit Account
	Amount        int64
}

// Hold promises the merchant what the issuer holds.
func Hold(amount int64) Transfer { return Transfer{Authorized, Held, amount} }

// Release ends a hold.
func Release(amount int64) Transfer { return Transfer{Held, Authorized, amount} }

// Charge takes money from the card for the merchant.
func Charge(amount int64) Transfer { return Transfer{Receivable, Payable, amount} }

// Refund gives money back to the card.
func Refund(amount int64) Transfer { return Transfer{Payable, Receivable, amount} }

// Post writes transfers into the books, within the transaction that makes them
// true. It is the same for all amounts from 1 to [money.Max]; others are a bug
// of the caller and fail.
func Post(ctx context.Context, tx *db.Tx, about Subject, transfers ...Transfer) error {
	for _, t := range transfers {
		if err := post(ctx, tx, about, t, slotOf(about.PaymentID)); err != nil {
			return fmt.Errorf("ledger: %s of %s: %w", about.Reason, about.PaymentID, err)
		}
	}
	return nil
}

// slots is how many rows a balance is kept in. Whoever adds to a row waits until
// the one before is on the disk, so one row would be all that a merchant's
// payments can do in a second. A balance is the sum of its rows.
const slots = 16

// slotOf spreads payments over slots. All that happens to one payment meets in
// one, in one order of accounts.
func slotOf(paymentID string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(paymentID)) // a hash takes everything
	return int64(h.Sum32() % slots)
}

func post(ctx context.Context, tx *db.Tx, about Subject, t Transfer, slot int64) error {
	if t.Amount < 1 || t.Amount > money.Max {
		return fmt.Errorf("cannot move %d", t.Amount)
	}
	first, amount, second := t.Debit, t.Amount, t.Credit
	if second < first { // all writers meet in the balances in one order, so none waits for another in a circle
		first, amount, second = t.Credit, -t.Amount, t.Debit
	}
	if err := tx.Send(ctx, `
		INSERT INTO ledger_entries (id, payment_id, merchant_id, currency, reason, created_at, account, amount)
		VALUES ($1, $3, $4, $5, $6, $7, $8, $9), ($2, $3, $4, $5, $6, $7, $10, $11)`,
		id.New("ent_"), id.New("ent_"), about.PaymentID, about.MerchantID, about.Currency, about.Reason, about.At,
		first, amount, second, -amount); err != nil {
		return err
	}
	return tx.Send(ctx, `
		INSERT INTO ledger_slots (merchant_id, currency, account, slot, balance)
		VALUES ($1, $2, $3, $7, $4), ($1, $2, $5, $7, $6)
		ON CONFLICT (merchant_id, currency, account, slot) DO UPDATE SET balance = ledger_slots.balance + excluded.balance`,
		about.MerchantID, about.Currency, first, amount, second, -amount, slot)
}
