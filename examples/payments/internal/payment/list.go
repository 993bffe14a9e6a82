package payment

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/page"
	"github.com/ashlar-go/ashlar/op"
)

// List shows payments, newest first.
func (s *Service) List(ctx context.Context, in List) (op.Page[Payment], error) {
	from, err := in.start()
	if err != nil {
		return op.Page[Payment]{}, err
	}
	scope := merchant.Scope(ctx)
	rows, err := db.All[Payment](ctx, s.db, `
		SELECT `+columns+` FROM payments
		WHERE status <> 'pending' AND `+within(scope, "$1")+`
			AND (created_at, id) < ($2, $3) AND created_at > $4
			AND ($5 = '' OR status = $5) AND ($6 = '' OR currency = $6)
		ORDER BY created_at DESC, id DESC LIMIT $7`,
		scope, from.at, from.id, in.CreatedAfter, in.Status, in.Currency, in.Size()+1)
	return op.PageOf(rows, in.Size(), func(p Payment) string { return position{p.CreatedAt, p.ID}.key() }), err
}

// A position is a place in the list: just after the payment that it names.
type position struct {
	at time.Time
	id string
}

func (p position) key() string { return p.id + " " + strconv.FormatInt(p.at.UnixMilli(), 10) }

// start is where the page begins: behind the cursor, or at the newest payment.
// It is within the bounds that are asked for now, whatever the cursor says: a
// cursor is nothing but text from outside, and the bounds may have changed.
func (in *List) start() (position, error) {
	newest := position{at: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}
	if !in.CreatedBefore.IsZero() {
		newest.at = in.CreatedBefore
	}
	key, err := page.After(in.Cursor, "pay_")
	if key == "" || err != nil {
		return newest, err
	}
	id, at, _ := strings.Cut(key, " ")
	millis, err := strconv.ParseInt(at, 10, 64)
	if err != nil || millis < 0 {
		return position{}, op.ErrCursor
	}
	if from := (position{time.UnixMilli(millis), id}); from.at.Before(newest.at) {
		return from, nil
	}
	return newest, nil
}
