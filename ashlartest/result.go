package ashlartest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/op"
)

// Call calls an operation by name. The input is the operation's own type, or
// anything that encodes to a JSON object; nil stands for no input. Out is the
// type of the answer, struct{} for none, or any in a test that goes through many
// operations.
func Call[Out any](c *Client, operation string, in any) Result[Out] {
	c.app.t.Helper()
	s := c.operation(operation)
	if want := reflect.TypeFor[Out](); s.Out != nil && s.Out.Go != want && want != reflect.TypeFor[any]() {
		c.app.t.Fatalf("%s answers %s, not %s", s.Name, s.Out.Go, want)
	}
	r := Result[Out]{c.exchange(s, in)}
	r.holdContract()
	return r
}

// Result is what an operation answered. Its methods end the test if the
// answer is not what they say, and print what was asked, answered, logged and
// traced, without secrets, and where the operation is declared.
type Result[Out any] struct{ exchange }

// Problem is a problem document as a client sees it.
type Problem struct {
	Type    string            `json:"type"`
	Title   string            `json:"title"`
	Status  int               `json:"status"`
	Code    string            `json:"code"`
	Detail  string            `json:"detail"`
	TraceID string            `json:"trace_id"`
	Errors  []fault.Violation `json:"errors"`
	// Members are all members of the document, extensions included.
	Members map[string]any `json:"-"`
}

// OK returns the answer of a call that succeeded.
func (r Result[Out]) OK() Out {
	r.app.t.Helper()
	var out Out
	if r.answer.Code != r.spec.Status {
		r.fatalf("%s answered %d, not %d", r.spec.Name, r.answer.Code, r.spec.Status)
	}
	if r.spec.Returns != op.JSON {
		return out
	}
	into := reflect.New(r.spec.Out.Go)
	decoder, err := codec.CompileDecoder(r.spec.Out)
	if err == nil {
		err = decoder.Decode(slices.Clone(r.answer.Body.Bytes()), into.Interface())
	}
	if err != nil {
		r.fatalf("%s answered what its own document does not describe: %v", r.spec.Name, err)
	}
	reflect.ValueOf(&out).Elem().Set(into.Elem())
	return out
}

// Fails asserts that the call answered with this fault, and returns the
// problem.
func (r Result[Out]) Fails(with fault.Coded) Problem {
	r.app.t.Helper()
	p := r.Problem()
	if p.Code != with.Code() || p.Status != with.Status() {
		r.fatalf("%s answered %d %s, not %d %s", r.spec.Name, p.Status, p.Code, with.Status(), with.Code())
	}
	return p
}

// Invalid asserts that the call was refused for just these members, given as
// JSON Pointers in any order.
func (r Result[Out]) Invalid(pointers ...string) Problem {
	r.app.t.Helper()
	p := r.Fails(fault.ErrInvalid)
	var got []string
	for _, v := range p.Errors {
		got = append(got, v.Pointer)
	}
	slices.Sort(got)
	slices.Sort(pointers)
	if !slices.Equal(slices.Compact(got), pointers) {
		r.fatalf("%s refused [%s], not [%s]", r.spec.Name, strings.Join(got, " "), strings.Join(pointers, " "))
	}
	return p
}

// Denied asserts that the principal may not call the operation.
func (r Result[Out]) Denied() Problem {
	r.app.t.Helper()
	return r.Fails(fault.ErrDenied)
}

// Problem returns the problem of a call that failed.
func (r Result[Out]) Problem() Problem {
	r.app.t.Helper()
	if r.answer.Code < http.StatusBadRequest {
		r.fatalf("%s succeeded with %d", r.spec.Name, r.answer.Code)
	}
	return r.problem()
}

// Status returns the status of the answer, whatever it is.
func (r Result[Out]) Status() int { return r.answer.Code }

// Header returns a header of the answer.
func (r Result[Out]) Header(name string) string { return r.answer.Header().Get(name) }

// Body returns the answer as it was sent.
func (r Result[Out]) Body() string { return r.answer.Body.String() }

// Log returns the lines that the app has logged for the call.
func (r Result[Out]) Log() []string { return r.log() }

// Trace returns what the app did for the call.
func (r Result[Out]) Trace() Trace {
	r.app.t.Helper()
	return r.trace()
}

// Replayed reports whether the answer was a stored one.
func (r Result[Out]) Replayed() bool { return r.Header("Idempotency-Replayed") == "true" }

// problem reads the answer as the problem that every failure is.
func (e exchange) problem() Problem {
	e.app.t.Helper()
	p, err := readProblem(e.answer)
	if err != nil {
		e.fatalf("%s failed in a way of its own: %v", e.spec.Name, err)
	}
	return p
}

func problemOf(t testing.TB, w *httptest.ResponseRecorder) Problem {
	t.Helper()
	p, err := readProblem(w)
	if err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return p
}

func readProblem(w *httptest.ResponseRecorder) (p Problem, err error) {
	if got := w.Header().Get("Content-Type"); got != fault.MediaType {
		return p, fmt.Errorf("a failure has Content-Type %q", got)
	}
	for _, into := range []any{&p, &p.Members} {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			return p, fmt.Errorf("a problem is not JSON: %w", err)
		}
	}
	return p, nil
}

// holdContract fails the test for an answer that was not declared.
func (e exchange) holdContract() {
	e.app.t.Helper()
	if e.answer.Code < http.StatusBadRequest {
		return
	}
	p := e.problem()
	declared := slices.ContainsFunc(e.spec.Faults(), func(f fault.Coded) bool {
		return f.Code() == p.Code && f.Status() == p.Status
	})
	if !declared {
		e.app.t.Errorf("%s answered %d %s, which it does not declare; add it to op.Fails at %s\n%s", e.spec.Name, p.Status, p.Code, e.spec.Source, e.report())
	}
}
