package network

import (
	"sync"
	"time"
)

// A breaker stops calls to a party that keeps failing. After trip failures in
// a row it is open and admits nothing for the time of rest; then it admits one
// call, whose outcome closes it or opens it again.
type breaker struct {
	trip int
	rest time.Duration

	mu       sync.Mutex
	failures int       // in a row
	until    time.Time // nothing is admitted before
	trying   bool      // the one call after the rest is under way
}

// open reports whether a call made now would be refused.
func (b *breaker) open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failures >= b.trip && (b.trying || time.Now().Before(b.until))
}

// admit reports whether a call may be made. Each admitted call ends with
// succeeded, failed or release.
func (b *breaker) admit() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < b.trip {
		return true
	}
	if b.trying || time.Now().Before(b.until) {
		return false
	}
	b.trying = true
	return true
}

func (b *breaker) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.trying = 0, false
}

func (b *breaker) failed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trying = false
	if b.failures++; b.failures >= b.trip {
		b.until = time.Now().Add(b.rest)
	}
}

// release ends a call that told nothing about the party.
func (b *breaker) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trying = false
}
