package ashlar_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/auth/authtest"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
)

func TestAccountTableIsAStore(t *testing.T) {
	t.Parallel()
	authtest.Run(t, func(t *testing.T) (auth.Store, *auth.Revocations) {
		app := ashlartest.Open(t)
		app.Migrate()
		return ashlar.AccountStore(app.App)
	})
}

var (
	grants   = ashlartest.Call[auth.Grant]
	nothing  = ashlartest.Call[struct{}]
	listings = ashlartest.Call[op.Page[auth.SignedIn]]
)

// ann signs in as ann@b.test.
func ann(t *testing.T, app *ashlartest.App) (g auth.Grant, bearer *ashlartest.Client) {
	t.Helper()
	g = grants(app.Anonymous(), "auth.login", auth.Credentials{Email: "ann@b.test", Password: "square-and-true"}).OK()
	return g, app.Bearer(g.AccessToken)
}

// P11.7, P11.8: refresh tokens are good once, and one that comes again ends
// everything that its session gave out, with a line in the audit log.
func TestRefreshOverHTTP(t *testing.T) {
	t.Parallel()
	app := office(t)
	refresh := func(token, key string) ashlartest.Result[auth.Grant] {
		return grants(app.Anonymous(), "auth.refresh", auth.Refresh{RefreshToken: token, RetryKey: key})
	}
	first, _ := ann(t, app)
	second := refresh(first.RefreshToken, "").OK()
	if second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken || second.ExpiresIn != 900 {
		t.Errorf("refreshed to %+v", second)
	}
	bearer := app.Bearer(second.AccessToken)
	ashlartest.Call[greeting](bearer, "greetings.private", name{"ann"}).OK()

	reused := refresh(first.RefreshToken, "").Fails(auth.ErrRefresh)
	unknown := refresh("rt_"+strings.Repeat("A", 86), "").Fails(auth.ErrRefresh)
	if reused.Detail != unknown.Detail || reused.Title != unknown.Title {
		t.Errorf("%+v tells more than %+v", reused, unknown)
	}
	refresh(second.RefreshToken, "").Fails(auth.ErrRefresh)
	ashlartest.Call[greeting](bearer, "greetings.private", name{"ann"}).Fails(auth.ErrToken)
	refresh("", "short").Invalid("/refresh_token", "/retry_key")

	kinds, err := db.All[string](t.Context(), app.DB, `SELECT kind || ' ' || outcome FROM ashlar_security_events ORDER BY id`)
	if err != nil || strings.Join(kinds, ", ") != "sign_in succeeded, session_ended succeeded, refresh_reused refused" {
		t.Errorf("events: %v, %v", kinds, err)
	}

	// A lost response: the same request again, by the one who has its key.
	lost, _ := ann(t, app)
	const key = "of the client's making"
	answer := refresh(lost.RefreshToken, key).OK()
	again := refresh(lost.RefreshToken, key).OK()
	if again.RefreshToken != answer.RefreshToken {
		t.Error("a retry has another refresh token")
	}
	refresh(lost.RefreshToken, "of a thief's making").Fails(auth.ErrRefresh)
	refresh(answer.RefreshToken, "").Fails(auth.ErrRefresh)
}

// P11.10, P11.11: sessions are listed and ended by their owner alone.
func TestSessionsOverHTTP(t *testing.T) {
	t.Parallel()
	app := office(t)
	if _, err := app.Accounts.Create(t.Context(), auth.NewAccount{Email: "bob@b.test", Password: "square-and-true", Role: "clerk", Tenant: "t1"}); err != nil {
		t.Fatal(err)
	}
	laptop, onLaptop := ann(t, app)
	_, onPhone := ann(t, app)
	bob := app.Bearer(grants(app.Anonymous(), "auth.login", auth.Credentials{Email: "bob@b.test", Password: "square-and-true"}).OK().AccessToken)

	page := listings(onPhone.With("User-Agent", "phone"), "auth.sessions.list", nil).OK()
	if len(page.Data) != 2 || page.Data[0].Current == page.Data[1].Current || page.Data[0].Address == "" {
		t.Fatalf("listed %+v", page.Data)
	}
	var other string
	for _, s := range page.Data {
		if !s.Current {
			other = s.ID
		}
	}
	for _, id := range []string{other, "ses_unknown"} {
		nothing(bob, "auth.sessions.end", map[string]string{"id": id}).Fails(auth.ErrNoSession)
	}
	ashlartest.Call[greeting](onLaptop, "greetings.private", name{"ann"}).OK()
	nothing(onPhone, "auth.sessions.end", map[string]string{"id": other}).OK()
	ashlartest.Call[greeting](onLaptop, "greetings.private", name{"ann"}).Fails(auth.ErrToken)
	grants(app.Anonymous(), "auth.refresh", auth.Refresh{RefreshToken: laptop.RefreshToken}).Fails(auth.ErrRefresh)
	nothing(onPhone, "auth.sessions.end", map[string]string{"id": other}).Fails(auth.ErrNoSession)

	// Logging out with a token that is nobody's, or somebody else's, ends nothing.
	third, onThird := ann(t, app)
	nothing(bob, "auth.logout", auth.LogoutInput{RefreshToken: third.RefreshToken}).OK()
	nothing(bob, "auth.logout", auth.LogoutInput{RefreshToken: "rt_unknown"}).OK()
	ashlartest.Call[greeting](onThird, "greetings.private", name{"ann"}).OK()
	ashlartest.Call[greeting](bob, "greetings.private", name{"ann"}).OK()
	nothing(onThird, "auth.sessions.end_others", nil).OK()
	ashlartest.Call[greeting](onPhone, "greetings.private", name{"ann"}).Fails(auth.ErrToken)
	nothing(onThird, "auth.logout", auth.LogoutInput{RefreshToken: third.RefreshToken}).OK()
	ashlartest.Call[greeting](onThird, "greetings.private", name{"ann"}).Fails(auth.ErrToken)
	nothing(app.Anonymous(), "auth.logout", auth.LogoutInput{RefreshToken: third.RefreshToken}).Fails(fault.ErrUnauthenticated)
}

func TestSessionsAreListedInPages(t *testing.T) {
	t.Parallel()
	app := office(t)
	var bearer *ashlartest.Client
	account, err := app.Accounts.ByEmail(t.Context(), "ann@b.test")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		g, err := app.Accounts.OpenSession(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		bearer = app.Bearer(g.AccessToken)
	}
	seen := map[string]bool{}
	var cursor op.Cursor
	for range 3 {
		in := map[string]any{"limit": 2}
		if cursor != "" {
			in["cursor"] = cursor
		}
		page := listings(bearer, "auth.sessions.list", in).OK()
		for _, s := range page.Data {
			seen[s.ID] = true
		}
		if page.NextCursor == nil {
			break
		}
		cursor = *page.NextCursor
	}
	if len(seen) != 5 {
		t.Errorf("%d sessions in pages of two", len(seen))
	}
	listings(bearer, "auth.sessions.list", map[string]any{"cursor": "x"}).Fails(op.ErrCursor)
}

// P11.10, P11.16: a change of password ends every other session.
func TestPasswordOverHTTP(t *testing.T) {
	t.Parallel()
	app := office(t)
	mine, bearer := ann(t, app)
	_, other := ann(t, app)
	change := func(current, next string) ashlartest.Result[struct{}] {
		return nothing(bearer, "auth.password", auth.PasswordChange{Current: current, New: next})
	}
	change("square-and-false", "quarry-and-chisel").Invalid("/current")
	change("square-and-true", "password1").Invalid("/new")
	change("square-and-true", "short").Invalid("/new")
	change("square-and-true", "quarry-and-chisel").OK()
	ashlartest.Call[greeting](other, "greetings.private", name{"ann"}).Fails(auth.ErrToken)
	ashlartest.Call[greeting](bearer, "greetings.private", name{"ann"}).Fails(auth.ErrToken) // it is of the old epoch
	next := grants(app.Anonymous(), "auth.refresh", auth.Refresh{RefreshToken: mine.RefreshToken}).OK()
	ashlartest.Call[greeting](app.Bearer(next.AccessToken), "greetings.private", name{"ann"}).OK()
	grants(app.Anonymous(), "auth.login", auth.Credentials{Email: "ann@b.test", Password: "square-and-true"}).Fails(auth.ErrSignIn)
	grants(app.Anonymous(), "auth.login", auth.Credentials{Email: "ann@b.test", Password: "quarry-and-chisel"}).OK()
}

// A stolen API key must not be a way to the account behind it.
func TestKeysHaveNoSessions(t *testing.T) {
	t.Parallel()
	app := office(t)
	account, err := app.Accounts.ByEmail(t.Context(), "ann@b.test")
	if err != nil {
		t.Fatal(err)
	}
	who := app.Policy.Principal(account.ID, "t1", "clerk")
	who.Credential = "key_1"
	key := app.Anonymous().Context(access.With(t.Context(), who))
	listings(key, "auth.sessions.list", nil).Denied()
	nothing(key, "auth.sessions.end", map[string]string{"id": "ses_1"}).Denied()
	nothing(key, "auth.sessions.end_others", nil).Denied()
	nothing(key, "auth.logout", auth.LogoutInput{RefreshToken: "rt_x"}).Denied()
	nothing(key, "auth.password", auth.PasswordChange{Current: "square-and-true", New: "quarry-and-chisel"}).Denied()
}

// P10.8: what an operator does holds for the tokens that are under way.
func TestAnAlteredAccountOverHTTP(t *testing.T) {
	t.Parallel()
	app := office(t)
	app.Grant("visitor")
	g, bearer := ann(t, app)
	account, err := app.Accounts.ByEmail(t.Context(), "ann@b.test")
	if err != nil {
		t.Fatal(err)
	}
	steps := func(errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	steps(app.Accounts.SetRole(t.Context(), account.ID, "visitor"))
	ashlartest.Call[greeting](bearer, "greetings.private", name{"ann"}).Denied()
	steps(app.Accounts.SetRole(t.Context(), account.ID, "clerk"))
	ashlartest.Call[greeting](bearer, "greetings.private", name{"ann"}).OK()
	steps(app.Accounts.Disable(t.Context(), account.ID))
	ashlartest.Call[greeting](bearer, "greetings.private", name{"ann"}).Fails(auth.ErrToken)
	grants(app.Anonymous(), "auth.refresh", auth.Refresh{RefreshToken: g.RefreshToken}).Fails(auth.ErrRefresh)
	grants(app.Anonymous(), "auth.login", auth.Credentials{Email: "ann@b.test", Password: "square-and-true"}).Fails(auth.ErrSignIn)
	steps(app.Accounts.Enable(t.Context(), account.ID))
	grants(app.Anonymous(), "auth.refresh", auth.Refresh{RefreshToken: g.RefreshToken}).Fails(auth.ErrRefresh)
	ann(t, app)
}

func TestSessionsAreSwept(t *testing.T) {
	t.Parallel()
	app := office(t)
	g, bearer := ann(t, app)
	_, _ = ann(t, app)
	nothing(bearer, "auth.logout", auth.LogoutInput{RefreshToken: g.RefreshToken}).OK()
	for _, c := range []struct {
		ago  time.Duration
		left int
	}{{time.Hour, 2}, {-time.Minute, 1}, {-15 * 24 * time.Hour, 0}} {
		if err := ashlar.DeleteSessions(app.App, time.Now().UTC().Add(-c.ago)); err != nil {
			t.Fatal(err)
		}
		if n, err := db.One[int](t.Context(), app.DB, `SELECT count(*) FROM ashlar_sessions`); err != nil || n != c.left {
			t.Errorf("%d sessions are left, want %d, %v", n, c.left, err)
		}
	}
}

// P11.21, P6.22: a browser's session is a cookie that scripts cannot read and
// other pages cannot use.
func TestCookieSession(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t, "ASHLAR_COOKIES", "on")
	furnish(t, app)
	const credentials = `{"email":"ann@b.test","password":"square-and-true"}`
	w := app.Anonymous().Do("POST", "/v1/auth/session", credentials)
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "token") {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	set := w.Result().Cookies()
	if len(set) != 1 {
		t.Fatalf("%d cookies", len(set))
	}
	c := set[0]
	if c.Name != "__Host-session" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 90*24*3600 {
		t.Errorf("cookie %+v", c)
	}
	if stored, err := db.One[int](t.Context(), app.DB, `SELECT count(*) FROM ashlar_sessions WHERE secret_hash = $1`, c.Value); err != nil || stored != 0 {
		t.Errorf("the cookie itself is stored: %d, %v", stored, err)
	}

	browser := app.Anonymous().With("Cookie", c.Name+"="+c.Value)
	ashlartest.Call[greeting](browser, "greetings.private", name{"ann"}).OK()
	// Beside a bearer token it does not count, and a GET changes nothing.
	ashlartest.Call[greeting](browser.With("Authorization", "Bearer x"), "greetings.private", name{"ann"}).Fails(auth.ErrToken)
	ashlartest.Call[greeting](browser.With("Sec-Fetch-Site", "cross-site"), "greetings.private", name{"ann"}).OK()
	if list := listings(browser, "auth.sessions.list", nil).OK(); len(list.Data) != 1 || !list.Data[0].Current {
		t.Errorf("listed %+v", list.Data)
	}
	for header, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"} {
		nothing(browser.With(header, value), "auth.sessions.end_others", nil).Denied()
		if w := app.Anonymous().With(header, value).Do("POST", "/v1/auth/session", credentials); w.Code != http.StatusForbidden || len(w.Result().Cookies()) != 0 {
			t.Errorf("with %s: %s a sign-in answers %d", header, value, w.Code)
		}
	}
	nothing(browser.With("Sec-Fetch-Site", "same-site"), "auth.sessions.end_others", nil).Denied()
	for header, value := range map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://example.com"} { // which is the host of httptest
		nothing(browser.With(header, value), "auth.sessions.end_others", nil).OK()
	}
	for _, bad := range []string{c.Value + "x", c.Value[1:], "", c.Value + "; __Host-session=" + c.Value} {
		ashlartest.Call[greeting](app.Anonymous().With("Cookie", c.Name+"="+bad), "greetings.private", name{"ann"}).Fails(auth.ErrToken)
	}
	// The secret of a cookie is no refresh token.
	grants(app.Anonymous(), "auth.refresh", auth.Refresh{RefreshToken: "rt_" + c.Value + c.Value}).Fails(auth.ErrRefresh)

	// A change of password takes the session along that makes it.
	nothing(browser, "auth.password", auth.PasswordChange{Current: "square-and-true", New: "quarry-and-chisel"}).OK()
	ashlartest.Call[greeting](browser, "greetings.private", name{"ann"}).OK()

	out := browser.Do("DELETE", "/v1/auth/session", "")
	if cleared := out.Result().Cookies(); out.Code != http.StatusNoContent || len(cleared) != 1 || cleared[0].MaxAge != -1 || cleared[0].Value != "" {
		t.Errorf("signed out with %d %v", out.Code, out.Header())
	}
	ashlartest.Call[greeting](browser, "greetings.private", name{"ann"}).Fails(auth.ErrToken)
}

// Nobody who did not ask for cookies has to think about them.
func TestCookiesAreOff(t *testing.T) {
	t.Parallel()
	app := office(t)
	if w := app.Anonymous().Do("POST", "/v1/auth/session", `{}`); w.Code != http.StatusNotFound {
		t.Errorf("got %d", w.Code)
	}
	ashlartest.Call[greeting](app.Anonymous().With("Cookie", "__Host-session=x"), "greetings.private", name{"ann"}).Fails(fault.ErrUnauthenticated)
}

// Pages that CORS lets send cookies may use the session.
func TestCookieOfATrustedOrigin(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t, "ASHLAR_COOKIES", "on", "ASHLAR_CORS_ORIGINS", "https://app.example.com", "ASHLAR_CORS_CREDENTIALS", "true")
	furnish(t, app)
	page := app.Anonymous().With("Origin", "https://app.example.com").With("Sec-Fetch-Site", "same-site")
	if w := page.Do("POST", "/v1/auth/session", `{"email":"ann@b.test","password":"square-and-true"}`); w.Code != http.StatusOK {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
