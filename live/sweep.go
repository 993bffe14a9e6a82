package live

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
)

// checkers is how many streams are looked at side by side: most answers come
// from memory, and one that has to wait for a database should not keep all.
const checkers = 8

// sweep looks at every stream again and again, until there is none.
func (s *Server) sweep() {
	tick := time.NewTicker(s.cfg.Recheck)
	defer tick.Stop()
	var all []*stream
	for now := range tick.C {
		if all = s.all(all[:0]); len(all) == 0 && s.rest() {
			return
		}
		s.check(all, now)
		clear(all)
	}
}

// rest ends the sweeping unless somebody came meanwhile.
func (s *Server) rest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweeping = len(s.open) > 0
	return !s.sweeping
}

func (s *Server) check(all []*stream, now time.Time) {
	var checking sync.WaitGroup
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Recheck)
	defer cancel()
	share := (len(all) + checkers - 1) / checkers
	for len(all) > 0 {
		part := all[:min(share, len(all))]
		all = all[len(part):]
		checking.Go(func() {
			for _, st := range part {
				st.check(ctx, now)
			}
		})
	}
	checking.Wait()
}

// check ends the stream if its time is over or its caller may no more what it
// might.
func (st *stream) check(ctx context.Context, now time.Time) {
	if !st.until.IsZero() && now.After(st.until) {
		go st.stop(&ending{reason: Expired})
		return
	}
	if st.credential == nil {
		return
	}
	if err := st.stillMay(ctx); err != nil {
		go st.stop(&ending{reason: Revoked, err: err})
	}
}

// stillMay returns why the caller may not go on, or nil.
func (st *stream) stillMay(ctx context.Context) error {
	who, err := st.h.server.cfg.Authenticate(st.credential.WithContext(bounded{ctx, st.credential.Context()}))
	if err != nil {
		f, ok := fault.Of(err)
		if ok && (f.Status() == http.StatusUnauthorized || f.Status() == http.StatusForbidden) {
			return err
		}
		return nil // whether it may is not known now; that it might is
	}
	switch {
	case who.Anonymous():
		return fault.ErrUnauthenticated
	case !who.Granted.Has(st.h.needs):
		return st.h.denied()
	case who != st.Principal:
		return op.ErrChanged.Because("Your role or permissions have changed. Connect again to go on with what you have now.")
	}
	return nil
}

// bounded is a context with the end of one and the values of another.
type bounded struct {
	context.Context

	values context.Context
}

func (b bounded) Value(key any) any { return b.values.Value(key) }

// credentialOf keeps of a request what is needed to authenticate it again.
func (h *Handler) credentialOf(ctx context.Context, r *http.Request, outer access.Principal) *http.Request {
	kept := (&http.Request{
		Method: r.Method, URL: r.URL, Host: r.Host, RemoteAddr: r.RemoteAddr, TLS: r.TLS,
		Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
		Header: r.Header, Body: http.NoBody,
	}).WithContext(access.With(ctx, outer)) // and not whom this handler has found
	if names := h.server.cfg.Credentials; names != nil {
		kept.Header = make(http.Header, len(names))
		for _, name := range names {
			if values := r.Header[name]; values != nil {
				kept.Header[name] = values
			}
		}
	}
	return kept
}
