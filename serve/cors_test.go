package serve_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/serve"
)

const page = "https://app.test"

// shared serves one resource to the pages of one origin.
func shared(t testing.TB, cfg serve.CORSConfig) http.Handler {
	t.Helper()
	var mux serve.Mux
	for _, pattern := range []string{"GET /payments/{id}", "DELETE /payments/{id}", "POST /payments"} {
		err := mux.Handle(pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.PathValue("id") == "panic" {
				panic("on purpose")
			}
			w.WriteHeader(http.StatusUnauthorized) // a preflight that comes here is not answered before sign-in
		}))
		if err != nil {
			t.Fatal(err)
		}
	}
	cfg.Origins = []string{page}
	cfg.Methods = mux.Methods
	cors, err := serve.NewCORS(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return serve.Observe(&mux, serve.Observer{CORS: cors})
}

func call(h http.Handler, method, path string, header ...string) http.Header {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	answered := w.Result().Header
	answered.Set("Status", w.Result().Status[:3])
	return answered
}

// TestOrigins holds P12.9: who is let in, exactly.
func TestOrigins(t *testing.T) {
	t.Parallel()
	h := shared(t, serve.CORSConfig{Credentials: true})
	for name, c := range map[string]struct {
		origins []string
		in      bool
	}{
		"the page":                {[]string{page}, true},
		"no origin":               {nil, false},
		"null":                    {[]string{"null"}, false},
		"another":                 {[]string{"https://evil.test"}, false},
		"plain http":              {[]string{"http://app.test"}, false},
		"another port":            {[]string{page + ":8443"}, false},
		"the port written":        {[]string{page + ":443"}, false},
		"a host below":            {[]string{"https://evil.app.test"}, false},
		"a host behind":           {[]string{page + ".evil.test"}, false},
		"a host before":           {[]string{"https://evilapp.test"}, false},
		"with a path":             {[]string{page + "/"}, false},
		"in capitals":             {[]string{"https://APP.test"}, false},
		"two in a list":           {[]string{page + ", https://evil.test"}, false},
		"two in a list, by space": {[]string{page + " https://evil.test"}, false},
		"two fields":              {[]string{page, "https://evil.test"}, false},
		"empty":                   {[]string{""}, false},
		"a wildcard":              {[]string{"*"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var header []string
			for _, o := range c.origins {
				header = append(header, "Origin", o)
			}
			for _, path := range []string{"/payments/pay_1", "/nowhere", "/payments/panic"} {
				got := call(h, "GET", path, header...)
				if got.Get("Vary") != "Origin" {
					t.Errorf("%s: Vary: %q", path, got.Get("Vary"))
				}
				want, credentials := "", ""
				if c.in {
					want, credentials = page, "true"
				}
				if got.Get("Access-Control-Allow-Origin") != want || got.Get("Access-Control-Allow-Credentials") != credentials {
					t.Errorf("%s answers %v", path, got)
				}
				if exposed := got.Get("Access-Control-Expose-Headers"); c.in != strings.Contains(exposed, "ETag") || c.in != strings.Contains(exposed, "RateLimit-Policy") {
					t.Errorf("%s exposes %q", path, exposed)
				}
			}
		})
	}
}

func TestCredentialsAreOffUnasked(t *testing.T) {
	t.Parallel()
	got := call(shared(t, serve.CORSConfig{}), "GET", "/payments/pay_1", "Origin", page)
	if got.Get("Access-Control-Allow-Origin") != page || got.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("answers %v", got)
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	h := shared(t, serve.CORSConfig{Headers: []string{"X-Tenant"}})
	for name, c := range map[string]struct {
		path, origin, method string
		status, methods      string
	}{
		"what is declared":             {"/payments/pay_1", page, "DELETE", "204", "DELETE, GET, HEAD"},
		"another path":                 {"/payments", page, "POST", "204", "POST"},
		"a method that is not there":   {"/payments", page, "DELETE", "204", "POST"}, // the browser sees that it is not listed
		"a path that is not there":     {"/nowhere", page, "GET", "404", ""},
		"an unclean path":              {"//payments", page, "POST", "404", ""},
		"a foreign page":               {"/payments", "https://evil.test", "POST", "405", ""},
		"null":                         {"/payments", "null", "POST", "405", ""},
		"OPTIONS that is no preflight": {"/payments", page, "", "405", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := []string{"Origin", c.origin, "Access-Control-Request-Headers", "authorization,content-type"}
			if c.method != "" {
				header = append(header, "Access-Control-Request-Method", c.method)
			}
			got := call(h, "OPTIONS", c.path, header...)
			if got.Get("Status") != c.status || got.Get("Access-Control-Allow-Methods") != c.methods {
				t.Fatalf("answers %v", got)
			}
			if c.methods == "" {
				return
			}
			if allowed := got.Get("Access-Control-Allow-Headers"); !strings.Contains(allowed, "Authorization, ") ||
				!strings.Contains(allowed, "Idempotency-Key") || !strings.HasSuffix(allowed, "X-Tenant") {
				t.Errorf("allows the headers %q", allowed)
			}
			if got.Get("Access-Control-Max-Age") != "600" || got.Get("Access-Control-Allow-Origin") != page ||
				!strings.Contains(got.Get("Vary"), "Access-Control-Request-Method") {
				t.Errorf("answers %v", got)
			}
		})
	}
}

func TestCheckOrigin(t *testing.T) {
	t.Parallel()
	for origin, ok := range map[string]bool{
		"https://app.test": true, "http://localhost:5173": true, "https://app.test:8443": true,
		"http://127.0.0.1": true, "https://[2001:db8::1]:8443": true, "https://xn--bcher-kva.test": true,
		"": false, "*": false, "null": false, "https://*": false, "https://*.app.test": false, "app.test": false,
		"https://app.test/": false, "https://app.test/x": false, "https://app.test?x": false, "https://app.test#x": false,
		"https://u@app.test": false, "https://APP.test": false, "HTTPS://app.test": false, "https://app.test:443": false,
		"http://app.test:80": false, "https://app.test:": false, "https://app.test:0443": false, "https://app.test:99999": false,
		"https://bücher.test": false, "file:///a": false, "chrome-extension://abc": false, "https://[2001:DB8::1]": false,
		" https://app.test": false, "https://app.test ": false, "//app.test": false,
	} {
		if err := serve.CheckOrigin(origin); (err == nil) != ok {
			t.Errorf("CheckOrigin(%q) = %v", origin, err)
		}
	}
	if _, err := serve.NewCORS(serve.CORSConfig{Origins: []string{"*", page, "null"}}); err == nil ||
		!strings.Contains(err.Error(), `"*"`) || !strings.Contains(err.Error(), `"null"`) {
		t.Errorf("NewCORS = %v", err)
	}
}

// TestSafeTarget holds P6.24.
func TestSafeTarget(t *testing.T) {
	t.Parallel()
	for target, ok := range map[string]bool{
		"/": true, "/orders?page=2#end": true, "/a/b?next=//evil.test": true, page: true, page + "/a?b": true, page + "?b": true,
		"": false, "orders": false, "?a": false, "#a": false, "./a": false,
		"//evil.test": false, `/\evil.test`: false, `\\evil.test`: false, "/\t/evil.test": false, "/\n/evil.test": false,
		"/%0a": false, "/a//evil.test": false, "/../evil": false, "/./a": false, "/%2e%2e/a": false, "/%2f/evil.test": false,
		" /a": false, "/a b": false, "///evil.test": false,
		"https://evil.test": false, "http://app.test": false, page + ".evil.test": false, page + "@evil.test": false,
		"https://u:p@app.test": false, page + ":443": false, "https:app.test": false, "https:/app.test": false, "https:///app.test": false,
		page + `\@evil.test`: false, "javascript:alert(1)": false, "data:text/html,a": false, "HTTPS://app.test": false, "/\u2028": false,
	} {
		if got := serve.SafeTarget(target, page); got != ok {
			t.Errorf("SafeTarget(%q) = %v", target, got)
		}
		w := httptest.NewRecorder()
		serve.Redirect(w, httptest.NewRequest("GET", "/x", nil), target, page)
		if location := w.Header().Get("Location"); ok && (w.Code != 303 || location != target) || !ok && (w.Code != 400 || location != "") {
			t.Errorf("Redirect to %q answers %d to %q", target, w.Code, location)
		}
	}
}

func FuzzSafeTarget(f *testing.F) {
	for _, seed := range []string{"/a", "//evil.test", `/\evil`, page + "/a", "/a?b#c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		if !serve.SafeTarget(target, page) {
			return
		}
		// What browsers do to a target before they read it (WHATWG URL).
		read := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.TrimSpace(target))
		onSite := strings.HasPrefix(read, "/") && !strings.HasPrefix(read, "//")
		listed := read == page || strings.HasPrefix(read, page+"/") || strings.HasPrefix(read, page+"?") || strings.HasPrefix(read, page+"#")
		if !onSite && !listed {
			t.Fatalf("%q passes", target)
		}
	})
}

// TestSecurityHeaders holds P6.6 on each kind of answer that this package and
// the ones above give.
func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	var mux serve.Mux
	for path, status := range map[string]int{"/200": 200, "/304": 304, "/401": 401, "/413": 413, "/429": 429, "/500": 0} {
		if err := mux.Handle("GET "+path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if status == 0 {
				panic("on purpose")
			}
			w.WriteHeader(status)
		})); err != nil {
			t.Fatal(err)
		}
	}
	h := serve.Observe(&mux, serve.Observer{HSTS: true, Hosts: []string{"example.com"}})
	for _, path := range []string{"/200", "/304", "/401", "/404", "/413", "/429", "/500", "/405", "/421"} {
		r := httptest.NewRequest("GET", path, nil)
		switch path {
		case "/405":
			r = httptest.NewRequest("POST", "/200", nil)
		case "/421":
			r.Host = "evil.test"
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if status := w.Result().Status[:3]; "/"+status != path {
			t.Errorf("%s answers %s", path, status)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
			"Referrer-Policy": "no-referrer", "Strict-Transport-Security": "max-age=63072000; includeSubDomains", "Server": "", "X-Powered-By": "",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s: %q, want %q", path, name, got, want)
			}
		}
		if w.Code >= 400 && w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: no problem document: %s", path, w.Body)
		}
	}
}
