package live

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/internal/sse"
)

// wire is the way to a caller. Its methods are safe for concurrent use.
type wire interface {
	// form is how items are written.
	form() form
	// write sends all of b within a time. After a failure nothing is sent any
	// more: half an event may be out.
	write(b []byte, within time.Duration) error
	// end tells the caller why nothing follows, if there is a caller to tell,
	// and closes. It has a write that is under way end soon, takes no longer
	// than lastPatience for its own, and returns what it has sent, in bytes.
	end(e *ending, traceID string) int
	// transport is what the log calls it.
	transport() string
}

// lastPatience is how long a caller may take to hear why its stream ends.
const lastPatience = 2 * time.Second

var errBroken = errors.New("live: the connection is closed or broken")

// listen answers with a stream of events and takes the connection over; where
// that is impossible, as on HTTP/2, it returns what the request must wait for.
func (st *stream) listen(s *scope.Scope, w http.ResponseWriter, r *http.Request) (*held, error) {
	control := http.NewResponseController(w)
	st.h.dress(w.Header())
	conn, _, err := control.Hijack()
	retry := append(sse.AppendRetry(nil, st.h.server.pause()), '\n')
	s.Lasts = true
	if err != nil {
		if !errors.Is(err, http.ErrNotSupported) {
			return nil, err
		}
		hold := &held{st: st, w: w, control: control, done: make(chan struct{})}
		st.wired(hold)
		_ = control.SetWriteDeadline(time.Time{}) // whoever knows no deadlines has none to lift
		w.WriteHeader(http.StatusOK)
		st.count(len(retry))
		err = hold.write(retry, st.h.server.cfg.Patience)
		scope.Report(w, r) // now, while nobody else writes
		return hold, err
	}
	s.Status = http.StatusOK
	bound(conn)
	line := &line{st: st, conn: conn, aid: st.h.server.aid()}
	st.wired(line)
	if err := line.write(appendResponse(w.Header(), retry), st.h.server.cfg.Patience); err != nil {
		return nil, err
	}
	s.Bytes = int64(len(retry))
	st.count(len(retry))
	go line.watch()
	return nil, nil //nolint:nilnil // nothing has to be held
}

// line is a connection that was taken over.
type line struct {
	st   *stream
	conn net.Conn
	aid  aid

	mu     sync.Mutex
	broken bool
	in     [32]byte // of what should not come
	lives  bool     // a beat was sent
}

func (l *line) write(b []byte, within time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.put(b, within)
}

func (l *line) put(b []byte, within time.Duration) error {
	if l.broken {
		return errBroken
	}
	err := l.conn.SetWriteDeadline(time.Now().Add(within))
	if err == nil {
		_, err = l.conn.Write(b)
	}
	l.broken = err != nil
	return err
}

func (*line) form() form        { return asEvent }
func (*line) transport() string { return "sse" }

func (l *line) end(e *ending, traceID string) (sent int) {
	if words := l.st.lastEvent(e, traceID); words != nil {
		_ = l.conn.SetWriteDeadline(time.Now().Add(lastPatience)) // of the write that is under way
		l.mu.Lock()
		if l.put(words, lastPatience) == nil {
			sent = len(words)
		}
		l.broken = true // an item that waits must not follow the end
		l.mu.Unlock()
	}
	_ = l.conn.Close()
	return sent
}

// chatter is how many bytes a caller may send on a stream, which has nothing to
// say on it.
const chatter = 4 << 10

// watch notices that the caller has gone, and says now and then that we have
// not. It returns when the connection is closed.
func (l *line) watch() {
	every, heard := l.st.h.server.cfg.Beat, 0
	for l.conn.SetReadDeadline(time.Now().Add(every)) == nil && heard <= chatter {
		n, err := l.conn.Read(l.in[:])
		heard += n
		quiet := errors.Is(err, os.ErrDeadlineExceeded)
		if err != nil && !quiet {
			break
		}
		if quiet {
			if l.aid.have(l); !l.lives {
				break
			}
		}
	}
	l.st.stop(&ending{reason: Left})
}

// do sends a beat.
func (l *line) do() { l.lives = l.st.write(l, beat) }

// held is an answer that goes on inside its request.
type held struct {
	st      *stream
	w       http.ResponseWriter
	control *http.ResponseController
	done    chan struct{} // closed with the stream

	mu     sync.Mutex
	broken bool
}

func (h *held) write(b []byte, within time.Duration) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.put(b, within)
}

func (h *held) put(b []byte, within time.Duration) error {
	if h.broken {
		return errBroken
	}
	err := h.send(b, within)
	h.broken = err != nil
	return err
}

func (h *held) send(b []byte, within time.Duration) error {
	if err := h.control.SetWriteDeadline(time.Now().Add(within)); err == nil {
		defer func() { _ = h.control.SetWriteDeadline(time.Time{}) }() // HTTP/2 would end the stream at it
	}
	if _, err := h.w.Write(b); err != nil { //nolint:gosec,nolintlint // events or JSON, and it says so; the linter sees it at times
		return err
	}
	if err := h.control.Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

func (*held) form() form        { return asEvent }
func (*held) transport() string { return "sse" }

// end lets the request return, after which its writer must not be used.
func (h *held) end(e *ending, traceID string) (sent int) {
	words := h.st.lastEvent(e, traceID)
	if words != nil {
		_ = h.control.SetWriteDeadline(time.Now().Add(lastPatience)) // of the write that is under way
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if words != nil && h.put(words, lastPatience) == nil {
		sent = len(words)
	}
	h.broken = true // an item that waits must not follow the end
	close(h.done)
	return sent
}

// wait returns when the stream has ended or the caller has gone.
func (h *held) wait(ctx context.Context) {
	pulse := time.NewTicker(h.st.h.server.cfg.Beat)
	defer pulse.Stop()
	for {
		select {
		case <-h.done:
			return
		case <-pulse.C:
			h.st.write(h, beat)
		case <-ctx.Done():
			h.st.stop(&ending{reason: Left})
			<-h.done
			return
		}
	}
}
