package oidc

import (
	"net/url"
	gopath "path"
	"strings"
	"unicode/utf8"
)

const maxTarget = 1 << 10

// localTarget reports whether a browser that is sent to target stays on this
// origin (P6.24). It takes a clean absolute path with an optional query, and
// nothing that two readers could read in two ways: no authority, no backslash,
// which browsers take for a slash, no control character, which they drop, no
// dot segments, no fragment, which is where the code goes.
func localTarget(target string) bool {
	if target == "" || len(target) > maxTarget || target[0] != '/' || !utf8.ValidString(target) {
		return false
	}
	if strings.ContainsFunc(target, func(c rune) bool { return c <= ' ' || c == '\\' || c >= 0x7f }) {
		return false
	}
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.Contains(target, "#") {
		return false
	}
	if strings.ContainsFunc(u.Path, func(c rune) bool { return c < ' ' || c == '\\' || c == 0x7f }) {
		return false
	}
	return u.Path == gopath.Clean(u.Path) || u.Path == gopath.Clean(u.Path)+"/"
}
