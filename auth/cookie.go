package auth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// CookieName is the name of the session cookie. Browsers take one with this
// prefix only over TLS (or from localhost), without a Domain and for all of the
// host (P6.22), so that no neighbouring host can plant one.
const CookieName = "__Host-session"

// CookieSession is the answer to a sign-in by cookie. The cookie itself is out
// of reach for scripts.
type CookieSession struct {
	ID        string `json:"id"`
	ExpiresIn int64  `json:"expires_in"` // seconds, if it is used in between

	secret cookieSecret
}

// Cookies returns the cookie that the answer sets.
func (s CookieSession) Cookies() []*http.Cookie {
	return []*http.Cookie{sessionCookie(s.secret.String(), int(s.ExpiresIn))}
}

// CookieCleared is the answer to a sign-out by cookie: nothing but a cookie
// that takes the place of the session's.
type CookieCleared struct{}

// Cookies returns the cookie that the answer sets.
func (CookieCleared) Cookies() []*http.Cookie { return []*http.Cookie{sessionCookie("", -1)} }

func sessionCookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: CookieName, Value: value, Path: "/", MaxAge: maxAge,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// cookieFor is how long a cookie that was looked up is remembered. What ends
// its session meanwhile comes through [Revocations]; it only bounds how late
// idle sessions are noticed.
const cookieFor = 30 * time.Second

// touchEvery is how often the use of a cookie is written down.
const touchEvery = time.Minute

// SignInCookie is [Accounts.SignIn] for a browser: it opens a session whose
// only credential is a cookie.
func (a *Accounts) SignInCookie(ctx context.Context, in Credentials) (CookieSession, error) {
	account, err := a.admit(ctx, in)
	if err != nil {
		return CookieSession{}, err
	}
	return a.OpenCookieSession(ctx, account)
}

// OpenCookieSession is [Accounts.OpenSession] for a browser.
func (a *Accounts) OpenCookieSession(ctx context.Context, account Account) (CookieSession, error) {
	if account.DisabledAt != nil {
		return CookieSession{}, ErrSignIn.Wrap(fmt.Errorf("account %s is disabled", account.ID))
	}
	s, secret := a.newSession(ctx, account), newCookieSecret()
	s.SecretHash = secret.hash()
	if err := a.open(ctx, s); err != nil {
		return CookieSession{}, fmt.Errorf("open a session: %w", err)
	}
	return CookieSession{ID: s.ID, ExpiresIn: int64(a.life / time.Second), secret: secret}, nil
}

// SignOutCookie ends the session that asks, and clears its cookie. An API key
// gets [fault.ErrDenied].
func (a *Accounts) SignOutCookie(ctx context.Context, _ struct{}) (CookieCleared, error) {
	who, err := person(ctx)
	if err != nil {
		return CookieCleared{}, err
	}
	if who.Credential != "" {
		_, err = a.end(ctx, who.ID, who.Credential, "")
	}
	return CookieCleared{}, err
}

// ByCookie returns what the session of a request's cookie stands for, as an
// access token would say it. present is false without a cookie; one that is no
// good is [ErrToken].
func (a *Accounts) ByCookie(r *http.Request) (c Claims, present bool, err error) {
	secret, present, err := cookieOf(r)
	if !present || err != nil {
		return Claims{}, present, err
	}
	hash, now := secret.hash(), a.clock()
	if c, ok := a.cookies.get(hash, nil, now); ok && a.judge(&c) == nil {
		return c, true, nil
	}
	c, err = a.lookUpCookie(r.Context(), hash, now)
	if err != nil {
		return Claims{}, true, err
	}
	a.cookies.put(hash, entry{claims: c, until: now.Add(cookieFor)})
	if err := a.judge(&c); err != nil {
		return Claims{}, true, ErrToken.Wrap(err)
	}
	return c, true, nil
}

// judge is what [Tokens.Verify] asks about a token that it remembers.
func (a *Accounts) judge(c *Claims) error {
	if a.tokens.revocations == nil {
		return nil
	}
	return a.tokens.revocations.Judge(c)
}

func (a *Accounts) lookUpCookie(ctx context.Context, hash string, now time.Time) (Claims, error) {
	s, err := a.store.SessionBySecret(ctx, hash)
	if errors.Is(err, ErrNoSession) {
		return Claims{}, ErrToken.Wrap(err)
	}
	if err != nil {
		return Claims{}, fmt.Errorf("look up a cookie: %w", err)
	}
	account, err := a.store.ByID(ctx, s.Account)
	if errors.Is(err, ErrNoAccount) {
		return Claims{}, ErrToken.Wrap(err)
	}
	if err != nil {
		return Claims{}, fmt.Errorf("look up a cookie: %w", err)
	}
	if err := a.dead(s, account, now); err != nil {
		return Claims{}, ErrToken.Wrap(err)
	}
	if now.Sub(s.UsedAt) >= touchEvery {
		if err := a.store.TouchSession(ctx, s.ID, now); err != nil {
			return Claims{}, fmt.Errorf("note the use of a session: %w", err)
		}
	}
	return claimsOf(account, s), nil
}

// cookieSecret is what a session cookie holds: 256 random bits.
type cookieSecret [32]byte

func newCookieSecret() (s cookieSecret) {
	rand.Read(s[:])
	return s
}

func (s cookieSecret) String() string { return base64.RawURLEncoding.EncodeToString(s[:]) }
func (s cookieSecret) hash() string   { return digest("cookie", s[:]) }

// cookieOf finds the session cookie of a request. Two of them are as bad as
// none: somebody has put one beside ours.
func cookieOf(r *http.Request) (s cookieSecret, present bool, err error) {
	if len(r.Header["Cookie"]) == 0 {
		return s, false, nil
	}
	found := r.CookiesNamed(CookieName)
	switch len(found) {
	case 0:
		return s, false, nil
	case 1:
	default:
		return s, true, ErrToken.Wrap(failure("several session cookies"))
	}
	s, err = parseCookie(found[0].Value)
	return s, true, err
}

// parseCookie reads what [cookieSecret.String] writes and nothing else.
func parseCookie(text string) (s cookieSecret, err error) {
	if len(text) != base64.RawURLEncoding.EncodedLen(len(s)) || strings.ContainsAny(text, "\r\n") {
		return s, ErrToken.Wrap(failure("the cookie is none of ours"))
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return s, ErrToken.Wrap(failure("the cookie is none of ours"))
	}
	copy(s[:], b)
	return s, nil
}
