// Package id makes the names of things: a prefix that says what is named and
// 26 characters that sort by the moment of creation.
//
//	id.New("pay_") // pay_01m823j0trephsyemv5h6nwvvg
//
// The 26 characters are a UUIDv7 (RFC 9562) in lower-case Crockford base32.
// That is six characters shorter than hex, keeps byte order and text order
// equal, has no letter that is mistaken for a digit, and is selected whole by a
// double click. Ids of one prefix have one length, and one process never hands
// out an id that sorts before an earlier one, even if the clock steps back.
//
// An id tells its creation time to whoever holds it and is not a secret; use
// [Secret] for anything that grants access.
package id

import (
	"crypto/rand"
	"encoding/binary"
	"sync/atomic"
	"time"
)

// last is the 60-bit timestamp of the newest id: 48 bits of Unix milliseconds
// and 12 bits of the fraction of a millisecond. Only New moves it, only forward.
var last atomic.Uint64

// New returns prefix followed by 26 characters that sort after those of every
// id this process made before. It is safe for concurrent use.
func New(prefix string) string {
	var random [8]byte
	rand.Read(random[:]) // never fails: the runtime aborts the process instead
	stamp := next()
	high := stamp>>12<<16 | version<<12 | stamp&0xfff
	low := variant<<62 | binary.BigEndian.Uint64(random[:])>>2

	text := make([]byte, len(prefix)+Len)
	encode((*[Len]byte)(text[copy(text, prefix):]), high, low)
	return string(text)
}

// next claims the first free timestamp at or after now. Under a burst faster
// than the timestamp's 244 ns it runs ahead of the clock instead of waiting.
func next() uint64 {
	now := time.Now()
	ms := now.UnixMilli()
	fraction := now.UnixNano() - ms*int64(time.Millisecond)
	stamp := uint64(ms)<<12 | uint64(fraction*4096/int64(time.Millisecond))
	for {
		previous := last.Load()
		stamp = max(stamp, previous+1)
		if last.CompareAndSwap(previous, stamp) {
			return stamp
		}
	}
}

// Time returns when the id was made, to the millisecond and in UTC, whatever
// its prefix. The error is [ErrMalformed].
func Time(s string) (time.Time, error) {
	if len(s) < Len {
		return time.Time{}, ErrMalformed
	}
	high, _, ok := decode(s[len(s)-Len:])
	if !ok {
		return time.Time{}, ErrMalformed
	}
	return time.UnixMilli(int64(high >> 16)).UTC(), nil
}
