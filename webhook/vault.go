package webhook

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A vault encrypts the secrets of endpoints where they are kept. What it seals
// begins with the fingerprint of the key, so that keys can be told apart.
type vault []lock

type lock struct {
	fingerprint []byte
	aead        cipher.AEAD
}

const fingerprint = 4 // bytes

func newVault(keys [][]byte) (vault, error) {
	if len(keys) == 0 {
		return nil, errors.New("webhook: a key is required, or secrets would lie open in the database")
	}
	var v vault
	for i, key := range keys {
		if len(key) != 32 {
			return nil, fmt.Errorf("webhook: key %d has %d bytes and not 32", i+1, len(key))
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(append([]byte("ashlar webhook "), key...))
		v = append(v, lock{sum[:fingerprint], aead})
	}
	return v, nil
}

// A sealedSecret is one of an endpoint's secrets.
type sealedSecret struct {
	Secret string `json:"secret"`
	Until  int64  `json:"until,omitempty"` // when it signs no more; 0 for the newest
}

// seal encrypts secrets for one endpoint: on another's row they are worth
// nothing.
func (v vault) seal(endpoint string, secrets []sealedSecret) ([]byte, error) {
	text, err := json.Marshal(secrets) //nolint:gosec // it is encrypted in the next line
	if err != nil {
		return nil, err
	}
	return v[0].aead.Seal(bytes.Clone(v[0].fingerprint), nil, text, []byte(endpoint)), nil //nolint:gosec // G407: it takes a random nonce itself
}

// open returns the secrets that sign at a moment, the newest first.
func (v vault) open(endpoint string, sealed []byte, at time.Time) (secrets []Secret, kept []sealedSecret, err error) {
	for _, l := range v {
		rest, ok := bytes.CutPrefix(sealed, l.fingerprint)
		if !ok {
			continue
		}
		text, err := l.aead.Open(nil, nil, rest, []byte(endpoint))
		if err != nil {
			return nil, nil, fmt.Errorf("webhook: the secrets of %s cannot be decrypted: %w", endpoint, err)
		}
		var all []sealedSecret
		if err := json.Unmarshal(text, &all); err != nil {
			return nil, nil, fmt.Errorf("webhook: the secrets of %s are no secrets", endpoint)
		}
		for _, one := range all {
			if one.Until != 0 && one.Until <= millis(at) {
				continue
			}
			s, err := ParseSecret(one.Secret)
			if err != nil {
				return nil, nil, err
			}
			secrets, kept = append(secrets, s), append(kept, one)
		}
		return secrets, kept, nil
	}
	return nil, nil, fmt.Errorf("webhook: the secrets of %s were encrypted with a key that is not among Config.Keys", endpoint)
}
