package fault_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/fault"
)

// shaped is a response that answers failures in a form.
type shaped struct {
	http.ResponseWriter

	form *fault.Form
}

func (s shaped) Form() *fault.Form { return s.form }

// wrapped hides what it wraps but for Unwrap.
type wrapped struct{ inner http.ResponseWriter }

func (w wrapped) Header() http.Header         { return w.inner.Header() }
func (w wrapped) Write(b []byte) (int, error) { return w.inner.Write(b) }
func (w wrapped) WriteHeader(status int)      { w.inner.WriteHeader(status) }
func (w wrapped) Unwrap() http.ResponseWriter { return w.inner }

func TestForm(t *testing.T) {
	t.Parallel()
	form := fault.JSON(func(p fault.Problem) map[string]string { return map[string]string{"error": p.Code} })
	w := httptest.NewRecorder()
	if err := fault.Write(wrapped{shaped{w, form}}, fault.ProblemOf(fault.ErrLimited.After(7*time.Second), "")); err != nil {
		t.Error(err)
	}
	h := w.Header()
	if w.Code != 429 || w.Body.String() != `{"error":"rate_limited"}` || h.Get("Content-Type") != form.Media() || h.Get("Retry-After") != "7" || h.Get("Content-Length") != "24" {
		t.Errorf("%d %v %s", w.Code, h, w.Body)
	}
	w = httptest.NewRecorder()
	if err := fault.Write(shaped{w, nil}, fault.ProblemOf(errNotFound, "")); err != nil || w.Header().Get("Content-Type") != fault.MediaType {
		t.Errorf("without a form: %v, %v", w.Header(), err)
	}
}

// TestAFormThatFails is answered with the problem document: callers must get
// something.
func TestAFormThatFails(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	err := fault.Write(shaped{w, fault.JSON(func(fault.Problem) any { return func() {} })}, fault.ProblemOf(errNotFound, ""))
	if err == nil || w.Code != 404 || w.Header().Get("Content-Type") != fault.MediaType {
		t.Errorf("%d %s, %v", w.Code, w.Body, err)
	}
}

func TestNamesProblem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		accept []string
		want   bool
	}{
		{nil, false},
		{[]string{"*/*"}, false},
		{[]string{"application/*, application/json"}, false},
		{[]string{"application/json", "text/html, Application/Problem+JSON; q=0.5"}, true},
	} {
		if got := fault.NamesProblem(c.accept); got != c.want {
			t.Errorf("%q: %t", c.accept, got)
		}
	}
}

func TestAProblemIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	want := fault.ProblemOf(errState.Because("It is open.").With("state", "open"), "4bf92f35")
	want.Errors = []fault.Violation{{Pointer: "/a", Code: "b", Detail: "c"}}
	text, err := want.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var got fault.Problem
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want.Members[0].Value = json.RawMessage(`"open"`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := json.Unmarshal([]byte(`{"status":"x"}`), &got); err == nil {
		t.Error("a status that is a text was read")
	}
}

func ExampleJSON() {
	form := fault.JSON(func(p fault.Problem) map[string]string { return map[string]string{"error": p.Code} })
	w := httptest.NewRecorder()
	_ = fault.Write(shaped{w, form}, fault.ProblemOf(errNotFound, ""))
	fmt.Println(w.Code, w.Header().Get("Content-Type"), w.Body)
	// Output: 404 application/json {"error":"payment_not_found"}
}
