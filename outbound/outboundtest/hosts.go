package outboundtest

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ashlar-go/ashlar/outbound"
)

// Hosts are upstreams within the process, each of which plays the host of a URL.
// No socket is opened, no name is looked up, and nothing is encrypted; all else
// is the client's real way to its answer, so that a reset is a reset and garbage
// has to be read.
//
//	var hosts outboundtest.Hosts
//	bank := hosts.Play(t, "https://bank.example", outboundtest.Reset, outboundtest.JSON(`{"balance":1}`))
//	client := outbound.New(outbound.Config{Name: "bank", Within: hosts.Within})
//
// In a bubble of testing/synctest an answer that comes after an hour takes an hour
// of the bubble. The zero Hosts are ready, and safe for concurrent use.
type Hosts struct {
	mu     sync.Mutex
	played map[string]*listener // by host and port
}

// Play starts an upstream that answers what is sent to the scheme, host and port
// of a URL, by its script as that of [New] does. It ends with the test. Whoever
// plays a host that is played already takes its place.
func (h *Hosts) Play(t testing.TB, target string, script ...Answer) *Upstream {
	t.Helper()
	address := addressOf(t, target)
	l := &listener{address: hostAddress(address), waiting: make(chan net.Conn), closed: make(chan struct{})}
	u := &Upstream{URL: target, script: script}
	server := &http.Server{Handler: u, ConnState: u.counted, ErrorLog: log.New(io.Discard, "", 0)} //nolint:gosec // the clients are the test's own
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // it ends when the upstream does
	}()
	u.end = func() {
		_ = server.Close() // of pipes nothing is left
		_ = l.Close()      // if the server had not even begun
		<-served
	}
	h.mu.Lock()
	if h.played == nil {
		h.played = map[string]*listener{}
	}
	h.played[address] = l
	h.mu.Unlock()
	t.Cleanup(u.Close)
	return u
}

func addressOf(t testing.TB, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		t.Fatalf("%q cannot be played: want the URL of a host, such as https://bank.example", target)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// Within is for [outbound.Config]. One that was closed refuses connections, as
// a host does on which nobody listens.
func (h *Hosts) Within(address string) outbound.Connect {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.played[strings.ToLower(address)]; l != nil {
		return l.connect
	}
	return nil
}

// A listener takes connections of its own process.
type listener struct {
	address hostAddress
	waiting chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

func (l *listener) connect(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	broken := new(atomic.Bool)
	select {
	case l.waiting <- &wire{server, l.address, broken}:
		return &wire{client, l.address, broken}, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: l.address, Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.waiting:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements [net.Listener].
func (l *listener) Addr() net.Addr { return l.address }

type hostAddress string

func (hostAddress) Network() string  { return "pipe" }
func (a hostAddress) String() string { return string(a) }

// A wire is one end of a connection.
type wire struct {
	net.Conn

	address hostAddress
	broken  *atomic.Bool // it ended with a reset; of both ends
}

// SetLinger is what [net.TCPConn] has: after 0 the other end reads of a reset.
func (w *wire) SetLinger(seconds int) error {
	w.broken.Store(seconds == 0)
	return nil
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err == io.EOF && w.broken.Load() { //nolint:errorlint // a reader's end is never wrapped
		err = &net.OpError{Op: "read", Net: "pipe", Addr: w.address, Err: syscall.ECONNRESET}
	}
	return n, err
}

func (w *wire) LocalAddr() net.Addr  { return w.address }
func (w *wire) RemoteAddr() net.Addr { return w.address }
