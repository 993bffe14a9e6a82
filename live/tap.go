package live

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// tap is the connection under a WebSocket. Who reads the protocol needs some
// kilobytes of stack for it, and must not hold them for as long as nothing
// comes: it is told errQuiet then, and somebody else waits.
type tap struct {
	net.Conn

	patience time.Duration
	framed   bool        // what is written through it is one whole frame each time
	closing  atomic.Bool // the last frames are exchanged: who reads now waits itself

	reading sync.Mutex
	ahead   []byte   // what came that nobody has read yet
	in      [64]byte // where it lies
	frames  bounds   // of what was read

	writing sync.Mutex
	broken  bool // half a frame may be out
	ended   bool // no message follows
	closed  bool // a close frame is out, which is the last
}

// errQuiet says that all was read that came, and that it ends with a frame that
// nothing has to follow.
var errQuiet = errors.New("live: nothing has come")

// wait returns when there is something to read. It needs little stack.
func (t *tap) wait() (err error) {
	t.reading.Lock()
	if len(t.ahead) == 0 && t.frames.between() {
		err = t.fetch()
	}
	t.reading.Unlock()
	return err
}

// fetch reads ahead. What comes with an error is lost with the connection.
func (t *tap) fetch() error {
	n, err := t.Conn.Read(t.in[:])
	t.ahead = t.in[:n]
	if n > 0 {
		return nil
	}
	return err
}

// Read implements [net.Conn]. It returns no more than what belongs to one frame,
// so that whoever has a whole message has read nothing behind it.
func (t *tap) Read(p []byte) (n int, err error) {
	t.reading.Lock()
	defer t.reading.Unlock()
	if len(t.ahead) == 0 {
		switch {
		case t.frames.between() && !t.closing.Load():
			return 0, errQuiet
		case t.frames.headed(): // what follows is payload
			most := uint64(len(p))
			n, err = t.Conn.Read(p[:min(most, t.frames.rest)])
			t.frames.pass(n)
			return n, err
		}
		if err := t.fetch(); err != nil {
			return 0, err
		}
	}
	given := t.ahead[:min(len(p), len(t.ahead))]
	n = copy(p, given[:t.frames.take(given)])
	t.ahead = t.ahead[n:]
	return n, nil
}

// Write implements [net.Conn] for who speaks the protocol.
func (t *tap) Write(p []byte) (int, error) {
	t.writing.Lock()
	defer t.writing.Unlock()
	const opcode, isClose = 0x0f, 0x8
	if t.framed && len(p) > 0 && p[0]&opcode == isClose {
		defer func() { t.closed = true }()
	}
	return t.put(p, t.patience)
}

// send sends a frame of ours within a time. Only a close follows the last one:
// also a message that waits for its turn does not.
func (t *tap) send(frame []byte, last bool, within time.Duration) error {
	if last {
		t.hurry()
	}
	t.writing.Lock()
	defer t.writing.Unlock()
	if t.ended {
		return net.ErrClosed
	}
	t.ended = last
	_, err := t.put(frame, within)
	return err
}

func (t *tap) put(p []byte, within time.Duration) (n int, err error) {
	if t.broken || t.closed {
		return 0, net.ErrClosed
	}
	if err = t.SetWriteDeadline(time.Now().Add(within)); err == nil {
		if t.closing.Load() && within > lastPatience { // since before the deadline, or after it
			t.hurry()
		}
		n, err = t.Conn.Write(p)
	}
	t.broken = err != nil
	return n, err
}

// hurry has a write that is under way end soon, and those that follow.
func (t *tap) hurry() {
	t.closing.Store(true)
	_ = t.SetWriteDeadline(time.Now().Add(lastPatience))
}
