package openapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/chromium"
	"github.com/ashlar-go/ashlar/live"
	"github.com/ashlar-go/ashlar/openapi"
	"github.com/ashlar-go/ashlar/rest"
	"github.com/ashlar-go/ashlar/serve"
)

// site is the shop as it is served: the page, and two operations to try.
func site(t *testing.T) http.Handler {
	t.Helper()
	doc := shopDocument(t)
	yaml, err := openapi.YAML(doc)
	if err != nil {
		t.Fatal(err)
	}
	policy := &access.Policy{}
	policy.GrantAll("owner")
	cfg := rest.Config{Policy: policy, Authenticate: func(r *http.Request) (access.Principal, error) {
		if r.Header.Get("Authorization") != "Bearer good" {
			return access.Principal{}, fault.ErrUnauthenticated
		}
		return policy.Principal("usr_1", "acc_1", "owner"), nil
	}}
	streams := live.New(live.Config{Policy: policy, Authenticate: cfg.Authenticate})
	t.Cleanup(func() { streams.Drain(context.Background()) })
	mux := http.NewServeMux()
	for _, o := range shop() {
		var (
			h   http.Handler
			err error
		)
		switch o.Spec().Name {
		case "payments.get", "health":
			h, err = rest.New(o, cfg)
		case "payments.watch":
			h, err = streams.Handler(o)
		default:
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		mux.Handle(o.Spec().Method+" "+o.Spec().Path, h)
	}
	mux.Handle("GET /openapi.json", openapi.Serve(doc, "application/json"))
	mux.Handle("GET /openapi.yaml", openapi.Serve(yaml, "application/yaml"))
	mux.Handle("GET /docs", openapi.Docs())
	mux.Handle("GET /docs/{asset}", openapi.Docs())
	mux.Handle("GET /problems/{slug}", openapi.Problems(shop()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// What every answer of an app carries unless a handler says otherwise.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}

// TestThePageWorksInABrowser draws the page in Chromium in both colour schemes
// and at two widths, uses it, and fails on anything that a console would show
// in red: a violation of the page's policy first of all. With
// ASHLAR_TEST_SCREENSHOTS it leaves pictures in that folder.
func TestThePageWorksInABrowser(t *testing.T) {
	t.Parallel()
	b := chromium.Start(t)
	server := httptest.NewServer(site(t))
	t.Cleanup(server.Close)

	quiet := func(what string) {
		t.Helper()
		for _, text := range b.Complaints() {
			t.Errorf("%s: %s", what, text)
		}
	}
	for _, width := range []int{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			what := fmt.Sprintf("%s-%d", scheme, width)
			b.Open(server.URL+"/docs", width, 900, scheme)
			b.Until(`document.querySelectorAll('article.op').length === 9`)
			if wide := b.Run(`document.documentElement.scrollWidth`); wide.(float64) > float64(width) {
				t.Errorf("%s: the page is %v wide", what, wide)
			}
			quiet(what)
			if folder := os.Getenv("ASHLAR_TEST_SCREENSHOTS"); folder != "" {
				b.Screenshot(filepath.Join(folder, what+".png"))
				b.Run(`document.documentElement.style.scrollBehavior = 'auto'; document.getElementById('payments.authorize').scrollIntoView()`)
				b.Screenshot(filepath.Join(folder, what+"-authorize.png"))
			}
		}
	}
	b.Run(`document.querySelector('#menu').click()`)
	b.Until(`document.querySelector('#side').checkVisibility()`)
	b.Run(`document.querySelector('#side a[href="#payments.get"]').click()`)
	b.Until(`!document.querySelector('#side').checkVisibility() && location.hash === '#payments.get'`)

	searches(t, b, server.URL)
	quiet("search")
	tries(t, b, server.URL)
	// A refusal is an answer; browsers report it in red all the same.
	for _, text := range b.Complaints() {
		if !strings.Contains(text, "401 (Unauthorized)") {
			t.Errorf("try it: %s", text)
		}
	}
	showsValidExamples(t, b)
	b.Open(server.URL+"/problems/card-declined", 390, 700, "dark")
	if got := b.Run(`document.body.innerText`).(string); !strings.Contains(got, "HTTP status 402") || !strings.Contains(got, "payments.authorize") {
		t.Errorf("the problem's page says %q", got)
	}
	quiet("problem")
}

func searches(t *testing.T, b *chromium.Browser, url string) {
	t.Helper()
	b.Open(url+"/docs", 1280, 900, "light")
	b.Until(`document.querySelectorAll('article.op').length === 9`)
	for words, want := range map[string]float64{"": 9, "card_declined": 1, "PAYMENTS:READ list": 1, "nothing like it": 0, "v1 patch": 1} {
		got := b.Run(`(() => {
			const search = document.querySelector('#search');
			search.value = ` + fmt.Sprintf("%q", words) + `;
			search.dispatchEvent(new Event('input'));
			return [...document.querySelectorAll('article.op')].filter(e => e.checkVisibility()).length;
		})()`)
		if got != want {
			t.Errorf("%q finds %v operations, want %v", words, got, want)
		}
	}
}

func tries(t *testing.T, b *chromium.Browser, url string) {
	t.Helper()
	b.Open(url+"/docs#payments.get", 1280, 900, "dark")
	b.Until(`document.querySelectorAll('article.op').length === 9`)
	send := func(id string) string {
		t.Helper()
		b.Run(`document.getElementById('` + id + `').querySelector('details.try').open = true`)
		b.Until(`document.getElementById('` + id + `').querySelector('form')`)
		b.Run(`document.getElementById('` + id + `').querySelector('.result').replaceChildren();
			document.getElementById('` + id + `').querySelector('form').requestSubmit()`)
		b.Until(`document.getElementById('` + id + `').querySelector('.result .status')`)
		return b.Run(`document.getElementById('` + id + `').querySelector('.result').innerText`).(string)
	}
	if got := send("health"); !strings.Contains(got, "200 OK") || !strings.Contains(got, `"ok": false`) {
		t.Errorf("health shows %q", got)
	}
	if got := send("payments.get"); !strings.Contains(got, "401") || !strings.Contains(got, "unauthenticated") {
		t.Errorf("without a token: %q", got)
	}
	b.Run(`document.querySelector('#token').value = 'good'; document.querySelector('#token').dispatchEvent(new Event('input'))`)
	if got := send("payments.get"); !strings.Contains(got, "200 OK") || !strings.Contains(got, "ETag") {
		t.Errorf("with a token: %q", got)
	}
	if got := send("payments.watch"); !strings.Contains(got, "200 OK, a stream") {
		t.Errorf("a stream: %q", got)
	}
	b.Until(`document.getElementById('payments.watch').querySelector('.result pre').textContent.includes('data: {"id":"pay_1"')`)
	b.Run(`document.getElementById('payments.watch').querySelector('.send').click()`) // it says Stop
	b.Until(`document.getElementById('payments.watch').querySelector('.send').textContent === 'Send'`)
	if kept := b.Run(`localStorage.length + sessionStorage.length + document.cookie.length`); kept != 0.0 {
		t.Error("the token is kept beyond the page's memory")
	}
	b.Run(`document.getElementById('payments.authorize').querySelector('details.try').open = true`)
	b.Until(`document.getElementById('payments.authorize').querySelector('form')`)
	if key := b.Run(`document.getElementById('payments.authorize').querySelector('form').elements['header Idempotency-Key'].value`).(string); len(key) != 36 {
		t.Errorf("the key is %q, want one that is filled in", key)
	}
	if folder := os.Getenv("ASHLAR_TEST_SCREENSHOTS"); folder != "" {
		b.Run(`document.documentElement.style.scrollBehavior = 'auto'; document.querySelector('#payments\\.get details.try').scrollIntoView()`)
		b.Screenshot(filepath.Join(folder, "try.png"))
	}
}

// showsValidExamples feeds the example bodies to the decoder's own verdict.
func showsValidExamples(t *testing.T, b *chromium.Browser) {
	t.Helper()
	body := b.Run(`document.getElementById('payments.authorize').querySelector('textarea').value`).(string)
	bySchema, byDecoder := verdictsOn[Authorize](t).on(t, body)
	if bySchema != nil || byDecoder != nil {
		t.Errorf("%s\nschema: %v\ndecoder: %v", body, bySchema, byDecoder)
	}
	curl := b.Run(`document.getElementById('payments.capture').querySelector('.sample pre').textContent`).(string)
	if got := b.Run(`document.getElementById('payments.void').querySelector('.sample pre').textContent`).(string); !strings.Contains(got, "/v1/payments/pay_1'") {
		t.Errorf("%s\nlacks an id that fits its pattern", got)
	}
	for _, want := range []string{"curl -X POST 'http://", "/v1/payments/text/capture'", `-H "Authorization: Bearer $TOKEN"`, "-H 'Idempotency-Key: ", "-d '{}'"} {
		if !strings.Contains(curl, want) {
			t.Errorf("%s\nlacks %s", curl, want)
		}
	}
}

func TestThePageIsSmallAndItsOwn(t *testing.T) {
	t.Parallel()

	size := 0
	for path, media := range map[string]string{
		"/docs": "text/html; charset=utf-8", "/docs/app.js": "text/javascript; charset=utf-8", "/docs/style.css": "text/css; charset=utf-8",
	} {
		w := httptest.NewRecorder()
		site(t).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != media {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
		policy := w.Header().Values("Content-Security-Policy")
		if len(policy) != 1 || !strings.HasPrefix(policy[0], "default-src 'none'; script-src 'self'; style-src 'self'") || strings.Contains(policy[0], "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
		size += w.Body.Len()

		again := httptest.NewRequest(http.MethodGet, path, nil)
		again.Header.Set("If-None-Match", w.Header().Get("ETag"))
		kept := httptest.NewRecorder()
		site(t).ServeHTTP(kept, again)
		if kept.Code != http.StatusNotModified {
			t.Errorf("%s: a second visit answers %d", path, kept.Code)
		}
	}
	if size > 40<<10 {
		t.Errorf("the page has %d bytes, want at most 40 KiB", size)
	}
	for _, path := range []string{"/docs/page.go", "/docs/index.html", "/docs/..%2fserve.go"} {
		w := httptest.NewRecorder()
		site(t).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != fault.MediaType {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
	}
}

func TestProblemsAreExplained(t *testing.T) {
	t.Parallel()

	get := func(slug, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/problems/"+slug, nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		site(t).ServeHTTP(w, r)
		return w
	}
	w := get("payment-not-found", "*/*")
	const want = `{"type":"/problems/payment-not-found","code":"payment_not_found","title":"Payment not found","status":404,` +
		`"meaning":"There is no such thing, or none that you may know of.",` +
		`"operations":["payments.annotate","payments.capture","payments.get","payments.void"]}` + "\n"
	if w.Code != http.StatusOK || w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %s %s", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	w = get("method-not-allowed", "text/html,application/xhtml+xml;q=0.9")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "Any request may be answered so") || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, slug := range []string{"payment_not_found", "nothing", "%3Cscript%3E"} {
		if w := get(slug, "text/html"); w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "script") {
			t.Errorf("%s: %d %s", slug, w.Code, w.Body)
		}
	}
	for _, o := range shop() {
		for _, f := range o.Spec().Faults() {
			p := fault.Problem{Code: f.Code()}
			if w := get(strings.TrimPrefix(p.Type(), fault.TypePrefix), ""); w.Code != http.StatusOK || strings.Contains(w.Body.String(), `"meaning":""`) {
				t.Errorf("%s: %d %s", p.Type(), w.Code, w.Body)
			}
		}
	}
}

// TestMissesAreObserved asks for what is not there, and wants to find the
// request again by what it was told.
func TestMissesAreObserved(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/docs/nothing", "/problems/nothing"} {
		var code string
		h := serve.Observe(site(t), serve.Observer{Done: func(_ context.Context, e serve.Exchange) { code = e.Code }})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		if id := w.Header().Get("X-Request-Id"); w.Code != http.StatusNotFound || code != "not_found" || !strings.Contains(w.Body.String(), `"trace_id":"`+id+`"`) {
			t.Errorf("%s: %d %s, observed as %q", target, w.Code, w.Body, code)
		}
	}
}

// TestRefusedConnectionsAreExplained makes a server refuse what never becomes a
// request, and follows the type of the problem.
func TestRefusedConnectionsAreExplained(t *testing.T) {
	t.Parallel()
	var guard serve.Guard
	server := httptest.NewUnstartedServer(site(t))
	server.Listener = guard.Listener(server.Listener)
	server.Config.MaxHeaderBytes = 1 << 10
	server.Start()
	defer server.Close()

	for request, status := range map[string]int{
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 8<<10) + "\r\n\r\n": 431,
		"GET / HTTP/2.0\r\nHost: x\r\n\r\n":                                          505,
		"GET / HTTP/1.1\r\n\r\n":                                                     400,
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, request) // it may be refused in the middle
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		var p struct{ Type string }
		if err := json.NewDecoder(answer.Body).Decode(&p); err != nil || answer.StatusCode != status {
			t.Errorf("%.20q: %d, %v; want %d", request, answer.StatusCode, err, status)
		}
		_ = conn.Close()
		w := httptest.NewRecorder()
		site(t).ServeHTTP(w, httptest.NewRequest(http.MethodGet, p.Type, nil))
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), `"meaning":""`) {
			t.Errorf("%s: %d %s", p.Type, w.Code, w.Body)
		}
	}
}
