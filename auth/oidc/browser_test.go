package oidc_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/auth/oidc"
	"github.com/ashlar-go/ashlar/config"
)

const (
	origin = "https://pay.test"
	secret = "a-secret-that-only-tests-know"
)

// An app is one that people sign in to, all in memory.
type app struct {
	t          testing.TB
	handler    http.Handler
	accounts   *auth.Memory
	identities *auth.Identities
	log        safeBuffer
	audit      events
}

// open returns an app with these providers. Who is signed in says the header
// X-Test-Account; a new person becomes a clerk, except Mallory.
func open(t testing.TB, providers ...oidc.Provider) *app {
	t.Helper()
	return openWith(t, oidc.Config{Providers: providers})
}

func openWith(t testing.TB, c oidc.Config, change ...func(*auth.IdentitiesConfig)) *app {
	t.Helper()
	a := &app{t: t, accounts: auth.NewMemory()}
	ids := auth.IdentitiesConfig{
		Accounts: a.accounts, Identities: auth.NewMemoryIdentities(a.accounts), Sessions: sessions{},
		Key: bytes.Repeat([]byte{7}, 32), Audit: &a.audit,
		Admit: func(_ context.Context, who auth.Identity) (auth.Admission, error) {
			if who.Name == "Mallory" {
				return auth.Admission{}, auth.ErrIdentity
			}
			return auth.Admission{Role: "clerk", Tenant: "t1"}, nil
		},
		Who: func(r *http.Request) (access.Principal, error) {
			return access.Principal{ID: r.Header.Get("X-Test-Account"), Credential: r.Header.Get("X-Test-Credential")}, nil
		},
	}
	for _, c := range change {
		c(&ids)
	}
	var err error
	a.identities, err = auth.NewIdentities(ids)
	if err != nil {
		t.Fatal(err)
	}
	c.Origin, c.Identities, c.Log = cmp.Or(c.Origin, origin), a.identities, slog.New(slog.NewTextHandler(&a.log, nil))
	signIn, err := oidc.New(c)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	signIn.Mount(mux.Handle)
	mux.HandleFunc("GET /welcome", func(http.ResponseWriter, *http.Request) {})
	a.handler = mux
	return a
}

func (a *app) account(id, email string) {
	a.t.Helper()
	if err := a.accounts.Insert(a.t.Context(), auth.Account{ID: id, Email: email, Role: "clerk"}); err != nil {
		a.t.Fatal(err)
	}
}

// sessions opens sessions whose token names the account.
type sessions struct{}

func (sessions) OpenSession(_ context.Context, account auth.Account) (auth.Grant, error) {
	return auth.Grant{AccessToken: "of " + account.ID, TokenType: "Bearer", ExpiresIn: 900}, nil
}

func (sessions) OpenCookieSession(context.Context, auth.Account) (auth.CookieSession, error) {
	return auth.CookieSession{ID: "ses_1", ExpiresIn: 900}, nil
}

// events keeps what is recorded.
type events struct {
	mu  sync.Mutex
	all []auth.SecurityEvent
}

func (e *events) Record(_ context.Context, all ...auth.SecurityEvent) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, all...)
	return nil
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// corp is the real provider, as the authority for corp.test.
func corp(t *testing.T) oidc.Provider {
	t.Helper()
	return oidc.Provider{
		Name: "corp", Issuer: certified(t), ClientID: "pay", ClientSecret: config.NewSecret(secret),
		Scopes: []string{"email", "profile"}, Domains: []string{"corp.test"},
	}
}

// A browser keeps cookies, follows redirects and fills in the provider's forms.
type browser struct {
	app    *app
	client *http.Client
	person string // who types into the login form
	// detour may change where a redirect leads.
	detour func(*url.URL)
	// visited are the URLs that it was sent to.
	visited []*url.URL
}

func (a *app) browser(person string) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		a.t.Fatal(err)
	}
	b := &browser{app: a, person: person}
	b.client = &http.Client{
		Jar: jar, Transport: b,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return b
}

// RoundTrip takes what is for the app to its handler and the rest to the net.
func (b *browser) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "pay.test" {
		return http.DefaultTransport.RoundTrip(r)
	}
	w := httptest.NewRecorder()
	b.app.handler.ServeHTTP(w, toServer(r))
	return w.Result(), nil
}

// toServer makes of a client's request what a server sees.
func toServer(r *http.Request) *http.Request {
	body := r.Body
	if body == nil {
		body = http.NoBody
	}
	s := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.RequestURI(), body)
	s.Header = r.Header.Clone()
	s.Host = r.URL.Host
	return s
}

// An answer is where a browser has come to.
type answer struct {
	at     *url.URL
	status int
	body   string
	header http.Header
}

func (b *browser) do(r *http.Request) answer {
	b.app.t.Helper()
	response, err := b.client.Do(r)
	if err != nil {
		b.app.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.app.t.Fatal(err)
	}
	return answer{r.URL, response.StatusCode, string(body), response.Header}
}

func (b *browser) get(target string) answer {
	b.app.t.Helper()
	r, err := http.NewRequestWithContext(b.app.t.Context(), http.MethodGet, target, nil)
	if err != nil {
		b.app.t.Fatal(err)
	}
	return b.do(r)
}

var (
	formAction = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)
	formPrompt = regexp.MustCompile(`name="prompt" value="(\w+)"`)
)

// visit opens a URL and goes on until a page of the app, or none that it knows.
func (b *browser) visit(target string) answer {
	b.app.t.Helper()
	a := b.get(target)
	for range 20 {
		action := formAction.FindStringSubmatch(a.body)
		switch {
		case a.header.Get("Location") != "":
			next, err := a.at.Parse(a.header.Get("Location"))
			if err != nil {
				b.app.t.Fatal(err)
			}
			if b.detour != nil {
				b.detour(next)
			}
			b.visited = append(b.visited, next)
			a = b.get(next.String())
		case a.status == http.StatusOK && action != nil:
			if b.person == "" { // who declines
				a = b.get(action0(a, action[1]) + "/abort")
				continue
			}
			fields := url.Values{"prompt": {formPrompt.FindStringSubmatch(a.body)[1]}, "login": {b.person}, "password": {"x"}}
			r, err := http.NewRequestWithContext(b.app.t.Context(), http.MethodPost, action0(a, action[1]), strings.NewReader(fields.Encode()))
			if err != nil {
				b.app.t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			a = b.do(r)
		default:
			return a
		}
	}
	b.app.t.Fatalf("still on the way at %s", a.at)
	return answer{}
}

func action0(a answer, action string) string {
	u, err := a.at.Parse(html.UnescapeString(action))
	if err != nil {
		return ""
	}
	return u.String()
}

// signIn goes through the whole flow and returns the code that the page gets.
func (b *browser) signIn(provider string) string {
	b.app.t.Helper()
	a := b.visit(origin + "/v1/auth/oidc/" + provider + "?return_to=/welcome%3Fa%3Db")
	code, found := strings.CutPrefix(a.at.Fragment, "code=")
	if !found || a.at.Host != "pay.test" || a.at.RequestURI() != "/welcome?a=b" {
		b.app.t.Fatalf("came to %s: %d %s\n%s", a.at, a.status, a.body, b.app.log.String())
	}
	return code
}

// exchange gives a code to the app, as the page does.
func (b *browser) exchange(code string) answer {
	b.app.t.Helper()
	body, err := json.Marshal(map[string]string{"code": code})
	if err != nil {
		b.app.t.Fatal(err)
	}
	return b.post(origin+"/v1/auth/oidc/token", string(body))
}

func (b *browser) post(target, body string, header ...string) answer {
	b.app.t.Helper()
	r, err := http.NewRequestWithContext(b.app.t.Context(), http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		b.app.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", origin)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return b.do(r)
}

// token is the access token of a successful exchange.
func (a answer) token(t *testing.T) string {
	t.Helper()
	var session auth.Grant
	if err := json.Unmarshal([]byte(a.body), &session); err != nil || a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return session.AccessToken
}

// refused holds a refusal to be the one problem that tells nothing, and its
// reason to be in the log.
func (a answer) refused(t *testing.T, app *app, reason string) {
	t.Helper()
	const want = `{"type":"/problems/sign-in-failed","title":"Sign in failed","status":401,"code":"sign_in_failed"}`
	if a.status != http.StatusUnauthorized || a.body != want {
		t.Errorf("%s answers %d %s, want %s", a.at.Path, a.status, a.body, want)
	}
	if log := app.log.String(); !strings.Contains(log, reason) {
		t.Errorf("the log does not say %q:\n%s", reason, log)
	}
}

// isCallback tells the redirect back to the app from the others.
func isCallback(u *url.URL) bool {
	return u.Host == "pay.test" && strings.HasSuffix(u.Path, "/callback")
}

// set changes a parameter; an empty value removes it.
func set(u *url.URL, name, value string) {
	q := u.Query()
	q.Set(name, value)
	if value == "" {
		q.Del(name)
	}
	u.RawQuery = q.Encode()
}

// serveRaw serves a query and cookies that no client would send.
func serveRaw(h http.Handler, path, query, cookies string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, origin+path, nil)
	r.URL.RawQuery = query
	r.Header.Set("Cookie", cookies)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
