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
	text, args := in.query(s.db.Dialect(), merchant.Scope(ctx), from)
	rows, err := db.All[Payment](ctx, s.db, text, args...)
	return op.PageOf(rows, in.Size(), func(p Payment) string { return position{p.CreatedAt, p.ID}.key() }), err
}

// query asks for the page from a position on, of one merchant or, if scope is
// "", of all. Each combination of filters is a text of its own, so that each
// reads its page out of an index and nothing else. Those of the currencies have
// the status before the time: a list of one currency in any status is merged
// from a page of each.
func (in *List) query(d db.Dialect, scope string, from position) (text string, args []any) {
	args = []any{from.at, from.id, in.CreatedAfter, in.Size() + 1}
	is := func(column string, value any) string {
		args = append(args, value)
		return ` AND ` + column + ` = $` + strconv.Itoa(len(args))
	}
	page := `SELECT ` + columns + ` FROM payments
		WHERE status <> 'pending' AND (created_at, id) < ($1, $2) AND created_at > $3`
	if scope != "" {
		page += is("merchant_id", scope)
	}
	if in.Currency != "" {
		page += is("currency", in.Currency)
	}
	if in.Status != "" {
		page += is("status", in.Status)
	}
	bounded := func(page string) string { return page }
	if d == db.Postgres {
		bounded = func(page string) string {
			return `SELECT ` + columns + ` FROM (` + page + newestFirst + known(in.Size()+1) + `) AS page`
		}
	}
	if in.Currency == "" || in.Status != "" {
		return bounded(page) + newestFirst + `$4`, args
	}
	var pages []string
	for _, status := range statuses() { // PostgreSQL merges what says its order; SQLite would sort it again
		pages = append(pages, bounded(page+is("status", status)))
	}
	return strings.Join(pages, ` UNION ALL `) + newestFirst + `$4`, args
}

// newestFirst ends the text of a list, before its limit.
const newestFirst = ` ORDER BY created_at DESC, id DESC LIMIT `

// known is a limit that stands in the text, and rounded up so that there are few
// of them. PostgreSQL keeps the plan of a page whose limit it knows. Without, it
// makes one each time, which takes longer than to read the page.
func known(limit int) string {
	if limit <= 21 {
		return "21"
	}
	return strconv.Itoa(max(limit, 101))
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
