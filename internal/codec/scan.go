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
