package rest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/trace"
)

// fail answers with the problem that err is to the caller, and logs the part
// that the caller must not see.
func (h *handler) fail(s *scope.Scope, w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		// The client is gone: nobody reads an answer, and nothing failed.
		// 503 is for a proxy that kept the connection.
		err = fault.ErrUnavailable.Wrap(err)
	}
	p := fault.ProblemOf(err, traceID(s))
	s.Code = p.Code
	h.logFailure(s, p, err)
	header := w.Header()
	if h.cfg.Challenge != nil && (p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden) {
		if value := h.cfg.Challenge(err); value != "" {
			header["Www-Authenticate"] = []string{value}
		}
	}
	h.setHeaders(header, "Cache-Control") // a problem is never kept
	if p.Code == fault.ErrUnsupported.Code() {
		sayReadable(header, r.Header)
	}
	if p.Status == http.StatusRequestEntityTooLarge || p.Status == http.StatusRequestTimeout {
		// Otherwise net/http waits for the rest of the body before it answers.
		header["Connection"] = closing
	}
	if err := fault.Write(w, p); err != nil {
		h.log().Warn("a problem could not be written", "op", h.spec.Name, "code", p.Code, "error", err)
	}
}

var closing = []string{"close"}[:1:1]

func (h *handler) logFailure(s *scope.Scope, p fault.Problem, err error) {
	switch {
	case p.Code == fault.ErrOverloaded.Code():
		// Whoever sheds load has said so once. To say it for each request
		// would add to the load.
	case p.Status >= http.StatusInternalServerError:
		level := slog.LevelError
		if p.Status == http.StatusServiceUnavailable {
			level = slog.LevelWarn
		}
		h.log().Log(s, level, "operation failed", "op", h.spec.Name, "code", p.Code, "error", err)
	case hasCause(err):
		h.log().Log(s, slog.LevelWarn, "operation refused", "op", h.spec.Name, "code", p.Code, "error", err)
	}
}

// hasCause reports whether the fault in err was given a cause. What stands
// around the fault only says where it passed: a plain refusal, which the access
// line tells.
func hasCause(err error) bool {
	f, _ := fault.Of(err)
	e, ok := f.(*fault.Error)
	return ok && e.Unwrap() != nil
}

// holdContract reports an error of the operation's own function that its
// declaration does not have. The caller still gets the fault, which is truer
// than a 500; the test kit fails the test.
func (h *handler) holdContract(err error) {
	f, ok := fault.Of(err)
	if ok && !h.declared[f.Code()] {
		h.log().Error("an operation answers with a fault that it does not declare; add it to op.Fails",
			"op", h.spec.Name, "code", f.Code(), "source", h.spec.Source)
	}
}

func (h *handler) log() *slog.Logger {
	if h.cfg.Log != nil {
		return h.cfg.Log
	}
	return slog.Default()
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
