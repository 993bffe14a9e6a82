package outbound

import (
	"net/http"
	"slices"
)

// redirects returns the CheckRedirect that follows at most n. The transport
// judges where they lead.
func redirects(n int) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, via []*http.Request) error {
		if n <= 0 {
			return http.ErrUseLastResponse
		}
		if len(via) > n {
			return ErrRefused.Wrap(&Refusal{next.URL.Host, "too many redirects"})
		}
		last := via[len(via)-1].URL
		if last.Scheme == "https" && next.URL.Scheme != "https" {
			return ErrRefused.Wrap(&Refusal{next.URL.Host, "a redirect away from HTTPS"})
		}
		if atHome(next, via) {
			return nil
		}
		if next.Body != nil && next.Body != http.NoBody {
			return ErrRefused.Wrap(&Refusal{next.URL.Host, "a redirect that takes the body to another host"})
		}
		// A key or a signature may travel in any header.
		for name := range next.Header {
			if !slices.Contains(harmless, name) {
				next.Header.Del(name)
			}
		}
		return nil
	}
}

// atHome reports whether no hop has left the first one's origin. One that comes
// back is led by a stranger, and goes without what was meant for the first.
func atHome(next *http.Request, via []*http.Request) bool {
	first := via[0].URL
	return !slices.ContainsFunc(append(via[1:len(via):len(via)], next), func(r *http.Request) bool {
		return r.URL.Host != first.Host || r.URL.Scheme != first.Scheme
	})
}

// harmless are the headers that may follow a redirect to another host.
var harmless = []string{"Accept", "Accept-Encoding", "Accept-Language", "User-Agent"}
