package torture

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// patience is how long each kind of work has to come to its end when the storm
// is over. A lease and what a clock may be ahead unnoticed are a minute of it.
const patience = 2 * time.Minute

// settle waits until nothing is under way any more, and notes what never ends.
// Each kind of work has patience of its own, so that one that is late is not
// taken for the lateness of those behind it.
func (a *audit) settle(ctx context.Context) {
	p := a.promise("nothing is left undone", "kinds of work")
	a.awaitDeliveries(ctx)
	for _, kind := range []struct{ what, count string }{
		{"payments without an outcome", `SELECT count(*) FROM payments WHERE status = 'pending'`},
		{"webhooks to be delivered", `SELECT count(*) FROM ashlar_webhook_deliveries WHERE state = 'pending'`},
		{"webhooks that were given up", `SELECT count(*) FROM ashlar_webhook_deliveries WHERE state NOT IN ('pending', 'delivered')`},
		{"dead jobs", `SELECT count(*) FROM ashlar_jobs WHERE state = 'dead'`},
		// Schedules always have a next run; what runs must come to an end.
		{"jobs that are overdue by ten seconds", `SELECT count(*) FROM ashlar_jobs WHERE state IN ('queued', 'scheduled') AND due_at < $1`},
	} {
		p.checked++
		if left := a.awaitNone(ctx, kind.count); left != "" {
			p.broke("%s: %s", kind.what, left)
		}
	}
}

// awaitNone waits until a query counts nothing, or says what it counted last.
func (a *audit) awaitNone(ctx context.Context, count string) (left string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for ; ctx.Err() == nil; pause(ctx, 100*time.Millisecond) {
		var arguments []any
		if strings.Contains(count, "$1") {
			arguments = []any{time.Now().Add(-10 * time.Second).UnixMilli()}
		}
		switch n, err := db.One[int](ctx, a.books, count, arguments...); {
		case err == nil && n == 0:
			return ""
		case err == nil:
			left = fmt.Sprintf("there are still %d", n)
		case ctx.Err() == nil:
			left = fmt.Sprintf("nobody can count them: %v", err)
		}
	}
	return cmp.Or(left, "they were not counted even once: "+context.Cause(ctx).Error())
}

// awaitDeliveries waits until the receiver has accepted every event of a
// buyer's payment, or time is up: the audit says what is missing then.
func (a *audit) awaitDeliveries(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
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
