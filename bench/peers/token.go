package main

import (
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ashlar-go/ashlar/bench/peers/shop"
	"github.com/ashlar-go/ashlar/bench/peers/stack"
)

// secret is what the peers verify access tokens with. It guards nothing: the
// peers live for a quarter of an hour, on loopback.
func secret() []byte { return []byte(strings.Repeat("square and true ", 2)) }

// tokens are what the checks and loads send.
type tokens struct{ merchant, auditor, guest, expired, otherKey, none string }

// tokensFor returns the tokens that a server is sent: its own, where it makes
// them.
func tokensFor(s *server) (t tokens, err error) {
	for _, each := range []struct {
		token  *string
		method jwt.SigningMethod
		key    any
		role   string
		until  time.Duration
	}{
		{&t.merchant, jwt.SigningMethodHS256, secret(), "merchant", time.Hour},
		{&t.auditor, jwt.SigningMethodHS256, secret(), "auditor", time.Hour},
		{&t.guest, jwt.SigningMethodHS256, secret(), "guest", time.Hour},
		{&t.expired, jwt.SigningMethodHS256, secret(), "merchant", -time.Hour},
		{&t.otherKey, jwt.SigningMethodHS256, []byte(strings.Repeat("another mason's ", 2)), "merchant", time.Hour},
		{&t.none, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "merchant", time.Hour},
	} {
		if *each.token, err = sign(each.method, each.key, each.role, each.until); err != nil {
			return t, err
		}
	}
	if len(s.Tokens) > 0 {
		t.merchant, t.auditor, t.guest = s.Tokens["merchant"], s.Tokens["auditor"], s.Tokens["guest"]
	}
	return t, nil
}

func sign(method jwt.SigningMethod, key any, role string, until time.Duration) (string, error) {
	now := time.Now()
	return jwt.NewWithClaims(method, stack.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: shop.Issuer, Audience: jwt.ClaimStrings{shop.Audience}, Subject: "usr_01JD8Z3K5QW8A7T2V9XN4M6P0R",
			ID:       "tok_01JD8Z3K5QW8A7T2V9XN4M6P0R",
			IssuedAt: jwt.NewNumericDate(now.Add(-2 * time.Hour)), ExpiresAt: jwt.NewNumericDate(now.Add(until)),
		}, Role: role,
	}).SignedString(key)
}
