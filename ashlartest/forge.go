package ashlartest

import (
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
)

// A forgery turns the access token of somebody into one that must be refused.
type forgery struct {
	name string
	make func(f *forger) string
}

// forger knows all that an attacker could learn, and the signing key as well:
// a token that is refused although the key has signed it is refused for what
// it says.
type forger struct {
	t       testing.TB
	header  map[string]any
	claims  map[string]any
	token   string // as it was issued
	private ed25519.PrivateKey
}

// forgeries are the ways of RFC 8725 and of the field's reports.
var forgeries = []forgery{
	{"expired", func(f *forger) string { return f.signed(nil, claims{"exp": f.in(-61 * time.Second)}) }},
	{"without an end", func(f *forger) string { return f.signed(nil, claims{"exp": nil}) }},
	{"not yet valid", func(f *forger) string { return f.signed(nil, claims{"nbf": f.in(61 * time.Second)}) }},
	{"issued in the future", func(f *forger) string { return f.signed(nil, claims{"iat": f.in(61 * time.Second)}) }},
	{"for another audience", func(f *forger) string { return f.signed(nil, claims{"aud": []string{"another"}}) }},
	{"for no audience", func(f *forger) string { return f.signed(nil, claims{"aud": nil}) }},
	{"of another issuer", func(f *forger) string { return f.signed(nil, claims{"iss": "another"}) }},
	{"without a subject", func(f *forger) string { return f.signed(nil, claims{"sub": nil}) }},
	{"of another type", func(f *forger) string { return f.signed(claims{"typ": "JWT"}, nil) }},
	{"with algorithm none", func(f *forger) string { return f.unsigned("none") }},
	{"with algorithm NoNe", func(f *forger) string { return f.unsigned("NoNe") }},
	{"without its signature", func(f *forger) string { return f.token[:strings.LastIndexByte(f.token, '.')+1] }},
	{"with the public key as HMAC secret", func(f *forger) string { return f.confused(f.public()) }},
	{"with the PEM of the public key as HMAC secret", func(f *forger) string { return f.confused(f.publicPEM()) }},
	{"with an unknown kid", func(f *forger) string { return f.signed(claims{"kid": "unknown"}, nil) }},
	{"without a kid", func(f *forger) string { return f.signed(claims{"kid": nil}, nil) }},
	{"with a path as kid", func(f *forger) string { return f.signed(claims{"kid": "../../../../dev/null"}, nil) }},
	{"with SQL as kid", func(f *forger) string { return f.signed(claims{"kid": "' UNION SELECT 'x' --"}, nil) }},
	{"with a jwk of its own", func(f *forger) string { return f.withJWK() }},
	{"with a jku", func(f *forger) string { return f.signed(claims{"jku": "http://127.0.0.1:9/keys"}, nil) }},
	{"with a critical extension", func(f *forger) string { return f.signed(claims{"crit": []string{"exp"}}, nil) }},
	{"signed by another key", func(f *forger) string { return sign(f.t, f.header, f.claims, newKey()) }},
	{"with another role", func(f *forger) string { return f.tampered(claims{"role": "another"}) }},
	{"with another subject", func(f *forger) string { return f.tampered(claims{"sub": "usr_other"}) }},
	{"cut short", func(f *forger) string { return f.token[:len(f.token)-8] }},
	{"with a longer end", func(f *forger) string { return f.token + "A" }},
	{"twice", func(f *forger) string { return f.token + ", Bearer " + f.token }},
}

// claims are members to change; nil takes one out.
type claims = map[string]any

// newForger takes apart a token that the app has issued.
func newForger(t testing.TB, token string, private ed25519.PrivateKey) *forger {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("an access token has %d parts", len(parts))
	}
	f := &forger{t: t, token: token, private: private}
	for i, into := range []*map[string]any{&f.header, &f.claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatalf("part %d of an access token: %v", i+1, err)
		}
	}
	return f
}

func (f *forger) in(d time.Duration) int64 { return time.Now().Add(d).Unix() }

// signed returns the token with changes, signed by the app's own key.
func (f *forger) signed(header, body claims) string {
	return sign(f.t, changed(f.header, header), changed(f.claims, body), f.private)
}

// tampered returns the token with other claims under the old signature.
func (f *forger) tampered(body claims) string {
	parts := strings.Split(f.token, ".")
	return parts[0] + "." + part(f.t, changed(f.claims, body)) + "." + parts[2]
}

func (f *forger) unsigned(algorithm string) string {
	return part(f.t, changed(f.header, claims{"alg": algorithm})) + "." + part(f.t, f.claims) + "."
}

// confused signs with HMAC under what is no secret: a verifier that lets the
// token choose takes its public key for one.
func (f *forger) confused(secret []byte) string {
	text := part(f.t, changed(f.header, claims{"alg": "HS256"})) + "." + part(f.t, f.claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// withJWK brings the key that it is signed with.
func (f *forger) withJWK() string {
	key := newKey()
	public, _ := key.Public().(ed25519.PublicKey)
	jwk := map[string]string{"kty": "OKP", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(public)}
	return sign(f.t, changed(f.header, claims{"jwk": jwk}), f.claims, key)
}

func (f *forger) public() []byte {
	public, _ := f.private.Public().(ed25519.PublicKey)
	return public
}

func (f *forger) publicPEM() []byte {
	der, err := x509.MarshalPKIXPublicKey(f.private.Public())
	if err != nil {
		f.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func changed(members map[string]any, changes claims) map[string]any {
	members = maps.Clone(members)
	for name, value := range changes {
		if value == nil {
			delete(members, name)
		} else {
			members[name] = value
		}
	}
	return members
}

func sign(t testing.TB, header, body map[string]any, key ed25519.PrivateKey) string {
	t.Helper()
	text := part(t, header) + "." + part(t, body)
	signature, err := key.Sign(rand.Reader, []byte(text), crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func part(t testing.TB, members map[string]any) string {
	t.Helper()
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func newKey() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(fmt.Sprint("no randomness: ", err))
	}
	return key
}
