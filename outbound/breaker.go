package outbound

import (
	"sync"
	"sync/atomic"
	"time"
)

// Breaker says when a dependency is left alone. It opens when enough calls of
// late have failed, refuses all of them for the time of Rest, then lets a few
// through: if these succeed it closes, and if one fails it rests again.
type Breaker struct {
	// Off leaves the dependency never alone.
	Off bool
	// Ratio is the share of tries that must fail, from 0 to 1. Zero means 0.5.
	Ratio float64
	// Minimum is how many tries there must have been within Window, so that a
	// single failure at night is not all of them. Zero means 10.
	Minimum int
	// Window is how far back tries count. Zero means 10s.
	Window time.Duration
	// Rest is how long everything is refused. Zero means 5s.
	Rest time.Duration
	// Trials is how many tries go through after a rest, and must succeed
	// before all do. Zero means 1.
	Trials int
}

func (b Breaker) withDefaults() Breaker {
	or(&b.Ratio, 0.5)
	or(&b.Minimum, 10)
	or(&b.Window, 10*time.Second)
	or(&b.Rest, 5*time.Second)
	or(&b.Trials, 1)
	return b
}

// State is where a breaker stands.
type State uint8

// The states.
const (
	Closed   State = iota // all tries go through
	HalfOpen              // a few do, to see
	Open                  // none does
	states   = iota
)

// String returns the state in lower case, for labels.
func (s State) String() string {
	return [...]string{"closed", "half_open", "open"}[min(s, states-1)]
}

// breaker is the machine of a [Breaker].
type breaker struct {
	Breaker

	mu      sync.Mutex
	state   State
	epoch   uint64 // of the state: what an earlier one let through is not counted in this one
	since   time.Time
	counts  window
	trials  int // under way
	passed  int // trials that succeeded
	started time.Time
	opened  int64
}

// A verdict is what a try told about the other side.
type verdict uint8

const (
	nothing verdict = iota // it was our caller who gave up
	good
	bad
)

// A ticket lets one try through. It is settled once; later verdicts and those
// of an earlier epoch change nothing.
type ticket struct {
	of    *breaker
	epoch uint64
	done  atomic.Bool
}

// admit lets a try through or says how long to stay away. Moved reports whether
// the state has changed.
func (b *breaker) admit() (t *ticket, wait time.Duration, moved bool) {
	if b.Off {
		return &ticket{}, 0, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.state == Open {
		if left := b.Rest - now.Sub(b.since); left > 0 {
			return nil, left, false
		}
		b.enter(HalfOpen, now)
		moved = true
	}
	if b.state == HalfOpen {
		// A trial that never comes to an end must not keep the others out for ever.
		if b.trials+b.passed >= b.Trials && now.Sub(b.started) < b.Rest {
			return nil, b.Rest - now.Sub(b.started), moved
		}
		b.trials++
		b.started = now
	}
	return &ticket{of: b, epoch: b.epoch}, 0, moved
}

// settle takes what the try told. First reports whether nothing was told
// before, and moved whether the state has changed.
func (t *ticket) settle(v verdict) (first, moved bool) {
	if t.done.Swap(true) {
		return false, false
	}
	return true, t.of != nil && t.of.settle(t.epoch, v)
}

func (b *breaker) settle(epoch uint64, v verdict) (moved bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if epoch != b.epoch {
		return false
	}
	now := time.Now()
	if b.state == HalfOpen {
		b.trials = max(b.trials-1, 0)
		switch v {
		case good:
			if b.passed++; b.passed < b.Trials {
				return false
			}
			b.enter(Closed, now)
			return true
		case bad:
			b.enter(Open, now)
			return true
		case nothing:
		}
		return false
	}
	if v == nothing {
		return false
	}
	all, failed := b.counts.add(now, b.Window, v == bad)
	if v == good || all < b.Minimum || float64(failed) < b.Ratio*float64(all) {
		return false
	}
	b.enter(Open, now)
	return true
}

func (b *breaker) enter(s State, now time.Time) {
	b.state, b.since = s, now
	b.epoch++
	b.counts, b.trials, b.passed = window{}, 0, 0
	if s == Open {
		b.opened++
	}
}

// look returns the state, how often it was Open, and how long it stays so.
func (b *breaker) look() (s State, opened int64, left time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == Open {
		left = max(0, b.Rest-time.Since(b.since))
	}
	return b.state, b.opened, left
}

// A window counts what happened of late, in slices of a tenth of its length.
type window struct {
	slices [10]struct{ all, failed int }
	at     int       // the slice that is written
	began  time.Time // when it began
}

// add counts one more and returns what there was within length.
func (w *window) add(now time.Time, length time.Duration, failed bool) (all, failures int) {
	step := max(length/time.Duration(len(w.slices)), 1)
	if w.began.IsZero() {
		w.began = now
	}
	for passed := now.Sub(w.began) / step; passed > 0; passed-- {
		if passed > time.Duration(len(w.slices)) { // long ago
			*w = window{began: now}
			break
		}
		w.at = (w.at + 1) % len(w.slices)
		w.slices[w.at].all, w.slices[w.at].failed = 0, 0
		w.began = w.began.Add(step)
	}
	w.slices[w.at].all++
	if failed {
		w.slices[w.at].failed++
	}
	for _, s := range w.slices {
		all, failures = all+s.all, failures+s.failed
	}
	return all, failures
}
