package ashlar_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/auth/authtest"
	"github.com/ashlar-go/ashlar/auth/oidc"
	"github.com/ashlar-go/ashlar/db"
)

// identityApp is an app with Ann, who has a password, and a service that knows
// corp.test. Newcomers become clerks of t2.
func identityApp(t *testing.T, env ...string) (*ashlartest.App, *auth.Identities) {
	t.Helper()
	app := ashlartest.Open(t, env...)
	app.Grant("clerk", "greetings:read")
	app.Mount(ashlar.SignIn(app.App))
	app.Mount(greetings())
	service := app.Identities(func(_ context.Context, who auth.Identity) (auth.Admission, error) {
		if strings.HasSuffix(who.Email, "@nowhere.test") {
			return auth.Admission{}, auth.ErrIdentity
		}
		return auth.Admission{Role: "clerk", Tenant: "t2"}, nil
	})
	return app, service
}

func annAt(t *testing.T, app *ashlartest.App) auth.Account {
	t.Helper()
	app.Migrate()
	account, err := app.Accounts.Create(t.Context(), auth.NewAccount{Email: "ann@corp.test", Password: "square-and-true", Role: "clerk", Tenant: "t1"})
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// saidByCorp is an identity of a provider that is the authority for corp.test.
func saidByCorp(subject, email string) auth.Identity {
	return auth.Identity{
		Provider: "corp", Issuer: "https://login.corp.test", Subject: subject, Email: email,
		Authority: strings.HasSuffix(strings.ToLower(email), "@corp.test"),
	}
}

func TestIdentityTable(t *testing.T) {
	t.Parallel()
	authtest.RunIdentities(t, func(t *testing.T) (auth.IdentityStore, auth.Store) {
		app := ashlartest.Open(t)
		app.Migrate()
		store, _ := ashlar.AccountStore(app.App)
		return ashlar.IdentityStore(app.App), store
	})
}

func TestAnIdentityReachesOnlyItsOwnAccount(t *testing.T) {
	t.Parallel()
	app, service := identityApp(t)
	account := annAt(t, app)
	elsewhere := auth.Identity{Provider: "large", Issuer: "https://large.test", Subject: "1", Email: "ann@corp.test"}
	unverified := saidByCorp("2", "")
	turnedAway := saidByCorp("3", "x@nowhere.test")
	for reason, w := range map[string]auth.Identity{
		"the provider is no authority": elsewhere, "no verified address": unverified, "was not admitted": turnedAway,
	} {
		if got, err := service.Recognize(t.Context(), w); !errors.Is(err, auth.ErrIdentity) {
			t.Errorf("%s: got %+v, %v", reason, got, err)
		}
		n, err := db.One[int64](t.Context(), app.DB,
			`SELECT COUNT(*) FROM ashlar_security_events WHERE kind = 'identity_refused' AND detail LIKE '%' || $1 || '%'`, reason)
		if err != nil || n != 1 {
			t.Errorf("%s: the audit log has it %d times, %v", reason, n, err)
		}
	}

	got, err := service.Recognize(t.Context(), saidByCorp("ann", "Ann@Corp.test"))
	if err != nil || got.ID != account.ID {
		t.Fatalf("the authority's word opens %+v, %v", got, err)
	}
	// The address has passed to somebody else, who must not get the account along.
	if got, err := service.Recognize(t.Context(), saidByCorp("another-ann", "ann@corp.test")); !errors.Is(err, auth.ErrIdentity) {
		t.Errorf("a second owner of the address gets %+v, %v", got, err)
	}
	// What the provider says of the address later does not matter any more.
	if got, err := service.Recognize(t.Context(), saidByCorp("ann", "")); err != nil || got.ID != account.ID {
		t.Errorf("a linked identity opens %+v, %v", got, err)
	}

	bob, err := service.Recognize(t.Context(), saidByCorp("bob", "bob@home.test"))
	if err != nil || bob.Role != "clerk" || bob.Tenant != "t2" || bob.Email != "bob@home.test" {
		t.Fatalf("a newcomer is %+v, %v", bob, err)
	}
	if again, err := service.Recognize(t.Context(), saidByCorp("bob", "bob@home.test")); err != nil || again.ID != bob.ID {
		t.Errorf("the second time he is %+v, %v", again, err)
	}
	if err := service.Link(t.Context(), account.ID, saidByCorp("bob", "bob@home.test")); !errors.Is(err, auth.ErrIdentityTaken) {
		t.Errorf("another's identity is linked: %v", err)
	}
	if err := service.Link(t.Context(), account.ID, elsewhere); err != nil {
		t.Errorf("Ann adds an identity: %v", err)
	}
	if err := service.Link(t.Context(), account.ID, elsewhere); err != nil {
		t.Errorf("Ann adds it again: %v", err)
	}
	if got, err := service.Recognize(t.Context(), elsewhere); err != nil || got.ID != account.ID {
		t.Errorf("what she added opens %+v, %v", got, err)
	}
}

// Of many first sign-ins at once one makes the account.
func TestANewcomerIsAdmittedOnce(t *testing.T) {
	t.Parallel()
	app, service := identityApp(t)
	app.Migrate()
	var crowd sync.WaitGroup
	var failed atomic.Int32
	for range 16 {
		crowd.Go(func() {
			if _, err := service.Recognize(t.Context(), saidByCorp("bob", "bob@home.test")); err != nil {
				if !errors.Is(err, auth.ErrIdentity) {
					t.Error(err)
				}
				failed.Add(1)
			}
		})
	}
	crowd.Wait()
	accounts, err := db.One[int64](t.Context(), app.DB, `SELECT COUNT(*) FROM ashlar_accounts`)
	if err != nil || accounts != 1 || failed.Load() == 16 {
		t.Errorf("%d accounts and %d failures, %v", accounts, failed.Load(), err)
	}
}

func TestIdentitiesAreListedAndUnlinked(t *testing.T) {
	t.Parallel()
	app, service := identityApp(t)
	account := annAt(t, app)
	if _, err := service.Recognize(t.Context(), saidByCorp("ann", "ann@corp.test")); err != nil {
		t.Fatal(err)
	}
	bob, err := service.Recognize(t.Context(), saidByCorp("bob", "bob@home.test"))
	if err != nil {
		t.Fatal(err)
	}
	annAsks, bobAsks := app.AsRole(account.ID, "t1", "clerk"), app.AsRole(bob.ID, "t2", "clerk")
	hers := ashlartest.Call[auth.LinkedIdentities](annAsks, "auth.identities.list", struct{}{})
	if strings.Contains(hers.Body(), `"subject"`) {
		t.Errorf("the provider's own name for her is told: %s", hers.Body())
	}
	list := hers.OK().Identities
	if len(list) != 1 || list[0].Provider != "corp" || list[0].Email != "ann@corp.test" {
		t.Fatalf("Ann has %+v", list)
	}
	one := map[string]string{"id": list[0].ID}
	ashlartest.Call[struct{}](bobAsks, "auth.identities.unlink", one).Fails(auth.ErrNoIdentity) // P10.3
	ashlartest.Call[struct{}](annAsks, "auth.identities.unlink", one).OK()
	ashlartest.Call[struct{}](annAsks, "auth.identities.unlink", one).Fails(auth.ErrNoIdentity)

	his := ashlartest.Call[auth.LinkedIdentities](bobAsks, "auth.identities.list", struct{}{}).OK().Identities
	if len(his) != 1 {
		t.Fatalf("Bob has %+v", his)
	}
	ashlartest.Call[struct{}](bobAsks, "auth.identities.unlink", map[string]string{"id": his[0].ID}).Fails(auth.ErrIdentityLast)
	if got := ashlartest.Call[auth.LinkedIdentities](bobAsks, "auth.identities.list", struct{}{}).OK().Identities; len(got) != 1 {
		t.Errorf("Bob has lost his only way in")
	}
}

// Secrets are kept as sums, and each is good once.
func TestTickets(t *testing.T) {
	t.Parallel()
	app, service := identityApp(t)
	account := annAt(t, app)
	code, err := service.Code(t.Context(), account, "the browser's secret", false)
	if err != nil {
		t.Fatal(err)
	}
	dump, err := db.All[string](t.Context(), app.DB, `SELECT key || browser || account FROM ashlar_tickets`)
	if err != nil || len(dump) != 1 || strings.Contains(dump[0], code) || strings.Contains(dump[0], "secret") {
		t.Errorf("kept are %q, %v", dump, err)
	}
	if _, err := service.Redeem(t.Context(), auth.SignInCode{Code: code}, "another browser's"); !errors.Is(err, auth.ErrSignInCode) {
		t.Errorf("another browser gets %v", err)
	}
	var won atomic.Int32
	var crowd sync.WaitGroup
	for range 8 {
		crowd.Go(func() {
			got, err := service.Redeem(t.Context(), auth.SignInCode{Code: code}, "the browser's secret")
			switch {
			case err == nil && got.ID == account.ID:
				won.Add(1)
			case !errors.Is(err, auth.ErrSignInCode):
				t.Error(err)
			}
		})
	}
	crowd.Wait()
	if won.Load() != 1 {
		t.Errorf("the code was good %d times", won.Load())
	}
	for i := range 2 {
		first, err := service.Spend(t.Context(), "a state", time.Now().Add(time.Minute))
		if err != nil || first != (i == 0) {
			t.Errorf("time %d: %v, %v", i+1, first, err)
		}
	}
	if first, err := service.Spend(t.Context(), "an old one", time.Now().Add(-time.Minute)); err != nil || !first {
		t.Errorf("%v, %v", first, err)
	}
	if n, err := db.One[int64](t.Context(), app.DB, `SELECT COUNT(*) FROM ashlar_tickets`); err != nil || n != 1 {
		t.Errorf("%d tickets are kept, %v", n, err)
	}
}

// The whole way through an app: tokens by a code, or a cookie where the app is
// set to cookies.
func TestSignInWithAProvider(t *testing.T) {
	t.Parallel()
	for kind, c := range map[string]struct {
		env  []string
		lead string
	}{
		"tokens":   {nil, "/welcome#code="},
		"a cookie": {[]string{"ASHLAR_COOKIES", "on"}, "/welcome"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			app, service := identityApp(t, c.env...)
			provider := smallProvider(t)
			signIn, err := oidc.New(oidc.Config{
				Origin: "https://pay.test", Identities: service, Log: app.App.Log,
				Providers: []oidc.Provider{{Name: "corp", Issuer: provider.URL, ClientID: "pay", Domains: []string{"corp.test"}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			signIn.Mount(app.Handle)
			account := annAt(t, app)

			begun := app.Anonymous().Do("GET", "/v1/auth/oidc/corp?return_to=/welcome", "")
			there, err := url.Parse(begun.Header().Get("Location"))
			if err != nil || begun.Code != http.StatusSeeOther {
				t.Fatalf("%d %s %v", begun.Code, begun.Body, err)
			}
			back := "/v1/auth/oidc/corp/callback?" + url.Values{"state": {there.Query().Get("state")}, "code": {there.Query().Get("nonce")}}.Encode()
			ended := withCookies(app, begun).Do("GET", back, "")
			location := ended.Header().Get("Location")
			if !strings.HasPrefix(location, c.lead) {
				t.Fatalf("%d %s\n%s", ended.Code, ended.Body, app.Log())
			}
			client := withCookies(app, ended)
			if code, found := strings.CutPrefix(location, "/welcome#code="); found {
				answer := client.With("Content-Type", "application/json").Do("POST", "/v1/auth/oidc/token", `{"code":"`+code+`"}`)
				var grant auth.Grant
				if err := json.Unmarshal(answer.Body.Bytes(), &grant); err != nil || grant.RefreshToken == "" {
					t.Fatalf("%d %s", answer.Code, answer.Body)
				}
				client = app.Anonymous().With("Authorization", "Bearer "+grant.AccessToken)
			}
			ashlartest.Call[greeting](client, "greetings.private", name{"ann"}).OK()
			n, err := db.One[int64](t.Context(), app.DB,
				`SELECT COUNT(*) FROM ashlar_security_events WHERE kind = 'sign_in' AND outcome = 'succeeded' AND subject = $1`, account.ID)
			if err != nil || n != 1 {
				t.Errorf("the audit log has %d sign-ins of Ann, %v", n, err)
			}
		})
	}
}

// The option of a provider works in an app, whose accounts have second factors.
func TestAProviderCanAskForTheSecondFactorToo(t *testing.T) {
	t.Parallel()
	app, service := identityApp(t)
	provider := smallProvider(t)
	signIn, err := oidc.New(oidc.Config{
		Origin: "https://pay.test", Identities: service, Log: app.App.Log,
		Providers: []oidc.Provider{{Name: "corp", Issuer: provider.URL, ClientID: "pay", Domains: []string{"corp.test"}, SecondFactor: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	signIn.Mount(app.Handle)
	account := annAt(t, app)
	grant, err := app.Accounts.OpenSession(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	me := app.Bearer(grant.AccessToken)
	secret := enrolTOTP(me, "auth.totp.enrol", auth.EnrolTOTP{Password: annsPassword}).OK().Secret
	confirmTOTP(me, "auth.totp.confirm", auth.ConfirmTOTP{Code: authenticator(t, secret, 0)}).OK()

	begun := app.Anonymous().Do("GET", "/v1/auth/oidc/corp", "")
	there, err := url.Parse(begun.Header().Get("Location"))
	if err != nil || begun.Code != http.StatusSeeOther {
		t.Fatalf("%d %s %v", begun.Code, begun.Body, err)
	}
	back := "/v1/auth/oidc/corp/callback?" + url.Values{"state": {there.Query().Get("state")}, "code": {there.Query().Get("nonce")}}.Encode()
	ended := withCookies(app, begun).Do("GET", back, "")
	_, code, _ := strings.Cut(ended.Header().Get("Location"), "#code=")
	exchange := func(members string) *httptest.ResponseRecorder {
		return withCookies(app, ended).With("Content-Type", "application/json").Do("POST", "/v1/auth/oidc/token", `{"code":"`+code+`"`+members+`}`)
	}
	if w := exchange(""); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), string(auth.ErrSecondFactorRequired)) {
		t.Errorf("without a code of the authenticator: %d %s", w.Code, w.Body)
	}
	if w := exchange(`,"second_factor":"` + authenticator(t, secret, 1) + `"`); w.Code != http.StatusOK {
		t.Errorf("with one: %d %s", w.Code, w.Body)
	}
}

// P10.9: who signs in through a provider is held to the limit of sign-ins too.
func TestSigningInWithAProviderIsLimited(t *testing.T) {
	t.Parallel()
	app, service := identityApp(t, "ASHLAR_LIMIT_SIGN_IN", "3/1h")
	signIn, err := oidc.New(oidc.Config{
		Origin: "https://pay.test", Identities: service, Log: app.App.Log,
		Providers: []oidc.Provider{{Name: "corp", Issuer: smallProvider(t).URL, ClientID: "pay"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	signIn.Mount(app.Handle)
	app.Migrate()
	app.Anonymous().Do("POST", "/v1/auth/login", `{"email":"a@b.test","password":"x"}`)
	for i, request := range []struct{ method, path, body string }{
		{"POST", "token", `{"code":"x"}`},
		{"GET", "corp/callback?code=x&state=y", ""},
		{"GET", "corp", ""},
		{"POST", "corp", ""},
		{"POST", "token", `{"code":"x"}`},
	} {
		w := app.Anonymous().With("Content-Type", "application/json").Do(request.method, "/v1/auth/oidc/"+request.path, request.body)
		if limited := w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") != ""; limited != (i >= 2) {
			t.Errorf("request %d, %s %s: %d %s", i, request.method, request.path, w.Code, w.Body)
		}
	}
}

// P10.8, P11.10: what somebody began with a stolen token is over when its
// session is, or an identity linked meanwhile would be a way in that stays.
func TestALinkEndsWithTheSessionThatAskedForIt(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(ctx context.Context, app *ashlartest.App, account auth.Account, session auth.Grant) error{
		"": nil,
		"signed out": func(ctx context.Context, app *ashlartest.App, _ auth.Account, g auth.Grant) error {
			return app.Accounts.Logout(ctx, auth.LogoutInput{RefreshToken: g.RefreshToken})
		},
		"a password set": func(ctx context.Context, app *ashlartest.App, a auth.Account, _ auth.Grant) error {
			return app.Accounts.SetPassword(ctx, a.ID, "another-square-and-true")
		},
		"disabled, and enabled": func(ctx context.Context, app *ashlartest.App, a auth.Account, _ auth.Grant) error {
			return errors.Join(app.Accounts.Disable(ctx, a.ID), app.Accounts.Enable(ctx, a.ID))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app, service := identityApp(t)
			signIn, err := oidc.New(oidc.Config{
				Origin: "https://pay.test", Identities: service, Log: app.App.Log,
				Providers: []oidc.Provider{{Name: "corp", Issuer: smallProvider(t).URL, ClientID: "pay"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			signIn.Mount(app.Handle)
			account := annAt(t, app)
			grant, err := app.Accounts.OpenSession(t.Context(), account)
			if err != nil {
				t.Fatal(err)
			}
			begun := app.Bearer(grant.AccessToken).Do("POST", "/v1/auth/oidc/corp", "")
			var answer struct{ Location string }
			if err := json.Unmarshal(begun.Body.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			there, err := url.Parse(answer.Location)
			if err != nil || begun.Code != http.StatusOK {
				t.Fatalf("%d %s %v", begun.Code, begun.Body, err)
			}
			want := http.StatusSeeOther
			if end != nil {
				want = http.StatusForbidden
				ctx := access.With(t.Context(), app.Policy.Principal(account.ID, account.Tenant, account.Role))
				if err := end(ctx, app, account, grant); err != nil {
					t.Fatal(err)
				}
			}
			back := "/v1/auth/oidc/corp/callback?" + url.Values{"state": {there.Query().Get("state")}, "code": {there.Query().Get("nonce")}}.Encode()
			ended := withCookies(app, begun).Do("GET", back, "")
			linked, err := service.Of(t.Context(), account.ID)
			if err != nil || ended.Code != want || len(linked) != map[bool]int{true: 1, false: 0}[end == nil] {
				t.Errorf("%d %s, and the account has %d identities, %v", ended.Code, ended.Body, len(linked), err)
			}
		})
	}
}

func withCookies(app *ashlartest.App, w *httptest.ResponseRecorder) *ashlartest.Client {
	var all []string
	for _, c := range w.Result().Cookies() {
		if c.MaxAge >= 0 {
			all = append(all, c.Name+"="+c.Value)
		}
	}
	return app.Anonymous().With("Cookie", strings.Join(all, "; "))
}

// smallProvider says of every code that it was Ann's, with the code as nonce.
func smallProvider(t *testing.T) *httptest.Server {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		return b64(text)
	}
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		var says any
		switch r.URL.Path {
		case "/keys":
			says = map[string]any{"keys": []any{map[string]string{
				"kty": "RSA", "kid": "1", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes()),
			}}}
		case "/token":
			now := time.Now()
			signed := part(map[string]string{"alg": "RS256", "kid": "1"}) + "." + part(map[string]any{
				"iss": server.URL, "sub": "ann", "aud": "pay", "nonce": r.FormValue("code"),
				"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "email": "ann@corp.test", "email_verified": true,
			})
			sum := sha256.Sum256([]byte(signed))
			signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
			if err != nil {
				t.Error(err)
			}
			says = map[string]string{"access_token": "at", "token_type": "Bearer", "id_token": signed + "." + b64(signature)}
		default:
			says = map[string]string{
				"issuer": server.URL, "authorization_endpoint": server.URL + "/authorize",
				"token_endpoint": server.URL + "/token", "jwks_uri": server.URL + "/keys",
			}
		}
		if err := json.NewEncoder(w).Encode(says); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server
}
