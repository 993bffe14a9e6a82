package logs

import "strings"

// masked stands for a hidden value.
const masked = "***"

// redactor decides by key. Names are sorted by their last letter, and each
// letter knows which may stand before it, so that most keys are let through
// after one look.
type redactor struct {
	byLast [256][]hidden
	before [256]uint32 // bit sets of letters, by their low five bits, which ignore case
}

type hidden struct {
	name   string // lower case, with _ for -
	ending bool   // matches as the last words of a key, too
}

func newRedactor(names []string) *redactor {
	if len(names) == 0 {
		names = DefaultRedact()
	}
	r := new(redactor)
	for _, name := range names {
		name, ending := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(name), "-", "_"), "*")
		if name == "" {
			continue
		}
		last := name[len(name)-1]
		r.byLast[last] = append(r.byLast[last], hidden{name, ending})
		if len(name) == 1 || name[len(name)-2] == '_' {
			r.before[last] = ^uint32(0)
		} else {
			r.before[last] |= 1 << (name[len(name)-2] & 31)
		}
	}
	return r
}

// hides reports whether the value under key must not be shown.
func (r *redactor) hides(key string) bool {
	if key == "" {
		return false
	}
	last := fold(key[len(key)-1])
	if len(key) > 1 && r.before[last]>>(fold(key[len(key)-2])&31)&1 == 0 {
		return false
	}
	for _, h := range r.byLast[last] {
		start, ok := endsIn(key, h.name)
		if ok && (start == 0 || h.ending && wordStarts(key, start)) {
			return true
		}
	}
	return false
}

// endsIn reports whether key ends in name, and where that starts. The _ of a
// name may be a - in the key, or the capital of camelCase.
func endsIn(key, name string) (start int, ok bool) {
	k := len(key)
	for n := len(name) - 1; n >= 0; n-- {
		switch {
		case k > 0 && fold(key[k-1]) == name[n]:
			k--
		case name[n] == '_' && k < len(key) && isUpper(key[k]):
		default:
			return 0, false
		}
	}
	return k, true
}

// wordStarts reports whether a word of key starts at i: after a separator, or
// with the capital of camelCase.
func wordStarts(key string, i int) bool {
	switch before := key[i-1]; before {
	case '_', '-', '.', ' ', ':', '/':
		return true
	default:
		return isUpper(key[i]) && !isUpper(before)
	}
}

func fold(c byte) byte {
	switch {
	case isUpper(c):
		return c + 'a' - 'A'
	case c == '-':
		return '_'
	}
	return c
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
