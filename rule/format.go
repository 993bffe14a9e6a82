package rule

import "slices"

// A Format is a well-known form of text, by its JSON Schema name.
type Format string

// The formats.
const (
	// Email is one address as RFC 5321 says, without a display name.
	Email Format = "email"
	// UUID is the hexadecimal form of RFC 9562, in either case.
	UUID Format = "uuid"
	// Date is a day of RFC 3339: "2026-11-22".
	Date Format = "date"
	// DateTime is a date-time of RFC 3339, leap seconds included. Use a
	// [time.Time] field for an instant that is computed with.
	DateTime Format = "date-time"
	// URI is an absolute URI of RFC 3986.
	URI Format = "uri"
	// Hostname is a host name of RFC 1123.
	Hostname Format = "hostname"
	// IPv4 is a dotted-quad address.
	IPv4 Format = "ipv4"
	// IPv6 is an address of RFC 4291, without a zone.
	IPv6 Format = "ipv6"
)

// Formats returns all formats.
func Formats() []Format {
	return []Format{Email, UUID, Date, DateTime, URI, Hostname, IPv4, IPv6}
}

func (f Format) known() bool { return slices.Contains(Formats(), f) }

// Valid reports whether s has the format.
func (f Format) Valid(s string) bool {
	switch f {
	case Email:
		return validEmail(s)
	case UUID:
		return validUUID(s)
	case Date:
		return validDate(s)
	case DateTime:
		return validDateTime(s)
	case URI:
		return validURI(s)
	case Hostname:
		return validHostname(s)
	case IPv4:
		return validIPv4(s)
	case IPv6:
		return validIPv6(s)
	}
	return false
}

// describe completes the sentence "must be …".
func (f Format) describe() string {
	switch f {
	case Email:
		return "an e-mail address"
	case UUID:
		return "a UUID"
	case Date:
		return "a date such as 2026-11-22"
	case DateTime:
		return "a time such as 2026-11-22T17:00:00Z"
	case URI:
		return "an absolute URI"
	case Hostname:
		return "a host name"
	case IPv4:
		return "an IPv4 address"
	case IPv6:
		return "an IPv6 address"
	}
	return "a " + string(f)
}
