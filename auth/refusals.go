package auth

import (
	"sync"
	"time"
)

// refusals remembers for a minute what was refused and recorded. Refusing is
// cheap and writing to a database is not: without it a flood of attempts that
// the throttle stops would be a flood of transactions.
type refusals struct {
	mu    sync.Mutex
	seen  map[string]bool
	since time.Time
}

// mostRefusals is how many different ones are recorded in a minute.
const mostRefusals = 256

// first reports whether this refusal is to be recorded.
func (r *refusals) first(key string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil || now.Sub(r.since) >= time.Minute {
		r.seen, r.since = map[string]bool{}, now
	}
	if r.seen[key] || len(r.seen) >= mostRefusals {
		return false
	}
	r.seen[key] = true
	return true
}
