package auth

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
)

// Derive returns 32 secret bytes for another purpose (HKDF, RFC 5869).
// Processes with the same keys derive the same bytes, and so do those that
// come after a rotation by [Keys.Rotated]. They are made from the oldest key
// that signs, until the first rotation puts what they are made from beside the
// keys, as the entry secret:, where it stays. Without that entry they would
// change when the oldest key goes, and what is encrypted with them be lost.
func (k *Keys) Derive(purpose string) []byte { return extend(k.root, purpose) }

func extend(secret []byte, purpose string) []byte {
	derived, err := hkdf.Key(sha256.New, secret, nil, "ashlar "+purpose, sha256.Size)
	if err != nil {
		panic(err) // the length is a constant that HKDF can give
	}
	return derived
}

func rootEntry(root []byte) string { return formSecret + base64.StdEncoding.EncodeToString(root) }
