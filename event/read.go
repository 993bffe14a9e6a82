package event

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/db"
)

// Bounds of one reading of the log.
const (
	// MaxLimit is the most events of a [Page].
	MaxLimit = 1000
	// maxBytes ends a page early, after the event that reaches it.
	maxBytes = 4 << 20
	// window is how many events one statement looks at where it cannot find
	// those that are wanted by an index.
	window = 2000
	// maxWindows bounds the statements of one reading.
	maxWindows = 20
)

// A Query asks for a part of the log; the zero Query for the oldest events.
type Query struct {
	Filter

	// After is the position that the wanted events follow. Zero stands for
	// the oldest event there is.
	After int64
	// AfterID is the same as the id of an event, and counts if After is zero.
	AfterID string
	// Limit is how many events are wanted. Zero means 100, and [MaxLimit] is
	// the most.
	Limit int
}

// A Page is an answer to a [Query].
type Page struct {
	Records []Record
	// Next is the position to ask after for what follows. It may have moved
	// on although nothing was found.
	Next int64
	// More says that the log goes on after Next.
	More bool
}

// Read returns events in the order of the log. What this process has committed
// before is among them. It fails with [ErrReset] if events between the one
// asked after and the oldest were deleted, or if that one is not known.
func (l *Log) Read(ctx context.Context, q Query) (Page, error) {
	if err := q.check(); err != nil {
		return Page{}, err
	}
	if q.Limit < 0 || q.Limit > MaxLimit {
		return Page{}, fmt.Errorf("event: a limit of %d; it is between 1 and %d", q.Limit, MaxLimit)
	}
	ctx = current(ctx)
	if err := l.settle(ctx); err != nil {
		return Page{}, err
	}
	if q.After == 0 && q.AfterID != "" {
		var err error
		if q.After, err = l.find(ctx, q.AfterID); err != nil {
			return Page{}, err
		}
	}
	return l.page(ctx, &q.Filter, q.After, or(q.Limit, 100))
}

// current has the database itself asked, whatever ctx lets be stale: a replica
// may not know yet what this process has committed, nor the event that a reader
// has seen last.
func current(ctx context.Context) context.Context { return db.Stale(ctx, 0) }

// Head returns the position of the newest event, or 0 where there is none.
func (l *Log) Head(ctx context.Context) (int64, error) {
	ctx = current(ctx)
	if err := l.settle(ctx); err != nil {
		return 0, err
	}
	_, head, err := l.bounds(ctx, l.db)
	return head, err
}

// find returns the position of an event.
func (l *Log) find(ctx context.Context, id string) (int64, error) {
	position, err := db.One[int64](ctx, l.db, `SELECT position FROM ashlar_event_log WHERE id = $1`, id)
	if errors.Is(err, db.ErrNoRows) {
		return 0, ErrReset.Because("The event that was asked for is not known, or not kept any more.")
	}
	if err != nil {
		return 0, fmt.Errorf("event: find an event: %w", err)
	}
	return position, nil
}

// bounds returns the oldest and the newest position, or zeros.
func (l *Log) bounds(ctx context.Context, q db.Querier) (oldest, head int64, err error) {
	b, err := db.One[struct{ Oldest, Head int64 }](ctx, q, `SELECT `+bounds)
	if err != nil {
		return 0, 0, fmt.Errorf("event: read the bounds of the log: %w", err)
	}
	return b.Oldest, b.Head, nil
}

const bounds = `COALESCE((SELECT MIN(position) FROM ashlar_event_log), 0) AS oldest,
	COALESCE((SELECT MAX(position) FROM ashlar_event_log), 0) AS head`

// page reads what follows a position. Where no index finds the events that f
// wants, it looks through the log in windows, so that no statement takes long
// however rare they are.
func (l *Log) page(ctx context.Context, f *Filter, after int64, limit int) (Page, error) {
	p := Page{Next: after, More: true}
	size := 0
	for range maxWindows {
		until := int64(math.MaxInt64)
		if f.Scope == "" && (f.Key != "" || len(f.Topics) > 0) {
			until = p.Next + window
		}
		text, args := f.query(p.Next, until, limit-len(p.Records))
		oldest, head, err := l.scan(ctx, text, args, func(r Record) bool {
			p.Records = append(p.Records, r)
			size += len(r.Payload)
			return len(p.Records) < limit && size < maxBytes
		})
		if err != nil {
			return Page{}, fmt.Errorf("event: read the log: %w", err)
		}
		if p.Next > 0 && (p.Next > head || oldest > p.Next+1) {
			return Page{}, ErrReset.Because("What followed that event is not kept any more.").With("oldest", oldest)
		}
		if n := len(p.Records); n == limit || size >= maxBytes {
			p.Next = p.Records[n-1].Position
			p.More = p.Next < head
			break
		}
		p.Next = max(p.Next, min(until, head), oldest-1)
		if p.Next >= head {
			p.More = false
			break
		}
	}
	return p, nil
}

// query asks for what f wants between two positions, beside the bounds of the
// log as they are in the same snapshot: there is always at least one row.
func (f *Filter) query(after, until int64, limit int) (text string, args []any) {
	args = []any{after, until}
	where := f.where(&args)
	args = append(args, int64(limit))
	return `
		SELECT COALESCE(l.position, 0), COALESCE(l.id, ''), COALESCE(l.topic, ''), COALESCE(l.key, ''), COALESCE(l.scope, ''),
			COALESCE(l.version, 0), COALESCE(l.at, 0), COALESCE(l.trace, ''), COALESCE(l.payload, ''), b.oldest, b.head
		FROM (SELECT ` + bounds + `) AS b LEFT JOIN (
			SELECT ` + columns + ` FROM ashlar_event_log WHERE position > $1 AND position <= $2` + where + `
			ORDER BY position LIMIT $` + strconv.Itoa(len(args)) + `) AS l ON 1 = 1 ORDER BY 1`, args
}

// where is the condition that f adds to others, with its arguments.
func (f *Filter) where(args *[]any) string {
	var b strings.Builder
	add := func(before, arg string) {
		*args = append(*args, arg)
		b.WriteString(before + "$" + strconv.Itoa(len(*args)))
	}
	if f.Scope != "" {
		add(` AND scope <> '' AND scope = `, f.Scope) // the index is of those with a scope
	}
	if f.Key != "" {
		add(` AND key = `, f.Key)
	}
	or := ` AND (`
	for _, topic := range f.Topics {
		if beginning, ok := strings.CutSuffix(topic, "*"); ok {
			add(or+`SUBSTR(topic, 1, `+strconv.Itoa(len(beginning))+`) = `, beginning)
		} else {
			add(or+`topic = `, topic)
		}
		or = ` OR `
	}
	if len(f.Topics) > 0 {
		b.WriteString(`)`)
	}
	return b.String()
}

// scan gives each record of a query to take until that has enough, and returns
// the bounds of the log.
func (l *Log) scan(ctx context.Context, text string, args []any, take func(Record) bool) (oldest, head int64, err error) {
	rows, err := l.db.Query(ctx, text, args...)
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var r Record
		if err := r.scan(rows, &oldest, &head); err != nil {
			return 0, 0, err
		}
		if r.Position == 0 || !take(r) {
			break
		}
	}
	return oldest, head, rows.Err()
}
