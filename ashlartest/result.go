package ashlartest

import (
	"encoding/json"
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
// type of the answer, struct{} for none.
func Call[Out any](c *Client, operation string, in any) Result[Out] {
	c.app.t.Helper()
	s := c.operation(operation)
	if want := reflect.TypeFor[Out](); s.Out != nil && s.Out.Go != want {
		c.app.t.Fatalf("%s answers %s, not %s", s.Name, s.Out.Go, want)
	}
	r := Result[Out]{t: c.app.t, spec: s, response: c.call(s, in)}
	r.holdContract()
	return r
}

// Result is what an operation answered. Its methods end the test if the
// answer is not what they say.
type Result[Out any] struct {
	t        testing.TB
	spec     *op.Spec
	response *httptest.ResponseRecorder
}

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
	r.t.Helper()
	var out Out
	if r.response.Code != r.spec.Status {
		r.t.Fatalf("%s answered %d, not %d: %s", r.spec.Name, r.response.Code, r.spec.Status, r.response.Body)
	}
	if r.spec.Returns != op.JSON {
		return out
	}
	decoder, err := codec.CompileDecoder(r.spec.Out)
	if err == nil {
		err = decoder.Decode(slices.Clone(r.response.Body.Bytes()), &out)
	}
	if err != nil {
		r.t.Fatalf("%s answered what its own document does not describe: %v\n%s", r.spec.Name, err, r.response.Body)
	}
	return out
}

// Fails asserts that the call answered with this fault, and returns the
// problem.
func (r Result[Out]) Fails(with fault.Coded) Problem {
	r.t.Helper()
	p := r.Problem()
	if p.Code != with.Code() || p.Status != with.Status() {
		r.t.Fatalf("%s answered %d %s, not %d %s: %s", r.spec.Name, p.Status, p.Code, with.Status(), with.Code(), r.response.Body)
	}
	return p
}

// Invalid asserts that the call was refused for just these members, given as
// JSON Pointers in any order.
func (r Result[Out]) Invalid(pointers ...string) Problem {
	r.t.Helper()
	p := r.Fails(fault.ErrInvalid)
	var got []string
	for _, v := range p.Errors {
		got = append(got, v.Pointer)
	}
	slices.Sort(got)
	slices.Sort(pointers)
	if !slices.Equal(slices.Compact(got), pointers) {
		r.t.Fatalf("%s refused [%s], not [%s]: %s", r.spec.Name, strings.Join(got, " "), strings.Join(pointers, " "), r.response.Body)
	}
	return p
}

// Denied asserts that the principal may not call the operation.
func (r Result[Out]) Denied() Problem {
	r.t.Helper()
	return r.Fails(fault.ErrDenied)
}

// Problem returns the problem of a call that failed.
func (r Result[Out]) Problem() Problem {
	r.t.Helper()
	if r.response.Code < http.StatusBadRequest {
		r.t.Fatalf("%s succeeded with %d: %s", r.spec.Name, r.response.Code, r.response.Body)
	}
	return problemOf(r.t, r.response)
}

func problemOf(t testing.TB, w *httptest.ResponseRecorder) (p Problem) {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != fault.MediaType {
		t.Fatalf("a failure has Content-Type %q: %s", got, w.Body)
	}
	for _, into := range []any{&p, &p.Members} {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			t.Fatalf("a problem is not JSON: %v: %s", err, w.Body)
		}
	}
	return p
}

// Status returns the status of the answer, whatever it is.
func (r Result[Out]) Status() int { return r.response.Code }

// Header returns a header of the answer.
func (r Result[Out]) Header(name string) string { return r.response.Header().Get(name) }

// Body returns the answer as it was sent.
func (r Result[Out]) Body() string { return r.response.Body.String() }

// Replayed reports whether the answer was a stored one.
func (r Result[Out]) Replayed() bool { return r.Header("Idempotency-Replayed") == "true" }

// holdContract fails the test for an answer that was not declared.
func (r Result[Out]) holdContract() {
	r.t.Helper()
	if r.response.Code < http.StatusBadRequest {
		return
	}
	p := problemOf(r.t, r.response)
	declared := slices.ContainsFunc(r.spec.Faults(), func(f fault.Coded) bool {
		return f.Code() == p.Code && f.Status() == p.Status
	})
	if !declared {
		r.t.Errorf("%s answered %d %s, which it does not declare; add it to op.Fails at %s", r.spec.Name, p.Status, p.Code, r.spec.Source)
	}
}
