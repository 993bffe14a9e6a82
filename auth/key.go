package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/config"
)

// Key is an Ed25519 key: one that signs, or the public half of one that no
// longer does. It prints as its id.
type Key struct {
	id      string
	public  ed25519.PublicKey
	private ed25519.PrivateKey // nil: verifies only
}

// GenerateKey returns a new key that signs.
func GenerateKey() Key {
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed)
	return newKey(ed25519.NewKeyFromSeed(seed))
}

func newKey(private ed25519.PrivateKey) Key {
	public := private.Public().(ed25519.PublicKey)
	return Key{id: thumbprint(public), public: public, private: private}
}

// thumbprint is the JWK thumbprint of RFC 7638: the same key has the same id
// wherever it is loaded.
func thumbprint(public ed25519.PublicKey) string {
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(public) + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ID is the key's id, the kid of its tokens.
func (k Key) ID() string { return k.id }

// String returns the id.
func (k Key) String() string { return k.id }

// GoString returns the id, so that %#v does not print the key.
func (k Key) GoString() string { return "auth.Key(" + k.id + ")" }

// Secret returns the key as one line that [ParseKeys] reads: the base64 of its
// 32-byte seed. It is empty for a key that only verifies.
func (k Key) Secret() config.Secret {
	if k.private == nil {
		return config.Secret{}
	}
	return config.NewSecret(base64.StdEncoding.EncodeToString(k.private.Seed()))
}

// PEM returns the key as a PKCS #8 block, or its public half as PKIX if it only
// verifies. ParseKeys reads both.
func (k Key) PEM() config.Secret {
	var block pem.Block
	var err error
	if k.private != nil {
		block.Type = "PRIVATE KEY"
		block.Bytes, err = x509.MarshalPKCS8PrivateKey(k.private)
	} else {
		block.Type = "PUBLIC KEY"
		block.Bytes, err = x509.MarshalPKIXPublicKey(k.public)
	}
	if err != nil {
		return config.Secret{} // not for a key of ours: both know Ed25519
	}
	return config.NewSecret(string(pem.EncodeToMemory(&block)))
}

// parseKey reads one PEM block or one base64 seed. Its errors never show it.
func parseKey(text string) (Key, error) {
	if !strings.HasPrefix(text, pemStart) {
		return parseSeed(text)
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return Key{}, failure("is a broken PEM block")
	}
	switch block.Type {
	case "PRIVATE KEY":
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return Key{}, failure("is a broken PKCS #8 private key")
		}
		private, ok := parsed.(ed25519.PrivateKey)
		if !ok {
			return Key{}, fmt.Errorf("is another kind of key (%T); expected Ed25519", parsed)
		}
		return strong(private)
	case "PUBLIC KEY":
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return Key{}, failure("is a broken public key")
		}
		public, ok := parsed.(ed25519.PublicKey)
		if !ok {
			return Key{}, fmt.Errorf("is another kind of key (%T); expected Ed25519", parsed)
		}
		return Key{id: thumbprint(public), public: public}, nil
	}
	return Key{}, errors.New("is a PEM block of another type; expected PRIVATE KEY or PUBLIC KEY")
}

func parseSeed(text string) (Key, error) {
	text = strings.TrimRight(text, "=")
	seed, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil {
		seed, err = base64.RawURLEncoding.Strict().DecodeString(text)
	}
	switch {
	case err != nil:
		return Key{}, failure("is neither PEM nor base64")
	case len(seed) != ed25519.SeedSize:
		return Key{}, fmt.Errorf("has %d bytes; an Ed25519 key has %d", len(seed), ed25519.SeedSize)
	}
	return strong(ed25519.NewKeyFromSeed(seed))
}

// strong refuses what a person typed or a machine left at zero: 32 random bytes
// are as good as never all printable, nor of fewer than 16 different values.
func strong(private ed25519.PrivateKey) (Key, error) {
	seed := slices.Clone(private.Seed())
	text := !slices.ContainsFunc(seed, func(b byte) bool { return b < ' ' || b > '~' })
	slices.Sort(seed)
	if text || len(slices.Compact(seed)) < 16 {
		return Key{}, failure("is too weak: it is not random")
	}
	return newKey(private), nil
}
