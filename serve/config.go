package serve

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"syscall"
	"time"
)

// Config says how a [Server] listens and how patient it is. The zero Config is
// safe: every limit is on. For each time-out zero means the default and a
// negative value means none, which lets one slow client hold a connection, and
// whatever its handler holds, for ever.
type Config struct {
	// Addr is host:port to listen on; port 0 picks a free one. Empty means
	// 127.0.0.1:8080: nothing outside this machine is let in unasked.
	Addr string
	// Listener is used instead of listening on Addr, if set: a socket handed
	// over by a supervisor, or an in-memory one in a test.
	Listener net.Listener

	// Adopt, if set, is a second listener, of connections that other processes hand
	// over: each waits for its next request, for up to IdleTimeout. They are
	// taken as they are, outside TLS.
	Adopt net.Listener
	// HandOver, if set, sends a connection that waits for its next request to a
	// process that accepts it from its Adopt, and returns nil when it is on its
	// way; it is closed here then. It is called in a shutdown for which
	// [ErrSuccessor] is the cause, without TLS.
	HandOver func(syscall.Conn) error

	// ReadHeaderTimeout bounds the time from a request's first byte to the end
	// of its head. Zero means 5s.
	ReadHeaderTimeout time.Duration
	// ReadTimeout bounds the time from a request's first byte to the end of
	// its body, so that a body that drips is cut. Zero means 10s. A handler
	// that takes uploads extends it for itself with
	// http.ResponseController.SetReadDeadline.
	ReadTimeout time.Duration
	// WriteTimeout bounds the time from the end of the head to the end of the
	// response. Zero means 30s. A handler that streams extends it with
	// http.ResponseController.SetWriteDeadline.
	WriteTimeout time.Duration
	// IdleTimeout is how long a kept-alive connection may wait for its next
	// request. Zero means 75s: more than the 60s that load balancers keep
	// theirs, so that they close first and no request meets a closed door.
	IdleTimeout time.Duration
	// MaxHeaderBytes bounds the head of a request; net/http lets another 4 KiB
	// pass. Zero means 16 KiB.
	MaxHeaderBytes int

	// DrainDelay is how long the server goes on accepting after Run's context
	// has ended, so that load balancers can see that it is no longer ready.
	// Every response of that time asks its client to close the connection.
	// Zero means 2s; negative means none, fit for development.
	DrainDelay time.Duration
	// DrainTimeout bounds the whole shutdown, DrainDelay included. Open
	// requests are cut when it ends. Zero means 20s; negative means do not
	// wait at all. Keep it below the orchestrator's kill delay, or the last
	// requests are cut by it instead.
	DrainTimeout time.Duration
	// OnDrain, if set, is called once when Run's context ends, before anything
	// else: the place to make the readiness probe fail.
	OnDrain func()
	// Finish, if set, is called once when new connections are no longer
	// accepted: the place to end what outlives its request, such as streams and
	// hijacked connections. Run waits for it as it does for requests; its
	// context ends at DrainTimeout.
	Finish func(ctx context.Context)

	// TLS makes the server speak HTTPS. Version 1.2 is the least unless
	// MinVersion asks for more. The guard reads the decrypted side. Of
	// NextProtos only acme-tls/1 is heeded.
	TLS *tls.Config
	// HTTP2 offers HTTP/2 to TLS clients.
	HTTP2 bool

	// Log receives what happens below the handlers, at WARN and bounded to a
	// few lines per second: refused connections, failed handshakes. The steps
	// of a shutdown are INFO. Nil logs nothing.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	orDuration(&c.ReadHeaderTimeout, 5*time.Second)
	orDuration(&c.ReadTimeout, 10*time.Second)
	orDuration(&c.WriteTimeout, 30*time.Second)
	orDuration(&c.IdleTimeout, 75*time.Second)
	orDuration(&c.DrainDelay, 2*time.Second)
	orDuration(&c.DrainTimeout, 20*time.Second)
	if c.Addr == "" {
		c.Addr = "127.0.0.1:8080"
	}
	if c.MaxHeaderBytes <= 0 {
		c.MaxHeaderBytes = 16 << 10
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func orDuration(d *time.Duration, standard time.Duration) {
	if *d == 0 {
		*d = standard
	}
}
