package oidc

import (
	"net/http"
	"time"
)

// maxAnswer is how many bytes of a provider's answer are read, after
// decompression. A set of keys has a few KiB.
const maxAnswer = 1 << 20

// bounded returns a client that trusts a provider with little: no redirect, no
// endless answer, no waiting (P10.12).
func bounded(c *http.Client, timeout time.Duration) *http.Client {
	if c == nil {
		c = &http.Client{Transport: transport()}
	}
	b := *c
	b.Jar = nil
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if b.Timeout == 0 || b.Timeout > timeout {
		b.Timeout = timeout
	}
	if b.Transport == nil {
		b.Transport = transport()
	}
	b.Transport = limited{b.Transport}
	return &b
}

func transport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok { // somebody put another in its place, and means it
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxResponseHeaderBytes = 64 << 10
	return t
}

// limited bounds the bodies that a transport returns.
type limited struct{ next http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(r)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
	}
	return response, err
}
