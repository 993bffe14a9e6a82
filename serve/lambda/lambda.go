// Package lambda serves an http.Handler on AWS Lambda, for an HTTP API of API
// Gateway (payload 2.0) and for function URLs.
//
// It is the whole of a custom runtime (provided.al2023): it asks Lambda for
// events and posts answers, over plain HTTP as the runtime API is, and needs no
// SDK. Build the program as "bootstrap".
//
//	handler, err := app.Handler()
//	if err != nil {
//		return err
//	}
//	if lambda.Here() {
//		return lambda.Serve(ctx, handler, lambda.Config{})
//	}
//	return app.Run(ctx)
//
// A function sleeps between two events, so nothing goes on in the background
// there: jobs, deliveries and what follows other instances belong to a process
// that runs, and a revoked access token is refused by it alone. Each instance of
// a function answers one event at a time.
package lambda

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"time"
)

// runtimeAPI is the variable that says where the runtime API is.
const runtimeAPI = "AWS_LAMBDA_RUNTIME_API"

// Here reports whether the program runs on Lambda.
func Here() bool { return os.Getenv(runtimeAPI) != "" }

// Config says how a function answers.
type Config struct {
	// Stream sends an answer while it is written: for a function URL whose
	// invoke mode is RESPONSE_STREAM, and for nothing else, since Lambda does
	// not tell. Without it an answer is sent whole, at most 6 MB as JSON, and a
	// stream of events is refused with 501 streams_unavailable.
	Stream bool
	// Margin is how long before Lambda's own time-out the request's context
	// ends, so that what went wrong can still be answered. Zero means 500ms.
	Margin time.Duration
	// API is the address of the runtime API, host and port. Empty means the one
	// that Lambda says in AWS_LAMBDA_RUNTIME_API.
	API string
	// Log gets what cannot be answered. Nil means slog.Default.
	Log *slog.Logger
}

const (
	usualMargin = 500 * time.Millisecond
	// largest is the most that Lambda takes of an answer that is sent whole.
	largest = 6 << 20
	// largestEvent is the most that Lambda sends, and more.
	largestEvent = 16 << 20
)

// Serve answers events with h, one at a time, until ctx ends, and then returns
// nil. It returns an error when the runtime API fails; Lambda then starts the
// program anew. Call it after everything is opened: until then is the time of
// the start, which Lambda bounds separately.
func Serve(ctx context.Context, h http.Handler, cfg Config) error {
	at := cmp.Or(cfg.API, os.Getenv(runtimeAPI))
	if at == "" {
		return errors.New(runtimeAPI + " is not set: this program does not run on AWS Lambda")
	}
	r := &runtime{
		base: "http://" + at + "/2018-06-01/runtime/", handler: h,
		stream: cfg.Stream, margin: cmp.Or(cfg.Margin, usualMargin), log: cmp.Or(cfg.Log, slog.Default()),
		// Lambda may keep the question for an event open for hours.
		client: &http.Client{Transport: &http.Transport{}},
	}
	defer r.client.CloseIdleConnections()
	for {
		err := r.one(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
	}
}

type runtime struct {
	base    string
	handler http.Handler
	stream  bool
	margin  time.Duration
	log     *slog.Logger
	client  *http.Client
}

// one waits for an event and answers it. What the handler does wrong is that
// event's affair; an error is one of the runtime API.
func (r *runtime) one(ctx context.Context) error {
	id, deadline, text, err := r.next(ctx)
	if err != nil {
		return err
	}
	request, err := requestOf(text)
	if err != nil {
		return r.fail(ctx, id, "Runtime.BadEvent", err)
	}
	within, cancel := context.WithDeadline(ctx, deadline.Add(-r.margin))
	defer cancel()
	if r.stream {
		return r.streamed(ctx, id, request.WithContext(within))
	}
	return r.whole(ctx, id, request.WithContext(within))
}

// next waits for an event.
func (r *runtime) next(ctx context.Context) (id string, deadline time.Time, text []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+"invocation/next", http.NoBody)
	if err != nil {
		return "", time.Time{}, nil, err
	}
	response, err := r.client.Do(request)
	if err != nil {
		return "", time.Time{}, nil, err
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	text, err = io.ReadAll(io.LimitReader(response.Body, largestEvent))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the runtime API has no event: %s: %s", response.Status, text)
	}
	id = response.Header.Get("Lambda-Runtime-Aws-Request-Id")
	if err == nil && id == "" {
		err = errors.New("the runtime API sent an event without an id")
	}
	ms, wrong := strconv.ParseInt(response.Header.Get("Lambda-Runtime-Deadline-Ms"), 10, 64)
	if err == nil && wrong != nil {
		err = fmt.Errorf("the runtime API sent an event without a deadline: %w", wrong)
	}
	return id, time.UnixMilli(ms), text, err
}

// whole answers in one piece.
func (r *runtime) whole(ctx context.Context, id string, request *http.Request) error {
	within, leave := context.WithCancel(request.Context())
	defer leave()
	w := &recorder{header: http.Header{}, leave: leave}
	if err := r.call(w, request.WithContext(within)); err != nil {
		return r.fail(ctx, id, "Runtime.HandlerPanic", err)
	}
	answer, err := json.Marshal(w.answer())
	if err != nil {
		return r.fail(ctx, id, "Runtime.Answer", err)
	}
	if len(answer) > largest {
		return r.fail(ctx, id, "Runtime.AnswerTooLarge", fmt.Errorf("%s %s: an answer of %d bytes, and Lambda takes %d", request.Method, request.URL.Path, len(answer), largest))
	}
	return r.post(ctx, "invocation/"+id+"/response", http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(answer))
}

// streamed answers while the handler writes.
func (r *runtime) streamed(ctx context.Context, id string, request *http.Request) error {
	pipe, body := io.Pipe()
	sent := make(chan error, 1)
	within, leave := context.WithCancel(request.Context())
	defer leave()
	go func() {
		defer leave() // nobody reads any more what the handler writes
		err := r.post(ctx, "invocation/"+id+"/response", http.Header{
			"Content-Type":                          {"application/vnd.awslambda.http-integration-response"},
			"Lambda-Runtime-Function-Response-Mode": {"streaming"},
		}, pipe)
		_ = pipe.CloseWithError(io.ErrClosedPipe) // never fails
		sent <- err
	}()
	w := &streamer{header: http.Header{}, to: body}
	err := r.call(w, request.WithContext(within))
	if err == nil {
		err = w.begin(http.StatusOK) // an answer without a body
	}
	if err != nil && !errors.Is(err, io.ErrClosedPipe) {
		r.log.ErrorContext(ctx, "an answer was cut off", "error", err, "lambda_request", id)
	}
	_ = body.CloseWithError(err) // never fails; a nil error is the end
	post := <-sent
	if err != nil && !errors.Is(err, io.ErrClosedPipe) {
		return nil // it was cut off on purpose, and that is not the runtime API's fault
	}
	return post
}

// call is the handler's turn. Its panic ends the event and not the program, as
// with net/http.
func (r *runtime) call(w http.ResponseWriter, request *http.Request) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			r.log.ErrorContext(request.Context(), "handler panicked", "cause", cause, "stack", string(debug.Stack()))
			err = errors.New("the handler panicked")
		}
	}()
	r.handler.ServeHTTP(w, request)
	return nil
}

// fail tells Lambda that an event was not answered.
func (r *runtime) fail(ctx context.Context, id, kind string, cause error) error {
	r.log.ErrorContext(ctx, "an event was not answered", "error", cause, "lambda_request", id)
	text, err := json.Marshal(map[string]string{"errorType": kind, "errorMessage": cause.Error()})
	if err != nil {
		return err
	}
	return r.post(ctx, "invocation/"+id+"/error", http.Header{
		"Content-Type": {"application/json"}, "Lambda-Runtime-Function-Error-Type": {kind},
	}, bytes.NewReader(text))
}

// post sends an answer. The program may have been told to stop meanwhile: what
// was begun is answered all the same.
func (r *runtime) post(ctx context.Context, path string, header http.Header, body io.Reader) error {
	request, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, r.base+path, body)
	if err != nil {
		return err
	}
	request.Header = header
	response, err := r.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	const most = 4 << 10
	text, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return err
	}
	switch {
	case response.StatusCode < http.StatusBadRequest:
		return nil
	case response.StatusCode == http.StatusRequestEntityTooLarge:
		r.log.ErrorContext(ctx, "the runtime API refused an answer", "status", response.Status, "body", string(text))
		return nil // it has told the caller
	}
	return fmt.Errorf("the runtime API refused %s: %s: %s", path, response.Status, text)
}
