package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Bytes is an amount of memory, body or disk. As text it is a whole number and
// a unit: none or B, the powers of 1024 KiB, MiB, GiB, TiB, or the powers of
// 1000 kB (or KB), MB, GB, TB.
type Bytes int64

type unit struct {
	name string
	size int64
}

func units() [10]unit { // largest first; KB is read and never written
	return [...]unit{
		{"TiB", 1 << 40},
		{"TB", 1e12},
		{"GiB", 1 << 30},
		{"GB", 1e9},
		{"MiB", 1 << 20},
		{"MB", 1e6},
		{"KiB", 1 << 10},
		{"kB", 1e3},
		{"KB", 1e3},
		{"B", 1},
	}
}

// UnmarshalText reads an amount; a negative one is refused.
func (b *Bytes) UnmarshalText(text []byte) error {
	number, size := string(text), int64(1)
	for _, u := range units() {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, size = strings.TrimSuffix(rest, " "), u.size
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || int64(n) > math.MaxInt64/size {
		return errors.New("not a size")
	}
	*b = Bytes(int64(n) * size)
	return nil
}

// MarshalText is String, so that a printed configuration can be read again.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String returns the amount in the largest unit that leaves it whole.
func (b Bytes) String() string {
	for _, u := range units() {
		if n := int64(b); n != 0 && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}
