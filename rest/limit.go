package rest

import (
	"context"
	"errors"
	"net/http"

	"github.com/ashlar-go/ashlar/op"
)

// Limits hold callers to what the service can bear. Its methods get the
// request's context, which knows the origin and, once there is one, the
// principal, and the response, to whose header they may add fields; an error
// ends the request. An answer whose header nobody asks for is sent quicker, so
// they ask for it only if they have something to add. They are safe for
// concurrent use.
type Limits interface {
	// Knock is asked before a credential is looked at: whoever had too many
	// refused should not have another verified.
	Knock(ctx context.Context, w http.ResponseWriter) error
	// Enter is told how that went: refused is the error of Knock or of
	// Config.Authenticate, or nil when the principal is known or the operation
	// is public. When refused is not nil it returns refused or another error.
	Enter(ctx context.Context, w http.ResponseWriter, refused error) error
	// Quota returns what takes calls off the operation's quotas. It is called
	// once, when the handler is made; its error is a mistake in the
	// declaration.
	Quota(s *op.Spec) (Quota, error)
}

// A Quota takes a call off an operation's quotas.
type Quota interface {
	// Take is called once it is certain that the principal may call the
	// operation, with a nil input, before the body is read; and, if a quota
	// counts by the input, again with a pointer to that when it was read.
	Take(ctx context.Context, header http.Header, in any) error
}

func (h *handler) compileLimits() error {
	h.limits = h.cfg.Limits
	if len(h.spec.Quotas) == 0 {
		return nil
	}
	if h.limits == nil {
		return errors.New("has a limit, but nothing counts its calls")
	}
	var err error
	h.quota, err = h.limits.Quota(h.spec)
	return err
}
