package serve

import (
	"net/netip"
	"slices"
	"strings"
)

// clientIP returns the address of whoever asks; host is the one at the other
// end of the connection. Each proxy appends the address it was called from, so
// the list is read from the right: as long as the reporter is trusted its
// report is believed, and the first address that is no proxy of ours is the
// client. What stands left of it is the client's own invention. A report that
// is no address ends the search at its reporter.
func clientIP(host string, forwarded []string, trusted []netip.Prefix) string {
	if len(trusted) == 0 || len(forwarded) == 0 {
		return host
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	addr = addr.Unmap()
	for _, list := range slices.Backward(forwarded) {
		for list != "" {
			if !anyContains(trusted, addr) {
				return addr.String()
			}
			at := strings.LastIndexByte(list, ',')
			next, err := netip.ParseAddr(withoutPort(strings.TrimSpace(list[at+1:])))
			if err != nil {
				return addr.String()
			}
			addr = next.Unmap().WithZone("")
			list = list[:max(at, 0)]
		}
	}
	return addr.String()
}

func anyContains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// withoutPort returns the address of "1.2.3.4:56", "[::1]:56", or either
// without a port.
func withoutPort(s string) string {
	if strings.HasPrefix(s, "[") {
		if end := strings.IndexByte(s, ']'); end > 0 {
			return s[1:end]
		}
		return s
	}
	if colon := strings.IndexByte(s, ':'); colon >= 0 && colon == strings.LastIndexByte(s, ':') {
		return s[:colon]
	}
	return s
}

// hostName is a Host header as the allow list knows it.
func hostName(host string) string {
	return strings.TrimSuffix(strings.ToLower(withoutPort(host)), ".")
}

func hostSet(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[hostName(name)] = true
	}
	return set
}
