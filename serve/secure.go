package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// secure is a TLS listener that shakes hands before it hands a connection on,
// because only then is it known what is spoken inside: HTTP/1 is given to the
// guard, HTTP/2 to net/http as the *tls.Conn that it asks for.
type secure struct {
	net.Listener
	config *tls.Config
	guard  *Guard
	within time.Duration // for the handshake; none if negative
	failed func(net.Addr, error)

	ready chan accepted
	done  chan struct{}
	stop  context.CancelFunc
	once  sync.Once
}

type accepted struct {
	conn net.Conn
	err  error
}

// listen starts to welcome clients; Close ends it.
func (s *secure) listen() net.Listener {
	s.ready, s.done = make(chan accepted), make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.welcome(ctx)
	return s
}

// welcome accepts in a row and shakes hands side by side, so that a client who
// is slow at it keeps nobody waiting.
func (s *secure) welcome(ctx context.Context) {
	for {
		conn, err := s.Listener.Accept()
		if err != nil {
			// http.Server knows which errors pass, and waits before it asks
			// for the next connection.
			s.hand(accepted{err: err})
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		go s.shake(ctx, conn)
	}
}

func (s *secure) shake(ctx context.Context, conn net.Conn) {
	if s.within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.within)
		defer cancel()
	}
	secured := tls.Server(conn, s.config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		if !errors.Is(err, io.EOF) && !errors.Is(err, context.Canceled) {
			s.failed(conn.RemoteAddr(), err)
		}
		return
	}
	switch secured.ConnectionState().NegotiatedProtocol {
	case "h2":
		s.hand(accepted{conn: secured})
		return
	case acmeALPN:
		_ = secured.Close()
		return
	}
	s.hand(accepted{conn: guardedTLS{&guarded{Conn: secured, guard: s.guard}}})
}

func (s *secure) hand(a accepted) {
	select {
	case s.ready <- a:
	case <-s.done:
		if a.conn != nil {
			_ = a.conn.Close()
		}
	}
}

func (s *secure) Accept() (net.Conn, error) {
	select {
	case a := <-s.ready:
		return a.conn, a.err
	case <-s.done:
		return nil, net.ErrClosed
	}
}

func (s *secure) Close() error {
	s.once.Do(func() {
		close(s.done)
		s.stop()
	})
	return s.Listener.Close()
}

// guardedTLS tells net/http the state of the connection, which becomes
// Request.TLS.
type guardedTLS struct{ *guarded }

// ConnectionState returns the state after the handshake, which is over.
func (c guardedTLS) ConnectionState() tls.ConnectionState {
	if secured, ok := c.Conn.(*tls.Conn); ok {
		return secured.ConnectionState()
	}
	return tls.ConnectionState{}
}
