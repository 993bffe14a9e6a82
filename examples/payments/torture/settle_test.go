package torture

import (
	"context"
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// settle waits until nothing is under way any more, and notes what never ends.
func (a *audit) settle(ctx context.Context) {
	p := a.promise("nothing is left undone", "kinds of work")
	a.awaitDeliveries(ctx)
	for what, count := range map[string]string{
		"payments without an outcome": `SELECT count(*) FROM payments WHERE status = 'pending'`,
		"webhooks to be delivered":    `SELECT count(*) FROM ashlar_webhook_deliveries WHERE state = 'pending'`,
		"webhooks that were given up": `SELECT count(*) FROM ashlar_webhook_deliveries WHERE state NOT IN ('pending', 'delivered')`,
		"dead jobs":                   `SELECT count(*) FROM ashlar_jobs WHERE state = 'dead'`,
		// Schedules always have a next run; what runs must come to an end.
		"jobs that are overdue by ten seconds": `SELECT count(*) FROM ashlar_jobs WHERE state IN ('queued', 'scheduled') AND due_at < $1`,
	} {
		p.checked++
		for {
			var arguments []any
			if what == "jobs that are overdue by ten seconds" {
				arguments = []any{time.Now().Add(-10 * time.Second).UnixMilli()}
			}
			n, err := db.One[int](ctx, a.books, count, arguments...)
			if err == nil && n == 0 {
				break
			}
			if ctx.Err() != nil {
				p.broke("there are still %d %s (%v)", n, what, err)
				break
			}
			pause(ctx, 100*time.Millisecond)
		}
	}
}

// awaitDeliveries waits until the receiver has accepted every event of a
// buyer's payment, or time is up: the audit says what is missing then.
func (a *audit) awaitDeliveries(ctx context.Context) {
	for ; ctx.Err() == nil; pause(ctx, 300*time.Millisecond) {
		events, err := a.events(ctx)
		if err != nil {
			continue
		}
		mine := slices.DeleteFunc(events, func(e event) bool { return !e.Data.byBuyer() })
		if a.receiver.missing(mine) == 0 {
			return
		}
	}
}
