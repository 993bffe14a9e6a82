package logs

import (
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

const digits = "0123456789abcdef"

// plain reports whether a byte stands for itself inside JSON quotes and on a
// terminal: printable ASCII but for the quote and the backslash.
func plain(c byte) bool { return c-' ' < 0x7f-' ' && c != '"' && c != '\\' }

// plainStart returns a length of s up to which it is plain: nearly always the
// whole. It looks at eight bytes at a time.
func plainStart(s string) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	if len(s) < 8 {
		for i < len(s) && plain(s[i]) {
			i++
		}
		return i
	}
	for i < len(s) {
		at := min(i, len(s)-8) // the last eight may have been looked at before in part
		eight := s[at : at+8]
		w := uint64(eight[0]) | uint64(eight[1])<<8 | uint64(eight[2])<<16 | uint64(eight[3])<<24 |
			uint64(eight[4])<<32 | uint64(eight[5])<<40 | uint64(eight[6])<<48 | uint64(eight[7])<<56
		quote, slash := w^ones*'"', w^ones*'\\'
		if ((quote-ones)&^quote|(slash-ones)&^slash|(w-ones*' ')&^w|(w+ones)|w)&highs != 0 {
			break
		}
		i = at + 8
	}
	return i
}

// appendEscaped appends s with everything escaped that could end the line,
// steer a terminal or is not UTF-8; and, if quoted, what could end the quotes.
func appendEscaped(buf []byte, s string, quoted bool) []byte {
	start := 0
	for i := plainStart(s); i < len(s); {
		c := s[i]
		if plain(c) {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			if c != '"' && c != '\\' || quoted {
				buf = append(buf, s[start:i]...)
				buf = appendControl(buf, c)
				start = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || hostile(r) {
			buf = append(buf, s[start:i]...)
			buf = appendUnicode(buf, r)
			start = i + size
		}
		i += size
	}
	return append(buf, s[start:]...)
}

// appendPrintable appends JSON text that encoding/json made, which leaves some
// runes alone that appendEscaped does not.
func appendPrintable(buf, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == 0x7f || r >= utf8.RuneSelf && hostile(r) {
			buf = appendUnicode(buf, r)
		} else {
			buf = append(buf, text[:size]...)
		}
		text = text[size:]
	}
	return buf
}

// hostile reports whether a rune beyond ASCII is a control, a line separator,
// or turns the direction of what follows.
func hostile(r rune) bool {
	return r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || unicode.Is(unicode.Bidi_Control, r)
}

func appendControl(buf []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(buf, '\\', c)
	case '\n':
		return append(buf, '\\', 'n')
	case '\r':
		return append(buf, '\\', 'r')
	case '\t':
		return append(buf, '\\', 't')
	}
	return appendUnicode(buf, rune(c))
}

// appendUnicode appends the escape of a rune below 0x10000.
func appendUnicode(buf []byte, r rune) []byte {
	return append(buf, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

// appendWord appends s as Text shows keys and values: as it is when it is one
// plain word, in quotes otherwise.
func appendWord(buf []byte, s string) []byte {
	bare := s != ""
	for i := 0; bare && i < len(s); i++ {
		bare = (plain(s[i]) || s[i] >= utf8.RuneSelf) && s[i] != ' ' && s[i] != '='
	}
	if bare {
		return appendEscaped(buf, s, true)
	}
	buf = append(buf, '"')
	buf = appendEscaped(buf, s, true)
	return append(buf, '"')
}

// appendTime appends a time as RFC 3339 in UTC with milliseconds. It is what
// time.AppendFormat does, without reading a layout each time.
func appendTime(buf []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 { // no RFC 3339
		return t.AppendFormat(buf, time.RFC3339Nano)
	}
	hour, minute, second := t.Clock()
	buf = appendTwo(appendTwo(buf, year/100), year%100)
	buf = appendTwo(append(buf, '-'), int(month))
	buf = appendTwo(append(buf, '-'), day)
	buf = appendTwo(append(buf, 'T'), hour)
	buf = appendTwo(append(buf, ':'), minute)
	buf = appendTwo(append(buf, ':'), second)
	milli := t.Nanosecond() / int(time.Millisecond)
	buf = appendTwo(append(buf, '.', byte('0'+milli/100)), milli%100)
	return append(buf, 'Z')
}

// appendTwo appends n, which is below a hundred, in two digits.
func appendTwo(buf []byte, n int) []byte { return append(buf, byte('0'+n/10), byte('0'+n%10)) }

// appendMillis appends d in milliseconds, without trailing zeros.
func appendMillis(buf []byte, d time.Duration) []byte {
	n := uint64(d)
	if d < 0 {
		buf = append(buf, '-')
		n = -n
	}
	buf = strconv.AppendUint(buf, n/uint64(time.Millisecond), 10)
	fraction := int(n % uint64(time.Millisecond))
	if fraction == 0 {
		return buf
	}
	buf = append(buf, '.')
	for pair := 10_000; fraction > 0; pair /= 100 {
		buf = appendTwo(buf, fraction/pair)
		fraction %= pair
	}
	if last := len(buf) - 1; buf[last] == '0' {
		buf = buf[:last]
	}
	return buf
}
