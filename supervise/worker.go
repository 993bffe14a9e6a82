package supervise

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// variable tells a process that it is a worker, and of what.
const variable = "ASHLAR_SUPERVISED"

// post is what a worker is told when it starts. Its descriptors follow standard
// error: the socket pair, then one for each name.
type post struct {
	Worker  int      `json:"worker"`
	First   bool     `json:"first"`
	Sockets []string `json:"sockets"`

	Tell map[string]string `json:"tell,omitempty"`
}

const firstDescriptor = 3

// Worker is this process as its parent sees it. Make one with [Join].
type Worker struct {
	post     post
	wire     *wire
	draining chan struct{}
	last     bool // set before draining closes

	mu      sync.Mutex
	alive   func() bool
	sockets map[string]*os.File
	sent    map[string]*sent
}

// Join returns the worker that this process is, and nil if nobody started it as
// one. Call it once and early: it takes what it needs out of the environment, so
// that programs which this one starts do not believe that they are workers.
func Join() (*Worker, error) {
	value, ok := os.LookupEnv(variable)
	if !ok {
		return nil, nil //nolint:nilnil // to be no worker is no error, and there is none to return
	}
	if err := os.Unsetenv(variable); err != nil {
		return nil, err
	}
	w := &Worker{draining: make(chan struct{}), sockets: map[string]*os.File{}, sent: map[string]*sent{}}
	if err := json.Unmarshal([]byte(value), &w.post); err != nil {
		return nil, fmt.Errorf("supervise: %s is set by a supervisor alone, to something else: unset it", variable)
	}
	var err error
	if w.wire, err = newWire(os.NewFile(firstDescriptor, "control")); err != nil {
		return nil, fmt.Errorf("supervise: %s is set, but no supervisor started this process: unset it: %w", variable, err)
	}
	for i, name := range w.post.Sockets {
		f := os.NewFile(uintptr(firstDescriptor+1+i), name)
		closeOnExec(f)
		w.sockets[name] = f
	}
	go w.listen()
	return w, nil
}

// Number says which of the workers this is, from 1.
func (w *Worker) Number() int { return w.post.Worker }

// First reports whether this is the first worker that its parent started: the
// one to greet who started the parent.
func (w *Worker) First() bool { return w.post.First }

// Told returns what the parent's configuration tells under a name.
func (w *Worker) Told(name string) string { return w.post.Tell[name] }

// Listener returns the socket of that name, which all workers accept from.
// Closing it ends this worker's part in it alone.
func (w *Worker) Listener(name string) (net.Listener, error) {
	w.mu.Lock()
	f := w.sockets[name]
	delete(w.sockets, name)
	w.mu.Unlock()
	if f == nil {
		return nil, fmt.Errorf("supervise: the parent has no socket %q, or it was asked for twice", name)
	}
	defer func() { _ = f.Close() }() // FileListener has made a duplicate
	return net.FileListener(f)
}

// Sent returns a listener of the connections that other processes send here
// under a name: other workers by [Worker.HandOver], the parent by [Parent.Dial].
// Ask once for each name, before [Worker.Ready].
func (w *Worker) Sent(name string) net.Listener {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := newSent(name)
	w.sent[name] = s
	return s
}

// Ready tells the parent that this worker can serve, and from then on how many
// requests it has answered, if requests is not nil.
func (w *Worker) Ready(requests func() uint64) error {
	if err := w.wire.send(message{Say: sayReady, Answers: true}, nil); err != nil {
		return fmt.Errorf("supervise: tell the parent: %w", err)
	}
	if requests != nil {
		go w.count(requests)
	}
	return nil
}

// Alive sets what must report true before this worker tells its parent, when it
// is asked, that it lives; nil means that to be able to say so is enough. A check
// that reports false is made again a second later; one that does not return is
// silence too.
func (w *Worker) Alive(check func() bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alive = check
}

// sign tells the parent that this worker lives, if it does.
func (w *Worker) sign() {
	w.mu.Lock()
	check := w.alive
	w.mu.Unlock()
	for check != nil && !check() {
		select {
		case <-w.draining:
			return
		case <-time.After(countEvery):
		}
	}
	_ = w.wire.send(message{Say: sayAlive}, nil) // a parent that is gone ends this process otherwise
}

// countEvery is how often a worker says how far it is.
const countEvery = time.Second

func (w *Worker) count(requests func() uint64) {
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	said := uint64(0)
	for range tick.C {
		if n := requests(); n != said {
			if w.wire.send(message{Say: sayBeat, Requests: n}, nil) != nil {
				return
			}
			said = n
		}
	}
}

// Draining closes when this worker is to leave: the parent says so, or is gone.
func (w *Worker) Draining() <-chan struct{} { return w.draining }

// Last reports, once Draining has closed, whether nobody serves in this
// worker's place: the whole service stops.
func (w *Worker) Last() bool { return w.last }

// HandOver sends a connection to another worker, which accepts it from
// [Worker.Sent] of that name. The connection stays open here too: close it. An
// error means that nobody took it.
func (w *Worker) HandOver(name string, c syscall.Conn) error {
	return w.wire.send(message{Say: sayConn, Name: name}, c)
}

// Leave tells the parent what this process leaves behind, such as its counters,
// when it has done everything else; see [Config.Ended].
func (w *Worker) Leave(legacy []byte) error {
	for part := range slices.Chunk(legacy, longestPart) {
		if err := w.wire.send(message{Say: sayLeave, Data: part}, nil); err != nil {
			return fmt.Errorf("supervise: tell the parent: %w", err)
		}
	}
	return nil
}

// listen hears what the parent says, until it is gone.
func (w *Worker) listen() {
	for {
		m, f, err := w.wire.receive()
		if err != nil {
			w.leave(true)
			return
		}
		switch {
		case m.Say == sayDrain:
			w.leave(m.Last)
		case m.Say == sayAsk:
			go w.sign()
		case m.Say == sayConn && f != nil:
			w.take(m.Name, f)
			continue
		}
		if f != nil {
			_ = f.Close()
		}
	}
}

func (w *Worker) leave(last bool) {
	select {
	case <-w.draining:
	default:
		w.last = last
		close(w.draining)
	}
}

func (w *Worker) take(name string, f *os.File) {
	c, err := fileConn(f)
	if err != nil {
		return
	}
	w.mu.Lock()
	to := w.sent[name]
	w.mu.Unlock()
	if to == nil {
		_ = c.Close()
		return
	}
	go to.hand(c) // whoever accepts slowly keeps nothing else waiting
}

// withoutService leaves out of an environment what a service manager says to
// one process alone.
func withoutService(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		for _, name := range []string{"NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC", variable} {
			if len(v) > len(name) && v[:len(name)] == name && v[len(name)] == '=' {
				return true
			}
		}
		return false
	})
}
