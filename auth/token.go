package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ashlar-go/ashlar/id"
)

const (
	tokenType = "at+jwt" // RFC 9068: no other token of ours passes as an access token
	maxLife   = time.Hour
	maxSkew   = time.Minute
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
	// Keys sign and verify, by the algorithm of each. Required. They may be
	// replaced at any time.
	Keys *Keys
	// Issuer and Audience are written into each token and must be in it exactly.
	// Required.
	Issuer, Audience string
	// Life of a token: zero means 15 minutes, at most an hour. Only Revocations
	// call it back before it ends, so keep it short.
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
	claims           *jwt.Validator
}

// NewTokens returns a Tokens, or says which setting is missing or out of range.
func NewTokens(c TokenConfig) (*Tokens, error) {
	switch {
	case c.Keys == nil:
		return nil, failure("auth: tokens need signing keys")
	case c.Issuer == "" || c.Audience == "":
		return nil, failure("auth: tokens need an issuer and an audience")
	case c.Life < 0 || c.Life > maxLife || c.Life > 0 && c.Life < time.Second:
		return nil, fmt.Errorf("auth: a token life of %v is out of range: 1s to 1h", c.Life)
	case c.Skew > maxSkew:
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
	t.claims = jwt.NewValidator(
		jwt.WithTimeFunc(t.now), jwt.WithLeeway(t.skew), jwt.WithExpirationRequired(), jwt.WithNotBeforeRequired(),
		jwt.WithIssuedAt(), jwt.WithIssuer(t.issuer), jwt.WithAudience(t.audience))
	return t, nil
}

// wire is what a token carries: ids, a role and times, and nothing personal
// (P11.26).
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
	key := t.keys.Signer(now)
	signed := key.header + "." + base64.RawURLEncoding.EncodeToString(body)
	signature, err := key.material.sign(signed)
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
// The key is the one of ours that has the token's kid, the algorithm is that
// key's whatever the token says, and nothing beyond the header is read before
// the signature holds. A token that was verified within the last minute is
// remembered and costs a lookup; revocations are asked even then, so whatever
// ended or changed since counts at once and the memory needs no purge for it.
func (t *Tokens) Verify(_ context.Context, token string) (Claims, error) {
	now, keys := t.now(), t.keys.set.Load()
	c, known := t.cache.get(token, keys, now)
	if !known {
		var err error
		if c, err = t.verify(token, keys, now); err != nil {
			return Claims{}, ErrToken.Wrap(err)
		}
	}
	if t.revocations != nil {
		if err := t.revocations.Judge(&c); err != nil {
			return Claims{}, ErrToken.Wrap(err)
		}
	}
	return c, nil
}

// Recall is [Bearer] and [Tokens.Verify] for a token that comes again: it
// returns what a request's token says if that was verified within the last
// minute and nothing was revoked since. Otherwise it knows nothing, and those
// two have to be asked. Neither the token's letters nor its signature are
// looked at again, and there are hundreds of the first.
func (t *Tokens) Recall(r *http.Request) (Claims, bool) { return t.RecallBy(BearerScheme, r) }

// RecallBy is Recall for another word before the token.
func (t *Tokens) RecallBy(s Scheme, r *http.Request) (Claims, bool) {
	headers := r.Header["Authorization"]
	if len(headers) != 1 {
		return Claims{}, false
	}
	token, found := strings.CutPrefix(headers[0], string(s))
	if !found || !strings.HasPrefix(token, " ") {
		return Claims{}, false
	}
	token = token[1:]
	c, known := t.cache.get(token, t.keys.set.Load(), t.now())
	if !known || t.revocations != nil && t.revocations.Judge(&c) != nil {
		return Claims{}, false // Verify says why
	}
	return c, true
}

// Purge forgets every verified token, so that each is verified again. Neither
// a revocation nor a change of keys needs it.
func (t *Tokens) Purge() { t.cache.purge() }

// verify reads and remembers a token.
func (t *Tokens) verify(token string, keys *keySet, now time.Time) (Claims, error) {
	body, key, err := open(token, func(h header) (Key, error) { return accessKey(h, keys, now) })
	if err != nil {
		return Claims{}, err
	}
	c, err := t.read(body)
	if err != nil {
		return Claims{}, err
	}
	until := now.Add(time.Minute)
	if end := c.ExpiresAt.Add(t.skew); end.Before(until) {
		until = end
	}
	if end := key.retired.Add(overlap); !key.retired.IsZero() && end.Before(until) {
		until = end
	}
	t.cache.put(strings.Clone(token), entry{claims: c, keys: keys, until: until}) // a header's string would keep its whole request
	return c, nil
}

// accessKey returns the key that must have signed an access token. Its header
// has the three members that ours have: jwk, jku, x5u, crit and the rest could
// only be an attempt to choose the key.
func accessKey(h header, keys *keySet, now time.Time) (Key, error) {
	kid, _ := h["kid"].(string)
	key, known := keys.find(kid, now)
	switch {
	case h["typ"] != tokenType:
		return Key{}, failure("token type is not at+jwt")
	case !known:
		return Key{}, failure("token key is unknown or retired")
	case len(h) != 3:
		return Key{}, failure("token header has other members than alg, kid and typ")
	}
	return key, nil
}

// read returns the claims of a token whose signature holds.
func (t *Tokens) read(body []byte) (Claims, error) {
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
