package supervise

import (
	"net"
	"os"
	"sync"
)

// sent is a listener whose connections come from another process.
type sent struct {
	name string
	come chan net.Conn
	done chan struct{}
	once sync.Once
}

func newSent(name string) *sent {
	return &sent{name: name, come: make(chan net.Conn), done: make(chan struct{})}
}

func (s *sent) Accept() (net.Conn, error) {
	select {
	case c := <-s.come:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

func (s *sent) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

func (s *sent) Addr() net.Addr { return &net.UnixAddr{Net: "unix", Name: "@" + s.name} }

// hand waits until the connection is accepted, and closes it if nobody will.
func (s *sent) hand(c net.Conn) {
	select {
	case s.come <- c:
	case <-s.done:
		_ = c.Close()
	}
}

// fileConn makes a connection of a descriptor, which it takes over.
func fileConn(f *os.File) (net.Conn, error) {
	defer func() { _ = f.Close() }() // FileConn has made a duplicate
	return net.FileConn(f)
}
