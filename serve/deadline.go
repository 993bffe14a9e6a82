package serve

import (
	"errors"
	"os"
	"sync"
	"time"
)

// deadline is the read or the write deadline of a connection, set as rarely as
// its meaning allows. net/http moves deadlines eight times for each request,
// nearly always when the next read or write is served from a buffer or does
// not wait; every move that reaches the connection moves a timer of the
// runtime. So
//
//   - while no call is under way, a deadline is only noted, and set by the
//     next call;
//   - one that is later than what is set, or none, is not set at all: a call
//     that wakes up at the earlier one sets it then and goes on.
//
// A deadline that comes earlier, the past one by which net/http ends a read
// above all, is set at once if a call is under way. No call ends before what
// was asked for, nor after it.
//
// Handlers are mostly done before the goroutine by which net/http watches for
// the client's leaving has come to read. Such a call, whose deadline is the
// past one from the beginning, never reaches the connection.
type deadline struct {
	mu     sync.Mutex
	wanted time.Time // by the last caller; zero is none
	set    time.Time // in the connection; zero is none
	spent  bool      // set has passed: the connection refuses calls until it is moved
	calls  int       // under way
	exact  int       // how many ask that set be wanted, always
}

// move is SetReadDeadline or SetWriteDeadline of the connection inside.
type move = func(time.Time) error

// want notes a deadline.
func (d *deadline) want(at time.Time, set move) error {
	d.mu.Lock()
	d.wanted = at
	if d.calls == 0 && d.exact == 0 {
		d.mu.Unlock()
		return nil
	}
	defer d.mu.Unlock()
	return d.apply(set)
}

// begin precedes a call of the connection, and end follows it. The call must
// not be made if begin reports false: its deadline was long ago.
func (d *deadline) begin(set move) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.wanted.IsZero() && d.wanted.Unix() <= past {
		return false
	}
	d.calls++
	_ = d.apply(set) // a connection that has no deadlines can still be used
	return true
}

// past is no deadline but a way to say at once: net/http and crypto/tls take a
// time of the first seconds of 1970 for it.
const past = 60

func (d *deadline) end() {
	d.mu.Lock()
	d.calls--
	d.mu.Unlock()
}

// again reports whether a call returned only because it woke up at an earlier
// deadline than the wanted one, and has now set that.
func (d *deadline) again(err error, set move) bool {
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.spent = true
	now := time.Now()
	early := !d.set.IsZero() && !d.set.After(now) // by no other clock than ours
	if !early || !d.wanted.IsZero() && !d.wanted.After(now) {
		return false
	}
	return d.apply(set) == nil
}

// interrupt ends a read or write under way, and the next one, without a change
// of what is wanted: again takes it up.
func (d *deadline) interrupt(set move) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.set = time.Unix(1, 0)
	_ = set(d.set) // a connection without deadlines is not interrupted
}

// hold makes the connection's deadline the wanted one until let is called, for
// calls that cannot be taken up where they woke.
func (d *deadline) hold(set move) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.exact++
	_ = d.apply(set) // as in begin
}

func (d *deadline) let() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.exact--
}

// apply sets what is wanted if what is set would not do.
func (d *deadline) apply(set move) error {
	switch {
	case d.wanted.Equal(d.set) && !d.spent:
		return nil
	case d.exact > 0, d.spent, d.set.IsZero(), !d.wanted.IsZero() && d.wanted.Before(d.set):
	default:
		return nil // wakes up in time to be moved
	}
	d.set, d.spent = d.wanted, false
	return set(d.wanted)
}
