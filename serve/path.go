package serve

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/fault"
)

// checkPath refuses a path that two readers could read in two ways. It looks
// at the decoded path, so an encoded dot or NUL is seen for what it is.
func checkPath(u *url.URL) error {
	path := u.Path
	if path == "" || path[0] != '/' {
		return fault.ErrNotFound.Because("There is nothing at this path.")
	}
	ascii := true
	for i := range len(path) {
		c := path[i]
		if harmless[c] {
			continue
		}
		switch {
		case c < ' ' || c == 0x7f:
			return fault.ErrMalformed.Because("The path contains a control character.")
		case c >= utf8.RuneSelf:
			ascii = false
		case c == '/' && unclean(path[i+1:]):
			return fault.ErrNotFound.Because("The path is not in its shortest form.")
		}
	}
	if !ascii && !utf8.ValidString(path) {
		return fault.ErrMalformed.Because("The path is not UTF-8.")
	}
	if raw := u.RawPath; raw != "" && (strings.Contains(raw, "%2f") || strings.Contains(raw, "%2F")) {
		return fault.ErrNotFound.Because("The path contains an encoded slash.")
	}
	return nil
}

// harmless are the bytes that mean nothing but themselves wherever they stand:
// printable ASCII except the slash.
var harmless = func() (set [256]bool) {
	for c := byte(' '); c < 0x7f; c++ {
		set[c] = c != '/'
	}
	return set
}()

// unclean reports whether what follows a slash is an empty segment, "." or
// "..". A slash at the very end is clean.
func unclean(rest string) bool {
	if rest == "" || rest[0] != '/' && rest[0] != '.' {
		return false
	}
	segment, _, _ := strings.Cut(rest, "/")
	return segment == "" || segment == "." || segment == ".."
}
