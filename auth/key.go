package auth

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/config"
)

// Key is a key for tokens: one that signs and verifies, or the public half of
// one. It knows the algorithm it is for. It prints as its id.
type Key struct {
	id       string
	material material  // nil: the zero Key
	retired  time.Time // when it signs no more; zero: not decided
	header   string    // of each token that it signs, encoded
}

// GenerateKey returns a new key that signs with [EdDSA].
func GenerateKey() Key { return newKey(generate(EdDSA)) }

// NewKey returns a new key that signs with a.
func NewKey(a Algorithm) (Key, error) {
	m := generate(a)
	if m == nil {
		return Key{}, fmt.Errorf("auth: there is no algorithm %q; there are %s", string(a), strings.Join(a.Values(), ", "))
	}
	return newKey(m), nil
}

func newKey(m material) Key {
	k := Key{id: m.id(), material: m}
	header, err := json.Marshal(tokenHeader{Algorithm: m.algorithm(), KeyID: k.id, Type: tokenType})
	if err != nil {
		panic(err) // three strings can be encoded
	}
	k.header = base64.RawURLEncoding.EncodeToString(header)
	return k
}

// overlap is how long a key is good for after it signed last: until the last
// of its tokens has expired, even by a slow clock.
const overlap = maxLife + maxSkew

// ID is the key's id, the kid of its tokens.
func (k Key) ID() string { return k.id }

// Algorithm is what the key signs with. It is empty for the zero Key.
func (k Key) Algorithm() Algorithm {
	if k.material == nil {
		return ""
	}
	return k.material.algorithm()
}

// Retired is when the key signs no more, or the zero time if that is not
// decided. Its tokens are good for as long as they live.
func (k Key) Retired() time.Time { return k.retired }

// signs reports whether the key has a private half.
func (k Key) signs() bool { return k.material != nil && k.material.secret() != nil }

// over reports whether nothing that the key signed is good any more.
func (k Key) over(now time.Time) bool {
	return !k.retired.IsZero() && !now.Before(k.retired.Add(overlap))
}

// String returns the id.
func (k Key) String() string { return k.id }

// GoString returns the id, so that %#v does not print the key.
func (k Key) GoString() string { return "auth.Key(" + k.id + ")" }

// The forms of a key on one line, before its base64. That of Ed25519 has none.
const (
	formES256  = "es256:"
	formHS256  = "hs256:"
	formPublic = "public:"
	formSecret = "secret:" // no key: see Keys.Derive
)

// Secret returns the key as one line that [ParseKeys] reads. It is empty for a
// key that only verifies.
func (k Key) Secret() config.Secret {
	if !k.signs() {
		return config.Secret{}
	}
	form := map[Algorithm]string{ES256: formES256, HS256: formHS256}[k.Algorithm()]
	return config.NewSecret(form + base64.StdEncoding.EncodeToString(k.material.secret()))
}

// entry is the key's place in a list of keys.
func (k Key) entry() string {
	text := k.Secret().Reveal()
	if text == "" {
		text = formPublic + base64.StdEncoding.EncodeToString(k.publicDER())
	}
	if !k.retired.IsZero() {
		text += retiredMark + k.retired.UTC().Format(time.RFC3339)
	}
	return text
}

// publicDER is the public half in PKIX form, or nil.
func (k Key) publicDER() []byte {
	if k.material == nil || k.material.public() == nil {
		return nil
	}
	der, err := x509.MarshalPKIXPublicKey(k.material.public())
	if err != nil {
		return nil // not for the kinds that we have
	}
	return der
}

// PEM returns the key as a PKCS #8 block, or its public half as PKIX if it only
// verifies. ParseKeys reads both. It is empty for [HS256], which has no such
// form.
func (k Key) PEM() config.Secret {
	var block pem.Block
	var err error
	switch m := k.material.(type) {
	case *ed25519Key:
		if m.private != nil {
			block.Bytes, err = x509.MarshalPKCS8PrivateKey(m.private)
		}
	case *p256:
		if m.private != nil {
			block.Bytes, err = x509.MarshalPKCS8PrivateKey(m.private)
		}
	default:
		return config.Secret{}
	}
	if err != nil {
		return config.Secret{} // not for the kinds that we have
	}
	block.Type = "PRIVATE KEY"
	if block.Bytes == nil {
		block.Type, block.Bytes = "PUBLIC KEY", k.publicDER()
	}
	return config.NewSecret(string(pem.EncodeToMemory(&block)))
}

// usesPublic reports whether k is an HMAC whose secret is the public half of
// other, whole or its point alone: everybody can have that.
func (k Key) usesPublic(other Key) bool {
	secret, isHMAC := k.material.(hmacSecret)
	return isHMAC && bytes.Contains(other.publicDER(), secret[1:]) // a compressed point begins otherwise
}
