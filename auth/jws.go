package auth

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

const maxToken = 4 << 10 // in bytes; ours have some 500

// tokenHeader is the header of the tokens that we make.
type tokenHeader struct {
	Algorithm Algorithm `json:"alg"`
	KeyID     string    `json:"kid"`
	Type      string    `json:"typ"`
}

// header is the header of a token that somebody sent.
type header map[string]any

// open returns what a JWS in compact form (RFC 7515) carries, and the key that
// signed it. The key is what choose returns for the header. It decides the
// algorithm (RFC 8725, section 3.1): the token must name the same one.
func open(token string, choose func(header) (Key, error)) ([]byte, Key, error) {
	switch {
	case len(token) > maxToken:
		return nil, Key{}, failure("token is too long")
	case strings.ContainsAny(token, "\r\n"): // which base64 skips
		return nil, Key{}, failure("token has line ends")
	}
	parts := strings.SplitN(token, ".", 4)
	if len(parts) != 3 {
		return nil, Key{}, failure("token has not three parts")
	}
	b64 := base64.RawURLEncoding.Strict()
	text, err := b64.DecodeString(parts[0])
	if err != nil {
		return nil, Key{}, failure("token header is not base64")
	}
	var h header
	if err := json.Unmarshal(text, &h); err != nil {
		return nil, Key{}, failure("token header is not JSON")
	}
	key, err := choose(h)
	if err != nil {
		return nil, Key{}, err
	}
	if alg, _ := h["alg"].(string); alg != string(key.Algorithm()) || alg == "" {
		return nil, Key{}, failure("token algorithm is not that of its key")
	}
	if _, critical := h["crit"]; critical { // we know no extension
		return nil, Key{}, failure("token header has critical members")
	}
	signature, err := b64.DecodeString(parts[2])
	if err != nil {
		return nil, Key{}, failure("token signature is not base64")
	}
	if err := key.material.verify(token[:len(parts[0])+1+len(parts[1])], signature); err != nil {
		return nil, Key{}, fmt.Errorf("token signature: %w", err)
	}
	body, err := b64.DecodeString(parts[1])
	if err != nil {
		return nil, Key{}, failure("token claims are not base64")
	}
	return body, key, nil
}
