package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// An Algorithm is a way to sign tokens, by its name in RFC 7518 and 8037. It
// belongs to a key, never to a token.
type Algorithm string

// The algorithms.
const (
	// EdDSA is Ed25519: the one to take unless something else must verify the
	// tokens and cannot.
	EdDSA Algorithm = "EdDSA"
	// ES256 is ECDSA on P-256, which hardware and older libraries know. A
	// verification costs a third more than with EdDSA.
	ES256 Algorithm = "ES256"
	// HS256 is an HMAC. Whoever can verify a token can also make one, so it is
	// for tokens that never leave one application; it is not in the [JWKS].
	HS256 Algorithm = "HS256"
)

// Values lists the algorithms, for messages.
func (Algorithm) Values() []string { return []string{string(EdDSA), string(ES256), string(HS256)} }

// material is what a key is made of. Each kind knows one algorithm and holds
// its own type of key: nothing turns the bytes of one kind into another, so a
// public key cannot come to serve as the secret of an HMAC.
type material interface {
	algorithm() Algorithm
	// id is the same wherever the key is loaded, and gives nothing away.
	id() string
	// verify returns nil if signature is the key's for signed.
	verify(signed string, signature []byte) error
	// sign is called if secret is not nil.
	sign(signed string) ([]byte, error)
	// secret is what can sign, or nil if the key only verifies.
	secret() []byte
	// public returns the public half, or nil if the key has none.
	public() any
	// jwk describes the public half; not ok if the key has none.
	jwk() (described JWK, ok bool)
}

// generate returns new material, or nil for an algorithm that there is not.
func generate(a Algorithm) material {
	switch a {
	case EdDSA:
		seed := make([]byte, ed25519.SeedSize)
		rand.Read(seed)
		return ed25519Material(ed25519.NewKeyFromSeed(seed))
	case ES256:
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil // the curve and the source of chance never fail
		}
		return &p256{&private.PublicKey, private}
	case HS256:
		secret := make(hmacSecret, sha256.Size)
		rand.Read(secret)
		return secret
	}
	return nil
}

// thumbprint is the JWK thumbprint of RFC 7638, of a JWK's required members in
// the order of their names.
func thumbprint(members string) string {
	sum := sha256.Sum256([]byte(members))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ed25519Key is an Ed25519 key; private is nil if it only verifies.
type ed25519Key struct {
	half    ed25519.PublicKey
	private ed25519.PrivateKey
}

func ed25519Material(private ed25519.PrivateKey) *ed25519Key {
	return &ed25519Key{private.Public().(ed25519.PublicKey), private}
}

func (k *ed25519Key) algorithm() Algorithm { return EdDSA }
func (k *ed25519Key) public() any          { return k.half }

func (k *ed25519Key) id() string {
	return thumbprint(`{"crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(k.half) + `"}`)
}

func (k *ed25519Key) verify(signed string, signature []byte) error {
	return jwt.SigningMethodEdDSA.Verify(signed, signature, k.half)
}

func (k *ed25519Key) sign(signed string) ([]byte, error) {
	return jwt.SigningMethodEdDSA.Sign(signed, k.private)
}

func (k *ed25519Key) secret() []byte {
	if k.private == nil {
		return nil
	}
	return k.private.Seed()
}

func (k *ed25519Key) jwk() (JWK, bool) {
	return JWK{KeyType: "OKP", Curve: "Ed25519", X: base64.RawURLEncoding.EncodeToString(k.half)}, true
}

// p256 is an ECDSA key on P-256; private is nil if it only verifies.
type p256 struct {
	half    *ecdsa.PublicKey
	private *ecdsa.PrivateKey
}

func (k *p256) algorithm() Algorithm { return ES256 }
func (k *p256) public() any          { return k.half }

func (k *p256) id() string {
	x, y := k.point()
	return thumbprint(`{"crv":"P-256","kty":"EC","x":"` + x + `","y":"` + y + `"}`)
}

func (k *p256) verify(signed string, signature []byte) error {
	return jwt.SigningMethodES256.Verify(signed, signature, k.half)
}

func (k *p256) sign(signed string) ([]byte, error) {
	return jwt.SigningMethodES256.Sign(signed, k.private)
}

func (k *p256) secret() []byte {
	if k.private == nil {
		return nil
	}
	scalar, err := k.private.Bytes()
	if err != nil {
		return nil // not for a key that was checked when it was read
	}
	return scalar
}

func (k *p256) jwk() (JWK, bool) {
	x, y := k.point()
	return JWK{KeyType: "EC", Curve: "P-256", X: x, Y: y}, true
}

// point returns the coordinates in the form of a JWK.
func (k *p256) point() (x, y string) {
	point, err := k.half.Bytes() // 4, x, y
	if err != nil {
		return "", "" // not for a key that was checked when it was read
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return b64(point[1:33]), b64(point[33:])
}

// hmacSecret is a secret that both signs and verifies.
type hmacSecret []byte

func (s hmacSecret) algorithm() Algorithm { return HS256 }
func (s hmacSecret) public() any          { return nil }
func (s hmacSecret) jwk() (JWK, bool)     { return JWK{}, false }
func (s hmacSecret) secret() []byte       { return slices.Clone(s) }

// id is made with the secret and not of it: the thumbprint that RFC 7638 has
// for a symmetric key would let a guess be checked against every token.
func (s hmacSecret) id() string {
	mac := hmac.New(sha256.New, s)
	_, _ = mac.Write([]byte("ashlar key id"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (s hmacSecret) verify(signed string, signature []byte) error {
	return jwt.SigningMethodHS256.Verify(signed, signature, []byte(s))
}

func (s hmacSecret) sign(signed string) ([]byte, error) {
	return jwt.SigningMethodHS256.Sign(signed, []byte(s))
}
