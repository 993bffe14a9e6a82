package auth_test

import (
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/ashlar-go/ashlar/auth"
)

// vectors reads a file of Wycheproof's.
func vectors[G any](t *testing.T, name string) (groups []G) {
	t.Helper()
	file, err := os.Open("testdata/wycheproof/" + name + ".json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ TestGroups []G }
	if err := json.NewDecoder(text).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all.TestGroups
}

type jwk struct {
	KeyType   string `json:"kty"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
	K         string `json:"k"`
}

var errUnsupported = errors.New("not a key of ours")

// key returns the key that j describes, read the way that our own keys are.
func (j jwk) key() (auth.Key, error) {
	decode := base64.RawURLEncoding.DecodeString
	switch {
	case j.Use != "sig":
	case j.KeyType == "oct" && j.Algorithm == "HS256":
		secret, err := decode(j.K)
		if err != nil {
			return auth.Key{}, err
		}
		return auth.ParseHMAC(secret)
	case j.KeyType == "EC" && j.Curve == "P-256" && j.Algorithm == "ES256":
		x, errX := decode(j.X)
		y, errY := decode(j.Y)
		if err := errors.Join(errX, errY); err != nil {
			return auth.Key{}, err
		}
		point, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
		if err != nil {
			return auth.Key{}, err
		}
		der, err := x509.MarshalPKIXPublicKey(point)
		if err != nil {
			return auth.Key{}, err
		}
		return auth.ParsePublic(der)
	}
	return auth.Key{}, errUnsupported
}

// TestWycheproofJWS runs every case: with a key of ours the verdict must be the
// vector's, and a token of any other kind must be refused by all keys of ours.
func TestWycheproofJWS(t *testing.T) {
	t.Parallel()
	type group struct {
		Comment         string
		Public, Private *jwk
		Tests           []struct {
			ID      int `json:"tcId"`
			Comment string
			JWS     string
			Result  string
		}
	}
	ours := []auth.Key{key(t, auth.EdDSA), key(t, auth.ES256), key(t, auth.HS256)}
	// Four verdicts of the file are not those of RFC 7515, section 2.
	wrong := map[int]string{
		367: "its padding was lost: what is left is the valid token of its group",
		370: "the same",
		372: "a ? is no letter of base64url, so the header cannot be read",
		373: "a ? is no letter of base64url, so the payload cannot be read",
	}
	var accepted, refused, unsupported, mistaken int
	for _, g := range vectors[group](t, "json_web_signature_test") {
		described := g.Public
		if described == nil {
			described = g.Private
		}
		k, err := described.key()
		if g.Comment == "base64" { // its key is all zeros, which we would not take
			if err == nil {
				t.Error("a key of zeros is accepted")
			}
			k, err = auth.WeakHMAC(make([]byte, 32)), nil
		}
		for _, c := range g.Tests {
			if err != nil {
				for _, mine := range ours {
					if _, err := auth.Open(mine, c.JWS); err == nil {
						t.Errorf("%d %s, %s: accepted by a key for %s", c.ID, g.Comment, c.Comment, mine.Algorithm())
					}
				}
				unsupported++
				continue
			}
			want := c.Result
			if wrong[c.ID] != "" {
				want = map[string]string{"valid": "invalid", "invalid": "valid"}[want]
				mistaken++
			}
			switch _, err := auth.Open(k, c.JWS); {
			case (err == nil) != (want == "valid"):
				t.Errorf("%d %s, %s: %v, should be %s", c.ID, g.Comment, c.Comment, err, want)
			case err == nil:
				accepted++
			default:
				refused++
			}
		}
	}
	t.Logf("of %d cases: %d accepted as valid, %d refused as invalid (%d of both against the file's verdict), %d refused as unsupported", accepted+refused+unsupported, accepted, refused, mistaken, unsupported)
	if accepted+refused+unsupported != 401 || mistaken != len(wrong) {
		t.Error("the file has 401 cases, four of them mistaken")
	}
}

// TestWycheproofJWK reads the keys. Cases that are about several keys at once,
// or about RSA, which is not taken, are refused whole.
func TestWycheproofJWK(t *testing.T) {
	t.Parallel()
	type group struct {
		Comment         string
		Public, Private *struct{ Keys []jwk }
		Tests           []struct {
			ID      int `json:"tcId"`
			Comment string
			JWS     string
			Result  string
		}
	}
	var accepted, refused, unsupported int
	for _, g := range vectors[group](t, "json_web_key_test") {
		set := g.Public
		if set == nil {
			set = g.Private
		}
		for _, c := range g.Tests {
			k, err := set.Keys[0].key()
			if len(set.Keys) > 1 || errors.Is(err, errUnsupported) {
				unsupported++
				continue
			}
			if err == nil {
				_, err = auth.Open(k, c.JWS)
			}
			switch {
			case (err == nil) != (c.Result == "valid"):
				t.Errorf("%d %s, %s: %v, should be %s", c.ID, g.Comment, c.Comment, err, c.Result)
			case err == nil:
				accepted++
			default:
				refused++
			}
		}
	}
	t.Logf("of %d cases: %d accepted as valid, %d refused as invalid, %d about keys that are not taken", accepted+refused+unsupported, accepted, refused, unsupported)
	if accepted+refused+unsupported != 26 {
		t.Error("the file has 26 cases")
	}
}

// TestWycheproofSignatures runs the cases of the two curves below the tokens.
func TestWycheproofSignatures(t *testing.T) {
	t.Parallel()
	type group struct {
		Key   string `json:"publicKeyDer"`
		Tests []struct {
			ID        int `json:"tcId"`
			Comment   string
			Message   string `json:"msg"`
			Signature string `json:"sig"`
			Result    string
		}
	}
	for name, cases := range map[string]int{"ed25519_test": 151, "ecdsa_secp256r1_sha256_p1363_test": 262} {
		var accepted, refused int
		for _, g := range vectors[group](t, name) {
			der, err := hex.DecodeString(g.Key)
			if err != nil {
				t.Fatal(err)
			}
			k, err := auth.ParsePublic(der)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range g.Tests {
				message, errM := hex.DecodeString(c.Message)
				signature, errS := hex.DecodeString(c.Signature)
				if err := errors.Join(errM, errS); err != nil {
					t.Fatal(err)
				}
				ok := k.Verifies(message, signature)
				if ok != (c.Result == "valid") {
					t.Errorf("%s %d, %s: accepted %t, should be %s", name, c.ID, c.Comment, ok, c.Result)
				}
				if ok {
					accepted++
				} else {
					refused++
				}
			}
		}
		t.Logf("%s: of %d cases %d accepted as valid, %d refused as invalid", name, accepted+refused, accepted, refused)
		if accepted+refused != cases {
			t.Errorf("%s has %d cases", name, cases)
		}
	}
}
