package idem

import (
	"strings"

	"github.com/ashlar-go/ashlar/fault"
)

// Header is the request field that carries a key.
const Header = "Idempotency-Key"

// MaxKey is the greatest length of a key, in bytes.
const MaxKey = 255

// What can be wrong with the field itself.
const (
	// ErrMissing says that the request has no key.
	ErrMissing = fault.ErrKeyMissing
	// ErrKey says that the field is there and is not one key.
	ErrKey = fault.ErrKeyMalformed
)

// ParseKey returns the key in the values of an Idempotency-Key field, which
// are r.Header[Header] in a server. A key is 1 to [MaxKey] visible ASCII
// characters. It may stand bare or as the string of a structured field
// (RFC 9651, section 3.3.3): "k1" in quotes is the same key as k1 without. The
// errors are [ErrMissing] and [ErrKey].
func ParseKey(values []string) (string, error) {
	switch len(values) {
	case 0:
		return "", ErrMissing
	case 1:
	default:
		return "", ErrKey.Because("The %s field is there %d times.", Header, len(values))
	}
	key := strings.Trim(values[0], " \t")
	if strings.HasPrefix(key, `"`) {
		unquoted, ok := unquote(key)
		if !ok {
			return "", ErrKey.Because("The quotes of the key do not match.")
		}
		key = unquoted
	} else if strings.IndexByte(key, '"') >= 0 {
		return "", ErrKey.Because("A key without quotes around it has none inside.")
	}
	if len(key) < 1 || len(key) > MaxKey {
		return "", ErrKey.Because("A key has 1 to %d characters.", MaxKey)
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return "", ErrKey.Because("A key consists of visible ASCII characters.")
		}
	}
	return key, nil
}

// unquote reads a structured field's string, of which the first quote has been
// seen. In most there is nothing to unescape, and the result is a part of s.
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[len(s)-1] != '"' {
		return "", false
	}
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s, strings.IndexByte(s, '"') < 0
	}
	plain := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return "", false
		case '\\':
			i++
			if i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", false
			}
		}
		plain = append(plain, s[i])
	}
	return string(plain), true
}
