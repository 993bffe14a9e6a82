package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
)

// sealer encrypts the secrets of authenticators, which cannot be hashed: each
// sign-in computes with them. The first key seals, all open, so that a key can
// be replaced while nobody has to enrol again.
type sealer []sealKey

type sealKey struct {
	id   [4]byte // tells which key sealed, and nothing about it
	aead cipher.AEAD
}

// sealed1 is the first byte of what is sealed: the form, then the id of the
// key, a random nonce, and the secret encrypted by AES-256-GCM.
const sealed1 = 1

func newSealer(keys [][]byte) (sealer, error) {
	if len(keys) == 0 {
		return nil, failure("auth: second factors need a key to be encrypted with")
	}
	var s sealer
	for i, key := range keys {
		if len(key) != 32 {
			return nil, fmt.Errorf("auth: key %d of the second factors has %d bytes, and must have 32", i+1, len(key))
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("auth: key %d of the second factors: %w", i+1, err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("auth: key %d of the second factors: %w", i+1, err)
		}
		sum := sha256.Sum256(append([]byte("ashlar key id "), key...))
		s = append(s, sealKey{[4]byte(sum[:]), aead})
	}
	return s, nil
}

// seal encrypts a secret for one account: copied to another it does not open.
func (s sealer) seal(account string, secret []byte) []byte {
	head := append([]byte{sealed1}, s[0].id[:]...)
	return s[0].aead.Seal(head, nil, secret, []byte(account)) // #nosec G407 -- this kind makes its nonces itself
}

// open decrypts a secret, and reports whether it should be sealed anew because
// another key seals by now.
func (s sealer) open(account string, sealed []byte) (secret []byte, stale bool, err error) {
	if len(sealed) < 5 || sealed[0] != sealed1 {
		return nil, false, failure("auth: a second factor is not in a form that is known")
	}
	for i, key := range s {
		if subtle.ConstantTimeCompare(key.id[:], sealed[1:5]) != 1 {
			continue
		}
		secret, err := key.aead.Open(nil, nil, sealed[5:], []byte(account))
		if err != nil {
			return nil, false, failure("auth: a second factor was tampered with, or is another account's")
		}
		return secret, i > 0, nil
	}
	return nil, false, failure("auth: a second factor was encrypted with a key that is no longer here")
}
