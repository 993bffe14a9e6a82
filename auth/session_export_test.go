package auth

import (
	"net/http"
	"time"
)

// NewRefreshText is a refresh token.
func NewRefreshText() string { return newRefreshToken().String() }

// RereadRefresh reads a refresh token and writes it.
func RereadRefresh(text string) (string, error) {
	t, err := parseRefreshToken(text)
	return t.String(), err
}

// NewCookieText is the value of a session cookie.
func NewCookieText() string { return newCookieSecret().String() }

// RereadCookie reads a session cookie and writes it.
func RereadCookie(r *http.Request) (string, bool, error) {
	s, present, err := cookieOf(r)
	return s.String(), present, err
}

// SealedFor is what a token of another session has sealed.
func SealedFor(retryKey string) string {
	t := newRefreshToken()
	return t.seal("ses_1", retryKey, t.successor())
}

// OpensSealed reports whether a token retries with what is sealed.
func OpensSealed(sealed, retryKey string) bool {
	now := time.Now()
	t := newRefreshToken()
	next := t.successor()
	_, ok := t.retried(Session{ID: "ses_1", SpentHash: t.hash(), TokenHash: next.hash(), SpentAt: &now, Sealed: sealed}, retryKey, now)
	return ok
}

// Retries seals the next token under one key and tries another, after a while.
func Retries(sealedWith, triedWith string, after time.Duration, change func(*Session)) bool {
	now := time.Now()
	t := newRefreshToken()
	next := t.successor()
	s := Session{ID: "ses_1", SpentHash: t.hash(), TokenHash: next.hash(), SpentAt: &now, Sealed: t.seal("ses_1", sealedWith, next)}
	change(&s)
	again, ok := t.retried(s, triedWith, now.Add(after))
	return ok && again == next
}
