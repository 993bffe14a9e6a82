package serve

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
)

// Redirect sends the caller to target with 303, or answers a 400 problem if
// [SafeTarget] finds that target leads away. A target that came with the
// request, as the page to return to after sign-in, belongs here and never in
// [http.Redirect]: whoever wrote the link chooses where it ends.
func Redirect(w http.ResponseWriter, r *http.Request, target string, origins ...string) {
	if !SafeTarget(target, origins...) {
		scope.Refuse(w, fault.ErrMalformed.Because("The target of the redirect is not allowed."))
		return
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// SafeTarget reports whether a redirect to target stays on this site, or leads
// to one of the origins (scheme://host[:port]). On this site means an absolute
// path in its shortest form, as "/orders?page=2": nothing that any reader
// takes for another host, as //evil.test, /\evil.test or a tab in between.
func SafeTarget(target string, origins ...string) bool {
	if strings.ContainsFunc(target, func(c rune) bool { return c <= ' ' || c == '\\' || c >= 0x7f }) {
		return false
	}
	u, err := url.Parse(target)
	if err != nil || u.User != nil || u.Opaque != "" {
		return false
	}
	if u.Scheme == "" && u.Host == "" {
		return strings.HasPrefix(target, "/") && checkPath(u) == nil
	}
	// What was parsed must be what is written: no reader may find another host.
	origin := u.Scheme + "://" + u.Host
	rest, found := strings.CutPrefix(target, origin)
	return found && slices.Contains(origins, origin) && (rest == "" || strings.ContainsRune("/?#", rune(rest[0])))
}
