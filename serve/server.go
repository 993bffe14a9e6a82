package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ashlar-go/ashlar/internal/scope"
)

// Server is an http.Server that is safe as it comes and leaves in good order.
// Make one with [New].
type Server struct {
	cfg        Config
	http       *http.Server
	guard      Guard
	complaints *complaints
	conns      conns
	requests   atomic.Uint64
	drain      chan struct{} // closed when the shutdown begins
	abort      context.CancelFunc

	lobby *lobby // nil where nobody hands connections over

	mu   sync.Mutex
	door *door // nil until Listen
}

// New returns a server for the handler. It does not listen yet.
func New(handler http.Handler, cfg Config) *Server {
	s := &Server{cfg: cfg.withDefaults(), drain: make(chan struct{})}
	s.complaints = &complaints{log: s.cfg.Log}
	s.guard.Refused = s.complaints.refused
	base, abort := context.WithCancel(scope.WithDrain(context.Background(), s.drain))
	s.abort = abort
	s.http = &http.Server{
		Handler:                      s.leaving(handler),
		ReadHeaderTimeout:            s.cfg.ReadHeaderTimeout,
		ReadTimeout:                  s.cfg.ReadTimeout,
		WriteTimeout:                 s.cfg.WriteTimeout,
		IdleTimeout:                  s.cfg.IdleTimeout,
		MaxHeaderBytes:               s.cfg.MaxHeaderBytes,
		ConnState:                    s.connState,
		BaseContext:                  func(net.Listener) context.Context { return base },
		ConnContext:                  s.wire(handler),
		ErrorLog:                     log.New(s.complaints, "", 0),
		DisableGeneralOptionsHandler: true, // "OPTIONS *" is observed like the rest
		Protocols:                    new(http.Protocols),
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: 100},
	}
	s.http.Protocols.SetHTTP1(true)
	if s.cfg.TLS != nil {
		s.http.Protocols.SetHTTP2(s.cfg.HTTP2)
		s.http.TLSConfig = s.tlsConfig()
	}
	return s
}

func (s *Server) tlsConfig() *tls.Config {
	cfg := s.cfg.TLS.Clone()
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	protocols := []string{"http/1.1"}
	if s.cfg.HTTP2 {
		protocols = []string{"h2", "http/1.1"}
	}
	if slices.Contains(cfg.NextProtos, acmeALPN) {
		protocols = append(protocols, acmeALPN)
	}
	cfg.NextProtos = protocols
	return cfg
}

// acmeALPN is spoken by who checks that a host is ours (RFC 8737): a handshake
// and nothing after it.
const acmeALPN = "acme-tls/1"

// leaving asks every client to close its connection once the server drains.
// Responses that had begun before are asked by Observe, which sees their head.
func (s *Server) leaving(next http.Handler) http.Handler {
	observed, _ := next.(*observer)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		select {
		case <-s.drain:
			closing(w.Header())
		default:
		}
		if observed != nil {
			observed.serve(w, r, wireOf(r))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// wire gives the requests of a connection a context that knows it, where that
// is of use: behind Observe, and with a guard, which HTTP/2 has not. Observe
// puts back what such a connection leaves out.
func (s *Server) wire(next http.Handler) func(context.Context, net.Conn) context.Context {
	observed, _ := next.(*observer)
	return func(ctx context.Context, c net.Conn) context.Context {
		conn, _ := c.(*guarded)
		if secured, ok := c.(guardedTLS); ok {
			conn = secured.guarded
		}
		if observed == nil || conn == nil {
			return ctx
		}
		conn.fields = new(recalled)
		w := &wire{Context: ctx, conn: conn, drain: s.drain}
		if peer := c.RemoteAddr(); peer != nil { // some listener's connections have none
			w.peer = withoutPort(peer.String())
		}
		return w
	}
}

// Requests returns how many requests have reached the handler.
func (s *Server) Requests() uint64 { return s.requests.Load() }

// Draining returns a channel that closes when the shutdown begins. Whoever
// holds a connection for long, as a stream does, ends it then.
func (s *Server) Draining() <-chan struct{} { return s.drain }

// Draining is Server.Draining for a handler, from its request's context. It
// returns nil, which is never ready, under any other server.
func Draining(ctx context.Context) <-chan struct{} { return scope.Drain(ctx) }

// Listen opens the socket and returns its address, with the port that port 0
// became. Connections wait in the kernel until Run accepts them. Listening
// twice returns the same address; a failure is a [*ListenError].
func (s *Server) Listen(ctx context.Context) (net.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.door == nil {
		l := s.cfg.Listener
		if l == nil {
			var err error
			if l, err = Listen(ctx, s.cfg.Addr); err != nil {
				return nil, err
			}
		}
		s.door = newDoor(l, &s.conns)
	}
	return s.door.Addr(), nil
}

// Run serves until ctx ends, then drains, and returns nil when every request
// it had accepted was answered. It listens first unless [Server.Listen] did.
// Run may be called once.
//
// The shutdown, in order:
//
//  1. OnDrain is called and [Server.Draining] closes. For DrainDelay all goes
//     on as before, except that responses carry Connection: close.
//  2. The listener closes, after the connections that wait in the kernel's
//     queue were accepted.
//  3. Finish is called, and requests under way are finished. A kept-alive connection is still
//     answered if it asks once more; it is closed when it has been silent for
//     a second (for DrainDelay if that is shorter, but at least 100ms).
//  4. When no connection is left and Finish has returned, Run returns nil. When DrainTimeout passes
//     first, the contexts of open requests end, their connections are closed
//     and Run returns [ErrDrainTimeout].
//
// Where the cause of ctx's end is [ErrSuccessor] there is no DrainDelay.
//
// What remains possible, as HTTP/1.1 has no word for it: a client that was
// silent for longer sends its next request in the very instant in which its
// connection is closed. Hijacked connections are their handlers' business.
func (s *Server) Run(ctx context.Context) error {
	if _, err := s.Listen(ctx); err != nil {
		return err
	}
	defer s.abort()
	served := make(chan error, 1)
	if s.cfg.Adopt != nil && s.http.TLSConfig == nil {
		s.lobby = newLobby(s.cfg.Adopt, &s.conns, s.cfg.IdleTimeout)
		go func() { _ = s.http.Serve(s.guard.Listener(s.lobby)) }() // it ends with the other
	}
	go func() { served <- s.http.Serve(s.edge()) }()
	select {
	case err := <-served:
		_ = s.http.Close()
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	return s.leave(served, errors.Is(context.Cause(ctx), ErrSuccessor))
}

// edge is the listener as net/http sees it: guarded, and inside TLS if asked.
func (s *Server) edge() net.Listener {
	if s.http.TLSConfig == nil {
		return s.guard.Listener(s.door)
	}
	return (&secure{
		Listener: s.door, config: s.http.TLSConfig, guard: &s.guard,
		within: s.cfg.ReadHeaderTimeout, failed: s.complaints.handshake,
	}).listen()
}

// Close cuts every connection at once: what a second signal asks for.
func (s *Server) Close() error {
	s.abort()
	return s.http.Close()
}

func (s *Server) connState(c net.Conn, state http.ConnState) {
	s.guard.ConnState(c, state)
	if t := trackedOf(c); t != nil {
		t.state.Store(int32(state))
		if state == http.StateHijacked {
			t.release()
		}
	}
}
