package auth

import "time"

// JWKS is a set of public keys (RFC 7517), to be answered as JSON.
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// JWK is one public key: Ed25519 (RFC 8037) or P-256 (RFC 7518).
type JWK struct {
	KeyType   string    `json:"kty"`
	Curve     string    `json:"crv"`
	X         string    `json:"x"`
	Y         string    `json:"y,omitzero"` // of P-256
	ID        string    `json:"kid"`
	Use       string    `json:"use"`
	Algorithm Algorithm `json:"alg"`
}

// JWKS returns the public halves of the keys whose tokens can be good now, the
// one to come included, for others who verify our tokens. A secret of [HS256]
// has no public half and is never in it.
func (k *Keys) JWKS(now time.Time) JWKS {
	all := k.set.Load().all
	set := JWKS{Keys: make([]JWK, 0, len(all))} // an empty list, not null
	for _, key := range all {
		if jwk, ok := key.material.jwk(); ok && !key.over(now) {
			jwk.ID, jwk.Use, jwk.Algorithm = key.id, "sig", key.Algorithm()
			set.Keys = append(set.Keys, jwk)
		}
	}
	return set
}
