package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/auth/oidc"
	"github.com/ashlar-go/ashlar/config"
)

type object = map[string]any

// A hostile provider says what a test wants it to say.
type hostile struct {
	server *httptest.Server
	// What may be changed: the id token that is about to be signed, how it is
	// signed, the metadata, and the answer of a path.
	header, claims, metadata func(object)
	sign                     func(signed string) string
	answers                  map[string]http.HandlerFunc
	email                    object // claims about the address, by default none

	nonce atomic.Value
	hits  sync.Map // path to *atomic.Int32
}

var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func part(v any) string { return b64(must(json.Marshal(v))) }

func newHostile(t *testing.T) *hostile {
	t.Helper()
	h := &hostile{answers: map[string]http.HandlerFunc{}}
	h.server = httptest.NewServer(h)
	t.Cleanup(h.server.Close)
	return h
}

func (h *hostile) provider() oidc.Provider {
	return oidc.Provider{Name: "corp", Issuer: h.server.URL, ClientID: "pay", ClientSecret: config.NewSecret(secret)}
}

func (h *hostile) asked(path string) int32 {
	n, _ := h.hits.LoadOrStore(path, new(atomic.Int32))
	return n.(*atomic.Int32).Load()
}

func (h *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, _ := h.hits.LoadOrStore(r.URL.Path, new(atomic.Int32))
	n.(*atomic.Int32).Add(1)
	if answer := h.answers[r.URL.Path]; answer != nil {
		answer(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		says := object{
			"issuer": h.server.URL, "authorization_endpoint": h.server.URL + "/authorize",
			"token_endpoint": h.server.URL + "/token", "jwks_uri": h.server.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
		}
		if h.metadata != nil {
			h.metadata(says)
		}
		json.NewEncoder(w).Encode(says)
	case "/keys":
		json.NewEncoder(w).Encode(object{"keys": []object{{
			"kty": "RSA", "kid": "1", "use": "sig", "n": b64(rsaKey().N.Bytes()), "e": b64(big.NewInt(int64(rsaKey().E)).Bytes()),
		}}})
	case "/token":
		json.NewEncoder(w).Encode(object{"access_token": "at", "token_type": "Bearer", "id_token": h.token()})
	default:
		http.NotFound(w, r)
	}
}

// token is an id token that is good unless a test has changed it.
func (h *hostile) token() string {
	now := time.Now()
	header := object{"alg": "RS256", "kid": "1"}
	claims := object{
		"iss": h.server.URL, "sub": "ann", "aud": "pay", "nonce": h.nonce.Load(),
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "email": "ann@corp.test", "email_verified": true,
	}
	maps.Copy(claims, h.email)
	if h.header != nil {
		h.header(header)
	}
	if h.claims != nil {
		h.claims(claims)
	}
	signed := part(header) + "." + part(claims)
	if h.sign != nil {
		return signed + "." + h.sign(signed)
	}
	return signed + "." + rs256(rsaKey(), signed)
}

func rs256(key *rsa.PrivateKey, signed string) string {
	sum := sha256.Sum256([]byte(signed))
	return b64(must(rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])))
}

func hs256(key []byte, signed string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signed))
	return b64(mac.Sum(nil))
}

// signIn begins a flow, has the provider learn its nonce and returns what the
// callback answers.
func (h *hostile) signIn(a *app, b *browser) answer {
	a.t.Helper()
	begun := b.get(origin + "/v1/auth/oidc/corp?return_to=/welcome")
	there, err := url.Parse(begun.header.Get("Location"))
	if err != nil || begun.status != http.StatusSeeOther {
		return begun
	}
	h.nonce.Store(there.Query().Get("nonce"))
	back := url.Values{"code": {"c"}, "state": {there.Query().Get("state")}}
	return b.visit(origin + "/v1/auth/oidc/corp/callback?" + back.Encode())
}

// P11.1 to P11.4 for the tokens of others.
func TestABadIDTokenIsRefused(t *testing.T) {
	t.Parallel()
	claim := func(name string, value any) func(*hostile) {
		return func(h *hostile) { h.claims = func(c object) { c[name] = value } }
	}
	without := func(name string) func(*hostile) {
		return func(h *hostile) { h.claims = func(c object) { delete(c, name) } }
	}
	header := func(name string, value any) func(*hostile) {
		return func(h *hostile) { h.header = func(c object) { c[name] = value } }
	}
	unix := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	for name, c := range map[string]struct {
		spoil  func(*hostile)
		reason string
	}{
		"algorithm none": {func(h *hostile) {
			h.header = func(c object) { c["alg"] = "none" }
			h.sign = func(string) string { return "" }
		}, "malformed jwt"},
		"algorithm NoNe": {func(h *hostile) {
			h.header = func(c object) { c["alg"] = "NoNe" }
			h.sign = func(string) string { return "" }
		}, "malformed jwt"},
		"HS256 with the public key as PEM": {func(h *hostile) {
			h.header = func(c object) { c["alg"] = "HS256" }
			public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(rsaKey().Public()))})
			h.sign = func(signed string) string { return hs256(public, signed) }
		}, "malformed jwt"},
		"HS256 with the modulus": {func(h *hostile) {
			h.header = func(c object) { c["alg"] = "HS256" }
			h.sign = func(signed string) string { return hs256(rsaKey().N.Bytes(), signed) }
		}, "malformed jwt"},
		"HS256 with the client's secret": {func(h *hostile) {
			h.header = func(c object) { c["alg"] = "HS256" }
			h.sign = func(signed string) string { return hs256([]byte(secret), signed) }
		}, "malformed jwt"},
		"RS512 of RS256": {func(h *hostile) { h.header = func(c object) { c["alg"] = "RS512" } }, "malformed jwt"},
		"another's key":  {func(h *hostile) { h.sign = func(signed string) string { return rs256(otherKey(), signed) } }, "failed to verify signature"},
		"an embedded key": {func(h *hostile) {
			h.header = func(c object) {
				delete(c, "kid")
				c["jwk"] = object{"kty": "RSA", "n": b64(otherKey().N.Bytes()), "e": "AQAB"}
			}
			h.sign = func(signed string) string { return rs256(otherKey(), signed) }
		}, "failed to verify signature"},
		"a key of another kind": {func(h *hostile) {
			h.header = func(c object) { c["alg"] = "ES256" }
			h.sign = func(signed string) string {
				sum := sha256.Sum256([]byte(signed))
				r, s, err := ecdsa.Sign(rand.Reader, ecKey(), sum[:])
				if err != nil {
					panic(err)
				}
				return b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
			}
		}, "failed to verify signature"},
		"unknown kid":             {header("kid", "2"), "failed to verify signature"},
		"unknown critical header": {header("crit", []string{"x"}), "id token"},
		"no signature":            {func(h *hostile) { h.sign = func(string) string { return "" } }, "id token"},
		"another audience":        {claim("aud", "shop"), "expected audience"},
		"no audience":             {without("aud"), "expected audience"},
		"several audiences":       {claim("aud", []string{"shop", "pay"}), "several audiences"},
		"another party":           {claim("azp", "shop"), "another client"},
		"another issuer":          {claim("iss", "https://evil.test"), "different provider"},
		"issuer with a slash":     {func(h *hostile) { h.claims = func(c object) { c["iss"] = h.server.URL + "/" } }, "different provider"},
		"expired":                 {claim("exp", unix(-time.Second)), "token is expired"},
		"no expiry":               {without("exp"), "token is expired"},
		"not yet valid":           {claim("nbf", unix(time.Hour)), "before the nbf"},
		"issued tomorrow":         {claim("iat", unix(24*time.Hour)), "time of issue"},
		"no time of issue":        {without("iat"), "time of issue"},
		"another nonce":           {claim("nonce", auth.Secret()), "the nonce"},
		"no nonce":                {without("nonce"), "the nonce"},
		"no subject":              {without("sub"), "its subject"},
		"an endless subject":      {claim("sub", strings.Repeat("x", 256)), "its subject"},
		"a subject of no text":    {claim("sub", 7), "unmarshal"},
		"hash of another token":   {claim("at_hash", "x"), "access token hash"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			c.spoil(h)
			a := open(t, h.provider())
			h.signIn(a, a.browser("")).refused(t, a, c.reason)
		})
	}
}

// What the cases above differ from.
func TestAGoodIDTokenIsTaken(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	sum := sha256.Sum256([]byte("at"))
	h.claims = func(c object) {
		c["aud"], c["azp"], c["at_hash"] = []string{"shop", "pay"}, "pay", b64(sum[:16])
	}
	a := open(t, h.provider())
	if got := h.signIn(a, a.browser("")); !strings.HasPrefix(got.at.Fragment, "code=") {
		t.Errorf("came to %s: %d %s\n%s", got.at, got.status, got.body, a.log.String())
	}
}

// P10.12: a provider is somebody else's computer.
func TestABadAnswerIsRefused(t *testing.T) {
	t.Parallel()
	endless := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"keys":[`)
		for range 4 << 10 {
			if _, err := w.Write([]byte(strings.Repeat(" ", 1<<10))); err != nil {
				return
			}
		}
	}
	silent := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // before which a server does not see that its client leaves
		<-r.Context().Done()
	}
	text := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	away := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}
	for name, c := range map[string]struct {
		path   string
		answer http.HandlerFunc
		reason string
	}{
		"endless keys":          {"/keys", endless, "too large"},
		"endless tokens":        {"/token", endless, "exchange the code"},
		"keys never come":       {"/keys", silent, "fetching keys"},
		"tokens never come":     {"/token", silent, "exchange the code"},
		"keys are elsewhere":    {"/keys", away, "fetching keys"},
		"tokens are elsewhere":  {"/token", away, "answered 307"},
		"tokens are no JSON":    {"/token", text(200, `<html>`), "exchange the code"},
		"tokens lack the id":    {"/token", text(200, `{"access_token":"at","token_type":"Bearer"}`), "no id token"},
		"the id is no text":     {"/token", text(200, `{"access_token":"at","token_type":"Bearer","id_token":7}`), "no id token"},
		"tokens are an error":   {"/token", text(400, `{"error":"invalid_grant","access_token":"canary"}`), "invalid_grant"},
		"tokens are a failure":  {"/token", text(500, `canary`), "answered 500"},
		"keys are no JSON":      {"/keys", text(200, `]`), "fetching keys"},
		"keys are of no kind":   {"/keys", text(200, `{"keys":[{"kty":"oct","k":"AAAA","kid":"1"}]}`), "failed to verify"},
		"tokens are a failing ": {"/token", text(503, ``), "answered 503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			h.answers[c.path] = c.answer
			timeout := time.Minute // what is not about time has enough of it
			if strings.HasSuffix(name, "never come") {
				timeout = 2 * time.Second
			}
			a := openWith(t, oidc.Config{Providers: []oidc.Provider{h.provider()}, Timeout: timeout})
			h.signIn(a, a.browser("")).refused(t, a, c.reason)
			if h.asked("/elsewhere") != 0 {
				t.Error("a redirect was followed")
			}
			if strings.Contains(a.log.String(), "canary") {
				t.Errorf("the log has what the provider sent:\n%s", a.log.String())
			}
		})
	}
}

func TestAProviderThatIsNotWhatItShouldBeIsNotGoneTo(t *testing.T) {
	t.Parallel()
	says := func(name string, value any) func(*hostile) {
		return func(h *hostile) { h.metadata = func(m object) { m[name] = value } }
	}
	for name, c := range map[string]struct {
		spoil  func(*hostile)
		reason string
	}{
		"another issuer":          {says("issuer", "https://evil.test"), "discovery"},
		"tokens over plain http":  {says("token_endpoint", "http://evil.test/token"), "must be https"},
		"sign-in over plain http": {says("authorization_endpoint", "http://evil.test/"), "must be https"},
		"sign-in by script":       {says("authorization_endpoint", "javascript:alert(1)"), "is no URL"},
		"keys from a file":        {says("jwks_uri", "file:///etc/passwd"), "is no URL"},
		"user info over http":     {says("userinfo_endpoint", "http://evil.test/"), "must be https"},
		"no keys":                 {says("jwks_uri", ""), "is no URL"},
		"only plain PKCE":         {says("code_challenge_methods_supported", []string{"plain"}), "PKCE"},
		"nothing of use":          {says("token_endpoint", 7), "discovery"},
		"metadata that is no JSON": {func(h *hostile) {
			h.answers["/.well-known/openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("canary", 1<<16)) }
		}, "discovery"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			c.spoil(h)
			a := open(t, h.provider())
			got := a.browser("").get(origin + "/v1/auth/oidc/corp")
			if got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, string(oidc.ErrProvider)) {
				t.Errorf("answered %d %s", got.status, got.body)
			}
			if log := a.log.String(); !strings.Contains(log, c.reason) || len(log) > 1000 {
				t.Errorf("the log does not say %q shortly:\n%.2000s", c.reason, log)
			}
		})
	}
}

// An app starts and waits while its provider is down, and does not hammer it.
func TestADeadProviderComesBack(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	var down atomic.Bool
	down.Store(true)
	var ahead atomic.Int64
	const discovery = "/.well-known/openid-configuration"
	h.metadata = func(m object) {
		if down.Load() {
			m["issuer"] = ""
		}
	}
	began := time.Now() // the clock stands, so that a slow machine waits for nothing
	a := openWith(t, oidc.Config{Providers: []oidc.Provider{h.provider()}, Now: func() time.Time { return began.Add(time.Duration(ahead.Load())) }})
	for range 5 {
		if got := a.browser("").get(origin + "/v1/auth/oidc/corp"); got.status != http.StatusServiceUnavailable {
			t.Fatalf("answered %d %s", got.status, got.body)
		}
	}
	if n := h.asked(discovery); n != 1 {
		t.Errorf("a provider that failed was asked %d times at once", n)
	}
	down.Store(false)
	ahead.Store(int64(3 * time.Second))
	for range 5 {
		if got := a.browser("").get(origin + "/v1/auth/oidc/corp"); got.status != http.StatusSeeOther {
			t.Fatalf("the provider is back, and the answer is %d %s", got.status, got.body)
		}
	}
	if n := h.asked(discovery); n != 2 {
		t.Errorf("metadata were asked for %d times", n)
	}
	for _, c := range []struct {
		after  time.Duration
		status int
	}{{2 * time.Hour, http.StatusSeeOther}, {26 * time.Hour, http.StatusServiceUnavailable}} {
		down.Store(true)
		ahead.Store(int64(c.after))
		if got := a.browser("").get(origin + "/v1/auth/oidc/corp"); got.status != c.status {
			t.Errorf("after %v without the provider the answer is %d %s", c.after, got.status, got.body)
		}
	}
}

// Keys are fetched again when a token names a new one, and with new metadata.
func TestKeysAreKept(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	a := open(t, h.provider())
	for range 3 {
		if got := h.signIn(a, a.browser("")); !strings.HasPrefix(got.at.Fragment, "code=") {
			t.Fatalf("came to %s: %d %s", got.at, got.status, got.body)
		}
	}
	if n := h.asked("/keys"); n != 1 {
		t.Errorf("the keys were fetched %d times for 3 sign-ins", n)
	}
}

// A sign-in code lives for a minute, a flow for ten.
func TestTimeIsShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		accounts := auth.NewMemory()
		if err := accounts.Insert(t.Context(), auth.Account{ID: "usr_1", Email: "ann@corp.test"}); err != nil {
			t.Fatal(err)
		}
		ids, err := auth.NewIdentities(auth.IdentitiesConfig{
			Accounts: accounts, Identities: auth.NewMemoryIdentities(accounts), Sessions: sessions{}, Key: make([]byte, 32),
		})
		if err != nil {
			t.Fatal(err)
		}
		account, err := accounts.ByID(t.Context(), "usr_1")
		if err != nil {
			t.Fatal(err)
		}
		code, err := ids.Code(t.Context(), account, "browser", false)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if _, err := ids.Redeem(t.Context(), auth.SignInCode{Code: code}, "browser"); err == nil {
			t.Error("a code is taken after a minute")
		}
	})
}
