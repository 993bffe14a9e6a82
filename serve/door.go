package serve

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// door is the listening socket. It can stop letting clients in without the
// http.Server noticing, whose own shutdown drops requests that it has already
// read (golang/go#75591) and idle connections on which one is arriving.
type door struct {
	net.Listener
	set     *conns
	leaving atomic.Bool
	empty   signal // nobody waits outside any more
	shut    signal // Close was called
}

func newDoor(l net.Listener, set *conns) *door {
	return &door{Listener: l, set: set, empty: newSignal(), shut: newSignal()}
}

// queueTime is how long those who wait in the kernel's queue are still let in.
const queueTime = 20 * time.Millisecond

func (d *door) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err == nil {
		t := &tracked{Conn: c, set: d.set}
		d.set.add(t)
		return t, nil
	}
	if !d.leaving.Load() {
		return nil, err
	}
	_ = d.Listener.Close()
	d.empty.give()
	<-d.shut.given
	return nil, net.ErrClosed
}

// stop lets in who already waits, closes the socket and returns. Accept goes
// on blocking until Close.
func (d *door) stop() {
	d.leaving.Store(true)
	if timed, ok := d.Listener.(interface{ SetDeadline(time.Time) error }); !ok || timed.SetDeadline(time.Now().Add(queueTime)) != nil {
		_ = d.Listener.Close()
	}
	select {
	case <-d.empty.given:
	case <-d.shut.given:
	}
}

func (d *door) Close() error {
	d.shut.give()
	if d.leaving.Load() {
		return nil // Accept closes the socket itself
	}
	return d.Listener.Close()
}

// signal is given once, and may be given again without harm.
type signal struct {
	given chan struct{}
	once  *sync.Once
}

func newSignal() signal { return signal{make(chan struct{}), new(sync.Once)} }

func (s signal) give() { s.once.Do(func() { close(s.given) }) }
