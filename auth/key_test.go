package auth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/auth"
)

func ids(k *auth.Keys) (all []string) {
	for _, key := range k.List() {
		all = append(all, key.ID())
	}
	return all
}

// public is the public half of a key, as PEM.
func public(t testing.TB, k auth.Key) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.Private().(ed25519.PrivateKey).Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestParseKeysReadsWhatKeysWrite(t *testing.T) {
	t.Parallel()
	a, b, c := auth.GenerateKey(), auth.GenerateKey(), auth.GenerateKey()
	url := base64.RawURLEncoding.EncodeToString(b.Private().(ed25519.PrivateKey).Seed())
	want := fmt.Sprint([]string{a.ID(), b.ID(), c.ID()})
	for name, text := range map[string]string{
		"base64 and commas":  a.Secret().Reveal() + "," + b.Secret().Reveal() + ", " + c.Secret().Reveal(),
		"base64 and lines":   "\n" + a.Secret().Reveal() + "\n" + url + "\r\n" + c.Secret().Reveal() + "\n",
		"PEM":                a.PEM().Reveal() + b.PEM().Reveal() + c.PEM().Reveal(),
		"PEM and commas":     strings.TrimSpace(a.PEM().Reveal()) + "," + b.PEM().Reveal() + "," + c.PEM().Reveal(),
		"a mixture":          a.PEM().Reveal() + b.Secret().Reveal() + "\n" + public(t, c),
		"public keys behind": a.Secret().Reveal() + "\n" + public(t, b) + public(t, c),
	} {
		keys, err := auth.ParseKeys(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := fmt.Sprint(ids(keys)); got != want {
			t.Errorf("%s: keys %s, want %s", name, got, want)
		}
	}
}

func TestParseKeysRefuses(t *testing.T) {
	t.Parallel()
	good := auth.GenerateKey()
	secret := good.Secret().Reveal()
	block := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	weaker, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(weaker)
	other := block("PRIVATE KEY", pkcs8, err)
	sec1, err := x509.MarshalECPrivateKey(p384)
	curve := block("EC PRIVATE KEY", sec1, err)
	pkix, err := x509.MarshalPKIXPublicKey(p384.Public())
	publicCurve := block("PUBLIC KEY", pkix, err)
	pkix, err = x509.MarshalPKIXPublicKey(weaker.Public())
	publicRSA := block("PUBLIC KEY", pkix, err)
	random := make([]byte, 64)
	rand.Read(random)
	b64 := base64.StdEncoding.EncodeToString
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                       {" \n,", "auth: no signing key"},
		"a public key first":            {public(t, good), "auth: signing key 1 is a public key; the first one signs and must be private"},
		"a key twice":                   {secret + "," + secret, "auth: signing key 2 is there twice"},
		"not base64":                    {"canary!", "auth: signing key 1 is neither PEM nor base64"},
		"too short":                     {b64([]byte("canary")), "auth: signing key 1 has 6 bytes; an Ed25519 key has 32"},
		"zeros":                         {b64(make([]byte, 32)), "auth: signing key 1 is too weak: it is not random"},
		"a repeated phrase":             {b64(bytes.Repeat([]byte("\x00canary\xff"), 4)), "auth: signing key 1 is too weak: it is not random"},
		"a sentence":                    {b64([]byte("the quick brown fox jumps, over!")), "auth: signing key 1 is too weak: it is not random"},
		"RSA":                           {other, "auth: signing key 1 is another kind of key (*rsa.PrivateKey); expected Ed25519 or P-256"},
		"RSA, public":                   {secret + "\n" + publicRSA, "auth: signing key 2 is another kind of key (*rsa.PublicKey); expected Ed25519 or P-256"},
		"P-384":                         {curve, "auth: signing key 1 is a key on P-384; expected P-256"},
		"P-384, public":                 {secret + "\n" + publicCurve, "auth: signing key 2 is a key on P-384; expected P-256"},
		"another type of PEM":           {string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: random})), "auth: signing key 1 is a PEM block of another type; expected PRIVATE KEY, EC PRIVATE KEY or PUBLIC KEY"},
		"broken SEC 1":                  {string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: random})), "auth: signing key 1 is a broken SEC 1 private key"},
		"a short es256":                 {"es256:" + b64(random[:31]), "auth: signing key 1 is no P-256 key of 32 bytes"},
		"es256 above the curve's order": {"es256:" + b64(bytes.Repeat([]byte{255}, 32)), "auth: signing key 1 is no P-256 key of 32 bytes"},
		"a short hs256":                 {"hs256:" + b64(random[:31]), "auth: signing key 1 has 31 bytes; an HS256 secret has at least 32"},
		"an empty hs256":                {"hs256:", "auth: signing key 1 has 0 bytes; an HS256 secret has at least 32"},
		"hs256 of zeros":                {"hs256:" + b64(make([]byte, 64)), "auth: signing key 1 is too weak: it is not random"},
		"hs256 of a sentence":           {"hs256:" + b64([]byte("the quick brown fox jumps over the lazy dog")), "auth: signing key 1 is too weak: it is not random"},
		"hs256 not base64":              {"hs256:canary!", "auth: signing key 1 is neither PEM nor base64"},
		"a broken public:":              {secret + ",public:" + b64(random), "auth: signing key 2 is a broken public key"},
		"an unknown form":               {"hs512:" + b64(random), "auth: signing key 1 is neither PEM nor base64"},
		"no time to retire":             {secret + "," + auth.GenerateKey().Secret().Reveal() + ";retired=soon", "auth: signing key 2 does not say when it retires; expected a time like 2026-11-22T20:00:00Z"},
		"the first retires":             {secret + ";retired=2026-11-22T20:00:00Z", "auth: signing key 1 retires; the first one takes over from the others and must not"},
		"a short secret":                {secret + ",secret:" + b64(random[:31]), "auth: signing key 2 has 31 bytes; secret: has 32"},
		"a weak secret":                 {secret + ",secret:" + b64(make([]byte, 32)), "auth: signing key 2 is too weak: it is not random"},
		"a secret, no base64":           {secret + ",secret:canary!", "auth: signing key 2 is neither PEM nor base64"},
		"a secret alone":                {"secret:" + b64(random[:32]), "auth: no signing key"},
		"only a comment":                {"# " + secret, "auth: no signing key"},
		"broken PEM":                    {"-----BEGIN PRIVATE KEY-----\ncanary\n", "auth: signing key 1 is a broken PEM block"},
		"broken PKCS #8":                {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("canary")})), "auth: signing key 1 is a broken PKCS #8 private key"},
		"a broken public key":           {string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("canary")})), "auth: signing key 1 is a broken public key"},
		"several mistakes":              {secret + ",canary!," + b64([]byte("canary")), "auth: signing key 2 is neither PEM nor base64\nauth: signing key 3 has 6 bytes; an Ed25519 key has 32"},
	} {
		if _, err := auth.ParseKeys(c.text); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
	if _, err := auth.NewKeys(auth.Key{}); err == nil {
		t.Error("an empty key is accepted")
	}
}

// P11.1: an HMAC whose secret is the public half of a key beside it would let
// everybody sign; in every form the start is refused.
func TestNoPublicKeyBecomesASecret(t *testing.T) {
	t.Parallel()
	for _, a := range []auth.Algorithm{auth.EdDSA, auth.ES256} {
		k := key(t, a)
		for form, public := range publicForms(t, k) {
			secret := "hs256:" + base64.StdEncoding.EncodeToString(public)
			for _, list := range []string{k.Secret().Reveal() + "," + secret, secret + "," + k.Secret().Reveal()} {
				if _, err := auth.ParseKeys(list); err == nil {
					t.Errorf("%s, %s: accepted as a secret", a, form)
				}
			}
		}
	}
}

// Whatever can be read is written and read again as the same key.
func TestKeysOfEveryAlgorithm(t *testing.T) {
	t.Parallel()
	c := newClock()
	for _, name := range auth.Algorithm("").Values() {
		k := key(t, auth.Algorithm(name))
		forms := map[string]string{"Secret": k.Secret().Reveal(), "PEM": k.PEM().Reveal()}
		if private, ok := k.Private().(*ecdsa.PrivateKey); ok {
			der, err := x509.MarshalECPrivateKey(private)
			if err != nil {
				t.Fatal(err)
			}
			forms["SEC 1"] = string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
			forms["SEC 1, as OpenSSL writes it"] = string(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8}})) + forms["SEC 1"]
		}
		for form, text := range forms {
			if form == "PEM" && name == "HS256" {
				if text != "" {
					t.Errorf("HS256 has PEM")
				}
				continue
			}
			keys, err := auth.ParseKeys("# a comment, with a comma\n" + text)
			if err != nil || len(keys.List()) != 1 {
				t.Errorf("%s, %s: %v", name, form, err)
				continue
			}
			got := keys.List()[0]
			if got.ID() != k.ID() || got.Algorithm() != k.Algorithm() {
				t.Errorf("%s, %s: %s %s became %s %s", name, form, k, k.Algorithm(), got, got.Algorithm())
			}
			if _, err := tokens(t, k, c).Verify(t.Context(), issue(t, tokens(t, got, c))); err != nil {
				t.Errorf("%s, %s: %v", name, form, err)
			}
		}
		all := fmt.Sprintf("%v %+v %#v %s %q %v", k, k, k, k, k, k.Secret())
		if secret := k.Secret().Reveal(); strings.Contains(all, secret[len("hs256:"):]) {
			t.Errorf("the key is in %s", all)
		}
	}
	if _, err := auth.NewKey("RS256"); err == nil || !strings.Contains(err.Error(), "EdDSA, ES256, HS256") {
		t.Errorf("a key for RS256: %v", err)
	}
}

func TestKeyPrintsItsIDOnly(t *testing.T) {
	t.Parallel()
	k := auth.GenerateKey()
	seed := k.Private().(ed25519.PrivateKey).Seed()
	keys, err := auth.NewKeys(k)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(k) //nolint:staticcheck // that nothing comes out is the point
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%v %+v %#v %s %q %v %v %s", k, k, k, k, k, k.Secret(), k.PEM(), text)
	//nolint:staticcheck // fmt.Sprint(seed) is how %v would give it away
	for _, form := range []string{fmt.Sprint(seed), fmt.Sprintf("%x", seed), k.Secret().Reveal(), base64.StdEncoding.EncodeToString(seed)} {
		if strings.Contains(all, form) {
			t.Errorf("the key is in %s", all)
		}
	}
	if got := fmt.Sprintf("%v", keys.JWKS(time.Now())); strings.Contains(got, k.Secret().Reveal()) {
		t.Errorf("the key is in %s", got)
	}
}

func TestJWKS(t *testing.T) {
	t.Parallel()
	// RFC 8037, appendix A: the key pair and its thumbprint.
	keys, err := auth.ParseKeys("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(keys.JWKS(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",` +
		`"kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","use":"sig","alg":"EdDSA"}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// P11.5: what is published is what others can verify with, never a secret.
func TestJWKSOfEveryAlgorithm(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ed, ec, mac, gone := key(t, auth.EdDSA), key(t, auth.ES256), key(t, auth.HS256), key(t, auth.ES256)
	keys, err := auth.ParseKeys(strings.Join([]string{
		mac.Secret().Reveal(), ec.Secret().Reveal() + ";retired=" + now.Add(-time.Hour).UTC().Format(time.RFC3339),
		ed.Secret().Reveal(), gone.Secret().Reveal() + ";retired=" + now.Add(-62*time.Minute).UTC().Format(time.RFC3339),
	}, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(keys.JWKS(now))
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(text, &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("%s, %v", text, err)
	}
	point, err := ec.Private().(*ecdsa.PrivateKey).PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	url := base64.RawURLEncoding.EncodeToString
	want := map[string]string{"kty": "EC", "crv": "P-256", "x": url(point[1:33]), "y": url(point[33:]), "kid": ec.ID(), "use": "sig", "alg": "ES256"}
	if diff := cmp.Diff(want, set.Keys[0]); diff != "" {
		t.Error(diff)
	}
	if set.Keys[1]["kid"] != ed.ID() || len(set.Keys[1]) != 6 {
		t.Errorf("got %v", set.Keys[1])
	}
	for _, secret := range []string{mac.ID(), url(mac.Private().([]byte)), url(ed.Private().(ed25519.PrivateKey).Seed())} {
		if strings.Contains(string(text), secret) {
			t.Errorf("%s is in %s", secret, text)
		}
	}
	only, err := auth.NewKeys(mac)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(only.JWKS(now)); err != nil || string(text) != `{"keys":[]}` {
		t.Errorf("got %s, %v", text, err)
	}
}

// RFC 7638 and the appendix A.3.1 of RFC 7515: an ES256 key by its point.
func TestES256OfTheRFC(t *testing.T) {
	t.Parallel()
	raw, err := base64.RawURLEncoding.DecodeString("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := auth.ParseKeys("es256:" + base64.StdEncoding.EncodeToString(raw))
	if err != nil {
		t.Fatal(err)
	}
	const token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ." +
		"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	if _, err := auth.Open(keys.List()[0], token); err != nil {
		t.Error(err)
	}
	jwk := keys.JWKS(time.Now()).Keys[0]
	if jwk.X != "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU" || jwk.Y != "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" {
		t.Errorf("got %+v", jwk)
	}
}

func TestLoadOrCreateKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "signing.key")
	made := make([]string, 8)
	var wg sync.WaitGroup
	for i := range made {
		wg.Go(func() {
			keys, err := auth.LoadOrCreateKeys(path)
			if err != nil {
				t.Error(err)
				return
			}
			made[i] = fmt.Sprint(ids(keys))
		})
	}
	wg.Wait()
	for _, one := range made {
		if one != made[0] || one == "" {
			t.Fatalf("processes that start at once disagree: %v", made)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}

	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := auth.LoadOrCreateKeys(path); err == nil || !strings.Contains(err.Error(), "may be read by others") {
		t.Errorf("a file that others may read: %v", err)
	}
	if err := os.WriteFile(path, []byte("canary!"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := auth.LoadOrCreateKeys(path); err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "canary") {
		t.Errorf("a broken file: %v", err)
	}
	if _, err := auth.LoadOrCreateKeys(filepath.Join(path, "below")); err == nil {
		t.Error("a path below a file is no mistake")
	}
}

// FuzzParseKeys holds that no list crashes the start, and that one which is
// accepted is written and read again as the same keys.
func FuzzParseKeys(f *testing.F) {
	k := auth.GenerateKey()
	f.Add(k.Secret().Reveal() + "," + k.PEM().Reveal())
	f.Add(public(f, k))
	f.Add("-----BEGIN PRIVATE KEY-----,-----END ")
	f.Add("# x\n" + key(f, auth.HS256).Secret().Reveal() + "\n" + key(f, auth.ES256).Secret().Reveal() + ";retired=2026-11-22T20:00:00Z")
	f.Add(key(f, auth.ES256).PEM().Reveal() + "secret:" + base64.StdEncoding.EncodeToString(k.Private().(ed25519.PrivateKey).Seed()))
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := auth.ParseKeys(text)
		if (keys == nil) == (err == nil) {
			t.Fatalf("%v, %v", keys, err)
		}
		if err != nil {
			return
		}
		again, err := auth.ParseKeys(keys.Secret().Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ids(keys), ids(again)); diff != "" || !bytes.Equal(keys.Derive("x"), again.Derive("x")) {
			t.Fatalf("read again: %s", diff)
		}
	})
}
