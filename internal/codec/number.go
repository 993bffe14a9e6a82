package codec

import "math/bits"

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

// A wholeNumber is a number as it was written. Its magnitude means something
// only if it is whole, without fraction and exponent, and fits 64 bits.
type wholeNumber struct {
	negative, whole, fits bool
	magnitude             uint64
}

// wholeNumber reads a number for a type that takes whole ones.
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
