package live

import (
	"context"
	"net/http"
	"strings"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/op"
)

// admit finds out who is asking, whether they may, and whether they do not ask
// too often.
func (h *Handler) admit(ctx context.Context, s *scope.Scope, header http.Header, r *http.Request) error {
	err := h.identify(ctx, s, header, r)
	if limits := h.server.cfg.Limits; limits != nil {
		err = limits.Enter(ctx, header, err)
	}
	if err != nil {
		return err
	}
	return h.permit(ctx, header, s.Principal)
}

// permit refuses a principal that may not, or too often.
func (h *Handler) permit(ctx context.Context, header http.Header, who access.Principal) error {
	switch {
	case h.spec.Access != op.ByEveryone && !who.Granted.Has(h.needs):
		return h.denied()
	case h.quota != nil: // those who may not must not spend what others may
		return h.quota.Take(ctx, header, nil)
	}
	return nil
}

// identify finds out who is asking, where that matters.
func (h *Handler) identify(ctx context.Context, s *scope.Scope, header http.Header, r *http.Request) error {
	if !h.spec.Asks() {
		return nil
	}
	if limits := h.server.cfg.Limits; limits != nil {
		if err := limits.Knock(ctx, header); err != nil {
			return err
		}
	}
	who, err := h.server.cfg.Authenticate(r)
	if h.spec.Access == op.ByEveryone && (unknown(err) || err == nil && who.Anonymous()) {
		return nil
	}
	if err != nil {
		return err
	}
	if who.Anonymous() {
		return fault.ErrUnauthenticated
	}
	s.Principal = who
	return nil
}

func (h *Handler) denied() error {
	names := make([]string, len(h.spec.Permissions))
	for i, p := range h.spec.Permissions {
		names[i] = string(p)
	}
	return fault.ErrDenied.Because("This needs the permission %s.", strings.Join(names, " and "))
}
