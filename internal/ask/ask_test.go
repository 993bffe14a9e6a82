package ask_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/ask"
)

func TestHandler(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for name, c := range map[string]struct {
		serve  http.HandlerFunc
		status int
		body   string
		panics any
	}{
		"nothing":  {func(http.ResponseWriter, *http.Request) {}, 200, "", nil},
		"a body":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }, 200, "hello", nil},
		"a status": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); w.WriteHeader(500) }, 404, "", nil},
		"a hint":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(201) }, 201, "", nil},
		"a panic": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half"))
			panic("lost")
		}, 500, `"code":"internal"`, "lost"},
	} {
		a, panicked := ask.Handler(c.serve, r)
		if a.Status != c.status || panicked != c.panics || !strings.Contains(a.Body.String(), c.body) || strings.Contains(a.Body.String(), "half") {
			t.Errorf("%s: %d %q, %v", name, a.Status, a.Body.String(), panicked)
		}
	}
}

func TestFailuresAreAskedForAsProblems(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	ask.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if !fault.NamesProblem(r.Header["Accept"]) {
			t.Errorf("Accept is %v", r.Header["Accept"])
		}
	}), r)
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	a := ask.Refusal(fault.ErrMalformed.Because("It is no object."))
	if a.Status != 400 || a.Header().Get("Content-Type") != fault.MediaType || !strings.Contains(a.Body.String(), "It is no object.") {
		t.Errorf("%d %v %s", a.Status, a.Header(), a.Body.String())
	}
}
