package auth

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// Derive returns 32 secret bytes for another purpose, made from the key that
// signs (HKDF, RFC 5869). Processes with the same keys derive the same bytes;
// they change when another key comes to sign.
func (k *Keys) Derive(purpose string) []byte {
	secret, err := hkdf.Key(sha256.New, k.signer().private.Seed(), nil, "ashlar "+purpose, sha256.Size)
	if err != nil {
		panic(err) // the length is a constant that HKDF can give
	}
	return secret
}
