package live

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
)

// credential is what a caller has shown, to be looked at again for as long as
// something is open because of it. Another one can take its place.
type credential struct {
	server *Server
	shown  atomic.Pointer[http.Request] // as much of it as is needed
}

// keep keeps of a request what is needed to authenticate it again. Outer is
// whom a handler in front of this one has found.
func (s *Server) keep(ctx context.Context, r *http.Request, outer access.Principal) *credential {
	kept := (&http.Request{
		Method: r.Method, URL: r.URL, Host: r.Host, RemoteAddr: r.RemoteAddr, TLS: r.TLS,
		Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
		Header: r.Header, Body: http.NoBody,
	}).WithContext(access.With(ctx, outer)) // and not whom this handler has found
	if names := s.cfg.Credentials; names != nil {
		kept.Header = make(http.Header, len(names))
		for _, name := range names {
			if values := r.Header[name]; values != nil {
				kept.Header[name] = values
			}
		}
	}
	c := &credential{server: s}
	c.shown.Store(kept)
	return c
}

// with returns the request with a token in place of what it had.
func (c *credential) with(token string) *http.Request {
	r := c.shown.Load()
	r = r.Clone(r.Context())
	r.Header.Del("Cookie")
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// renew puts a token in the place of what was shown, if it is good, and returns
// whose it is. It counts as an attempt, as any request does.
func (c *credential) renew(ctx context.Context, token string) (access.Principal, error) {
	r, header, limits := c.with(token), http.Header{}, c.server.cfg.Limits
	if limits != nil {
		if err := limits.Knock(ctx, header); err != nil {
			return access.Principal{}, err
		}
	}
	who, err := c.authenticate(ctx, r)
	if err == nil && who.Anonymous() {
		err = fault.ErrUnauthenticated
	}
	if limits != nil {
		err = limits.Enter(access.With(ctx, who), header, err)
	}
	if err == nil {
		c.shown.Store(r)
	}
	return who, err
}

// ask returns who the caller is now, or why it is nobody any more. It returns
// nobody without an error if that cannot be told now.
func (c *credential) ask(ctx context.Context) (access.Principal, error) {
	who, err := c.authenticate(ctx, c.shown.Load())
	switch {
	case err == nil && who.Anonymous():
		return who, fault.ErrUnauthenticated
	case err == nil || refuses(err):
		return who, err
	}
	return access.Principal{}, nil
}

func (c *credential) authenticate(ctx context.Context, r *http.Request) (who access.Principal, err error) {
	err = c.server.safely(ctx, func() (err error) {
		who, err = c.server.cfg.Authenticate(r.WithContext(bounded{ctx, r.Context()}))
		return err
	})
	return who, err
}

// refuses reports whether an error says that somebody may not, and not that it
// cannot be told.
func refuses(err error) bool {
	f, ok := fault.Of(err)
	return ok && (f.Status() == http.StatusUnauthorized || f.Status() == http.StatusForbidden)
}

// bounded is a context with the end of one and the values of another.
type bounded struct {
	context.Context

	values context.Context
}

func (b bounded) Value(key any) any { return b.values.Value(key) }
