package sqlite

import (
	"fmt"
	"time"
)

// timeLayout is how instants are kept: UTC, of one width, so that text sorts
// as time does; to the microsecond, as PostgreSQL keeps them.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// otherLayouts are read, never written: what SQLite's own functions and other
// programs leave in a column.
var otherLayouts = []string{time.RFC3339Nano, time.DateTime, "2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", time.DateOnly}

func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = append(digits(dst, year, 4), '-')
	dst = append(digits(dst, int(month), 2), '-')
	dst = append(digits(dst, day, 2), 'T')
	dst = append(digits(dst, hour, 2), ':')
	dst = append(digits(dst, minute, 2), ':')
	dst = append(digits(dst, second, 2), '.')
	return append(digits(dst, t.Nanosecond()/1000, 6), 'Z')
}

func digits(dst []byte, n, width int) []byte {
	for range width {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; n > 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}

func parseTime(text []byte) (time.Time, error) {
	if t, ok := parseFixed(text); ok {
		return t, nil
	}
	for _, layout := range otherLayouts {
		if t, err := time.Parse(layout, string(text)); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("text of %d bytes is not a time", len(text))
}

// parseFixed reads timeLayout and nothing else.
func parseFixed(b []byte) (time.Time, bool) {
	if len(b) != len(timeLayout) {
		return time.Time{}, false
	}
	var n [7]int
	field, at := 0, 0
	for i, c := range b {
		switch pattern := timeLayout[i]; {
		case pattern >= '0' && pattern <= '9':
			if c < '0' || c > '9' {
				return time.Time{}, false
			}
			at = at*10 + int(c-'0')
		case c != pattern:
			return time.Time{}, false
		default:
			n[field] = at
			field, at = field+1, 0
		}
	}
	t := time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], n[6]*1000, time.UTC)
	// time.Date carries February 30 over into March; a column must not.
	y, m, d := t.Date()
	return t, y == n[0] && int(m) == n[1] && d == n[2] && n[3] < 24 && n[4] < 60 && n[5] < 60
}
