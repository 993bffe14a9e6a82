package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
)

// writer is the one connection that writes, and the token for it that
// callers pass from one to the next.
//
// Transactions that wait for the writer at the same time share a commit,
// because making a commit durable costs more than the statements in it. The
// holder of the token runs its function on its own goroutine, between a
// SAVEPOINT and its RELEASE, so that its failure undoes nothing but itself.
// Then it hands the token, with the SQL transaction still open, to the next
// in the queue; the last one commits and tells all members. Nobody waits for
// company: a transaction that finds the queue empty commits at once.
type writer struct {
	conn  *conn
	file  string
	wait  time.Duration // the longest wait for the token
	most  int           // members of a batch
	delay time.Duration // a batch takes new members at least this long

	mu     sync.Mutex // of the queue
	held   bool       // somebody has the token
	closed bool
	turn   uint64 // counts the holders
	first  *waiter
	last   *waiter
	spare  sync.Pool // of *waiter; its own, since a timer of testing/synctest must not leave its bubble

	// The holder of the token owns these.
	batch *batch        // the open SQL transaction
	sync  time.Duration // how long the last commit took

	committed, rolledBack, commits atomic.Int64
	waiting, waits, waitTime       atomic.Int64
}

// batch is the transactions that share a commit.
type batch struct {
	members int
	started time.Time
	done    chan struct{} // closed when err is decided
	err     error
}

// A waiter is one place in the queue. It is used again when its turn is over.
type waiter struct {
	ready chan struct{} // gets the token, once
	timer *time.Timer
	next  *waiter
}

// place returns one that nobody uses.
func (w *writer) place() *waiter {
	if me, ok := w.spare.Get().(*waiter); ok {
		return me
	}
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return &waiter{ready: make(chan struct{}, 1), timer: timer}
}

// transact is one transaction, from the wait for the token to the durable
// commit. Its name on a goroutine's stack tells a nested call.
func (w *writer) transact(ctx context.Context, fn func(db.Session) error) (err error) {
	if err := w.acquire(ctx, false); err != nil {
		return err
	}
	s := &session{writer: w, conn: w.conn}
	kept := false
	defer func() { // also when fn panics or ends its goroutine
		if kept {
			return
		}
		b := w.batch
		w.undo(s)
		w.pass()
		// Why it failed may rest on what others of the batch wrote, so the
		// failure is no truth before their commit is.
		if b != nil {
			if <-b.done; b.err != nil && s.lost == nil {
				err = b.err
			}
		}
	}()

	if err := w.begin(ctx, s); err != nil {
		return err
	}
	if err := fn(s); err != nil {
		return err
	}
	if err := s.settle(); err != nil {
		return err
	}
	kept = true
	b := w.batch
	b.members++
	w.pass()
	<-b.done // ctx does not matter any more: the outcome is about to be known
	if b.err != nil {
		w.rolledBack.Add(1)
		return b.err
	}
	w.committed.Add(1)
	return nil
}

// begin opens the batch, or a savepoint in the one that is open: its first
// member needs none, since to undo it is to undo everything.
func (w *writer) begin(ctx context.Context, s *session) error {
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	if w.batch != nil {
		if err := w.conn.control("SAVEPOINT member"); err != nil {
			return failed(err, "SAVEPOINT")
		}
		s.begun = true
		return nil
	}
	w.conn.native.Ctx = ctx // ends the wait for another process
	err := w.conn.control("BEGIN IMMEDIATE")
	w.conn.native.Ctx = nil
	if err != nil {
		return notLocked(ctx, err, w.file, w.wait)
	}
	w.batch = &batch{started: time.Now(), done: make(chan struct{})}
	s.begun = true
	return nil
}

// undo takes back what a failed member did. If even that fails the whole
// batch has failed, and its members learn it.
func (w *writer) undo(s *session) {
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	s.end()
	if !s.begun {
		return
	}
	w.rolledBack.Add(1)
	b := w.batch
	if b.members > 0 && w.conn.native.InTransaction() {
		err := w.conn.control("ROLLBACK TO member")
		if err == nil {
			err = w.conn.control("RELEASE member")
		}
		if err == nil {
			return
		}
	}
	lost := error(nil)
	if b.members > 0 {
		// The reason is told and not wrapped: a constraint that one member
		// broke was broken by no other, who may try again.
		lost = fault.ErrUnavailable.Wrap(errors.New("db/sqlite: the transaction was rolled back with another of its group, which failed: " + s.broken().Error()))
	}
	w.fail(b, lost)
}

// fail rolls everything back and ends the batch. The caller holds conn.mu.
func (w *writer) fail(b *batch, err error) {
	if w.conn.native.InTransaction() {
		if e := w.conn.control("ROLLBACK"); e != nil && err == nil {
			err = unusable(e, w.file, w.wait)
		}
	}
	w.batch = nil
	b.err = err
	close(b.done)
}

// pass gives the token away: to the next in the queue while the batch may
// grow, else after the commit.
func (w *writer) pass() {
	b := w.batch
	// Those left behind wait for the whole commit, so that a slow disk
	// makes it right to take more of them along.
	if b != nil && b.members < w.most && time.Since(b.started) < max(w.delay, w.sync) && w.grant(false) {
		return
	}
	if b != nil {
		w.commit(b)
	}
	w.grant(true)
}

func (w *writer) commit(b *batch) {
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	start := time.Now()
	err := w.conn.control("COMMIT")
	w.sync = time.Since(start)
	if err != nil {
		w.fail(b, fmt.Errorf("%w: the transaction was rolled back at its COMMIT", unusable(err, w.file, w.wait)))
		return
	}
	w.commits.Add(1)
	w.batch = nil
	close(b.done)
}

// grant wakes the first of the queue, and reports whether there was one. Else
// the token is put down if release is set.
func (w *writer) grant(release bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	next := w.first
	if next == nil {
		if release {
			w.held = false
		}
		return false
	}
	w.first = next.next
	if w.first == nil {
		w.last = nil
	}
	w.turn++
	next.ready <- struct{}{} // buffered
	return true
}

// acquire waits for the token, in order of arrival. The one that is last
// turns newcomers away, so that the queue is empty when it gets the token.
func (w *writer) acquire(ctx context.Context, last bool) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("db/sqlite: transaction not started: %w", err)
	}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return db.ErrClosed
	}
	w.closed = last
	if !w.held {
		w.held = true
		w.turn++
		w.mu.Unlock()
		return nil
	}
	me := w.place()
	if w.last == nil {
		w.first = me
	} else {
		w.last.next = me
	}
	w.last = me
	turn := w.turn
	w.mu.Unlock()
	err := w.queue(ctx, me, turn)
	me.next = nil
	w.spare.Put(me)
	return err
}

// alone is acquire for work that is no member of a batch.
func (w *writer) alone(ctx context.Context, last bool) error {
	if err := w.acquire(ctx, last); err != nil {
		return err
	}
	if w.batch != nil { // handed over with the token
		w.commit(w.batch)
	}
	return nil
}

// suspicious is how long one holder may keep a waiter before the waiter asks
// whether it is waiting for itself.
const suspicious = 300 * time.Millisecond

func (w *writer) queue(ctx context.Context, me *waiter, turn uint64) error {
	start := time.Now()
	w.waiting.Add(1)
	w.waits.Add(1)
	defer func() {
		w.waiting.Add(-1)
		w.waitTime.Add(int64(time.Since(start)))
	}()
	me.timer.Reset(min(suspicious, w.wait))
	defer me.timer.Stop()
	for {
		var err error
		select {
		case <-me.ready:
			if err = ctx.Err(); err == nil {
				return nil
			}
			w.pass()
			return fmt.Errorf("db/sqlite: transaction not started: %w", err)
		case <-ctx.Done():
			if err = ctx.Err(); errors.Is(err, context.DeadlineExceeded) {
				err = fmt.Errorf("%w: db/sqlite: no turn at the writer of %s for as long as the caller could wait: %w", db.ErrBusy, w.file, err)
			} else {
				err = fmt.Errorf("db/sqlite: waiting for the writer: %w", err)
			}
		case <-me.timer.C:
			if err = w.tooLong(time.Since(start), turn); err == nil {
				me.timer.Reset(w.wait - time.Since(start))
				continue
			}
		}
		if !w.leave(me) { // the token came at the same moment
			<-me.ready
			w.pass()
		}
		return err
	}
}

var errNested = errors.New("db/sqlite: InTx inside the function of another InTx waits for itself: pass the *db.Tx on, and run every statement on it")

func (w *writer) tooLong(waited time.Duration, turn uint64) error {
	w.mu.Lock()
	same := w.turn == turn
	w.mu.Unlock()
	if same && nested() {
		return errNested
	}
	if waited < w.wait {
		return nil
	}
	if same {
		return fmt.Errorf("%w: db/sqlite: one transaction has held the writer of %s for %s: a transaction must not wait for a network, a lock or another transaction", db.ErrBusy, w.file, w.wait)
	}
	return fmt.Errorf("%w: db/sqlite: no turn at the writer of %s within %s", db.ErrBusy, w.file, w.wait)
}

// nested reports whether this goroutine is inside a transaction's function
// already. It reads the stack, which is slow and needs nothing of the callers
// that do not wait.
func nested() bool {
	var pcs [128]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	depth := 0
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, "sqlite.(*writer).transact") {
			depth++
		}
		if !more {
			return depth > 1
		}
	}
}

// leave takes me out of the queue and reports whether it was still there.
func (w *writer) leave(me *waiter) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	var before *waiter
	for at := w.first; at != nil; before, at = at, at.next {
		if at != me {
			continue
		}
		if before == nil {
			w.first = me.next
		} else {
			before.next = me.next
		}
		if w.last == me {
			w.last = before
		}
		return true
	}
	return false
}
