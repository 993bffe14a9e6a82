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
	headers := r.Header["Authorization"]
	switch len(headers) {
	case 0:
		return "", false, nil
	case 1:
	default:
		return "", true, ErrToken.Wrap(failure("several Authorization headers"))
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
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
func Challenge(err error) string {
	coded, ok := fault.Of(err)
	switch {
	case !ok:
		return ""
	case coded.Code() == ErrToken.Code():
		return `Bearer realm="api", error="invalid_token"`
	case coded.Status() == http.StatusUnauthorized:
		return `Bearer realm="api"`
	case coded.Status() == http.StatusForbidden:
		return `Bearer realm="api", error="insufficient_scope"`
	}
	return ""
}
