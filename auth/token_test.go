package auth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
)

// clock is a time that tests move.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).Unix())
	return c
}
func (c *clock) now() time.Time       { return time.Unix(c.at.Load(), 0).UTC() }
func (c *clock) move(d time.Duration) { c.at.Add(int64(d / time.Second)) }

func tokens(t testing.TB, key auth.Key, c *clock, change ...func(*auth.TokenConfig)) *auth.Tokens {
	t.Helper()
	keys, err := auth.NewKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	cfg := auth.TokenConfig{Keys: keys, Issuer: "pay", Audience: "pay-api", Now: c.now}
	for _, f := range change {
		f(&cfg)
	}
	all, err := auth.NewTokens(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var who = auth.Claims{Subject: "usr_1", Role: "merchant", Account: "mer_1"}

func issue(t testing.TB, tokens *auth.Tokens) string {
	t.Helper()
	token, err := tokens.Issue(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTokenRoundTrip(t *testing.T) {
	t.Parallel()
	c := newClock()
	all := tokens(t, auth.GenerateKey(), c)
	token := issue(t, all)
	for range 2 { // the second time from memory
		got, err := all.Verify(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(got.ID, "tok_") || got.IssuedAt.Unix() != c.now().Unix() || got.ExpiresAt.Sub(got.IssuedAt) != 15*time.Minute {
			t.Errorf("claims %+v", got)
		}
		got.ID, got.IssuedAt, got.ExpiresAt = "", time.Time{}, time.Time{}
		if got != who {
			t.Errorf("got %+v, want %+v", got, who)
		}
	}
	if again := issue(t, all); again == token {
		t.Error("two tokens are one")
	}
	if _, err := all.Issue(t.Context(), auth.Claims{}); err == nil {
		t.Error("a token for nobody is made")
	}
}

// P11.26: whoever holds a token can read it.
func TestTokenSaysNothingPersonal(t *testing.T) {
	t.Parallel()
	c := newClock()
	full := auth.Claims{Subject: "usr_1", Role: "merchant", Account: "mer_1", Session: "ses_1", Epoch: 3, AuthTime: c.now()}
	token, err := tokens(t, auth.GenerateKey(), c).Issue(t.Context(), full)
	if err != nil {
		t.Fatal(err)
	}
	part := strings.Split(token, ".")
	var names []string
	for _, p := range part[:2] {
		var members map[string]any
		if text, err := base64.RawURLEncoding.DecodeString(p); err != nil || json.Unmarshal(text, &members) != nil {
			t.Fatalf("%s, %v", p, err)
		}
		for name := range members {
			names = append(names, name)
		}
	}
	allowed := "alg kid typ iss sub aud exp nbf iat jti role account sid epoch auth_time"
	if len(names) != len(strings.Fields(allowed)) {
		t.Errorf("members %v, want %s", names, allowed)
	}
	for _, name := range names {
		if !strings.Contains(" "+allowed+" ", " "+name+" ") {
			t.Errorf("%s is in a token", name)
		}
	}
}

// forge signs whatever it is told to.
func forge(t testing.TB, header, claims any, sign func(string) []byte) string {
	t.Helper()
	encode := func(v any) string {
		text, ok := v.(string)
		if !ok {
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
		return base64.RawURLEncoding.EncodeToString([]byte(text))
	}
	signed := encode(header) + "." + encode(claims)
	return signed + "." + base64.RawURLEncoding.EncodeToString(sign(signed))
}

type object = map[string]any

// with returns a copy of o with a member changed, or taken out by nil.
func with(o object, name string, value any) object {
	o = maps.Clone(o)
	if value == nil {
		delete(o, name)
	} else {
		o[name] = value
	}
	return o
}

// key makes a key for an algorithm.
func key(t testing.TB, a auth.Algorithm) auth.Key {
	t.Helper()
	k, err := auth.NewKey(a)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// signer signs anything with a key, whatever Issue would say to it.
func signer(t testing.TB, k auth.Key) func(string) []byte {
	return func(s string) []byte {
		switch private := k.Private().(type) {
		case ed25519.PrivateKey:
			return ed25519.Sign(private, []byte(s))
		case *ecdsa.PrivateKey:
			signature, err := jwt.SigningMethodES256.Sign(s, private)
			if err != nil {
				t.Fatal(err)
			}
			return signature
		case []byte:
			return hs256(private)(s)
		}
		t.Fatalf("a key of %T", k.Private())
		return nil
	}
}

func hs256(secret []byte) func(string) []byte {
	return func(s string) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(s))
		return mac.Sum(nil)
	}
}

// P11.1 to P11.4: what is not exactly one of our tokens is refused, whichever
// algorithm our key has.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	for _, name := range auth.Algorithm("").Values() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forgedTokens(t, auth.Algorithm(name))
		})
	}
}

func forgedTokens(t *testing.T, own auth.Algorithm) {
	mine, other, c := key(t, own), key(t, own), newClock()
	all := tokens(t, mine, c)
	now := c.now().Unix()
	header := object{"alg": string(own), "kid": mine.ID(), "typ": "at+jwt"}
	claims := object{"iss": "pay", "aud": "pay-api", "sub": "usr_1", "role": "merchant", "jti": "tok_1", "iat": now, "nbf": now, "exp": now + 900}

	ours, theirs := signer(t, mine), signer(t, other)
	nothing := func(string) []byte { return nil }
	jwk := object{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}

	// The same pieces must pass when nothing is wrong, or the rest proves nothing.
	good := forge(t, header, claims, ours)
	if _, err := all.Verify(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	if _, err := all.Verify(t.Context(), forge(t, header, with(claims, "aud", []string{"x", "pay-api"}), ours)); err != nil {
		t.Fatal(err)
	}
	part := strings.Split(good, ".")
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", good[len(good)-1])
	twin := good[:len(good)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last^1])

	forged := map[string]string{
		"nothing":                   "",
		"dots":                      "..",
		"alg none":                  forge(t, with(header, "alg", "none"), claims, nothing),
		"alg NoNe":                  forge(t, with(header, "alg", "NoNe"), claims, nothing),
		"alg none, our signature":   forge(t, with(header, "alg", "none"), claims, ours),
		"alg Ed25519":               forge(t, with(header, "alg", "Ed25519"), claims, ours),
		"alg missing":               forge(t, with(header, "alg", nil), claims, ours),
		"alg a list":                forge(t, with(header, "alg", []string{string(own)}), claims, ours),
		"no signature":              part[0] + "." + part[1] + ".",
		"no signature and no dot":   part[0] + "." + part[1],
		"another key":               forge(t, header, claims, theirs),
		"another key and its kid":   forge(t, with(header, "kid", other.ID()), claims, theirs),
		"no kid":                    forge(t, with(header, "kid", nil), claims, ours),
		"an empty kid":              forge(t, with(header, "kid", ""), claims, ours),
		"kid in another case":       forge(t, with(header, "kid", strings.ToUpper(mine.ID())), claims, ours),
		"half the kid":              forge(t, with(header, "kid", mine.ID()[:20]), claims, ours),
		"kid a path":                forge(t, with(header, "kid", "../../dev/null"), claims, ours),
		"kid of SQL":                forge(t, with(header, "kid", "' OR 1=1 --"), claims, ours),
		"jwk, their signature":      forge(t, with(header, "jwk", jwk), claims, theirs),
		"jku, their signature":      forge(t, with(header, "jku", "https://evil.test/jwks.json"), claims, theirs),
		"x5u, their signature":      forge(t, with(header, "x5u", "https://evil.test/cert.pem"), claims, theirs),
		"crit":                      forge(t, with(header, "crit", []string{"exp"}), claims, ours),
		"b64":                       forge(t, with(header, "b64", false), claims, ours),
		"typ JWT":                   forge(t, with(header, "typ", "JWT"), claims, ours),
		"typ missing":               forge(t, with(header, "typ", nil), claims, ours),
		"typ of another token":      forge(t, with(header, "typ", "rt+jwt"), claims, ours),
		"a header that is null":     forge(t, "null", claims, ours),
		"a header that is a list":   forge(t, "[]", claims, ours),
		"a header that ends early":  forge(t, `{"alg":"EdDSA"`, claims, ours),
		"expired 61 seconds ago":    forge(t, header, with(claims, "exp", now-61), ours),
		"not yet valid":             forge(t, header, with(claims, "nbf", now+61), ours),
		"issued in the future":      forge(t, header, with(claims, "iat", now+61), ours),
		"no exp":                    forge(t, header, with(claims, "exp", nil), ours),
		"no nbf":                    forge(t, header, with(claims, "nbf", nil), ours),
		"no iat":                    forge(t, header, with(claims, "iat", nil), ours),
		"no sub":                    forge(t, header, with(claims, "sub", nil), ours),
		"an empty sub":              forge(t, header, with(claims, "sub", ""), ours),
		"no iss":                    forge(t, header, with(claims, "iss", nil), ours),
		"a foreign iss":             forge(t, header, with(claims, "iss", "pay2"), ours),
		"no aud":                    forge(t, header, with(claims, "aud", nil), ours),
		"a foreign aud":             forge(t, header, with(claims, "aud", "pay"), ours),
		"foreign auds":              forge(t, header, with(claims, "aud", []string{"a", "b"}), ours),
		"claims that are null":      forge(t, header, "null", ours),
		"claims that are no JSON":   forge(t, header, "canary", ours),
		"trailing claims":           forge(t, header, `{"sub":"usr_1"}{"sub":"usr_2"}`, ours),
		"a changed role":            part[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"role":"admin"}`)) + "." + part[2],
		"a truncated signature":     good[:len(good)-2],
		"a truncated token":         good[:len(good)/2],
		"a twin of the last letter": twin,
		"a fourth part":             good + "." + part[2],
		"a fourth part, empty":      good + ".",
		"parts doubled":             part[0] + "." + part[1] + "." + part[1] + "." + part[2],
		"a trailing letter":         good + "A",
		"a trailing space":          good + " ",
		"a trailing newline":        good + "\n",
		"a newline inside":          part[0] + "." + part[1][:8] + "\n" + part[1][8:] + "." + part[2],
		"padding":                   good + "==",
		"standard base64":           strings.NewReplacer("-", "+", "_", "/").Replace(part[0]) + "+." + part[1] + "." + part[2],
		"a NUL":                     good + "\x00",
		"too long":                  forge(t, header, with(claims, "x", strings.Repeat("x", 4096)), ours),
		"alg in another case":       forge(t, with(header, "alg", strings.ToLower(string(own))), claims, ours),
	}
	for _, a := range auth.Algorithm("").Values() {
		if a != string(own) {
			forged["alg "+a] = forge(t, with(header, "alg", a), claims, ours)
		}
	}
	// P11.1: the public half, in every form in which somebody could have it, is
	// no secret.
	for form, public := range publicForms(t, mine) {
		forged["HS256 with the public key, "+form] = forge(t, with(header, "alg", "HS256"), claims, hs256(public))
		forged["HS256 under our own alg, "+form] = forge(t, header, claims, hs256(public))
	}
	for name, token := range forged {
		claims, err := all.Verify(t.Context(), token)
		if !errors.Is(err, auth.ErrToken) || claims != (auth.Claims{}) {
			t.Errorf("%s: %+v, %v", name, claims, err)
			continue
		}
		if p := fault.ProblemOf(err, ""); p.Code != "token_invalid" || p.Status != 401 || p.Detail != "" {
			t.Errorf("%s: the caller is told %+v", name, p)
		}
	}
}

// publicForms are the forms in which the public half of a key gets about.
func publicForms(t testing.TB, k auth.Key) map[string][]byte {
	t.Helper()
	forms := map[string][]byte{}
	var public any
	switch private := k.Private().(type) {
	case ed25519.PrivateKey:
		public = private.Public()
		forms["raw"] = private.Public().(ed25519.PublicKey)
	case *ecdsa.PrivateKey:
		public = private.Public()
		point, err := private.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		forms["point"] = point
		forms["compressed point"] = append([]byte{2 + point[64]&1}, point[1:33]...)
		forms["x"] = point[1:33]
	default:
		return nil
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := auth.NewKeys(k)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(keys.JWKS(time.Now()).Keys[0])
	if err != nil {
		t.Fatal(err)
	}
	forms["DER"] = der
	forms["PEM"] = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	forms["PEM without its last line end"] = bytes.TrimSpace(forms["PEM"])
	forms["JWK"] = jwk
	forms["x as text"] = []byte(keys.JWKS(time.Now()).Keys[0].X)
	return forms
}

func TestTokenTimes(t *testing.T) {
	t.Parallel()
	c := newClock()
	all := tokens(t, auth.GenerateKey(), c, func(cfg *auth.TokenConfig) { cfg.Life, cfg.Skew = time.Minute, 10*time.Second })
	token := issue(t, all)
	for _, step := range []struct {
		move time.Duration
		ok   bool
	}{{0, true}, {-10 * time.Second, true}, {19 * time.Second, true}, {50 * time.Second, true}, {10 * time.Second, true}, {time.Second, false}} {
		c.move(step.move)
		// Once with a memory of the token, and once without.
		_, warm := all.Verify(t.Context(), token)
		all.Purge()
		_, cold := all.Verify(t.Context(), token)
		if (warm == nil) != step.ok || (cold == nil) != step.ok {
			t.Errorf("after %v: %v, %v; valid should be %t", step.move, warm, cold, step.ok)
		}
	}
}

func TestTokenIsForgottenAfterAMinute(t *testing.T) {
	t.Parallel()
	c := newClock()
	key, next := auth.GenerateKey(), auth.GenerateKey()
	token := issue(t, tokens(t, key, c))
	seen := tokens(t, key, c)
	if _, err := seen.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	auth.Rekey(seen, next) // only memory knows the token now
	c.move(59 * time.Second)
	if _, err := seen.Verify(t.Context(), token); err != nil {
		t.Errorf("after 59 seconds: %v", err)
	}
	c.move(time.Second)
	if _, err := seen.Verify(t.Context(), token); !errors.Is(err, auth.ErrToken) {
		t.Errorf("after a minute: %v", err)
	}
}

func TestPurgeForgets(t *testing.T) {
	t.Parallel()
	key, c := auth.GenerateKey(), newClock()
	all := tokens(t, key, c)
	token := issue(t, all)
	if _, err := all.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	auth.Rekey(all, auth.GenerateKey())
	all.Purge()
	if _, err := all.Verify(t.Context(), token); !errors.Is(err, auth.ErrToken) {
		t.Errorf("after Purge: %v", err)
	}
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	c, old, next := newClock(), auth.GenerateKey(), auth.GenerateKey()
	before := issue(t, tokens(t, old, c))
	rotated := tokens(t, next, c, func(cfg *auth.TokenConfig) {
		keys, err := auth.ParseKeys(next.Secret().Reveal() + "," + public(t, old))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Keys = keys
	})
	if _, err := rotated.Verify(t.Context(), before); err != nil {
		t.Errorf("the old key's token: %v", err)
	}
	after := issue(t, rotated)
	if _, err := rotated.Verify(t.Context(), after); err != nil {
		t.Errorf("the new key's token: %v", err)
	}
	if _, err := tokens(t, old, c).Verify(t.Context(), after); !errors.Is(err, auth.ErrToken) {
		t.Errorf("the new key's token, verified without it: %v", err)
	}
}

func TestMemoryOfTokensIsBounded(t *testing.T) {
	t.Parallel()
	all := tokens(t, auth.GenerateKey(), newClock(), func(cfg *auth.TokenConfig) { cfg.Cache = 64 })
	for range 300 {
		if _, err := all.Verify(t.Context(), issue(t, all)); err != nil {
			t.Fatal(err)
		}
	}
	if n := auth.Remembered(all); n == 0 || n > 64 {
		t.Errorf("%d tokens remembered, want at most 64", n)
	}
	none := tokens(t, auth.GenerateKey(), newClock(), func(cfg *auth.TokenConfig) { cfg.Cache = -1 })
	if _, err := none.Verify(t.Context(), issue(t, none)); err != nil || auth.Remembered(none) != 0 {
		t.Errorf("without memory: %v, %d remembered", err, auth.Remembered(none))
	}
	none.Purge()
	for range 10 {
		if _, err := all.Verify(t.Context(), "a.b.c"); err == nil {
			t.Fatal("accepted")
		}
	}
	if n := auth.Remembered(all); n > 64 {
		t.Errorf("refusals are remembered: %d", n)
	}
}

func TestVerifyConcurrently(t *testing.T) {
	t.Parallel()
	all := tokens(t, auth.GenerateKey(), newClock(), func(cfg *auth.TokenConfig) { cfg.Cache = 32 })
	some := make([]string, 20)
	for i := range some {
		some[i] = issue(t, all)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				if c, err := all.Verify(t.Context(), some[i%len(some)]); err != nil || c.Subject != who.Subject {
					t.Errorf("%+v, %v", c, err)
				}
				if i%50 == 0 {
					all.Purge()
				}
			}
		})
	}
	wg.Wait()
}

func TestNewTokensRefuses(t *testing.T) {
	t.Parallel()
	keys, err := auth.NewKeys(auth.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]auth.TokenConfig{
		"no keys": {Issuer: "a", Audience: "b"}, "no issuer": {Keys: keys, Audience: "b"}, "no audience": {Keys: keys, Issuer: "a"},
		"a long life": {Keys: keys, Issuer: "a", Audience: "b", Life: time.Hour + 1}, "a negative life": {Keys: keys, Issuer: "a", Audience: "b", Life: -1},
		"a tiny life": {Keys: keys, Issuer: "a", Audience: "b", Life: time.Millisecond}, "wide skew": {Keys: keys, Issuer: "a", Audience: "b", Skew: 61 * time.Second},
	} {
		if _, err := auth.NewTokens(c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func bearing(headers ...string) *http.Request {
	return &http.Request{Header: http.Header{"Authorization": headers}}
}

// TestRecallKnowsWhatVerifyKnows holds that the quick way in is no other way in.
func TestRecallKnowsWhatVerifyKnows(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := auth.NewRevocations(c.now)
	all := tokens(t, auth.GenerateKey(), c, func(cfg *auth.TokenConfig) { cfg.Revocations = r })
	token, err := all.Issue(t.Context(), auth.Claims{Subject: "usr_1", Role: "merchant", Session: "ses_1"})
	if err != nil {
		t.Fatal(err)
	}
	recalled := func(when string, want bool) auth.Claims {
		t.Helper()
		claims, known := all.Recall(bearing("Bearer " + token))
		if known != want || (claims.Subject == "usr_1") != want {
			t.Errorf("%s: %+v, %t", when, claims, known)
		}
		return claims
	}
	verified := func() auth.Claims {
		t.Helper()
		claims, err := all.Verify(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		return claims
	}

	recalled("before it was verified", false)
	if a, b := verified(), recalled("after", true); a != b {
		t.Errorf("%+v was verified, %+v is recalled", a, b)
	}
	for _, headers := range [][]string{
		nil,
		{""},
		{"Bearer"},
		{"Bearer "},
		{token},
		{"Basic " + token},
		{"Bearer  " + token},
		{"Bearer " + token + " "},
		{"Bearer " + token + "="},
		{"Bearer " + token[:len(token)-1]},
		{"Bearer " + strings.ToUpper(token)},
		{"Bearer " + token, "Bearer " + token},
	} {
		if claims, known := all.Recall(bearing(headers...)); known || claims != (auth.Claims{}) {
			t.Errorf("%q is taken for %+v", headers, claims)
		}
	}
	c.move(2 * time.Minute)
	recalled("a minute later", false)
	verified()
	recalled("verified again", true)
	r.Apply(auth.Revocation{Seq: 1, Subject: "usr_1", Role: "auditor", Until: c.now().Add(time.Hour)})
	if got := recalled("with another role", true); got.Role != "auditor" {
		t.Errorf("after a change of role: %+v", got)
	}
	r.Apply(auth.Revocation{Seq: 2, Credential: "ses_1", Until: c.now().Add(time.Hour)})
	recalled("after the end of its session", false)
}

func TestRecallForgetsWithTheKeys(t *testing.T) {
	t.Parallel()
	var keys *auth.Keys
	all := tokens(t, auth.GenerateKey(), newClock(), func(cfg *auth.TokenConfig) { keys = cfg.Keys })
	token := issue(t, all)
	if _, err := all.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	others, err := auth.NewKeys(auth.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	keys.Replace(others)
	if claims, known := all.Recall(bearing("Bearer " + token)); known {
		t.Errorf("with other keys %+v is recalled", claims)
	}
	none := tokens(t, auth.GenerateKey(), newClock(), func(cfg *auth.TokenConfig) { cfg.Cache = -1 })
	token = issue(t, none)
	_, err = none.Verify(t.Context(), token)
	if _, known := none.Recall(bearing("Bearer " + token)); known || err != nil {
		t.Errorf("without a memory a token is recalled, %v", err)
	}
}

func TestARememberedTokenCostsNoAllocation(t *testing.T) {
	all := tokens(t, auth.GenerateKey(), newClock())
	token, ctx := issue(t, all), t.Context()
	if _, err := all.Verify(ctx, token); err != nil {
		t.Fatal(err)
	}
	again := bearing("Bearer " + token)
	if n := testing.AllocsPerRun(100, func() {
		if _, known := all.Recall(again); !known {
			t.Fatal("not recalled")
		}
	}); n != 0 {
		t.Errorf("%v allocations to recall", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := all.Verify(ctx, token); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzVerify holds that nothing but what was issued is accepted, with a key of
// each algorithm at hand for a token to choose among.
func FuzzVerify(f *testing.F) {
	c := newClock()
	ed, ec, mac := auth.GenerateKey(), key(f, auth.ES256), key(f, auth.HS256)
	keys := keysOf(f, ed, ec, mac)
	all := tokens(f, ed, c, func(cfg *auth.TokenConfig) { cfg.Cache, cfg.Keys = -1, keys })
	issued := map[string]bool{}
	for _, k := range []auth.Key{ed, ec, mac} {
		token := issue(f, tokens(f, k, c))
		issued[token] = true
		f.Add(token)
		f.Add(token + ".")
	}
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := all.Verify(t.Context(), s)
		if (err == nil) != issued[s] {
			t.Fatalf("%q: %s", s, cmp.Diff(who, got))
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, c := range []struct {
		name  string
		a     auth.Algorithm
		cache int
	}{{"remembered", auth.EdDSA, 0}, {"EdDSA", auth.EdDSA, -1}, {"ES256", auth.ES256, -1}, {"HS256", auth.HS256, -1}} {
		b.Run(c.name, func(b *testing.B) {
			all := tokens(b, key(b, c.a), newClock(), func(cfg *auth.TokenConfig) { cfg.Cache = c.cache })
			token := issue(b, all)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := all.Verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyHitParallel(b *testing.B) {
	all := tokens(b, auth.GenerateKey(), newClock())
	token := issue(b, all)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := all.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkIssue(b *testing.B) {
	all := tokens(b, auth.GenerateKey(), newClock())
	b.ReportAllocs()
	for b.Loop() {
		issue(b, all)
	}
}
