package oidc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/auth/oidc"
	"github.com/ashlar-go/ashlar/config"
)

func TestSignInWithTheRealProvider(t *testing.T) {
	t.Parallel()
	a := open(t, corp(t))
	a.account("usr_ann", "ann@corp.test")
	ann := a.browser("ann")
	code := ann.signIn("corp")
	for _, u := range ann.visited { // P11.13
		if strings.Contains(u.String(), "token=") || strings.Contains(u.RawQuery, code) {
			t.Errorf("a secret stands in %s", u)
		}
	}

	if got := ann.exchange(code).token(t); got != "of usr_ann" {
		t.Errorf("the provider is the authority for the address, and the session is %q", got)
	}
	again := ann.exchange(code)
	if again.status != http.StatusUnauthorized || !strings.Contains(again.body, string(auth.ErrSignInCode)) {
		t.Errorf("the code was used, and is answered %d %s", again.status, again.body)
	}

	// Another day: the provider remembers Ann, the app her identity.
	links, err := a.identities.Of(t.Context(), "usr_ann")
	if err != nil || len(links) != 1 || links[0].Subject != "ann" || links[0].Provider != "corp" {
		t.Fatalf("her identities are %+v, %v", links, err)
	}
	if got := ann.exchange(ann.signIn("corp")).token(t); got != "of usr_ann" {
		t.Errorf("the second time the session is %q", got)
	}
}

func TestAPublicClientSignsIn(t *testing.T) {
	t.Parallel()
	a := open(t, oidc.Provider{Name: "phone", Issuer: certified(t), ClientID: "phone"})
	bob := a.browser("bob")
	if got := bob.exchange(bob.signIn("phone")).token(t); !strings.HasPrefix(got, "of usr_") {
		t.Errorf("Bob is admitted, and his session is %q", got)
	}
}

func TestACodeIsWorthNothingInAnotherBrowser(t *testing.T) {
	t.Parallel()
	a := open(t, corp(t))
	bob, thief := a.browser("bob"), a.browser("eve")
	code := bob.signIn("corp")
	if got := thief.exchange(code); got.status != http.StatusUnauthorized {
		t.Errorf("a browser without the cookie gets %d %s", got.status, got.body)
	}
	foreign := a.browser("bob")
	foreign.signIn("corp") // and so has a cookie of its own
	if got := foreign.exchange(code); got.status != http.StatusUnauthorized {
		t.Errorf("a browser with another cookie gets %d %s", got.status, got.body)
	}
	cross := bob.post(origin+"/v1/auth/oidc/token", `{"code":"`+code+`"}`, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test")
	if cross.status != http.StatusForbidden { // P11.21
		t.Errorf("another site gets %d %s", cross.status, cross.body)
	}
	bob.exchange(code).token(t)
}

// Who has an address at the provider has not proven that it is theirs.
func TestAnUnverifiedAddressOpensNothing(t *testing.T) {
	t.Parallel()
	a := open(t, corp(t))
	for _, has := range []string{"no account", "an account"} {
		if has == "an account" {
			a.account("usr_ann", "ann@corp.test")
		}
		got := a.browser("eve").visit(origin + "/v1/auth/oidc/corp?return_to=/welcome")
		if got.status != http.StatusForbidden || !strings.Contains(got.body, string(auth.ErrIdentity)) {
			t.Errorf("while the address has %s, Eve gets %d %s", has, got.status, got.body)
		}
	}
	if len(a.audit.all) != 2 || a.audit.all[0].Kind != auth.IdentityRefused || a.audit.all[0].Detail != a.audit.all[1].Detail {
		t.Errorf("the audit log has %+v", a.audit.all)
	}
}

func TestTheOwnerLinksAnIdentity(t *testing.T) {
	t.Parallel()
	a := open(t, corp(t))
	a.account("usr_7", "robert@home.test")
	bob := a.browser("bob")
	begun := bob.post(origin+"/v1/auth/oidc/corp?return_to=/welcome", "", "X-Test-Account", "usr_7")
	location, found := strings.CutPrefix(begun.body, `{"location":"`)
	if begun.status != http.StatusOK || !found {
		t.Fatalf("%d %s", begun.status, begun.body)
	}
	there := strings.ReplaceAll(strings.TrimSuffix(location, `"}`), `\u0026`, "&")
	if end := bob.visit(there); end.at.String() != origin+"/welcome#linked=corp" {
		t.Fatalf("came to %s: %d %s\n%s", end.at, end.status, end.body, a.log.String())
	}
	other := a.browser("bob")
	if got := other.exchange(other.signIn("corp")).token(t); got != "of usr_7" {
		t.Errorf("the linked identity opens %q", got)
	}

	a.account("usr_8", "someone@home.test")
	begun = bob.post(origin+"/v1/auth/oidc/corp", "", "X-Test-Account", "usr_8")
	there = strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(begun.body, `{"location":"`), `"}`), `\u0026`, "&")
	if end := bob.visit(there); end.status != http.StatusConflict || !strings.Contains(end.body, string(auth.ErrIdentityTaken)) {
		t.Errorf("an identity of another account is linked: %d %s", end.status, end.body)
	}

	for name, header := range map[string][]string{
		"nobody":       {},
		"an API key":   {"X-Test-Account", "usr_7", "X-Test-Credential", "key_1"},
		"another site": {"X-Test-Account", "usr_7", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test"},
	} {
		if got := bob.post(origin+"/v1/auth/oidc/corp", "", header...); got.status != http.StatusUnauthorized && got.status != http.StatusForbidden {
			t.Errorf("%s links: %d %s", name, got.status, got.body)
		}
	}
}

// P11.14, against the real provider: what somebody on the way may change.
func TestMeddlingWithTheFlow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		provider string
		person   string
		detour   func(*url.URL)
		reason   string
	}{
		"another state":     {"corp", "bob", onCallback(func(u *url.URL) { set(u, "state", auth.Secret()) }), "the state is not that of the flow"},
		"no state":          {"corp", "bob", onCallback(func(u *url.URL) { set(u, "state", "") }), "the state is not that of the flow"},
		"two states":        {"corp", "bob", onCallback(func(u *url.URL) { u.RawQuery += "&state=x" }), "is there 2 times"},
		"another code":      {"corp", "bob", onCallback(func(u *url.URL) { set(u, "code", "x") }), "invalid_grant"},
		"no code":           {"corp", "bob", onCallback(func(u *url.URL) { set(u, "code", "") }), "neither a code nor an error"},
		"mixed-up issuer":   {"corp", "bob", onCallback(func(u *url.URL) { set(u, "iss", "https://evil.test") }), "the answer is from"},
		"issuer taken away": {"corp", "bob", onCallback(func(u *url.URL) { set(u, "iss", "") }), "does not say who it is from"},
		"other provider":    {"corp", "bob", onCallback(func(u *url.URL) { u.Path = "/v1/auth/oidc/lax/callback" }), "the flow was begun with corp"},
		"broken query":      {"corp", "bob", onCallback(func(u *url.URL) { u.RawQuery += ";a=%zz" }), "the query cannot be read"},
		"another nonce":     {"corp", "bob", onAuthorize(func(u *url.URL) { set(u, "nonce", auth.Secret()) }), "the nonce is not that of the flow"},
		"no nonce":          {"corp", "bob", onAuthorize(func(u *url.URL) { set(u, "nonce", "") }), "the nonce is not that of the flow"},
		"another challenge": {"corp", "bob", onAuthorize(func(u *url.URL) { set(u, "code_challenge", strings.Repeat("a", 43)) }), "invalid_grant"},
		"challenge taken away": {"corp", "bob", onAuthorize(func(u *url.URL) {
			set(u, "code_challenge", "")
			set(u, "code_challenge_method", "")
		}), "invalid_request"},
		"challenge taken away from a careless client": {"lax", "bob", onAuthorize(func(u *url.URL) {
			set(u, "code_challenge", "")
			set(u, "code_challenge_method", "")
		}), "invalid_grant"},
		"plain challenge": {"corp", "bob", onAuthorize(func(u *url.URL) { set(u, "code_challenge_method", "plain") }), "invalid_request"},
		"implicit flow":   {"corp", "bob", onAuthorize(func(u *url.URL) { set(u, "response_type", "id_token"); set(u, "response_mode", "query") }), "the provider says"},
		"declined":        {"corp", "", nil, "access_denied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := open(t, corp(t), oidc.Provider{Name: "lax", Issuer: certified(t), ClientID: "lax", ClientSecret: config.NewSecret(secret)})
			b := a.browser(c.person)
			b.detour = c.detour
			b.visit(origin+"/v1/auth/oidc/"+c.provider).refused(t, a, c.reason)
			if len(a.audit.all) != 0 {
				t.Errorf("recorded %+v", a.audit.all)
			}
		})
	}
}

func onCallback(change func(*url.URL)) func(*url.URL) {
	return func(u *url.URL) {
		if isCallback(u) {
			change(u)
		}
	}
}

func onAuthorize(change func(*url.URL)) func(*url.URL) {
	return func(u *url.URL) {
		if strings.HasSuffix(u.Path, "/auth") && u.Query().Has("nonce") {
			change(u)
		}
	}
}

// The provider redirects to the registered URI only (P11.14).
func TestTheRedirectURIIsExact(t *testing.T) {
	t.Parallel()
	a := open(t, corp(t))
	b := a.browser("bob")
	b.detour = onAuthorize(func(u *url.URL) { set(u, "redirect_uri", origin+"/v1/auth/oidc/corp/callback/x") })
	if got := b.visit(origin + "/v1/auth/oidc/corp"); got.status != http.StatusBadRequest || got.at.Host == "pay.test" {
		t.Errorf("came to %s: %d", got.at, got.status)
	}
}

// stopped goes as far as the callback and returns its URL instead of visiting
// it.
func (b *browser) stopped(provider string) *url.URL {
	var callback url.URL
	b.detour = onCallback(func(u *url.URL) {
		callback = *u
		u.Path, u.RawQuery = "/welcome", ""
	})
	b.visit(origin + "/v1/auth/oidc/" + provider)
	b.detour = nil
	return &callback
}

func TestACallbackIsOneBrowsersAndOnce(t *testing.T) {
	t.Parallel()
	a := open(t, corp(t))
	victim, attacker, bare := a.browser("bob"), a.browser("ann"), a.browser("")
	callback := victim.stopped("corp")
	bare.visit(callback.String()).refused(t, a, "the request has 0 cookies")
	theirs := attacker.stopped("corp")
	attacker.visit(callback.String()).refused(t, a, "the state is not that of the flow")

	// Code injection: the victim's code in the attacker's own flow.
	injected := *theirs
	set(&injected, "code", callback.Query().Get("code"))
	attacker.visit(injected.String()).refused(t, a, "invalid_grant")

	// None of that has hurt the victim, who now comes back, and comes back again.
	cookies := victim.client.Jar.Cookies(callback)
	if end := victim.visit(callback.String()); end.at.Path != "/" {
		t.Fatalf("came to %s: %d %s", end.at, end.status, end.body)
	}
	victim.visit(callback.String()).refused(t, a, "the request has 0 cookies")
	victim.client.Jar.SetCookies(callback, cookies) // as if they had been copied before
	victim.visit(callback.String()).refused(t, a, "the flow has ended before")
}
