package outbound

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A guard judges targets: as they are written, and as they are dialled.
type guard struct {
	allow, refuse []netip.Prefix
	ports         []uint16
}

// CheckURL returns a [*Refusal] if a client with this Config would refuse the
// URL for what is written in it: its scheme, its port, credentials in it, a
// host that is an address and may not be called. It looks nothing up, so a
// name passes; what the name leads to is judged when it is called. It is for
// telling people early, where they enter a URL.
func (c Config) CheckURL(u *url.URL) error {
	if refusal := c.guard().url(u); refusal != nil {
		return refusal
	}
	return nil
}

func (c Config) guard() guard { return guard{c.Allow, c.Refuse, c.Ports} }

func (g guard) url(u *url.URL) *Refusal {
	var standard uint16
	switch u.Scheme {
	case "http":
		standard = 80
	case "https":
		standard = 443
	default:
		return &Refusal{u.Host, "neither http nor https"}
	}
	if u.User != nil {
		return &Refusal{u.Hostname(), "credentials in the URL"}
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	if u.Opaque != "" || host == "" {
		return &Refusal{u.Host, "no host"}
	}
	port := standard
	if text := u.Port(); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return &Refusal{u.Host, "no port"}
		}
		port = uint16(n)
	}
	addr, err := netip.ParseAddr(host)
	if err == nil {
		return g.address(netip.AddrPortFrom(addr, port))
	}
	if endsInNumber(host) {
		return &Refusal{u.Host, "an address in a form that few readers agree on"}
	}
	// What the name leads to is known when it is dialled, but no address has a
	// port that nothing allows.
	if len(g.ports) > 0 && !slices.Contains(g.ports, port) || len(g.ports) == 0 && len(g.allow) == 0 && !usual(port) {
		return &Refusal{u.Host, "port"}
	}
	return nil
}

// address judges where a socket is about to connect to.
func (g guard) address(to netip.AddrPort) *Refusal {
	addr := to.Addr().Unmap()
	refuse := func(reason string) *Refusal { return &Refusal{to.String(), reason} }
	if anyContains(g.refuse, addr) {
		return refuse("refused by configuration")
	}
	allowed := anyContains(g.allow, addr)
	switch {
	case len(g.ports) > 0 && !slices.Contains(g.ports, to.Port()),
		len(g.ports) == 0 && !allowed && !usual(to.Port()):
		return refuse("port")
	case allowed:
		return nil
	}
	if reason := closed(to.Addr()); reason != "" {
		return refuse(reason)
	}
	return nil
}

// control is [net.Dialer]'s ControlContext: it runs when the socket exists and
// its address is settled, right before it connects.
func (g guard) control(_ context.Context, family, address string, _ syscall.RawConn) error {
	if family != "tcp4" && family != "tcp6" {
		return &Refusal{address, "no TCP"}
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return &Refusal{address, "no address"}
	}
	if refusal := g.address(to); refusal != nil {
		return refusal
	}
	return nil
}

func usual(port uint16) bool { return port == 80 || port == 443 }

// endsInNumber reports whether readers of URLs take a host for an address of
// IPv4 (WHATWG URL, section 3.5): 2130706433, 0x7f.1, 0177.0.0.1. The system's
// resolver reads some of these too.
func endsInNumber(host string) bool {
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}
