package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// A Client calls what its [Config] allows. It is safe for concurrent use and
// keeps connections: make one for each dependency and keep it.
type Client struct {
	http        http.Client
	guard       guard
	policy      *Policy
	resolver    *net.Resolver
	lookTimeout time.Duration
}

// New returns a client that calls what cfg allows.
func New(cfg Config) *Client {
	cfg = cfg.withDefaults()
	g := cfg.guard()
	dialer := &net.Dialer{
		Timeout: cfg.DialTimeout, Resolver: cfg.Resolver, ControlContext: g.control,
	}
	secure := &tls.Config{}
	if cfg.TLS != nil {
		secure = cfg.TLS.Clone()
	}
	secure.InsecureSkipVerify = false
	secure.MinVersion = max(secure.MinVersion, tls.VersionTLS12)
	policy := cfg.policy()
	network := &http.Transport{
		Proxy:                  cfg.Proxy,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        secure,
		TLSHandshakeTimeout:    cfg.DialTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    16,
		MaxConnsPerHost:        max(cfg.MaxConnsPerHost, 0),
		IdleConnTimeout:        60 * time.Second,
		MaxResponseHeaderBytes: cfg.MaxHeader,
	}
	return &Client{
		guard: g, policy: policy, resolver: cfg.Resolver, lookTimeout: cfg.DialTimeout,
		http: http.Client{
			Transport: &transport{
				guard: g, policy: policy, maxBody: cfg.MaxBody, headTimeout: cfg.HeadTimeout,
				next: network, inner: newInner(cfg.Within, network),
			},
			CheckRedirect: redirects(cfg.Redirects),
		},
	}
}

// Do sends the request, as often as its policy says, and returns the answer,
// whatever its status: an answer with 503 is an answer, also after the last
// try. Close its body in any case. The error is a [*Failure].
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	res, err := c.http.Do(req) //nolint:gosec // that is what the guard is for
	if err == nil {
		return res, nil
	}
	// Its text has all of the URL.
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	if _, ok := errors.AsType[*Failure](err); !ok { // a redirect that is not followed, or no request
		err = c.policy.failure(describe(req), 1, res != nil, err)
	}
	return nil, err
}

// HTTP returns the same client for code that wants one of net/http. Its errors
// quote the URL: keep them out of logs where a URL is a secret. Its fields are
// the guard, so leave them as they are.
func (c *Client) HTTP() *http.Client { return &c.http }

// Policy returns the policy that the client calls by, for metrics.
func (c *Client) Policy() *Policy { return c.policy }

// CloseIdleConnections closes the connections that nothing uses now.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// Check returns a [*Refusal] if the client would refuse the URL, for telling
// people early, where they enter one: what [Config.CheckURL] finds, and a name
// that leads where nothing may be called. A name that leads nowhere passes, as
// it may do so later. What the name leads to is judged again at each call.
func (c *Client) Check(ctx context.Context, u *url.URL) error {
	if refusal := c.guard.url(u); refusal != nil {
		return refusal
	}
	if t := c.http.Transport.(*transport); t.next.Proxy != nil || t.inner.plays(u) {
		return nil // the name is the proxy's to resolve, or nobody's
	}
	ctx, cancel := context.WithTimeout(ctx, c.lookTimeout)
	defer cancel()
	resolver := c.resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	addrs, err := resolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return nil // it leads nowhere, which is no reason to refuse it
	}
	to := portOf(u)
	for _, addr := range addrs {
		if refusal := c.guard.address(netip.AddrPortFrom(addr, to)); refusal != nil {
			return refusal
		}
	}
	return nil
}
