package report

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/card"
	"github.com/ashlar-go/ashlar/examples/payments/internal/money"
)

// An entry is one change of what a merchant is owed, with what there is to say
// of its payment. The amount is as a merchant sees it: a capture is positive
// and a refund negative. In the ledger it is the other way round, for what we
// owe is a credit.
type entry struct {
	place
	PaymentID string
	Reference string
	Card      card.Details
	Currency  money.Currency
	Amount    int64
}

// A place is a position in the order of a report: by merchant, then time.
type place struct {
	MerchantID string
	EntryAt    time.Time
	EntryID    string
}

// until is the first instant that the report says nothing of: what comes after
// it was asked for would make it grow while it is made.
func (r *record) until() time.Time {
	if asked := r.CreatedAt.Add(time.Millisecond); asked.Before(r.ToAt) {
		return asked
	}
	return r.ToAt
}

// nextMerchant returns the merchant of the report that follows another one, in
// the order of their ids, or "" after the last.
func (r *record) nextMerchant(ctx context.Context, q db.Querier, after string) (string, error) {
	switch {
	case r.MerchantID == "":
		return db.One[string](ctx, q, `
			SELECT coalesce(min(id), '') FROM (
				SELECT min(merchant_id) AS id FROM ledger_slots WHERE merchant_id > $1
				UNION ALL SELECT min(merchant_id) FROM ledger_balances WHERE merchant_id > $1
			) AS next`, after)
	case after == "":
		return r.MerchantID, nil
	}
	return "", nil
}

// page returns the entries that follow a place.
func (r *record) page(ctx context.Context, q db.Querier, after place, limit int) (list []entry, err error) {
	if after.MerchantID == "" {
		after.MerchantID, err = r.nextMerchant(ctx, q, "")
		after.EntryAt = r.FromAt
	}
	for err == nil && after.MerchantID != "" && len(list) == 0 {
		list, err = db.All[entry](ctx, q, `
			SELECT e.merchant_id, e.created_at AS entry_at, e.id AS entry_id, e.payment_id, p.reference, p.card, e.currency, -e.amount AS amount
			FROM ledger_entries AS e JOIN payments AS p ON p.id = e.payment_id
			WHERE e.account = 'payable' AND e.merchant_id = $1 AND (e.created_at, e.id) > ($2, $3) AND e.created_at < $4
				AND ($5 = '' OR e.currency = $5)
			ORDER BY e.created_at, e.id LIMIT $6`,
			after.MerchantID, after.EntryAt, after.EntryID, r.until(), r.Currency, limit)
		if err == nil && len(list) == 0 {
			after.MerchantID, err = r.nextMerchant(ctx, q, after.MerchantID)
			after.EntryAt, after.EntryID = r.FromAt, ""
		}
	}
	return list, err
}

// books returns what the ledger says of the period, by currency. It is summed up
// by the database, beside the way that the file takes.
func (r *record) books(ctx context.Context, q db.Querier) (map[money.Currency]amounts, error) {
	all := map[money.Currency]amounts{}
	id, err := r.nextMerchant(ctx, q, "")
	for ; err == nil && id != ""; id, err = r.nextMerchant(ctx, q, id) {
		rows, err := db.All[struct {
			Currency money.Currency
			amounts
		}](ctx, q, `
			SELECT currency,
				CAST(sum(CASE WHEN amount < 0 THEN -amount ELSE 0 END) AS BIGINT) AS captured,
				CAST(sum(CASE WHEN amount > 0 THEN amount ELSE 0 END) AS BIGINT) AS refunded, count(*) AS entries
			FROM ledger_entries
			WHERE account = 'payable' AND merchant_id = $1 AND created_at >= $2 AND created_at < $3 AND ($4 = '' OR currency = $4)
			GROUP BY currency`, id, r.FromAt, r.until(), r.Currency)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			all[row.Currency] = all[row.Currency].plus(row.amounts)
		}
	}
	return all, err
}

// amounts is a sum of entries. Both amounts are positive.
type amounts struct {
	Captured int64 `json:"captured"`
	Refunded int64 `json:"refunded"`
	Entries  int64 `json:"entries"`
}

func (a amounts) plus(b amounts) amounts {
	return amounts{a.Captured + b.Captured, a.Refunded + b.Refunded, a.Entries + b.Entries}
}

func (a amounts) net() int64 { return a.Captured - a.Refunded }

// A sum is that of a day and currency.
type sum struct {
	Currency money.Currency `json:"currency"`
	Day      string         `json:"day"` // "2026-11-01"
	amounts
}

// sums are ordered by currency and day.
type sums []sum

// sumsOf adds entries up.
func sumsOf(list []entry) sums {
	var all sums
	for _, e := range list {
		s := sum{Currency: e.Currency, Day: e.EntryAt.Format(time.DateOnly), amounts: amounts{Entries: 1}}
		if e.Amount > 0 {
			s.Captured = e.Amount
		} else {
			s.Refunded = -e.Amount
		}
		all = append(all, s)
	}
	return all.settled()
}

// plus returns the sums of both.
func (s sums) plus(others sums) sums { return slices.Concat(s, others).settled() }

// settled puts sums in order, one for each day and currency.
func (s sums) settled() sums {
	slices.SortStableFunc(s, func(a, b sum) int {
		return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(a.Day, b.Day))
	})
	var out sums
	for _, one := range s {
		if last := len(out) - 1; last >= 0 && out[last].Currency == one.Currency && out[last].Day == one.Day {
			out[last].amounts = out[last].plus(one.amounts)
			continue
		}
		out = append(out, one)
	}
	return out
}

// totals are the sums by currency.
func (s sums) totals() map[money.Currency]amounts {
	all := map[money.Currency]amounts{}
	for _, one := range s {
		all[one.Currency] = all[one.Currency].plus(one.amounts)
	}
	return all
}

// entriesIn counts the entries of all currencies.
func entriesIn(totals map[money.Currency]amounts) (n int64) {
	for a := range maps.Values(totals) {
		n += a.Entries
	}
	return n
}
