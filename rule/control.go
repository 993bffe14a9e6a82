package rule

import "unicode/utf8"

// Control says which control characters and bidirectional overrides a text
// may hold.
type Control uint8

const (
	// NoControl refuses all of them. It is the default.
	NoControl Control = iota
	// LineControl accepts tab, line feed and carriage return.
	LineControl
	// AnyControl accepts everything that is valid UTF-8.
	AnyControl
)

// controls are the ranges of what NoControl refuses.
var controls = [...][2]rune{{0, 0x1f}, {0x7f, 0x9f}, {0x202a, 0x202e}, {0x2066, 0x2069}}

// Pattern returns the regular expression that the texts allowed by c match,
// or nothing if all do. It holds the characters themselves, because RE2 and
// JavaScript escape them differently: a document must escape them in its own
// way.
func (c Control) Pattern() string {
	switch c {
	case NoControl:
		return "^[^\x00-\x1f\x7f-\u009f\u202a-\u202e\u2066-\u2069]*$"
	case LineControl:
		return "^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\u009f\u202a-\u202e\u2066-\u2069]*$"
	case AnyControl:
	}
	return ""
}

// Patterns returns the expressions that every valid text matches: its own
// Pattern, and that of its Control unless the former implies it.
func (t *Type) Patterns() []string {
	var all []string
	l := &t.Text
	if l.Pattern != "" {
		all = append(all, l.Pattern)
	}
	if p := l.Control.Pattern(); p != "" && !impliesNoControl(l.Pattern) {
		all = append(all, p)
	}
	return all
}

func impliesNoControl(expression string) bool {
	sh, ok := shapeOf(expression)
	return ok && !sh.control
}

// allows looks for C0 and C1 controls, DEL, and the bidirectional embeddings,
// overrides and isolates that make a text read as another one.
func (c Control) allows(s string) bool {
	if c == AnyControl {
		return true
	}
	for i := 0; i < len(s); i++ {
		b := s[i]
		if b >= 0x20 && b < 0x7f {
			continue
		}
		if b < utf8.RuneSelf {
			if c == LineControl && (b == '\t' || b == '\n' || b == '\r') {
				continue
			}
			return false
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return false
		}
		i += size - 1
	}
	return true
}
