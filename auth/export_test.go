package auth

import (
	"encoding/base32"
	"testing"
	"time"
)

// CheapPasswords are too weak for NewPasswords: a test that does not measure
// need not wait for them.
func CheapPasswords(c PasswordConfig) *Passwords {
	return newPasswords(params{memory: 64, passes: max(1, c.Passes), lanes: 1}, c)
}

// Occupied returns a Passwords whose only slot is taken until release.
func Occupied(t *testing.T, queue int) (p *Passwords, release func()) {
	t.Helper()
	p = CheapPasswords(PasswordConfig{Concurrent: 1, Queue: queue})
	p.present.Add(1)
	p.slots <- struct{}{}
	return p, func() { p.present.Add(-1); <-p.slots }
}

// Private gives a test the private half, to sign what Issue never would.
func (k Key) Private() any {
	switch m := k.material.(type) {
	case *ed25519Key:
		return m.private
	case *p256:
		return m.private
	case hmacSecret:
		return []byte(m)
	}
	return nil
}

// Open verifies a JWS with one key and reads no claims.
func Open(key Key, token string) ([]byte, error) {
	body, _, err := open(token, func(header) (Key, error) { return key, nil })
	return body, err
}

// Verifies reports whether a signature is the key's.
func (k Key) Verifies(signed, signature []byte) bool {
	return k.material.verify(string(signed), signature) == nil
}

// ParseHMAC is how the secret of an HS256 key is read.
func ParseHMAC(secret []byte) (Key, error) { return parseHMAC(secret) }

// WeakHMAC makes an HS256 key of what ParseHMAC refuses.
func WeakHMAC(secret []byte) Key { return newKey(hmacSecret(secret)) }

// ParsePublic is how a public key is read.
func ParsePublic(der []byte) (Key, error) { return parsePublic(der) }

// Rekey gives t another key without its knowing, so that only its memory has
// the tokens of the old one.
func Rekey(tokens *Tokens, key Key) { tokens.keys.set.Load().all = []Key{key} }

// Remembered counts the tokens in memory.
func Remembered(t *Tokens) (n int) {
	if t.cache == nil {
		return 0
	}
	for i := range t.cache.shards {
		n += len(t.cache.shards[i].young) + len(t.cache.shards[i].old)
	}
	return n
}

// Resigned gives a key the checksum of what it says.
func Resigned(signed string) string {
	sum := checksum(signed)
	return signed + string(sum[:])
}

// RememberedKeys counts the API keys in memory.
func RememberedKeys(k *APIKeys) (n int) {
	for i := range k.held.shards {
		n += len(k.held.shards[i].young) + len(k.held.shards[i].old)
	}
	return n
}

// HOTP is RFC 4226 before the digits are cut.
func HOTP(secret []byte, counter int64) uint32 { return hotp(secret, counter) }

// TOTP is what an authenticator shows.
func TOTP(secret []byte, at time.Time) string { return totpCode(secret, totpStep(at)) }

// TOTPSecret reads a secret as an authenticator does.
func TOTPSecret(text string) []byte {
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	if err != nil {
		panic(err)
	}
	return secret
}

// ParseCode reads what somebody typed as a second factor.
func ParseCode(text string) (string, int) {
	code, kind := parseCode(text)
	return code, int(kind)
}
