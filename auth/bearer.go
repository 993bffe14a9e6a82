package auth

import (
	"net/http"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
)

// Bearer returns the token of a request's Authorization header. Nothing else
// is looked at: a token in the query or body is as good as none (RFC 9700,
// section 4.3.2). Another scheme than Bearer counts as absent. A header that
// starts as Bearer and has no single token, or is there twice, is [ErrToken].
func Bearer(r *http.Request) (token string, present bool, err error) {
	return BearerScheme.Token(r)
}

// A Scheme is the word before the token in an Authorization header. Contracts
// that are older than RFC 6750, or do not care for it, have others than Bearer.
type Scheme string

// BearerScheme is that of RFC 6750.
const BearerScheme Scheme = "Bearer"

// Valid reports whether the word can be a scheme (RFC 9110, section 11.1), and
// one for tokens: Basic and Digest mean something else.
func (s Scheme) Valid() bool {
	for _, other := range []string{"Basic", "Digest", "Negotiate", "NTLM"} {
		if strings.EqualFold(string(s), other) {
			return false
		}
	}
	return s != "" && strings.Trim(string(s), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// Token is [Bearer] for another word.
func (s Scheme) Token(r *http.Request) (token string, present bool, err error) {
	headers := r.Header["Authorization"]
	switch len(headers) {
	case 0:
		return "", false, nil
	case 1:
	default:
		return "", true, ErrToken.Wrap(failure("several Authorization headers"))
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, string(s)) {
		return "", false, nil
	}
	token = strings.Trim(token, " ")
	if !token68(token) {
		return "", true, ErrToken.Wrap(failure("the Authorization header has no well-formed token"))
	}
	return token, true, nil
}

// inToken68 are the bytes of token68 before its padding: each request's token
// has some hundreds of them.
var inToken68 = func() (in [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") {
		in[c] = true
	}
	return in
}()

// token68 is the grammar of RFC 9110, section 11.2.
func token68(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		if !inToken68[s[i]] {
			return false
		}
	}
	return s != ""
}

// Challenge returns the WWW-Authenticate header for an answer to err (RFC 6750,
// section 3): no error code if there was no token, invalid_token for a token
// that is none, insufficient_scope for a principal who may not. It is empty
// when err is none of these.
func Challenge(err error) string { return BearerScheme.Challenge(err) }

// Challenge is that of the package, for another word.
func (s Scheme) Challenge(err error) string {
	coded, ok := fault.Of(err)
	switch {
	case !ok:
		return ""
	case coded.Code() == ErrToken.Code():
		return string(s) + ` realm="api", error="invalid_token"`
	case coded.Status() == http.StatusUnauthorized:
		return string(s) + ` realm="api"`
	case coded.Status() == http.StatusForbidden:
		return string(s) + ` realm="api", error="insufficient_scope"`
	}
	return ""
}
