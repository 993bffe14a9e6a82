package auth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
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

	"github.com/ashlar-go/ashlar/auth"
)

func ids(k *auth.Keys) (all []string) {
	for _, jwk := range k.JWKS().Keys {
		all = append(all, jwk.ID)
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
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	other := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	b64 := base64.StdEncoding.EncodeToString
	for name, c := range map[string]struct{ text, want string }{
		"nothing":             {" \n,", "auth: no signing key"},
		"a public key first":  {public(t, good), "auth: signing key 1 is a public key; the first one signs and must be private"},
		"a key twice":         {secret + "," + secret, "auth: signing key 2 is there twice"},
		"not base64":          {"canary!", "auth: signing key 1 is neither PEM nor base64"},
		"too short":           {b64([]byte("canary")), "auth: signing key 1 has 6 bytes; an Ed25519 key has 32"},
		"zeros":               {b64(make([]byte, 32)), "auth: signing key 1 is too weak: it is not random"},
		"a repeated phrase":   {b64(bytes.Repeat([]byte("\x00canary\xff"), 4)), "auth: signing key 1 is too weak: it is not random"},
		"a sentence":          {b64([]byte("the quick brown fox jumps, over!")), "auth: signing key 1 is too weak: it is not random"},
		"another kind of key": {other, "auth: signing key 1 is another kind of key (*ecdsa.PrivateKey); expected Ed25519"},
		"another type of PEM": {string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der})), "auth: signing key 1 is a PEM block of another type; expected PRIVATE KEY or PUBLIC KEY"},
		"broken PEM":          {"-----BEGIN PRIVATE KEY-----\ncanary\n", "auth: signing key 1 is a broken PEM block"},
		"broken PKCS #8":      {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("canary")})), "auth: signing key 1 is a broken PKCS #8 private key"},
		"a broken public key": {string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("canary")})), "auth: signing key 1 is a broken public key"},
		"several mistakes":    {secret + ",canary!," + b64([]byte("canary")), "auth: signing key 2 is neither PEM nor base64\nauth: signing key 3 has 6 bytes; an Ed25519 key has 32"},
	} {
		if _, err := auth.ParseKeys(c.text); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
	if _, err := auth.NewKeys(auth.Key{}); err == nil {
		t.Error("an empty key is accepted")
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
	if got := fmt.Sprintf("%v", keys.JWKS()); strings.Contains(got, k.Secret().Reveal()) {
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
	got, err := json.Marshal(keys.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",` +
		`"kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","use":"sig","alg":"EdDSA"}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
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

func FuzzParseKeys(f *testing.F) {
	k := auth.GenerateKey()
	f.Add(k.Secret().Reveal() + "," + k.PEM().Reveal())
	f.Add(public(f, k))
	f.Add("-----BEGIN PRIVATE KEY-----,-----END ")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := auth.ParseKeys(text)
		if (keys == nil) == (err == nil) {
			t.Fatalf("%v, %v", keys, err)
		}
	})
}
