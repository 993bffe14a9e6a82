package job

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// batch is how many jobs one statement takes at most.
const batch = 64

// list returns "($3, $4, …)" for n values, and the values: as many as the next
// power of two, the last one repeated, so that there are few texts to prepare.
func list(from int, values []string) (text string, args []any) {
	n := 1
	for n < len(values) {
		n *= 2
	}
	var b strings.Builder
	for i := range n {
		b.WriteString([]string{", $", "($"}[1-min(i, 1)])
		b.WriteString(strconv.Itoa(from + i))
		args = append(args, values[min(i, len(values)-1)])
	}
	b.WriteByte(')')
	return b.String(), args
}

// transact runs the runner's own bookkeeping. It needs no more than to see what
// is committed, because it locks each row that it changes: the stricter default
// would have transactions of many processes lose to each other for nothing.
func transact[T any](ctx context.Context, d *db.DB, fn func(tx *db.Tx) (T, error)) (T, error) {
	return db.InTx(ctx, d, fn, db.ReadCommitted)
}

// timeOf is a time that was kept; 0 is the zero Time.
func timeOf(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}
