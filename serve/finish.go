package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
)

// statusClientGone is what the access line says, as nginx does, when the
// client left before it was answered. It is never sent.
const statusClientGone = 499

// codeAborted is the code of a response that its handler gave up half-way.
const codeAborted = "aborted"

// maxLoggedPath bounds what a caller can make us write per request.
const maxLoggedPath = 1 << 10

// finish runs when the handler has returned or panicked. It is the only
// deferred call of the pipeline, so recover works here and nowhere deeper.
func (o *observer) finish(x *response, r *http.Request) {
	cause := recover()
	abort := false
	switch cause {
	case nil:
		o.complete(x)
	case http.ErrAbortHandler:
		abort = true
		x.scope.Code = codeAborted
	default:
		abort = o.survive(x, r, cause)
	}
	x.scope.Close()
	if !x.scope.Reported && (o.log != nil || o.done != nil || o.tracer != nil) {
		o.report(x, r)
	}
	if abort {
		panic(http.ErrAbortHandler) // net/http closes the connection and logs nothing
	}
}

// complete settles the status of a handler that returned in order.
func (o *observer) complete(x *response) {
	switch {
	case x.scope.Status != 0:
	case errors.Is(x.scope.Err(), context.Canceled):
		x.scope.Status = statusClientGone
	default:
		x.WriteHeader(http.StatusOK)
	}
}

// survive logs a panic with its stack and answers for the handler. It reports
// whether the connection must be aborted, because part of a response is out.
func (o *observer) survive(x *response, r *http.Request, cause any) (abort bool) {
	x.scope.Code = fault.ErrInternal.Code()
	if o.log != nil {
		record := slog.NewRecord(time.Now(), slog.LevelError, "panic", 0)
		record.AddAttrs(
			slog.String("op", operation(x, r)),
			slog.String("panic", fmt.Sprint(cause)),
			slog.String("stack", string(debug.Stack())),
			slog.String("trace_id", x.scope.TraceID),
			slog.String("request_id", x.scope.RequestID),
		)
		o.handle(record)
	}
	if x.scope.Status != 0 {
		return true
	}
	x.undress(r)
	scope.Refuse(x, fault.ErrInternal)
	return false
}

// report writes the access line and tells Done.
func (o *observer) report(x *response, r *http.Request) {
	end := time.Now()
	s := &x.scope
	e := Exchange{
		Operation: operation(x, r),
		Method:    r.Method,
		Path:      loggedPath(r),
		Status:    s.Status,
		Bytes:     s.Bytes,
		Received:  r.ContentLength,
		Duration:  end.Sub(x.scope.Begin),
		Code:      s.Code,
		RequestID: s.RequestID,
		TraceID:   s.TraceID,
		Principal: s.Principal.ID,
		ClientIP:  s.Origin.Address,
	}
	if o.tracer != nil {
		o.keep(x, r, &e)
	}
	if o.log != nil {
		o.line(end, &e)
	}
	if o.done != nil {
		o.done(s, e)
	}
}

// handle passes a record that names its own trace: the request's context stays
// out, or a handler that adds ids from it would write them twice. A log that
// fails must not fail the request.
func (o *observer) handle(record slog.Record) {
	_ = o.log.Handle(context.Background(), record)
}

func levelOf(status int) slog.Level {
	switch {
	case status == http.StatusServiceUnavailable:
		return slog.LevelWarn
	case status >= 500:
		return slog.LevelError
	}
	return slog.LevelInfo
}

func operation(x *response, r *http.Request) string {
	if x.scope.Operation != "" {
		return x.scope.Operation
	}
	return r.Pattern
}

// loggedPath is the path as it was sent: escaped, without the query, in which
// secrets travel.
func loggedPath(r *http.Request) string {
	path := r.RequestURI
	if path == "" || path[0] != '/' {
		path = r.URL.EscapedPath()
	}
	path, _, _ = strings.Cut(path, "?")
	if len(path) > maxLoggedPath {
		path = path[:maxLoggedPath]
	}
	return path
}
