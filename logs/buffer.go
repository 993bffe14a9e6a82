package logs

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	bufferSize  = 64 << 10 // what each of the two keeps when little is said
	bufferDelay = 10 * time.Millisecond

	bufferMost   = 4 << 20        // waits at most
	bufferSpared = bufferMost / 8 // of it, for lines at WARN and above

	errorPatience = 5 * time.Millisecond
	flushPatience = 2 * time.Second
)

var (
	// ErrDropped is what Write says of a line that found no room.
	ErrDropped = errors.New("logs: line dropped: too many wait to be written")
	// ErrStalled is what Flush and Close say when what is underneath does not
	// take lines.
	ErrStalled = errors.New("logs: lines still wait to be written")
)

// Buffer gathers lines and writes them out together, on a goroutine of its
// own: on a busy server one call to the system for each line costs more than
// the line, and a log that hangs must not hang the requests. A line is written
// 10ms after it came at the latest, sooner when 32 KiB have gathered, and at
// once when it is at WARN or above.
//
// Nobody waits for the log: while what is underneath takes no lines, 4 MiB of
// them wait, the last eighth being kept for WARN and above, and lines beyond
// that are dropped. [Buffer.Dropped] counts them, together with those that
// could not be written; a [Handler] on a Buffer says in the log how many are
// missing, where they are missing. A line at ERROR or above gives the writer
// 5ms, because it may be the last before a crash. What is lost without a trace
// is what waits when the process is killed.
//
// A Buffer is safe for concurrent use. It has no goroutine while nothing waits.
type Buffer struct {
	w     io.Writer
	timer *time.Timer // runs out when waiting lines are due

	mu       sync.Mutex
	waiting  []byte
	spare    []byte // the other buffer, while it is not being written
	writing  bool   // a goroutine is in drain
	since    time.Time
	closed   bool
	accepted uint64 // bytes
	wanted   uint64 // bytes that are due
	handed   uint64 // bytes that w.Write was given and returned from
	moved    chan struct{}
	torn     bool // the last write ended within a line
	err      error

	dropped  uint64 // lines, ever
	untold   uint64 // lines, since the log last said so
	announce func(lines uint64) []byte
}

// NewBuffer returns a buffer in front of w, whose Write is never called twice
// at once.
func NewBuffer(w io.Writer) *Buffer {
	b := &Buffer{w: w, waiting: make([]byte, 0, bufferSize), spare: make([]byte, 0, bufferSize)}
	b.timer = time.AfterFunc(bufferDelay, b.drain)
	b.timer.Stop()
	return b
}

// Write takes over a line or drops it, with [ErrDropped]. That it could not be
// written is known only later: Flush and Close say so. After Close it is
// written at once, and Write says so itself.
func (b *Buffer) Write(line []byte) (int, error) { return b.take(line, slog.LevelInfo) }

func (b *Buffer) take(line []byte, level slog.Level) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	room := bufferMost
	if level < slog.LevelWarn {
		room -= bufferSpared
	}
	before := len(b.waiting)
	if before+len(line) > room {
		b.lose(1)
		return 0, ErrDropped
	}
	b.waiting = append(b.waiting, line...)
	b.accepted += uint64(len(line))
	switch {
	case b.closed:
		b.hurry()
		b.wait(flushPatience)
		return len(line), b.tell()
	case level >= slog.LevelWarn:
		b.hurry()
		if level >= slog.LevelError {
			b.wait(errorPatience)
		}
	case before < bufferSize/2 && len(b.waiting) >= bufferSize/2:
		b.timer.Reset(0)
	case before == 0:
		b.timer.Reset(bufferDelay)
	}
	return len(line), nil
}

// Dropped returns how many lines were lost so far: those that found no room,
// and those that could not be written.
func (b *Buffer) Dropped() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

// Flush returns when all that was written before is out, or after two seconds
// with [ErrStalled]. The error is the first since the last Flush. What could
// not be written is not tried again.
func (b *Buffer) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hurry()
	if !b.wait(flushPatience) {
		return errors.Join(ErrStalled, b.tell())
	}
	return b.tell()
}

// Close flushes. From then on each Write goes straight through, so that the
// last words of a process may come after it. It does not close what is
// underneath, and may be called again.
func (b *Buffer) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	return b.Flush()
}

// hurry has all that waits written now.
func (b *Buffer) hurry() {
	b.wanted = b.accepted
	if !b.writing && b.handed < b.wanted {
		b.timer.Reset(0)
	}
}

// drain writes out what is due. Only one goroutine does.
func (b *Buffer) drain() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wanted = b.accepted
	if b.writing {
		return
	}
	b.writing = true
	for b.handed < b.wanted {
		b.advance()
	}
	b.writing = false
}

// advance hands on what waits. It is called with mu, and gives it away
// meanwhile.
func (b *Buffer) advance() {
	lines, size := b.waiting, len(b.waiting)
	b.waiting, b.spare, b.since = b.spare, nil, time.Now()
	var told uint64
	if b.untold > 0 && b.announce != nil {
		told = b.untold
		lines = append(lines, b.announce(told)...)
	}
	torn := b.torn
	b.mu.Unlock()
	if torn {
		_, _ = b.w.Write([]byte("\n")) // what is wrong, the next write says
	}
	n, err := b.w.Write(lines)
	if err == nil && n < len(lines) {
		err = io.ErrShortWrite
	}
	b.mu.Lock()
	if b.err == nil {
		b.err = err
	}
	n = max(0, min(n, len(lines)))
	if err != nil {
		b.lose(bytes.Count(lines[min(n, size):size], []byte("\n")))
	}
	if n > 0 {
		b.torn = lines[n-1] != '\n'
	}
	if n == len(lines) {
		b.untold -= told
	}
	b.handed += uint64(size)
	if cap(lines) > bufferSize && size < bufferSize/2 { // it grew when there was more to write
		lines = make([]byte, 0, bufferSize)
	}
	b.spare = lines[:0]
	if b.moved != nil {
		close(b.moved)
		b.moved = nil
	}
}

// wait returns when all that was accepted so far is out, and false when that
// takes longer than patience, or when a write has been going on for as long:
// whoever has to do with a log that hangs waits for it once. It is called with
// mu, and gives it away meanwhile.
func (b *Buffer) wait(patience time.Duration) bool {
	mark, end := b.accepted, (<-chan time.Time)(nil)
	for b.handed < mark {
		if b.writing && time.Since(b.since) >= patience {
			return false
		}
		if end == nil {
			end = time.After(patience)
		}
		if b.moved == nil {
			b.moved = make(chan struct{})
		}
		moved, late := b.moved, false
		b.mu.Unlock()
		select {
		case <-moved:
		case <-end:
			late = true
		}
		b.mu.Lock()
		if late {
			return b.handed >= mark
		}
	}
	return true
}

func (b *Buffer) lose(lines int) {
	b.dropped += uint64(lines)
	b.untold += uint64(lines)
}

func (b *Buffer) tell() error {
	err := b.err
	b.err = nil
	return err
}
