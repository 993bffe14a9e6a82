package live

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
)

// checkOrigin refuses a handshake that a page of another site makes its
// visitor's browser do: it sends cookies along, and no preflight stands before
// a WebSocket. Programs that are no browsers send no origin. The request that
// it returns has no cookies if the page may not use them.
func (s *Server) checkOrigin(r *http.Request) (*http.Request, error) {
	given := r.Header["Origin"]
	switch {
	case len(given) == 0:
		return r, nil
	case len(given) > 1:
		return nil, fault.ErrDenied.Because("The request has more than one Origin.")
	case sameSite(given[0], r.Host):
		return r, nil
	case !s.origins[given[0]]:
		return nil, fault.ErrDenied.Because("Pages of this origin may not connect.")
	case s.cfg.OriginCredentials:
		return r, nil
	}
	r = r.Clone(r.Context())
	r.Header.Del("Cookie")
	return r, nil
}

// sameSite reports whether an origin is that of the host that was asked. Whether
// the page came by HTTPS is known to what stands in front, not to us.
func sameSite(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && strings.EqualFold(u.Host, host)
}
