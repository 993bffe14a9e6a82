package outbound

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Retry says how often a call that failed is tried again. Only what is safe to
// repeat ever is.
type Retry struct {
	// Tries is how many there are at most, the first one included. Zero means
	// 3; 1 means that nothing is tried again.
	Tries int
	// Wait is the longest pause before the second try; it doubles before each
	// further one, up to MaxWait. A pause lasts a random part of that, from
	// nothing to all of it, so that callers who failed together do not come back
	// together. Zero means 100ms.
	Wait time.Duration
	// MaxWait bounds a pause. An answer that asks for a longer one by
	// Retry-After is the last one. Zero means 2s.
	MaxWait time.Duration
	// Budget is how many retries there may be in the long run, as a share of
	// calls, so that retries cannot multiply the load of a dependency which has
	// too much of it. One a second is always free, and up to ten are saved up.
	// Zero means 0.2.
	Budget float64
}

func (r Retry) withDefaults() Retry {
	or(&r.Tries, 3)
	or(&r.Wait, 100*time.Millisecond)
	or(&r.MaxWait, 2*time.Second)
	or(&r.Budget, 0.2)
	return r
}

// pause returns how long to wait before the next try, after so many of them.
// It is never shorter than what the other side asked for.
func (r Retry) pause(tries int, asked time.Duration) time.Duration {
	longest := r.MaxWait
	if shift := tries - 1; shift < 30 {
		longest = min(r.Wait<<shift, r.MaxWait)
	}
	return max(asked, rand.N(longest+1)) //nolint:gosec // spread, not secrecy
}

// A budget bounds retries as a share of calls.
type budget struct {
	share float64

	mu    sync.Mutex
	saved float64
	at    time.Time
}

// savings is how many retries a budget saves up, and has at the start.
const savings = 10

func newBudget(share float64) *budget { return &budget{share: share, saved: savings, at: time.Now()} }

// earn is told of each call.
func (b *budget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.saved = min(b.saved+b.share, savings)
}

// spend reports whether there may be a retry.
func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.saved = min(b.saved+now.Sub(b.at).Seconds(), savings)
	b.at = now
	if b.saved < 1 {
		return false
	}
	b.saved--
	return true
}

// repeatable reports whether a request may be sent twice: its method changes
// nothing the second time, or the other side can tell it by its key, and its
// body can be sent again.
func repeatable(req *http.Request) bool {
	if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return false
	}
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return req.Header.Get("Idempotency-Key") != ""
}

// worthRepeating reports whether another answer may come a little later.
func worthRepeating(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter reads the field of that name: seconds or a date. Zero means that
// it says nothing.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if text == "" {
		return 0
	}
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
