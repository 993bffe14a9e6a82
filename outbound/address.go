package outbound

import (
	"encoding/binary"
	"net/netip"
)

// A network and what the log calls it.
type network struct {
	prefix netip.Prefix
	reason string
}

// closed4 are the IPv4 networks of the IANA registry of special-purpose
// addresses, as far as they lead inside or nowhere, and one public address
// that every machine of a cloud reaches its host by. The first that contains
// an address names the reason.
var closed4 = [...]network{
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local, where clouds keep their metadata"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared address space"},
	{netip.MustParsePrefix("168.63.129.16/32"), "metadata of a cloud"},
	{netip.MustParsePrefix("0.0.0.0/8"), "this network"},
	{netip.MustParsePrefix("192.0.0.0/24"), "protocol assignments"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4 relays"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},
}

// closed6 are the networks within 2000::/3 that are not public hosts. All that
// lies outside of 2000::/3 is refused, but for the two forms of IPv4 below.
var closed6 = [...]network{
	{netip.MustParsePrefix("2001::/23"), "protocol assignments, Teredo among them"},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation"},
	{netip.MustParsePrefix("2002::/16"), "6to4"},
	{netip.MustParsePrefix("3fff::/20"), "documentation"},
}

var (
	global6   = netip.MustParsePrefix("2000::/3")
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	unique6   = netip.MustParsePrefix("fc00::/7")
	loopback6 = netip.IPv6Loopback()
)

// closed returns why an address is not a public host, or "". An address of
// IPv6 that is a form of one of IPv4 is as public as that.
func closed(addr netip.Addr) string {
	if addr.Zone() != "" {
		return "has a zone"
	}
	addr = addr.Unmap()
	if addr.Is4() {
		return within(closed4[:], addr)
	}
	raw := addr.As16()
	switch {
	case addr == loopback6:
		return "loopback"
	case addr.IsUnspecified():
		return "unspecified"
	case addr.IsLinkLocalUnicast():
		return "link-local"
	case addr.IsMulticast():
		return "multicast"
	case unique6.Contains(addr):
		return "private"
	case nat64.Contains(addr):
		return within(closed4[:], netip.AddrFrom4([4]byte(raw[12:])))
	case !global6.Contains(addr):
		return "not public"
	}
	if reason := within(closed6[:], addr); reason != "" {
		return reason
	}
	// ISATAP writes an address of IPv4 behind 0:5efe, under any prefix.
	if mark := binary.BigEndian.Uint32(raw[8:]) &^ 0x02000000; mark == 0x00005efe {
		return within(closed4[:], netip.AddrFrom4([4]byte(raw[12:])))
	}
	return ""
}

func within(list []network, addr netip.Addr) string {
	for i := range list {
		if list[i].prefix.Contains(addr) {
			return list[i].reason
		}
	}
	return ""
}

func anyContains(list []netip.Prefix, addr netip.Addr) bool {
	for _, p := range list {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
