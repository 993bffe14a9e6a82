package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/db/sqlite/internal/native"
)

// kind is what the declared type of a column adds to the five storage classes
// of SQLite. It decides what any and a sql.Scanner get.
type kind uint8

const (
	kindNone kind = iota
	kindTime
	kindBool
)

func kindsOf(declared []string) []kind {
	kinds := make([]kind, len(declared))
	for i, d := range declared {
		switch {
		case strings.HasPrefix(d, "TIMESTAMP"), d == "DATETIME", d == "DATE":
			kinds[i] = kindTime
		case strings.HasPrefix(d, "BOOL"):
			kinds[i] = kindBool
		}
	}
	return kinds
}

var errNull = errors.New("NULL for a value that cannot be nil")

// scan writes column i of the current row to where dst points.
func scan(s *stmt, i int, dst any) error {
	switch p := dst.(type) {
	case *string:
		return text(s, i, p)
	case *int64:
		v, err := integer(s, i, math.MinInt64, math.MaxInt64)
		*p = v
		return err
	case *int:
		v, err := integer(s, i, math.MinInt, math.MaxInt)
		*p = int(v)
		return err
	case *bool:
		v, err := integer(s, i, 0, 1)
		*p = v != 0
		return err
	case *time.Time:
		return instant(s, i, p)
	case *[]byte:
		return blob(s, i, p)
	case *float64:
		return float(s, i, p)
	case *int32:
		v, err := integer(s, i, math.MinInt32, math.MaxInt32)
		*p = int32(v)
		return err
	case *int16:
		v, err := integer(s, i, math.MinInt16, math.MaxInt16)
		*p = int16(v)
		return err
	case *int8:
		v, err := integer(s, i, math.MinInt8, math.MaxInt8)
		*p = int8(v)
		return err
	case *uint64:
		v, err := integer(s, i, 0, math.MaxInt64)
		*p = uint64(v)
		return err
	case *uint:
		v, err := integer(s, i, 0, math.MaxInt64)
		*p = uint(v)
		return err
	case *uint32:
		v, err := integer(s, i, 0, math.MaxUint32)
		*p = uint32(v)
		return err
	case *uint16:
		v, err := integer(s, i, 0, math.MaxUint16)
		*p = uint16(v)
		return err
	case *uint8:
		v, err := integer(s, i, 0, math.MaxUint8)
		*p = uint8(v)
		return err
	case *float32:
		var v float64
		err := float(s, i, &v)
		*p = float32(v)
		return err
	case *any:
		v, err := value(s, i)
		*p = v
		return err
	case sql.Scanner:
		v, err := value(s, i)
		if err != nil {
			return err
		}
		return p.Scan(v)
	case **string:
		return optional(s, i, p)
	case **int64:
		return optional(s, i, p)
	case **int:
		return optional(s, i, p)
	case **bool:
		return optional(s, i, p)
	case **time.Time:
		return optional(s, i, p)
	case **float64:
		return optional(s, i, p)
	case **[]byte:
		return optional(s, i, p)
	case **int32:
		return optional(s, i, p)
	case **int16:
		return optional(s, i, p)
	case **int8:
		return optional(s, i, p)
	case **uint64:
		return optional(s, i, p)
	case **uint:
		return optional(s, i, p)
	case **uint32:
		return optional(s, i, p)
	case **uint16:
		return optional(s, i, p)
	case **uint8:
		return optional(s, i, p)
	case **float32:
		return optional(s, i, p)
	case **any:
		return optional(s, i, p)
	}
	return fmt.Errorf("a %T cannot be scanned into", dst)
}

// optional makes NULL nil and anything else a fresh value.
func optional[T any](s *stmt, i int, p **T) error {
	if s.Storage(i) == native.Null {
		*p = nil
		return nil
	}
	v := new(T)
	if err := scan(s, i, v); err != nil {
		return err
	}
	*p = v
	return nil
}

func text(s *stmt, i int, p *string) error {
	switch storage := s.Storage(i); storage {
	case native.Text:
		*p = string(s.Raw(i))
		return nil
	default:
		return mismatch(storage, "text")
	}
}

func blob(s *stmt, i int, p *[]byte) error {
	if s.Storage(i) == native.Null {
		*p = nil
		return nil
	}
	// A number is read as its text: the JSON text of a number, kept as
	// json.RawMessage, becomes one in a column declared JSONB.
	*p = append([]byte{}, s.Raw(i)...)
	return nil
}

func integer(s *stmt, i int, low, high int64) (int64, error) {
	if storage := s.Storage(i); storage != native.Integer {
		return 0, mismatch(storage, "an integer")
	}
	v := s.Int(i)
	if v < low || v > high {
		return 0, fmt.Errorf("integer out of the range %d to %d", low, high)
	}
	return v, nil
}

func float(s *stmt, i int, p *float64) error {
	switch storage := s.Storage(i); storage {
	case native.Float, native.Integer:
		*p = s.Float(i)
		return nil
	default:
		return mismatch(storage, "a float")
	}
}

func instant(s *stmt, i int, p *time.Time) error {
	if storage := s.Storage(i); storage != native.Text {
		return mismatch(storage, "the text of a time")
	}
	t, err := parseTime(s.Raw(i))
	*p = t
	return err
}

// value is column i as one of the types that a sql.Scanner may expect.
func value(s *stmt, i int) (any, error) {
	switch s.Storage(i) {
	case native.Integer:
		if s.kinds[i] == kindBool {
			return s.Int(i) != 0, nil
		}
		return s.Int(i), nil
	case native.Float:
		return s.Float(i), nil
	case native.Text:
		if s.kinds[i] == kindTime {
			return parseTime(s.Raw(i))
		}
		return string(s.Raw(i)), nil
	case native.Blob:
		return append([]byte{}, s.Raw(i)...), nil
	default:
		return nil, nil
	}
}

func mismatch(storage native.Storage, want string) error {
	switch storage {
	case native.Null:
		return errNull
	case native.Integer:
		return fmt.Errorf("an integer where %s was expected", want)
	case native.Float:
		return fmt.Errorf("a float where %s was expected", want)
	case native.Text:
		return fmt.Errorf("a text where %s was expected", want)
	default:
		return fmt.Errorf("a blob where %s was expected", want)
	}
}
