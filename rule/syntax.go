package rule

import (
	"net/netip"
	"strings"
	"time"
)

// charset is a set of ASCII characters.
type charset [128]bool

func chars(members string) *charset {
	var c charset
	for i := range len(members) {
		c[members[i]] = true
	}
	return &c
}

// all reports whether s holds nothing but members.
func (c *charset) all(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 || !c[s[i]] {
			return false
		}
	}
	return true
}

const (
	digits     = "0123456789"
	letters    = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	unreserved = letters + digits + "-._~"
	subDelims  = "!$&'()*+,;="
)

var (
	digit      = chars(digits)
	letter     = chars(letters)
	hexDigit   = chars(digits + "abcdefABCDEF")
	hostLabel  = chars(letters + digits + "-")
	atext      = chars(letters + digits + "!#$%&'*+-/=?^_`{|}~")
	schemeTail = chars(letters + digits + "+-.")
	regName    = chars(unreserved + subDelims)
	userinfo   = chars(unreserved + subDelims + ":")
	pathChars  = chars(unreserved + subDelims + ":@/")
	queryChars = chars(unreserved + subDelims + ":@/?")
)

// validEmail follows the Mailbox of RFC 5321, section 4.1.2, with the lengths
// of section 4.5.3.1.
func validEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > 64 || len(s) > 254 {
		return false
	}
	local, domain := s[:at], s[at+1:]
	if local[0] == '"' {
		if !validQuoted(local) {
			return false
		}
	} else {
		for atom := range strings.SplitSeq(local, ".") {
			if atom == "" || !atext.all(atom) {
				return false
			}
		}
	}
	if literal, ok := strings.CutPrefix(domain, "["); ok {
		literal, ok = strings.CutSuffix(literal, "]")
		six, tagged := strings.CutPrefix(literal, "IPv6:")
		return ok && (tagged && validIPv6(six) || validIPv4(literal))
	}
	return validHostname(domain)
}

// validQuoted reads the Quoted-string of RFC 5321: printable ASCII, in which
// a backslash keeps its successor.
func validQuoted(s string) bool {
	if len(s) < 2 || s[len(s)-1] != '"' {
		return false
	}
	inner := s[1 : len(s)-1]
	for i := 0; i < len(inner); i++ {
		switch b := inner[i]; {
		case b < 0x20 || b > 0x7e || b == '"':
			return false
		case b == '\\':
			i++
			if i == len(inner) || inner[i] < 0x20 || inner[i] > 0x7e {
				return false
			}
		}
	}
	return true
}

func validUUID(s string) bool {
	return len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' &&
		hexDigit.all(s[:8]) && hexDigit.all(s[9:13]) && hexDigit.all(s[14:18]) && hexDigit.all(s[19:23]) && hexDigit.all(s[24:])
}

func validDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// validDateTime reads RFC 3339 by hand, because package time knows neither
// leap seconds nor the lower-case letters that the grammar allows.
func validDateTime(s string) bool {
	if len(s) < len("2006-01-02T15:04:05Z") || !validDate(s[:10]) || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return false
	}
	hour, okHour := twoDigits(s[11:], 23)
	minute, okMinute := twoDigits(s[14:], 59)
	second, okSecond := twoDigits(s[17:], 60)
	if !okHour || !okMinute || !okSecond {
		return false
	}
	rest := s[19:]
	if rest[0] == '.' {
		n := 1
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if n == 1 {
			return false
		}
		rest = rest[n:]
	}
	offset := 0
	switch {
	case rest == "Z" || rest == "z":
	case len(rest) == len("+00:00") && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':':
		hours, okHours := twoDigits(rest[1:], 23)
		minutes, okMinutes := twoDigits(rest[4:], 59)
		if !okHours || !okMinutes {
			return false
		}
		offset = hours*60 + minutes
		if rest[0] == '-' {
			offset = -offset
		}
	default:
		return false
	}
	// Leap seconds are the last of a day in UTC.
	const day = 24 * 60
	return second < 60 || (hour*60+minute-offset+day)%day == day-1
}

// twoDigits reads the number that s starts with. Its caller knows that s is
// long enough.
func twoDigits(s string, most int) (int, bool) {
	if !digit.all(s[:2]) {
		return 0, false
	}
	n := int(s[0]-'0')*10 + int(s[1]-'0')
	return n, n <= most
}

// validHostname follows RFC 1123: labels of letters, digits and inner hyphens.
// It does not decode A-labels: whether their Unicode form is permitted changes
// with each Unicode version, and no resolver asks.
func validHostname(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || !hostLabel.all(label) {
			return false
		}
	}
	return true
}

func validIPv4(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

func validIPv6(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6() && a.Zone() == ""
}

// validURI follows the URI rule of RFC 3986; net/url is more lenient.
func validURI(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || scheme == "" || !letter.all(scheme[:1]) || !schemeTail.all(scheme) {
		return false
	}
	rest, fragment, _ := strings.Cut(rest, "#")
	path, query, _ := strings.Cut(rest, "?")
	if !escaped(fragment, queryChars) || !escaped(query, queryChars) {
		return false
	}
	if after, ok := strings.CutPrefix(path, "//"); ok {
		authority, tail, found := strings.Cut(after, "/")
		if !validAuthority(authority) {
			return false
		}
		path = ""
		if found {
			path = "/" + tail
		}
	}
	return escaped(path, pathChars)
}

func validAuthority(s string) bool {
	if user, host, ok := strings.Cut(s, "@"); ok {
		if !escaped(user, userinfo) {
			return false
		}
		s = host
	}
	if literal, ok := strings.CutPrefix(s, "["); ok {
		literal, rest, ok := strings.Cut(literal, "]")
		return ok && (validIPv6(literal) || validFuture(literal)) &&
			(rest == "" || rest[0] == ':' && digit.all(rest[1:]))
	}
	host, port, _ := strings.Cut(s, ":")
	return escaped(host, regName) && digit.all(port)
}

// validFuture reads IPvFuture: "v", a hexadecimal version, a dot, the address.
func validFuture(s string) bool {
	version, address, ok := strings.Cut(s, ".")
	return ok && len(version) > 1 && version[0]|0x20 == 'v' && hexDigit.all(version[1:]) &&
		address != "" && userinfo.all(address)
}

// escaped reports whether s holds only members and percent-encoded octets.
func escaped(s string, members *charset) bool {
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b == '%':
			if i+2 >= len(s) || !hexDigit.all(s[i+1:i+3]) {
				return false
			}
			i += 2
		case b >= 0x80 || !members[b]:
			return false
		}
	}
	return true
}
