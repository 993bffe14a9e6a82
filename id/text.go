package id

import (
	"encoding/binary"
	"strings"
)

// Len is the length of an id without its prefix, in bytes.
const Len = 26

const (
	alphabet = "0123456789abcdefghjkmnpqrstvwxyz" // in ASCII order, so text sorts as the bits do
	version  = 7
	variant  = 0b10
)

// Error is the type of this package's errors; they are constants.
type Error string

// Error returns the text of the error.
func (e Error) Error() string { return string(e) }

// ErrMalformed means that a text is no id of the expected prefix. It never
// carries the text, which may be hostile.
const ErrMalformed Error = "malformed id"

// Valid reports whether s could have come from New(prefix): nil, or
// [ErrMalformed]. There is one spelling of an id; upper case is refused.
func Valid(prefix, s string) error {
	_, err := Parse(prefix, s)
	return err
}

// Parse returns the UUIDv7 inside s, for a column or a peer that wants 16
// bytes. The error is [ErrMalformed].
func Parse(prefix, s string) (uuid [16]byte, err error) {
	text, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return uuid, ErrMalformed
	}
	high, low, ok := decode(text)
	if !ok {
		return uuid, ErrMalformed
	}
	binary.BigEndian.PutUint64(uuid[:8], high)
	binary.BigEndian.PutUint64(uuid[8:], low)
	return uuid, nil
}

// encode writes 128 bits as 26 digits of 5 bits, the first holding only 3.
func encode(text *[Len]byte, high, low uint64) {
	for i := Len - 1; i >= 0; i-- {
		text[i] = alphabet[low&31]
		low = low>>5 | high<<59
		high >>= 5
	}
}

// decode is the strict inverse of encode: it takes only a UUIDv7.
func decode(text string) (high, low uint64, ok bool) {
	if len(text) != Len || text[0] > '7' {
		return 0, 0, false
	}
	for i := range Len {
		digit := strings.IndexByte(alphabet, text[i])
		if digit < 0 {
			return 0, 0, false
		}
		high = high<<5 | low>>59
		low = low<<5 | uint64(digit)
	}
	return high, low, high>>12&0xf == version && low>>62 == variant
}
