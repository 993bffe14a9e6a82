package event

import (
	"context"
	"fmt"
	"math"

	"github.com/ashlar-go/ashlar/db"
)

// Horizon returns a position of which it is certain that no event stands after
// it which was committed before the call, by whichever process. It is for
// those who have to know how much they know, such as a cache.
func (l *Log) Horizon(ctx context.Context) (int64, error) {
	ctx = current(ctx)
	if l.sql.sequenced {
		waiting, err := db.One[bool](ctx, l.db, `SELECT EXISTS (SELECT 1 FROM ashlar_event_outbox)`)
		if err != nil {
			return 0, fmt.Errorf("event: look for events without a position: %w", err)
		}
		for waiting {
			n, err := l.pass(ctx, math.MaxInt64)
			if err != nil {
				return 0, err
			}
			waiting = n == maxPass
		}
	}
	_, head, err := l.bounds(ctx, l.db)
	return head, err
}
