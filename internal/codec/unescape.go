package codec

import (
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// escaped reads a text that has a backslash at i, its first. start is where
// the text begins.
func (r *Reading) escaped(start, i int) (string, bool) {
	b := r.b
	out := append(make([]byte, 0, max(2*(i-start), 32)), b[start:i]...)
	if !utf8.Valid(out) {
		return "", r.failAt(start, "a text is not valid UTF-8")
	}
	for i < len(b) {
		switch c := b[i]; {
		case c == '"':
			r.i = i + 1
			return unsafe.String(unsafe.SliceData(out), len(out)), true
		case c == '\\':
			var ok bool
			if out, i, ok = r.escape(out, i); !ok {
				return "", false
			}
		case c < 0x20:
			return "", r.failAt(i, "a text holds a control character that is not escaped")
		case c < utf8.RuneSelf:
			out = append(out, c)
			i++
		default:
			v, size := utf8.DecodeRune(b[i:])
			if v == utf8.RuneError && size == 1 {
				return "", r.failAt(i, "a text is not valid UTF-8")
			}
			out = append(out, b[i:i+size]...)
			i += size
		}
	}
	return "", r.failAt(i, "")
}

// escape appends what the escape at i stands for, and returns where it ends.
func (r *Reading) escape(out []byte, i int) ([]byte, int, bool) {
	if i+1 >= len(r.b) {
		return nil, 0, r.failAt(len(r.b), "")
	}
	switch c := r.b[i+1]; c {
	case '"', '\\', '/':
		out = append(out, c)
	case 'b':
		out = append(out, '\b')
	case 'f':
		out = append(out, '\f')
	case 'n':
		out = append(out, '\n')
	case 'r':
		out = append(out, '\r')
	case 't':
		out = append(out, '\t')
	case 'u':
		v, ok := r.unit(i)
		if !ok {
			return nil, 0, r.failAt(i, "an escape is not known")
		}
		if !utf16.IsSurrogate(v) {
			return utf8.AppendRune(out, v), i + 6, true
		}
		low, ok := r.unit(i + 6)
		v = utf16.DecodeRune(v, low)
		if !ok || v == utf8.RuneError {
			return nil, 0, r.failAt(i, "an escaped surrogate is not one of a pair")
		}
		return utf8.AppendRune(out, v), i + 12, true
	default:
		return nil, 0, r.failAt(i, "an escape is not known")
	}
	return out, i + 2, true
}

// unit reads the \uXXXX at i.
func (r *Reading) unit(i int) (rune, bool) {
	if i+6 > len(r.b) || r.b[i] != '\\' || r.b[i+1] != 'u' {
		return 0, false
	}
	var v rune
	for _, c := range r.b[i+2 : i+6] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		v = v<<4 | rune(c)
	}
	return v, true
}
