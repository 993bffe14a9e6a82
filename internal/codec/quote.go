package codec

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"
)

// appendText appends s as a JSON text. Only what must be escaped is; bytes that
// are not UTF-8 become U+FFFD.
func appendText(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	for i := 0; i < len(s); {
		if i+8 <= len(s) && special(binary.LittleEndian.Uint64(b[i:])) == 0 {
			i += 8
			continue
		}
		c := s[i]
		if c >= utf8.RuneSelf {
			v, size := utf8.DecodeRuneInString(s[i:])
			if v == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		i++
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i-1]...)
		start = i
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(dst, s[start:]...), '"')
}

// appendFloat appends f as ECMAScript writes it: the shortest text that reads
// back as f, with an exponent only where it is very small or large.
func appendFloat(dst []byte, f float64, bits int) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, errNotFinite
	}
	format, abs := byte('f'), math.Abs(f)
	if abs != 0 {
		if bits == 64 && (abs < 1e-6 || abs >= 1e21) || bits == 32 && (float32(abs) < 1e-6 || float32(abs) >= 1e21) {
			format = 'e'
		}
	}
	dst = strconv.AppendFloat(dst, f, format, -1, bits)
	if n := len(dst); format == 'e' && n >= 4 && (dst[n-4] == 'e') && dst[n-2] == '0' {
		dst[n-2] = dst[n-1] // e-09 becomes e-9
		dst = dst[:n-1]
	}
	return dst, nil
}

// appendTime appends t in UTC, cut to milliseconds: "2006-01-02T15:04:05.000Z".
func appendTime(dst []byte, t time.Time) ([]byte, error) {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return dst, errYear
	}
	hour, minute, second := t.Clock()
	dst = append(dst, '"')
	dst = append(appendDigits(dst, year, 4), '-')
	dst = append(appendDigits(dst, int(month), 2), '-')
	dst = append(appendDigits(dst, day, 2), 'T')
	dst = append(appendDigits(dst, hour, 2), ':')
	dst = append(appendDigits(dst, minute, 2), ':')
	dst = append(appendDigits(dst, second, 2), '.')
	return append(appendDigits(dst, t.Nanosecond()/1e6, 3), 'Z', '"'), nil
}

// appendDigits appends the last digits of v.
func appendDigits(dst []byte, v, digits int) []byte {
	for divisor := [...]int{0, 1, 10, 100, 1000}[digits]; divisor > 0; divisor /= 10 {
		dst = append(dst, byte('0'+v/divisor%10))
	}
	return dst
}
