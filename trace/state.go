package trace

import (
	"slices"
	"strings"
)

// Bounds of a tracestate that is carried on. W3C asks for at least these; more
// would let a caller make every request of ours heavier.
const (
	maxStateMembers = 32
	maxStateBytes   = 512
)

// State is a tracestate header in wire form, already held to 32 members and
// 512 bytes. It belongs to the vendors named in it and is passed on unread.
type State string

// ParseState joins the values of the tracestate headers of one request and
// keeps the leading members that fit the bounds, in order. A member that is
// not key=value in printable ASCII makes the whole list invalid, and so does a
// key that occurs twice; the result is then empty, as W3C asks, and the trace
// itself goes on. A single header that fits is returned without a copy.
func ParseState(values []string) State {
	switch len(values) {
	case 0:
		return ""
	case 1:
		return bounded(values[0])
	}
	return bounded(strings.Join(values, ","))
}

func bounded(list string) State {
	var keys [maxStateMembers]string
	members, end := 0, 0 // end of the last member that fits
	for at := 0; at <= len(list); {
		stop := strings.IndexByte(list[at:], ',')
		if stop < 0 {
			stop = len(list)
		} else {
			stop += at
		}
		member := strings.Trim(list[at:stop], " \t")
		at = stop + 1
		if member == "" {
			continue // an empty member is allowed and means nothing
		}
		key, value, _ := strings.Cut(member, "=")
		if !validKey(key) || !validValue(value) {
			return ""
		}
		if members == maxStateMembers || stop > maxStateBytes {
			break
		}
		if slices.Contains(keys[:members], key) {
			return ""
		}
		keys[members] = key
		members++
		end = stop
	}
	return State(strings.Trim(list[:end], " \t,"))
}

func validKey(s string) bool {
	if s == "" || len(s) > 256 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case i > 0 && (c == '_' || c == '-' || c == '*' || c == '/' || c == '@'):
		default:
			return false
		}
	}
	return true
}

func validValue(s string) bool {
	if s == "" || len(s) > 256 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == ',' || c == '=' {
			return false
		}
	}
	return true
}
