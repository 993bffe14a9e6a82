package postgres

import (
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// column is one column of a result, and how its values come.
type column struct {
	name   string
	oid    uint32
	format int16
}

// formatOf is how values of a type are asked for.
func formatOf(oid uint32) int16 {
	switch oid {
	case oidBool, oidBytes, oidInt2, oidInt4, oidInt8, oidFloat4, oidFloat8, oidTimestamp, oidTimestamptz, oidText, oidVarchar:
		return formatBinary
	}
	return formatText
}

var errNull = errors.New("NULL for a value that cannot be nil")

// scan writes a value of column c to where dst points. Raw is nil for NULL,
// and only good until the next row.
func scan(c *column, raw []byte, dst any) error {
	switch p := dst.(type) {
	case *string:
		return text(c, raw, p)
	case *int64:
		v, err := integer(c, raw, math.MinInt64, math.MaxInt64)
		*p = v
		return err
	case *int:
		v, err := integer(c, raw, math.MinInt, math.MaxInt)
		*p = int(v)
		return err
	case *bool:
		return boolean(c, raw, p)
	case *time.Time:
		return instant(c, raw, p)
	case *[]byte:
		return blob(c, raw, p)
	case *float64:
		return float(c, raw, p)
	case *int32:
		v, err := integer(c, raw, math.MinInt32, math.MaxInt32)
		*p = int32(v)
		return err
	case *int16:
		v, err := integer(c, raw, math.MinInt16, math.MaxInt16)
		*p = int16(v)
		return err
	case *int8:
		v, err := integer(c, raw, math.MinInt8, math.MaxInt8)
		*p = int8(v)
		return err
	case *uint64:
		v, err := integer(c, raw, 0, math.MaxInt64)
		*p = uint64(v)
		return err
	case *uint:
		v, err := integer(c, raw, 0, math.MaxInt64)
		*p = uint(v)
		return err
	case *uint32:
		v, err := integer(c, raw, 0, math.MaxUint32)
		*p = uint32(v)
		return err
	case *uint16:
		v, err := integer(c, raw, 0, math.MaxUint16)
		*p = uint16(v)
		return err
	case *uint8:
		v, err := integer(c, raw, 0, math.MaxUint8)
		*p = uint8(v)
		return err
	case *float32:
		var v float64
		err := float(c, raw, &v)
		*p = float32(v)
		return err
	case *any:
		v, err := value(c, raw)
		*p = v
		return err
	case sql.Scanner:
		v, err := value(c, raw)
		if err != nil {
			return err
		}
		return p.Scan(v)
	case **string:
		return optional(c, raw, p)
	case **int64:
		return optional(c, raw, p)
	case **int:
		return optional(c, raw, p)
	case **bool:
		return optional(c, raw, p)
	case **time.Time:
		return optional(c, raw, p)
	case **float64:
		return optional(c, raw, p)
	case **[]byte:
		return optional(c, raw, p)
	case **int32:
		return optional(c, raw, p)
	case **int16:
		return optional(c, raw, p)
	case **int8:
		return optional(c, raw, p)
	case **uint64:
		return optional(c, raw, p)
	case **uint:
		return optional(c, raw, p)
	case **uint32:
		return optional(c, raw, p)
	case **uint16:
		return optional(c, raw, p)
	case **uint8:
		return optional(c, raw, p)
	case **float32:
		return optional(c, raw, p)
	case **any:
		return optional(c, raw, p)
	}
	return fmt.Errorf("a %T cannot be scanned into", dst)
}

// optional makes NULL nil and anything else a fresh value.
func optional[T any](c *column, raw []byte, p **T) error {
	if raw == nil {
		*p = nil
		return nil
	}
	v := new(T)
	if err := scan(c, raw, v); err != nil {
		return err
	}
	*p = v
	return nil
}

func text(c *column, raw []byte, p *string) error {
	if raw == nil {
		return errNull
	}
	switch c.oid {
	case oidBool, oidBytes, oidInt2, oidInt4, oidInt8, oidOID, oidFloat4, oidFloat8, oidTimestamp, oidTimestamptz:
		return mismatch(c, "text")
	}
	*p = string(raw)
	return nil
}

func blob(c *column, raw []byte, p *[]byte) error {
	if raw == nil {
		*p = nil
		return nil
	}
	if c.oid == oidBytes && c.format == formatText {
		return unhex(raw, p)
	}
	if c.format == formatBinary && c.oid != oidBytes && c.oid != oidText && c.oid != oidVarchar {
		return mismatch(c, "bytes")
	}
	*p = append([]byte{}, raw...)
	return nil
}

func unhex(raw []byte, p *[]byte) error {
	digits, ok := strings.CutPrefix(string(raw), `\x`)
	if !ok {
		return errors.New("bytes in a form other than bytea_output = hex")
	}
	b, err := hex.DecodeString(digits)
	*p = b
	return err
}

var errRange = errors.New("out of range")

func integer(c *column, raw []byte, low, high int64) (v int64, err error) {
	if raw == nil {
		return 0, errNull
	}
	switch c.oid {
	case oidInt2, oidInt4, oidInt8:
		if c.format == formatBinary {
			v, err = bits(raw)
			break
		}
		v, err = strconv.ParseInt(string(raw), 10, 64)
	case oidOID, oidNumeric: // what SUM makes of a BIGINT
		if v, err = strconv.ParseInt(string(raw), 10, 64); err != nil {
			err = fmt.Errorf("a number where an integer of 64 bits was expected: %w", errRange)
		}
	default:
		return 0, mismatch(c, "an integer")
	}
	if err == nil && (v < low || v > high) {
		return 0, fmt.Errorf("integer out of the range %d to %d", low, high)
	}
	return v, err
}

// bits is an integer of two, four or eight bytes.
func bits(raw []byte) (int64, error) {
	switch len(raw) {
	case 8:
		return int64(binary.BigEndian.Uint64(raw)), nil
	case 4:
		return int64(int32(binary.BigEndian.Uint32(raw))), nil
	case 2:
		return int64(int16(binary.BigEndian.Uint16(raw))), nil
	}
	return 0, fmt.Errorf("a number of %d bytes", len(raw))
}

func boolean(c *column, raw []byte, p *bool) error {
	switch {
	case raw == nil:
		return errNull
	case c.oid != oidBool:
		v, err := integer(c, raw, 0, 1)
		*p = v != 0
		return err
	case len(raw) != 1:
		return fmt.Errorf("a truth value of %d bytes", len(raw))
	}
	*p = raw[0] == 1 || raw[0] == 't'
	return nil
}

func float(c *column, raw []byte, p *float64) (err error) {
	if raw == nil {
		return errNull
	}
	switch {
	case c.oid == oidFloat8 && c.format == formatBinary && len(raw) == 8:
		*p = math.Float64frombits(binary.BigEndian.Uint64(raw))
	case c.oid == oidFloat4 && c.format == formatBinary && len(raw) == 4:
		*p = float64(math.Float32frombits(binary.BigEndian.Uint32(raw)))
	case c.oid == oidFloat8, c.oid == oidFloat4, c.oid == oidNumeric:
		if *p, err = strconv.ParseFloat(string(raw), 64); err != nil {
			err = fmt.Errorf("a number where a float was expected: %w", errRange)
		}
	case c.oid == oidInt2, c.oid == oidInt4, c.oid == oidInt8:
		v, err := integer(c, raw, math.MinInt64, math.MaxInt64)
		*p = float64(v)
		return err
	default:
		return mismatch(c, "a float")
	}
	return err
}

// layouts are the texts of an instant.
var layouts = map[uint32][]string{
	oidTimestamptz: {"2006-01-02 15:04:05.999999Z07", "2006-01-02 15:04:05.999999Z07:00"},
	oidTimestamp:   {"2006-01-02 15:04:05.999999"},
	oidDate:        {time.DateOnly},
	oidText:        {timeLayout, time.RFC3339Nano, time.DateTime, time.DateOnly},
}

func instant(c *column, raw []byte, p *time.Time) error {
	if raw == nil {
		return errNull
	}
	if c.format == formatBinary && (c.oid == oidTimestamptz || c.oid == oidTimestamp) {
		v, err := bits(raw)
		if err == nil && (v == math.MaxInt64 || v == math.MinInt64 || v > math.MaxInt64-epoch) {
			err = errors.New("infinity is no time")
		}
		if err == nil {
			*p = time.UnixMicro(v + epoch).UTC()
		}
		return err
	}
	oid := c.oid
	if oid == oidVarchar {
		oid = oidText
	}
	known, ok := layouts[oid]
	if !ok {
		return mismatch(c, "a time")
	}
	for _, layout := range known {
		if t, err := time.Parse(layout, string(raw)); err == nil {
			*p = t.UTC()
			return nil
		}
	}
	return fmt.Errorf("text of %d bytes is not a time", len(raw))
}

// value is a column as one of the types that a sql.Scanner may expect.
func value(c *column, raw []byte) (any, error) {
	if raw == nil {
		return nil, nil
	}
	switch c.oid {
	case oidBool:
		var v bool
		err := boolean(c, raw, &v)
		return v, err
	case oidInt2, oidInt4, oidInt8, oidOID:
		return integer(c, raw, math.MinInt64, math.MaxInt64)
	case oidFloat4, oidFloat8:
		var v float64
		err := float(c, raw, &v)
		return v, err
	case oidBytes:
		var v []byte
		err := blob(c, raw, &v)
		return v, err
	case oidTimestamp, oidTimestamptz, oidDate:
		var v time.Time
		err := instant(c, raw, &v)
		return v, err
	case oidNumeric:
		if v, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			return v, nil
		}
	}
	return string(raw), nil
}

func mismatch(c *column, want string) error {
	is := "a value of another type"
	switch c.oid {
	case oidBool:
		is = "a truth value"
	case oidBytes:
		is = "bytes"
	case oidInt2, oidInt4, oidInt8, oidOID:
		is = "an integer"
	case oidFloat4, oidFloat8, oidNumeric:
		is = "a number"
	case oidTimestamp, oidTimestamptz, oidDate:
		is = "a time"
	case oidText, oidVarchar, oidBpchar, oidName, oidUnknown:
		is = "a text"
	case oidJSON, oidJSONB:
		is = "a document"
	}
	return fmt.Errorf("%s where %s was expected", is, want)
}
