package outbound

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// Config says what may be called, how, and how much of an answer is read. The
// zero Config calls public addresses at their usual ports and is bounded in
// every way.
type Config struct {
	// Name is the dependency's that the client calls, for errors and metrics.
	// A client without a Name calls whatever URLs it is given, which have
	// nothing to do with each other: it tries once, and has neither breaker nor
	// bulkhead, or one dead target would keep it from all the others.
	Name string

	// Allow are networks that may be called although they are not public: a
	// service of one's own, loopback in a test. Allow as little as a single
	// address (10.2.3.4/32): whoever chooses the URL reaches all of it.
	Allow []netip.Prefix
	// Refuse are networks that may not be called although they are public: the
	// public side of one's own services. It also takes the prefix of a NAT64
	// gateway that does not use the well-known one. It wins over Allow.
	Refuse []netip.Prefix
	// Ports are the ports that may be called. Nil means 80 and 443, and any
	// port of the networks in Allow.
	Ports []uint16

	// Redirects is how many redirects are followed, at most 10. Zero follows
	// none: the answer is the 3xx itself. What follows is judged like the
	// first call, never leaves HTTPS, and takes no header but harmless ones
	// and no body to another host.
	Redirects int
	// Proxy chooses a proxy, as [http.ProxyFromEnvironment] does. Nil means
	// none. Behind a proxy the guard sees the proxy's address only, which
	// Allow must have if it is private; names are then resolved by the proxy,
	// so it is the proxy that must keep them apart.
	Proxy func(*http.Request) (*url.URL, error)
	// TLS brings root certificates and client certificates of one's own.
	// Certificates are verified, and TLS 1.2 is the least, whatever it says.
	TLS *tls.Config
	// Resolver looks names up. Nil means the system's.
	Resolver *net.Resolver

	// Within says which hosts this process plays itself, as tests do: it is
	// given the host and the port of a URL ("bank.example:443") and returns how
	// to connect to it, or nil for what is of the network. Nothing is encrypted
	// on such a connection, whatever the URL says, no name is looked up, and the
	// guard judges no more than the URL: leave it nil in production. It is called
	// for each request, by many at once.
	Within func(address string) Connect

	// Timeout bounds one exchange with all its tries, from the look-up of the
	// name to the last byte of the answer; a redirect is an exchange of its
	// own. Zero means 10s; negative means none but the request's own context.
	Timeout time.Duration
	// HeadTimeout bounds the time to the head of the answer, of each try. Zero
	// means half of Timeout for what may be tried again, and none for the rest;
	// negative means none.
	HeadTimeout time.Duration
	// DialTimeout bounds look-up and connecting, and again the handshake of
	// TLS. Zero means 3s.
	DialTimeout time.Duration
	// MaxBody bounds the bytes of an answer's body, after decompression. Zero
	// means 1 MiB; negative means none.
	MaxBody int64
	// MaxHeader bounds the bytes of an answer's head. Zero means 64 KiB.
	MaxHeader int64
	// MaxConnsPerHost bounds the connections to one host; a call above it
	// waits, within Timeout. Zero means 64; negative means none.
	MaxConnsPerHost int

	// Retry says how often an exchange is tried, if its request may be sent
	// twice: by its method (GET, HEAD, OPTIONS, TRACE, PUT, DELETE) or because
	// it has an Idempotency-Key, and because its body can be had again
	// ([http.Request].GetBody). What is tried again is what broke off, and what
	// was answered with 429, 502, 503 or 504.
	Retry Retry
	// Breaker says when the dependency is left alone. What breaks off, comes
	// too late or too large, and any 5xx are held against it.
	Breaker Breaker
	// Bulkhead bounds the exchanges under way, each until its answer's body is
	// closed.
	Bulkhead Bulkhead
}

// Connect opens a connection, to the end of which the other side answers as a
// server of HTTP/1.1 does.
type Connect func(ctx context.Context) (net.Conn, error)

func (c Config) withDefaults() Config {
	or(&c.Timeout, 10*time.Second)
	or(&c.DialTimeout, 3*time.Second)
	or(&c.MaxBody, 1<<20)
	or(&c.MaxHeader, 64<<10)
	or(&c.MaxConnsPerHost, 64)
	c.Redirects = min(c.Redirects, 10)
	if c.Name == "" {
		c.Retry, c.Breaker, c.Bulkhead = Retry{Tries: 1}, Breaker{Off: true}, Bulkhead{Calls: -1}
	}
	return c
}

func (c Config) policy() *Policy {
	return NewPolicy(PolicyConfig{
		Name: c.Name, Timeout: c.Timeout, TryTimeout: c.HeadTimeout,
		Retry: c.Retry, Breaker: c.Breaker, Bulkhead: c.Bulkhead,
	})
}

func or[T int | int64 | float64 | time.Duration](v *T, standard T) {
	if *v == 0 {
		*v = standard
	}
}
