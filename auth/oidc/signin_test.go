package oidc_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/auth/oidc"
)

func TestWhatIsAskedOfTheProvider(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	a := open(t, h.provider())
	seen := map[string]bool{}
	for range 20 {
		got := a.browser("").get(origin + "/v1/auth/oidc/corp")
		u, err := url.Parse(got.header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if want := h.server.URL + "/authorize"; u.Scheme+"://"+u.Host+u.Path != want {
			t.Errorf("sent to %s", u)
		}
		for name, want := range map[string]string{
			"response_type": "code", "client_id": "pay", "scope": "openid email", "code_challenge_method": "S256",
			"redirect_uri": origin + "/v1/auth/oidc/corp/callback",
		} {
			if q.Get(name) != want {
				t.Errorf("%s is %q, want %q", name, q.Get(name), want)
			}
		}
		for _, name := range []string{"state", "nonce", "code_challenge"} { // P11.23: 256 bits, each time others
			if v := q.Get(name); len(v) != 43 || seen[v] {
				t.Errorf("%s is %q", name, v)
			}
			seen[q.Get(name)] = true
		}
		cookies, err := http.ParseSetCookie(got.header.Get("Set-Cookie")) // P6.22
		if err != nil {
			t.Fatal(err)
		}
		if c := cookies; !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode ||
			c.Path != "/" || c.Domain != "" || c.MaxAge != 600 || strings.Contains(c.Value, q.Get("state")) {
			t.Errorf("the cookie is %s", c)
		}
		if got.header.Get("Cache-Control") != "no-store" || got.header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("the headers are %v", got.header)
		}
	}
}

// P6.24, of what start is asked for.
func TestTheBrowserComesBackToThisSiteOnly(t *testing.T) {
	t.Parallel()
	a := open(t, newHostile(t).provider())
	for _, target := range []string{
		"//evil.test", "/\\evil.test", "\\/evil.test", "\\\\evil.test", "https://evil.test", "https:evil.test", "///evil.test",
		"javascript:alert(1)", "evil", "./evil", "/a/../../evil", "/.//evil.test", "/a//b", "/\tevil", "/\r\nSet-Cookie: a=b",
		" /", "/a b", "/a#code=x", "/%5cevil.test/%00", "/%0d%0a", "/é", "/a\x00", "/%zz", "/" + strings.Repeat("a", 1100), "@evil.test", "?a", "",
	} {
		got := a.browser("").get(origin + "/v1/auth/oidc/corp?return_to=" + url.QueryEscape(target))
		if got.status != http.StatusBadRequest || got.header.Get("Set-Cookie") != "" || target != "" && strings.Contains(got.body, target) {
			t.Errorf("%q is answered %d %s", target, got.status, got.body)
		}
	}
	for _, target := range []string{"/", "/welcome", "/welcome/", "/a/b?c=d&e=https://f.test", "/a%20b", "/%C3%A9"} {
		got := a.browser("").get(origin + "/v1/auth/oidc/corp?return_to=" + url.QueryEscape(target))
		if got.status != http.StatusSeeOther {
			t.Errorf("%q is answered %d %s", target, got.status, got.body)
		}
	}
	for _, query := range []string{"return_to=/a&return_to=/b", "return_to=/a;b", "%zz"} { // P12.3
		if got := a.browser("").get(origin + "/v1/auth/oidc/corp?" + query); got.status != http.StatusBadRequest {
			t.Errorf("%s is answered %d %s", query, got.status, got.body)
		}
	}
}

func TestAnUnknownProviderIsNotThere(t *testing.T) {
	t.Parallel()
	a := open(t, newHostile(t).provider())
	for _, path := range []string{"/v1/auth/oidc/other", "/v1/auth/oidc/other/callback?code=c&state=s", "/v1/auth/oidc/token"} {
		if got := a.browser("").get(origin + path); got.status != http.StatusNotFound {
			t.Errorf("%s is answered %d %s", path, got.status, got.body)
		}
	}
}

func TestAForeignCookieIsRefused(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	a := open(t, h.provider())
	other := openWith(t, oidc.Config{Providers: []oidc.Provider{h.provider()}}, func(c *auth.IdentitiesConfig) { c.Key = bytes.Repeat([]byte{8}, 32) })
	begun := other.browser("").get(origin + "/v1/auth/oidc/corp")
	foreign, _, _ := strings.Cut(begun.header.Get("Set-Cookie"), ";")
	own, _, _ := strings.Cut(a.browser("").get(origin+"/v1/auth/oidc/corp").header.Get("Set-Cookie"), ";")
	for _, c := range []struct{ cookie, reason string }{
		{foreign, "not sealed by this app"},
		{own[:len(own)-4] + "AAAA", "not sealed by this app"},
		{own + "; " + own, "2 cookies"},
		{strings.Replace(own, "=", "=.", 1), "not base64"},
		{strings.Replace(own, "=", "="+strings.Repeat("A", 5000), 1), "too long"},
		{"__Host-sign-in=", "too short"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, origin+"/v1/auth/oidc/corp/callback?code=c&state=s", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", c.cookie)
		a.browser("").do(r).refused(t, a, c.reason)
	}
}

func TestAFlowHasTenMinutes(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	var ahead time.Duration
	a := openWith(t, oidc.Config{Providers: []oidc.Provider{h.provider()}, Now: func() time.Time { return time.Now().Add(ahead) }})
	b := a.browser("")
	state := func() string {
		u, err := url.Parse(b.get(origin + "/v1/auth/oidc/corp").header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		return u.Query().Get("state")
	}()
	ahead = 10 * time.Minute
	b.get(origin+"/v1/auth/oidc/corp/callback?code=c&state="+state).refused(t, a, "the flow is too old")
}

func TestAnExchangeIsStrict(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	a := open(t, h.provider())
	b := a.browser("")
	h.signIn(a, b)
	for body, status := range map[string]int{
		``: 400, `{`: 400, `[]`: 422, `null`: 422, `{}`: 422, `{"code":7}`: 422, `{"code":""}`: 422, `{"code":"a","code":"b"}`: 400,
		`{"code":"a","x":1}`: 422, `{"Code":"a"}`: 422, `{"code":"` + strings.Repeat("a", 65) + `"}`: 422,
		`{"code":"` + strings.Repeat("a", 5000) + `"}`: 413, `{"code":"unknown"}`: 401,
	} {
		got := b.post(origin+"/v1/auth/oidc/token", body)
		if got.status != status || !strings.HasPrefix(got.header.Get("Content-Type"), "application/problem+json") {
			t.Errorf("%.40s is answered %d %s, want %d", body, got.status, got.body, status)
		}
	}
	if got := b.post(origin+"/v1/auth/oidc/token", `code=a`, "Content-Type", "application/x-www-form-urlencoded"); got.status != http.StatusUnsupportedMediaType {
		t.Errorf("a form is answered %d %s", got.status, got.body)
	}
}

// An app that asks for its own second factor too.
func TestTheSecondFactorIsAskedWhereItIsWanted(t *testing.T) {
	t.Parallel()
	for _, asks := range []bool{false, true} {
		h := newHostile(t)
		p := h.provider()
		p.Domains, p.SecondFactor = []string{"corp.test"}, asks
		a := openWith(t, oidc.Config{Providers: []oidc.Provider{p}}, func(c *auth.IdentitiesConfig) { c.SecondFactor = factor{} })
		a.account("usr_ann", "ann@corp.test")
		b := a.browser("")
		try := func(code, factor string) answer {
			return b.post(origin+"/v1/auth/oidc/token", fmt.Sprintf(`{"code":%q,"second_factor":%q}`, code, factor))
		}
		signIn := func() string { return strings.TrimPrefix(h.signIn(a, b).at.Fragment, "code=") }
		if !asks {
			try(signIn(), "").token(t)
			continue
		}
		code := signIn()
		if got := try(code, ""); !strings.Contains(got.body, string(auth.ErrSecondFactorRequired)) {
			t.Errorf("without it: %d %s", got.status, got.body)
		}
		if got := try(code, "123456").token(t); got != "of usr_ann" {
			t.Errorf("with it: %s", got)
		}
		code = signIn()
		if got := try(code, "000000"); !strings.Contains(got.body, string(auth.ErrSecondFactor)) {
			t.Errorf("with a wrong one: %d %s", got.status, got.body)
		}
		if got := try(code, "123456"); !strings.Contains(got.body, string(auth.ErrSignInCode)) {
			t.Errorf("with the right one after a wrong one: %d %s", got.status, got.body)
		}
	}
}

type factor struct{}

func (factor) Required(context.Context, string) (bool, error) { return true, nil }

func (factor) Check(_ context.Context, _, code string) error {
	if code != "123456" {
		return auth.ErrSecondFactor
	}
	return nil
}

// Only the provider that a domain belongs to says whose an address of it is.
func TestWhoseWordCounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		email   object
		domains []string // of the provider that is asked
		others  []string // of another one
		opens   string   // an account, "new", or a reason
	}{
		"the authority":                     {nil, []string{"corp.test"}, nil, "usr_ann"},
		"the authority, in capitals":        {object{"email": "Ann@CORP.test"}, []string{"Corp.Test"}, nil, "usr_ann"},
		"verified as text":                  {object{"email_verified": "true"}, []string{"corp.test"}, nil, "usr_ann"},
		"not verified":                      {object{"email_verified": false}, []string{"corp.test"}, nil, "no verified address"},
		"not verified, as text":             {object{"email_verified": "false"}, []string{"corp.test"}, nil, "no verified address"},
		"verified as a number":              {object{"email_verified": 1}, []string{"corp.test"}, nil, "no verified address"},
		"a provider without a domain":       {nil, nil, nil, "no authority"},
		"a domain below":                    {object{"email": "ann@x.corp.test"}, []string{"corp.test"}, nil, "new"},
		"a domain that ends alike":          {object{"email": "ann@evilcorp.test"}, []string{"corp.test"}, nil, "new"},
		"two signs":                         {object{"email": "ann@evil.test@corp.test"}, []string{"corp.test"}, nil, "no verified address"},
		"a newcomer of another's domain":    {object{"email": "new@else.test"}, []string{"corp.test"}, []string{"else.test"}, "no verified address"},
		"a newcomer of nobody's domain":     {object{"email": "new@home.test"}, []string{"corp.test"}, []string{"else.test"}, "new"},
		"no address":                        {object{"email": ""}, []string{"corp.test"}, nil, "no verified address"},
		"an account of another's authority": {nil, nil, []string{"corp.test"}, "no verified address"},
		"a newcomer who is turned away":     {object{"email": "m@home.test", "name": "Mallory"}, nil, nil, "identity_refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			h.email = c.email
			p := h.provider()
			p.Domains = c.domains
			a := open(t, p, oidc.Provider{Name: "else", Issuer: "https://else.test", ClientID: "x", Domains: c.others})
			a.account("usr_ann", "ann@corp.test")
			b := a.browser("")
			end := h.signIn(a, b)
			code, signedIn := strings.CutPrefix(end.at.Fragment, "code=")
			switch {
			case strings.Contains(c.opens, "_ann"):
				if !signedIn || b.exchange(code).token(t) != "of usr_ann" {
					t.Errorf("%d %s\n%s", end.status, end.body, a.log.String())
				}
			case c.opens == "new":
				if !signedIn || b.exchange(code).token(t) == "of usr_ann" {
					t.Errorf("%d %s\n%s", end.status, end.body, a.log.String())
				}
			case signedIn || end.status != http.StatusForbidden || !strings.Contains(a.log.String(), c.opens):
				t.Errorf("%d %s\n%s", end.status, end.body, a.log.String())
			}
		})
	}
}

// User info is asked where the id token has no address, and must be about the
// same person.
func TestUserInfo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		says   string
		reason string
	}{
		"the same":          {`{"sub":"ann","email":"ann@corp.test","email_verified":true,"name":"Ann"}`, ""},
		"another":           {`{"sub":"bob","email":"ann@corp.test","email_verified":true}`, "about another subject"},
		"nobody":            {`{"email":"ann@corp.test","email_verified":true}`, "about another subject"},
		"no JSON":           {`<html>`, "user info"},
		"with two subjects": {`{"sub":"bob","sub":"ann","email":"ann@corp.test","email_verified":true}`, ""}, // the provider's own affair
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			h.metadata = func(m object) { m["userinfo_endpoint"] = h.server.URL + "/userinfo" }
			h.claims = func(c object) { delete(c, "email"); delete(c, "email_verified") }
			h.answers["/userinfo"] = func(w http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Authorization"); got != "Bearer at" {
					t.Errorf("asked with %q", got)
				}
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, c.says)
			}
			p := h.provider()
			p.Domains = []string{"corp.test"}
			a := open(t, p)
			end := h.signIn(a, a.browser(""))
			if c.reason != "" {
				end.refused(t, a, c.reason)
			} else if !strings.HasPrefix(end.at.Fragment, "code=") {
				t.Errorf("came to %s: %d %s\n%s", end.at, end.status, end.body, a.log.String())
			}
		})
	}
}

func TestAWrongConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	good := func() oidc.Config {
		return oidc.Config{Origin: origin, Providers: []oidc.Provider{{Name: "corp", Issuer: "https://login.test", ClientID: "pay"}}}
	}
	a := open(t, good().Providers...)
	for reason, spoil := range map[string]func(*oidc.Config){
		"there are no Identities":   func(c *oidc.Config) { c.Identities = nil },
		"there are no Providers":    func(c *oidc.Config) { c.Providers = nil },
		"must be https":             func(c *oidc.Config) { c.Origin = "http://pay.test" },
		"is no URL":                 func(c *oidc.Config) { c.Origin = "pay.test" },
		"must end after host":       func(c *oidc.Config) { c.Origin = "https://pay.test/app" },
		"the issuer":                func(c *oidc.Config) { c.Providers[0].Issuer = "http://login.test" },
		"there is no client id":     func(c *oidc.Config) { c.Providers[0].ClientID = "" },
		"the name must be":          func(c *oidc.Config) { c.Providers[0].Name = "token" },
		"the algorithm \"HS256\"":   func(c *oidc.Config) { c.Providers[0].Algorithms = []string{"RS256", "HS256"} },
		"the algorithm \"none\"":    func(c *oidc.Config) { c.Providers[0].Algorithms = []string{"none"} },
		"the domain \"@corp.test\"": func(c *oidc.Config) { c.Providers[0].Domains = []string{"@corp.test"} },
		"two providers are named":   func(c *oidc.Config) { c.Providers = append(c.Providers, c.Providers[0]) },
		"both the authority":        func(c *oidc.Config) { both(c) },
		"the app has none":          func(c *oidc.Config) { c.Providers[0].SecondFactor = true },
		"a timeout of 2m0s":         func(c *oidc.Config) { c.Timeout = 2 * time.Minute },
	} {
		c := good()
		c.Identities = a.identities
		spoil(&c)
		if _, err := oidc.New(c); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("want %s, got %v", reason, err)
		}
	}
	for _, local := range []string{"http://localhost:8080", "http://127.0.0.1:8080/", "http://[::1]:8080", "https://pay.test:8443"} {
		if got, err := oidc.ParseOrigin(local); err != nil || got != strings.TrimSuffix(local, "/") {
			t.Errorf("%s is %q, %v", local, got, err)
		}
	}
}

func both(c *oidc.Config) {
	other := c.Providers[0]
	other.Name = "other"
	c.Providers[0].Domains, other.Domains = []string{"corp.test"}, []string{"CORP.test"}
	c.Providers = append(c.Providers, other)
}

// Nothing of a callback stands in its answer, and nothing that was found out.
func FuzzCallback(f *testing.F) {
	for _, seed := range []string{
		"code=c&state=s", "error=access_denied&state=s", "code=c&state=s&iss=https://evil.test", "state=a&state=b", "%zz", ";", "code=&error=", "\x00",
	} {
		f.Add(seed, "__Host-sign-in=AAAA")
	}
	a := open(f, oidc.Provider{Name: "corp", Issuer: "https://login.invalid", ClientID: "pay"})
	f.Fuzz(func(t *testing.T, query, cookies string) {
		w := serveRaw(a.handler, "/v1/auth/oidc/corp/callback", query, cookies)
		const want = `{"type":"/problems/sign-in-failed","title":"Sign in failed","status":401,"code":"sign_in_failed"}`
		if w.Code != http.StatusUnauthorized || w.Body.String() != want || w.Header().Get("Location") != "" || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%q with %q is answered %d %s", query, cookies, w.Code, w.Body)
		}
	})
}

// Wherever start would send a browser at the end, the browser stays here.
func FuzzReturnTo(f *testing.F) {
	for _, seed := range []string{"/", "/a?b", "//evil.test", "/\\evil.test", "/a/../b", "/%2f%2fevil", "/.//evil.test", "/\t/evil.test", "/a#b", "https:/a"} {
		f.Add(seed)
	}
	base := &url.URL{Scheme: "https", Host: "pay.test", Path: "/v1/auth/oidc/corp/callback"}
	f.Fuzz(func(t *testing.T, target string) {
		if !oidc.LocalTarget(target) {
			return
		}
		// What the standard says, and what a browser does first: it drops tabs
		// and line ends, and takes a backslash for a slash.
		loose := strings.NewReplacer("\t", "", "\n", "", "\r", "", "\\", "/").Replace(strings.Trim(target, "\x00 "))
		for _, reading := range []string{target, cmp.Or(loose, target)} {
			u, err := base.Parse(reading)
			if err != nil || u.Scheme != "https" || u.Host != "pay.test" || u.User != nil || u.Fragment != "" || strings.HasPrefix(u.Path, "//") {
				t.Errorf("%q leads to %v, %v", target, u, err)
			}
		}
	})
}
