package codec

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
	"unsafe"
)

// MaxDepth is the greatest number of objects and lists inside one another.
const MaxDepth = 64

// space skips white space and returns the byte after it, or 0 at the end.
func (r *Reading) space() byte {
	for ; r.i < len(r.b); r.i++ {
		switch c := r.b[r.i]; c {
		case ' ', '\n', '\t', '\r':
		default:
			return c
		}
	}
	return 0
}

// enter and leave count the objects and lists around the value at hand.
func (r *Reading) enter() bool {
	r.i++
	r.depth++
	return r.depth <= MaxDepth || r.failAt(r.i-1, "it is nested too deep")
}

func (r *Reading) leave() bool {
	r.i++
	r.depth--
	return true
}

// colon reads what follows a name.
func (r *Reading) colon() bool {
	if r.space() != ':' {
		return r.fail("a colon is expected")
	}
	r.i++
	return true
}

// more reads the comma before another member or item, or stops before the
// closing bracket.
func (r *Reading) more(closing byte) (another, ok bool) {
	switch r.space() {
	case ',':
		r.i++
		return true, true
	case closing:
		return false, true
	}
	return false, r.fail("a comma or closing bracket is expected")
}

func (r *Reading) literal(word string) bool {
	for i := range len(word) {
		if r.i+i >= len(r.b) || r.b[r.i+i] != word[i] {
			return r.failAt(r.i+i, "a value is expected")
		}
	}
	r.i += len(word)
	return true
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks, in the high bits of the bytes of w, those that a text cannot
// simply hold: quotes, backslashes, controls, DEL and all that is not ASCII.
// Only the lowest mark is exact.
func special(w uint64) uint64 {
	quote := w ^ ones*'"'
	slash := w ^ ones*'\\'
	return ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w | (w + ones) | w) & highs
}

// text reads the text that starts at the cursor's quote. The result aliases
// the body, unless it had escapes: then it is fresh. It is plain if it holds
// nothing but printable ASCII, and was written without escapes.
func (r *Reading) text() (s string, plain, fresh, ok bool) {
	b := r.b
	start := r.i + 1
	i := start
	plain = true
	for {
		for i+8 <= len(b) {
			if marks := special(binary.LittleEndian.Uint64(b[i:])); marks != 0 {
				i += bits.TrailingZeros64(marks) / 8
				break
			}
			i += 8
		}
		if i >= len(b) {
			return "", false, false, r.failAt(i, "")
		}
		switch c := b[i]; {
		case c == '"':
			raw := b[start:i]
			if !plain && !utf8.Valid(raw) {
				return "", false, false, r.failAt(start, "a text is not valid UTF-8")
			}
			r.i = i + 1
			return unsafe.String(unsafe.SliceData(raw), len(raw)), plain, false, true
		case c == '\\':
			s, ok = r.escaped(start, i)
			return s, false, true, ok
		case c < 0x20:
			return "", false, false, r.failAt(i, "a text holds a control character that is not escaped")
		case c >= 0x7f:
			plain = false
		}
		i++
	}
}

// number skips a number, and reports whether it has neither fraction nor
// exponent.
func (r *Reading) number() (whole, ok bool) {
	if r.b[r.i] == '-' {
		r.i++
	}
	switch c := r.peek(); {
	case c == '0':
		r.i++
	case c >= '1' && c <= '9':
		r.digits()
	default:
		return false, r.fail("a digit is expected")
	}
	whole = true
	if r.peek() == '.' {
		whole = false
		r.i++
		if !r.digits() {
			return false, r.fail("a digit is expected")
		}
	}
	if c := r.peek(); c == 'e' || c == 'E' {
		whole = false
		r.i++
		if c := r.peek(); c == '+' || c == '-' {
			r.i++
		}
		if !r.digits() {
			return false, r.fail("a digit is expected")
		}
	}
	return whole, true
}

// peek returns the byte at the cursor, or 0 at the end.
func (r *Reading) peek() byte {
	if r.i < len(r.b) {
		return r.b[r.i]
	}
	return 0
}

// digits skips digits, and reports whether there was one.
func (r *Reading) digits() bool {
	start := r.i
	for r.i < len(r.b) && r.b[r.i]-'0' <= 9 {
		r.i++
	}
	return r.i > start
}

// whole reads the magnitude of a number without fraction and exponent; fits is
// false if it exceeds 64 bits.
type wholeNumber struct {
	negative, whole, fits bool
	magnitude             uint64
}

func (r *Reading) wholeNumber() (n wholeNumber, ok bool) {
	b, start, i := r.b, r.i, r.i
	if b[i] == '-' {
		n.negative = true
		i++
	}
	first := i
	for i < len(b) && b[i]-'0' <= 9 && i-first < 19 { // 19 digits always fit
		n.magnitude = n.magnitude*10 + uint64(b[i]-'0')
		i++
	}
	simple := i > first && (i == first+1 || b[first] != '0')
	if simple && i < len(b) {
		switch c := b[i]; {
		case c-'0' <= 9, c == '.', c == 'e', c == 'E':
			simple = false
		}
	}
	if simple {
		r.i = i
		n.whole, n.fits = true, true
		return n, true
	}
	if n.whole, ok = r.number(); !ok || !n.whole {
		return n, ok
	}
	return r.longNumber(start, n.negative), true
}

// longNumber reads the digits up to the cursor with care for overflow.
func (r *Reading) longNumber(start int, negative bool) wholeNumber {
	n := wholeNumber{negative: negative, whole: true, fits: true}
	if negative {
		start++
	}
	for _, c := range r.b[start:r.i] {
		high, low := bits.Mul64(n.magnitude, 10)
		sum, carry := bits.Add64(low, uint64(c-'0'), 0)
		if high != 0 || carry != 0 {
			n.fits = false
			return n
		}
		n.magnitude = sum
	}
	return n
}
