package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ashlar-go/ashlar/id"
)

const (
	algorithm = "EdDSA"
	tokenType = "at+jwt" // RFC 9068: no other token of ours passes as an access token
	maxToken  = 4 << 10  // ours have some 450 bytes
)

// Claims are what an access token says: ids, and a role. It is readable by
// whoever holds it, so nothing personal belongs in it.
type Claims struct {
	ID        string    // of the token; Issue makes it
	Subject   string    // id of the account that signed in
	Role      string    // its role then
	Account   string    // the tenant it belongs to, if any
	Session   string    // the session that it is of, if any
	Epoch     int64     // of the account when it was issued: see [Revocation]
	AuthTime  time.Time // when its holder signed in, if that is known
	IssuedAt  time.Time // Issue sets it
	ExpiresAt time.Time // Issue sets it
}

// TokenConfig says how access tokens are made and judged.
type TokenConfig struct {
	// Keys sign and verify. Required.
	Keys *Keys
	// Issuer and Audience are written into each token and must be in it exactly.
	// Required.
	Issuer, Audience string
	// Life of a token: zero means 15 minutes, at most an hour. It cannot be
	// called back before it ends, so keep it short.
	Life time.Duration
	// Skew is how far the clocks of two servers may differ: zero means 30
	// seconds, at most a minute; negative means not at all.
	Skew time.Duration
	// Cache is how many verified tokens are remembered, each for a minute at
	// most: zero means 10 000, about 6 MB; negative means none.
	Cache int
	// Revocations are asked at each verification. Nil means that there are none.
	Revocations *Revocations
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Tokens makes access tokens and verifies them. Make it with [NewTokens].
type Tokens struct {
	keys             *Keys
	issuer, audience string
	life             time.Duration
	skew             time.Duration
	now              func() time.Time
	cache            *cache
	revocations      *Revocations
	header           string // of every token we make, encoded
	claims           *jwt.Validator
}

// NewTokens returns a Tokens, or says which setting is missing or out of range.
func NewTokens(c TokenConfig) (*Tokens, error) {
	switch {
	case c.Keys == nil:
		return nil, failure("auth: tokens need signing keys")
	case c.Issuer == "" || c.Audience == "":
		return nil, failure("auth: tokens need an issuer and an audience")
	case c.Life < 0 || c.Life > time.Hour || c.Life > 0 && c.Life < time.Second:
		return nil, fmt.Errorf("auth: a token life of %v is out of range: 1s to 1h", c.Life)
	case c.Skew > time.Minute:
		return nil, fmt.Errorf("auth: a clock skew of %v is out of range: 1m at most", c.Skew)
	}
	t := &Tokens{
		keys: c.Keys, issuer: c.Issuer, audience: c.Audience, life: c.Life, skew: max(c.Skew, 0), now: c.Now,
		cache: newCache(c.Cache), revocations: c.Revocations,
	}
	if c.Life == 0 {
		t.life = 15 * time.Minute
	}
	if c.Skew == 0 {
		t.skew = 30 * time.Second
	}
	if c.Now == nil {
		t.now = time.Now
	}
	header, err := json.Marshal(map[string]string{"alg": algorithm, "kid": c.Keys.signer().id, "typ": tokenType})
	if err != nil {
		return nil, fmt.Errorf("auth: encode a token header: %w", err)
	}
	t.header = base64.RawURLEncoding.EncodeToString(header)
	t.claims = jwt.NewValidator(
		jwt.WithTimeFunc(t.now), jwt.WithLeeway(t.skew), jwt.WithExpirationRequired(), jwt.WithNotBeforeRequired(),
		jwt.WithIssuedAt(), jwt.WithIssuer(t.issuer), jwt.WithAudience(t.audience))
	return t, nil
}

// wire is what a token carries.
type wire struct {
	jwt.RegisteredClaims
	Role     string           `json:"role"`
	Account  string           `json:"account,omitempty"`
	Session  string           `json:"sid,omitempty"`
	Epoch    int64            `json:"epoch,omitempty"`
	AuthTime *jwt.NumericDate `json:"auth_time,omitempty"`
}

// Life is how long a token lives that is made now.
func (t *Tokens) Life() time.Duration { return t.life }

// Issue returns a signed token that says what c does; it sets ID, IssuedAt and
// ExpiresAt itself.
func (t *Tokens) Issue(_ context.Context, c Claims) (token string, err error) {
	if c.Subject == "" {
		return "", failure("auth: a token needs a subject")
	}
	now := t.now()
	body, err := json.Marshal(wire{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: t.issuer, Subject: c.Subject, Audience: jwt.ClaimStrings{t.audience}, ID: id.New("tok_"),
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(t.life)),
		},
		Role: c.Role, Account: c.Account, Session: c.Session, Epoch: c.Epoch, AuthTime: date(c.AuthTime),
	})
	if err != nil {
		return "", fmt.Errorf("encode a token: %w", err)
	}
	signed := t.header + "." + base64.RawURLEncoding.EncodeToString(body)
	signature, err := jwt.SigningMethodEdDSA.Sign(signed, t.keys.signer().private)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// date is nil for a time that is not known.
func date(t time.Time) *jwt.NumericDate {
	if t.IsZero() {
		return nil
	}
	return jwt.NewNumericDate(t)
}

// Verify returns what a token says if it is one of ours and its time is now.
// The error is [ErrToken]; why is its cause, for the log.
//
// The algorithm is EdDSA whatever the token says, the key is the one of ours
// that has its kid, and nothing beyond its header is read before the signature
// holds. A token that was verified within the last minute is remembered, and
// costs a lookup.
func (t *Tokens) Verify(_ context.Context, token string) (Claims, error) {
	now := t.now()
	c, known := t.cache.get(token, now)
	if !known {
		var err error
		if c, err = t.verify(token); err != nil {
			return Claims{}, ErrToken.Wrap(err)
		}
		t.remember(token, c, now)
	}
	if t.revocations != nil {
		if err := t.revocations.Judge(&c); err != nil {
			return Claims{}, ErrToken.Wrap(err)
		}
	}
	return c, nil
}

func (t *Tokens) remember(token string, c Claims, now time.Time) {
	until := now.Add(time.Minute)
	if end := c.ExpiresAt.Add(t.skew); end.Before(until) {
		until = end
	}
	t.cache.put(strings.Clone(token), c, until) // a header's string would keep its whole request
}

// Purge forgets every verified token, so that each is judged again.
func (t *Tokens) Purge() { t.cache.purge() }

func (t *Tokens) verify(token string) (Claims, error) {
	if len(token) > maxToken {
		return Claims{}, failure("token is too long")
	}
	if strings.ContainsAny(token, "\r\n") { // which base64 skips
		return Claims{}, failure("token has line ends")
	}
	parts := strings.SplitN(token, ".", 4)
	if len(parts) != 3 {
		return Claims{}, failure("token has not three parts")
	}
	key, err := t.key(parts[0])
	if err != nil {
		return Claims{}, err
	}
	b64 := base64.RawURLEncoding.Strict()
	signature, err := b64.DecodeString(parts[2])
	if err != nil {
		return Claims{}, failure("token signature is not base64")
	}
	signed := token[:len(parts[0])+1+len(parts[1])]
	if err := jwt.SigningMethodEdDSA.Verify(signed, signature, key.public); err != nil {
		return Claims{}, fmt.Errorf("token signature: %w", err)
	}
	body, err := b64.DecodeString(parts[1])
	if err != nil {
		return Claims{}, failure("token claims are not base64")
	}
	var w wire
	if err := json.Unmarshal(body, &w); err != nil {
		return Claims{}, fmt.Errorf("token claims: %w", err)
	}
	if err := t.claims.Validate(w); err != nil {
		return Claims{}, fmt.Errorf("token claims: %w", err)
	}
	if w.Subject == "" || w.IssuedAt == nil {
		return Claims{}, failure("token claims have no subject or no time of issue")
	}
	c := Claims{
		ID: w.ID, Subject: w.Subject, Role: w.Role, Account: w.Account, Session: w.Session, Epoch: w.Epoch,
		IssuedAt: w.IssuedAt.Time, ExpiresAt: w.ExpiresAt.Time,
	}
	if w.AuthTime != nil {
		c.AuthTime = w.AuthTime.Time
	}
	return c, nil
}

// key reads the header of a token and returns the key that must have signed it.
// A header has the three members that ours have: jwk, jku, x5u, crit and the
// rest could only be an attempt to choose the key.
func (t *Tokens) key(part string) (Key, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return Key{}, failure("token header is not base64")
	}
	var header map[string]any
	if err := json.Unmarshal(text, &header); err != nil {
		return Key{}, failure("token header is not JSON")
	}
	kid, _ := header["kid"].(string)
	key, known := t.keys.find(kid)
	switch {
	case header["alg"] != algorithm:
		return Key{}, failure("token algorithm is not EdDSA")
	case header["typ"] != tokenType:
		return Key{}, failure("token type is not at+jwt")
	case !known:
		return Key{}, failure("token key is unknown")
	case len(header) != 3:
		return Key{}, failure("token header has other members than alg, kid and typ")
	}
	return key, nil
}
