package supervise

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// message is what parent and worker say to each other, one in a packet; a
// descriptor may come with it.
type message struct {
	Say      word   `json:"say"`
	Name     string `json:"name,omitempty"`     // of the socket that a connection is for
	Last     bool   `json:"last,omitempty"`     // of a drain: nobody serves in its place
	Requests uint64 `json:"requests,omitempty"` // answered so far
	Data     []byte `json:"data,omitempty"`     // a part of a legacy
	Answers  bool   `json:"answers,omitempty"`  // of ready: I say that I live when I am asked
}

type word string

const (
	sayReady word = "ready" // worker: I can serve
	sayBeat  word = "beat"  // worker: this is how far I am
	sayConn  word = "conn"  // both: here is a connection for you
	sayLeave word = "leave" // worker: a part of what I leave behind
	sayAsk   word = "ask"   // parent: do you live?
	sayAlive word = "alive" // worker: I do
	sayDrain word = "drain" // parent: leave; the last word to a worker
)

const (
	longestMessage = 48 << 10
	longestPart    = 32 << 10        // of a legacy: a third more as it travels
	sendTimeout    = 5 * time.Second // the other end only reads and passes on
)

// wire is one end of the socket pair between parent and worker.
type wire struct {
	conn *net.UnixConn
	mu   sync.Mutex // one packet at a time
	in   []byte     // of the one who receives
	oob  []byte
}

// newWire takes the descriptor over.
func newWire(f *os.File) (*wire, error) {
	defer func() { _ = f.Close() }() // FileConn has made a duplicate
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		_ = c.Close()
		return nil, errors.New("it is no socket of a supervisor")
	}
	return &wire{conn: u}, nil
}

// send sends m, and with it a duplicate of the descriptor unless that is nil.
func (w *wire) send(m message, descriptor syscall.Conn) error {
	packet, err := json.Marshal(m)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.conn.SetWriteDeadline(time.Now().Add(sendTimeout))
	if descriptor == nil {
		_, err = w.conn.Write(packet)
		return err
	}
	raw, err := descriptor.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		_, _, failed = w.conn.WriteMsgUnix(packet, rights(fd), nil)
	}); err != nil {
		return err
	}
	return failed
}

// receive waits for the next message. The file is nil unless a descriptor came
// with it; it is the caller's.
func (w *wire) receive() (m message, descriptor *os.File, err error) {
	if w.in == nil {
		w.in, w.oob = make([]byte, longestMessage), make([]byte, rightsSpace)
	}
	n, oobn, _, _, err := w.conn.ReadMsgUnix(w.in, w.oob)
	if err != nil {
		return message{}, nil, err
	}
	if descriptor, err = received(w.oob[:oobn]); err != nil {
		return message{}, nil, err
	}
	if err := json.Unmarshal(w.in[:n], &m); err != nil {
		if descriptor != nil {
			_ = descriptor.Close()
		}
		return message{}, nil, fmt.Errorf("supervise: a message that cannot be read: %w", err)
	}
	return m, descriptor, nil
}

func (w *wire) close() { _ = w.conn.Close() }
