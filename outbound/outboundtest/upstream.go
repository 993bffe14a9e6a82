// Package outboundtest is the other side of a call, which does what a script
// says: answers, fails, hangs, resets the connection, sends nonsense or more
// than anybody asked for.
//
//	bank := outboundtest.New(t, outboundtest.Status(503), outboundtest.Reset, outboundtest.JSON(`{"balance":1}`))
//	client := outbound.New(outbound.Config{Name: "bank", Allow: outboundtest.Loopback})
//	... call bank.URL; bank.Calls() tells what it was asked
//
// Use it for what your program depends on: a bank, a receiver of webhooks.
//
// [New] listens on loopback. [Hosts] play any host within the process, without
// a socket: in a bubble of testing/synctest a delay of an hour takes no time.
package outboundtest

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Loopback is what a client must be allowed to call an [Upstream].
var Loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

// An Answer is what the upstream does with one request. Any handler may be one.
type Answer func(w http.ResponseWriter, r *http.Request)

// A Call is a request that arrived.
type Call struct {
	Method, Target string
	Header         http.Header
	Body           string
	// At is when it had arrived.
	At time.Time
}

// An Upstream is a server that answers by its script. Safe for concurrent use.
type Upstream struct {
	// URL is where it is called, http://127.0.0.1:port of one that listens.
	URL string

	end         func()
	mu          sync.Mutex
	script      []Answer
	next        int
	calls       []Call
	connections atomic.Int64
}

// New starts an upstream on loopback that gives its answers in order; the last
// of them answers all requests that follow. It ends with the test.
func New(t testing.TB, script ...Answer) *Upstream {
	t.Helper()
	u := &Upstream{script: script}
	s := httptest.NewUnstartedServer(u)
	s.Config.ConnState = u.counted
	s.Start()
	u.URL = s.URL
	u.end = func() {
		s.CloseClientConnections() // one that hangs would keep it waiting
		s.Close()
	}
	t.Cleanup(u.Close)
	return u
}

func (u *Upstream) counted(_ net.Conn, state http.ConnState) {
	if state == http.StateNew {
		u.connections.Add(1)
	}
}

// Close ends it early: from here on nobody listens there.
func (u *Upstream) Close() { u.end() }

// Script replaces the script from the next request on.
func (u *Upstream) Script(script ...Answer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.script, u.next = script, 0
}

// Calls returns the requests that have arrived so far, in order. A request is
// there when its body has been read.
func (u *Upstream) Calls() []Call {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]Call(nil), u.calls...)
}

// Connections is how many connections were made, also those that asked nothing.
func (u *Upstream) Connections() int { return int(u.connections.Load()) }

// ServeHTTP implements [http.Handler].
func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20)) // what arrived before the client went
	u.mu.Lock()
	u.calls = append(u.calls, Call{r.Method, r.URL.String(), r.Header.Clone(), string(text), time.Now()})
	var answer Answer
	if len(u.script) > 0 {
		answer = u.script[min(u.next, len(u.script)-1)]
		u.next++
	}
	u.mu.Unlock()
	if answer != nil {
		answer(w, r)
	}
}
