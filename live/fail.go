package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/trace"
)

// fail answers with the problem that err is to the caller, and logs the part
// that the caller must not see.
func (h *Handler) fail(s *scope.Scope, w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		err = gone(err) // the caller is: nothing failed
	}
	h.logFailure(s, fault.ProblemOf(err, ""), err)
	h.announce(w.Header())
	h.server.refuse(s, w, err)
}

// refuse answers with a problem.
func (s *Server) refuse(sc *scope.Scope, w http.ResponseWriter, err error) {
	p := fault.ProblemOf(err, traceID(sc))
	sc.Code = p.Code
	if challenge := s.cfg.Challenge; challenge != nil && (p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden) {
		if value := challenge(err); value != "" {
			w.Header()["Www-Authenticate"] = []string{value}
		}
	}
	if err := fault.Write(w, p); err != nil {
		s.cfg.Log.WarnContext(sc, "a problem could not be written", "code", p.Code, "error", err)
	}
}

func (h *Handler) logFailure(ctx context.Context, p fault.Problem, err error) {
	log := h.server.cfg.Log
	switch {
	case p.Code == fault.ErrOverloaded.Code():
		// Whoever sheds load has said so once.
	case p.Status >= http.StatusInternalServerError:
		level := slog.LevelError
		if p.Status == http.StatusServiceUnavailable {
			level = slog.LevelWarn
		}
		log.Log(ctx, level, "operation failed", "op", h.spec.Name, "code", p.Code, "error", err)
	case hasCause(err):
		log.Log(ctx, slog.LevelWarn, "operation refused", "op", h.spec.Name, "code", p.Code, "error", err)
	}
}

// hasCause reports whether the fault in err was given a cause.
func hasCause(err error) bool {
	f, _ := fault.Of(err)
	e, ok := f.(*fault.Error)
	return ok && e.Unwrap() != nil
}

// holdContract reports a fault of the operation's own function that its
// declaration does not have. The caller still gets it, which is truer than an
// internal error; the test kit fails the test.
func (h *Handler) holdContract(ctx context.Context, err error) {
	f, ok := fault.Of(err)
	if ok && !h.declared[f.Code()] {
		h.server.cfg.Log.ErrorContext(ctx, "an operation answers with a fault that it does not declare; add it to op.Fails",
			"op", h.spec.Name, "code", f.Code(), "source", h.spec.Source)
	}
}

// panicked is the failure that a panic of the function is.
func (h *Handler) panicked(ctx context.Context, cause any) error {
	h.server.cfg.Log.ErrorContext(ctx, "panic", "op", h.spec.Name, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
	return errPanicked
}

var errPanicked = errors.New("a function of the application panicked")

// safely has a panic of f, which no request's goroutine runs, be a failure: it
// must not end what is everybody else's.
func (s *Server) safely(ctx context.Context, f func() error) (err error) {
	returned := false
	defer func() {
		if !returned {
			s.cfg.Log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(recover()), "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	err = f()
	returned = true
	return err
}

// traceID returns the id under which the request stands in the log, or "".
func traceID(s *scope.Scope) string {
	if s.TraceID != "" {
		return s.TraceID
	}
	if c := trace.From(s); c.Valid() {
		return c.TraceIDString()
	}
	return ""
}
