package limit

import (
	"context"
	"time"
)

// A Store counts. Its one operation reads its own clock, decides and keeps the
// decision in one step, so that callers side by side, on several instances if
// the store is theirs together, never pass on the same unit. What it keeps for
// a key is a single time, that at which the key will have recovered; a key
// whose time is past is the same as one that was never seen.
//
// [Memory] is one; package limittest proves others alike.
type Store interface {
	// Take takes n units from what a key has under a rate that is not
	// mistaken, if it has them, and nothing if it has not.
	//
	// With n = 0 it takes nothing, and the Result says whether one could be
	// taken. With n < 0 it gives back, never more than were taken. A key that
	// was used under another rate keeps the time at which it will have
	// recovered, but from the next decision on none that is later than that of
	// a key which has just spent all; so a clock that was set back costs no
	// more than that either.
	//
	// An error means that the store could not decide.
	Take(ctx context.Context, key Key, rate Rate, n int) (Result, error)
}

// A Key names whose units are taken: Who, of the limit called Limit. Two keys
// are the same if both are.
type Key struct{ Limit, Who string }

// A Result is what became of a [Store.Take].
type Result struct {
	// OK says that the units were there.
	OK bool
	// Remaining is how many units are left.
	Remaining int
	// RetryAfter is, when OK is false, how long it takes until they are there.
	// More than the rate ever has will not be there then either.
	RetryAfter time.Duration
	// Reset is how long it takes until all units are there.
	Reset time.Duration
}

// decide is the generic cell rate algorithm (ITU-T I.371): now and tat, the
// time at which the key will have recovered, in nanoseconds of one clock. It
// returns the new such time.
func (r Rate) decide(now, tat int64, n int) (int64, Result) {
	every, window := int64(r.every), int64(r.every)*int64(r.burst)
	spent := min(max(tat-now, 0), window)
	switch {
	case n > r.burst: // and n*every could overflow
		return now + spent, Result{Remaining: int((window - spent) / every), RetryAfter: time.Duration(max(spent, 1)), Reset: time.Duration(spent)}
	case n < 0:
		spent = max(spent+int64(max(n, -r.burst))*every, 0)
		return now + spent, Result{OK: true, Remaining: int((window - spent) / every), Reset: time.Duration(spent)}
	}
	after := spent + int64(max(n, 1))*every
	if after > window {
		return now + spent, Result{Remaining: int((window - spent) / every), RetryAfter: time.Duration(after - window), Reset: time.Duration(spent)}
	}
	if n == 0 {
		after = spent
	}
	return now + after, Result{OK: true, Remaining: int((window - after) / every), Reset: time.Duration(after)}
}
