package logs

import (
	"io"
	"sync"
	"time"
)

const (
	bufferSize  = 64 << 10 // of each of the two
	bufferDelay = 10 * time.Millisecond
)

// Buffer gathers lines and writes them out together: on a busy server one call
// to the system for each line costs more than the line. A line is written
// 10ms after it came at the latest, sooner when 32 KiB have gathered, and at
// once when [Buffer.Flush] is called, as [Handler] does after each record at
// WARN or above. Nothing is dropped to keep up: when two times 64 KiB wait,
// Write waits too. What is lost is what waits when the process is killed.
//
// A Buffer is safe for concurrent use. It has no goroutine while nothing waits.
type Buffer struct {
	w     io.Writer
	timer *time.Timer // runs out when waiting lines are due

	mu       sync.Mutex
	idle     sync.Cond // writing became false
	waiting  []byte
	spare    []byte // the other buffer, while it is not being written
	writing  bool   // someone calls w.Write, without mu
	closed   bool
	accepted uint64 // bytes
	handed   uint64 // bytes that w.Write was given and returned from
	err      error  // the first since it was last told
}

// NewBuffer returns a buffer in front of w, whose Write is never called twice
// at once.
func NewBuffer(w io.Writer) *Buffer {
	b := &Buffer{w: w, waiting: make([]byte, 0, bufferSize), spare: make([]byte, 0, bufferSize)}
	b.idle.L = &b.mu
	b.timer = time.AfterFunc(bufferDelay, b.due)
	b.timer.Stop()
	return b
}

// Write takes over a line. That it could not be written is known only later:
// Flush and Close say so. After Close it writes at once, and says so itself.
func (b *Buffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting) > 0 && len(b.waiting)+len(line) > bufferSize {
		b.advance()
	}
	before := len(b.waiting)
	b.waiting = append(b.waiting, line...)
	b.accepted += uint64(len(line))
	switch {
	case b.closed:
		b.settle(b.accepted)
		return len(line), b.tell()
	case before < bufferSize/2 && len(b.waiting) >= bufferSize/2:
		b.timer.Reset(0)
	case before == 0:
		b.timer.Reset(bufferDelay)
	}
	return len(line), nil
}

// Flush returns when all that was written before is out. The error is the
// first since the last Flush. What could not be written is not tried again.
func (b *Buffer) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settle(b.accepted)
	return b.tell()
}

// Close flushes. From then on each Write goes straight through, so that the
// last words of a process may come after it. It does not close what is
// underneath, and may be called again.
func (b *Buffer) Close() error {
	b.mu.Lock()
	b.closed = true
	b.timer.Stop()
	b.mu.Unlock()
	return b.Flush()
}

// due writes out what waits. Its error stays for Flush.
func (b *Buffer) due() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settle(b.accepted)
}

// settle returns when the first mark bytes were handed on.
func (b *Buffer) settle(mark uint64) {
	for b.handed < mark {
		b.advance()
	}
}

// advance hands on what waits or, if someone is at it, waits for them. It is
// called with mu, and gives it away meanwhile.
func (b *Buffer) advance() {
	if b.writing {
		b.idle.Wait()
		return
	}
	lines := b.waiting
	b.waiting, b.spare, b.writing = b.spare, nil, true
	b.mu.Unlock()
	n, err := b.w.Write(lines)
	if err == nil && n < len(lines) {
		err = io.ErrShortWrite
	}
	b.mu.Lock()
	if b.err == nil {
		b.err = err
	}
	b.handed += uint64(len(lines))
	if cap(lines) > bufferSize { // it grew for one long line
		lines = make([]byte, 0, bufferSize)
	}
	b.spare, b.writing = lines[:0], false
	b.idle.Broadcast()
}

func (b *Buffer) tell() error {
	err := b.err
	b.err = nil
	return err
}
