package serve_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/serve"
)

// text answers with its own words and the path values it was routed with.
func text(s string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, s+r.PathValue("id"))
	})
}

func routes(t testing.TB) *serve.Mux {
	t.Helper()
	var mux serve.Mux
	for _, pattern := range []string{"GET /g", "POST /g", "GET /payments/{id}", "GET /files/", "/any", "GET /{$}"} {
		if err := mux.Handle(pattern, text(pattern+" ")); err != nil {
			t.Fatal(err)
		}
	}
	return &mux
}

func TestMuxRoutes(t *testing.T) {
	t.Parallel()
	mux := routes(t)
	for request, want := range map[string]string{
		"GET /g":                    "GET /g ",
		"POST /g":                   "POST /g ",
		"GET /g?a=1;b=2":            "GET /g ",
		"GET /payments/pay_1":       "GET /payments/{id} pay_1",
		"GET /payments/a%20b":       "GET /payments/{id} a b",
		"GET /payments/%252f":       "GET /payments/{id} %2f",
		"GET /payments/..a":         "GET /payments/{id} ..a",
		"GET /payments/%C3%A9":      "GET /payments/{id} é",
		"GET /files/":               "GET /files/ ",
		"GET /files/a/b":            "GET /files/ ",
		"DELETE /any":               "/any ",
		"GET /":                     "GET /{$} ",
		"HEAD /g":                   "GET /g ",
		"GET http://else.where/g":   "GET /g ",
		"GET /payments/a.b?x=/../y": "GET /payments/{id} a.b",
	} {
		t.Run(request, func(t *testing.T) {
			t.Parallel()
			method, target, _ := strings.Cut(request, " ")
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(method, target, nil))
			if got := w.Body.String(); w.Code != 200 || got != want {
				t.Errorf("%d %q, want %q", w.Code, got, want)
			}
		})
	}
}

func TestMuxRefuses(t *testing.T) {
	t.Parallel()
	mux := routes(t)
	for request, want := range map[string]struct {
		status int
		code   string
		allow  string
	}{
		"GET /nowhere":                        {404, "not_found", ""},
		"GET /files":                          {404, "not_found", ""}, // ServeMux would redirect
		"POST /files":                         {404, "not_found", ""}, // and GET would not find it either
		"GET //g":                             {404, "not_found", ""},
		"POST //g":                            {404, "not_found", ""},
		"GET /./g":                            {404, "not_found", ""},
		"GET /x/../g":                         {404, "not_found", ""},
		"GET /x/%2e%2e/g":                     {404, "not_found", ""},
		"GET /g/.":                            {404, "not_found", ""},
		"GET /files/..":                       {404, "not_found", ""},
		"GET /payments/a%2fb":                 {404, "not_found", ""},
		"GET /payments/a%2Fb":                 {404, "not_found", ""},
		"GET /payments/a%00b":                 {400, "malformed", ""},
		"GET /payments/a%0d%0ab":              {400, "malformed", ""},
		"GET /payments/%ff":                   {400, "malformed", ""},
		"DELETE /g":                           {405, "method_not_allowed", "GET, HEAD, POST"},
		"TRACE /g":                            {405, "method_not_allowed", "GET, HEAD, POST"},
		"TRACE /any":                          {405, "method_not_allowed", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"},
		"TRACE /nowhere":                      {404, "not_found", ""},
		"CONNECT /any":                        {405, "method_not_allowed", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"},
		"OPTIONS *":                           {404, "not_found", ""},
		"GET /g?" + strings.Repeat("a", 8192): {414, "target_too_long", ""},
	} {
		name, _, _ := strings.Cut(request, "?")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			method, target, _ := strings.Cut(request, " ")
			r := httptest.NewRequest(method, "/", nil)
			r.RequestURI = target
			if u, err := url.ParseRequestURI(target); err != nil {
				t.Fatal(err)
			} else {
				r.URL = u
			}
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			wantProblem(t, w.Result(), want.status, want.code)
			if got := w.Header().Get("Allow"); got != want.allow {
				t.Errorf("Allow: %q, want %q", got, want.allow)
			}
			if got := w.Header().Get("Location"); got != "" {
				t.Errorf("redirects to %q", got)
			}
		})
	}
}

// wantProblem checks that a response is a problem document and returns it.
func wantProblem(t testing.TB, res *http.Response, status int, code string) map[string]any {
	t.Helper()
	var doc map[string]any
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatalf("%d answers %q: %v", res.StatusCode, body, err)
	}
	if got := res.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type: %q", got)
	}
	if res.StatusCode != status || doc["status"] != float64(status) || doc["code"] != code {
		t.Errorf("%d %s, want %d %s", res.StatusCode, body, status, code)
	}
	return doc
}

func TestMuxRegistrationMistakes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		first, second string
		handler       http.Handler
		says          []string
	}{
		"same pattern twice": {"GET /a", "GET /a", text(""), []string{`"GET /a" conflicts with pattern "GET /a"`}},
		"overlap":            {"GET /a/{x}", "GET /{y}/b", text(""), []string{"/a/{x}", "/{y}/b", "/a/b"}},
		"malformed":          {"GET /a", "GET /{", text(""), []string{"/{"}},
		"no handler":         {"GET /a", "GET /b", nil, []string{"GET /b", "no handler"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mux serve.Mux
			if err := mux.Handle(tc.first, text("")); err != nil {
				t.Fatal(err)
			}
			err := mux.Handle(tc.second, tc.handler)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, part := range tc.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "mux.go") {
				t.Errorf("%q names our own file", err)
			}
		})
	}
}

func BenchmarkMux(b *testing.B) {
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	var ours serve.Mux
	if err := ours.Handle("GET /payments/{id}", nothing); err != nil {
		b.Fatal(err)
	}
	theirs := http.NewServeMux()
	theirs.Handle("GET /payments/{id}", nothing)
	r, w := httptest.NewRequest("GET", "/payments/pay_1", nil), httptest.NewRecorder()
	for name, h := range map[string]http.Handler{"serve": &ours, "net_http": theirs} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}
