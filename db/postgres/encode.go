package postgres

import (
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/db"
)

// The types that have a form of their own here. Whatever else there is goes
// to the server and back as text.
const (
	oidUnknown     = 705
	oidBool        = 16
	oidBytes       = 17
	oidName        = 19
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidOID         = 26
	oidJSON        = 114
	oidFloat4      = 700
	oidFloat8      = 701
	oidBpchar      = 1042
	oidVarchar     = 1043
	oidDate        = 1082
	oidTimestamp   = 1114
	oidTimestamptz = 1184
	oidNumeric     = 1700
	oidJSONB       = 3802
)

const (
	formatText   int16 = 0
	formatBinary int16 = 1
)

// arguments are what a statement is run with, in memory that is used again.
type arguments struct {
	values  [][]byte
	formats []int16
	arena   []byte
	ends    []int // of each value in the arena; negative for NULL
}

// encode makes the parameters of a statement whose types are oids, or are for
// the server to find out when oids is nil.
func (a *arguments) encode(args []any, oids []uint32) error {
	a.formats, a.arena, a.ends = a.formats[:0], a.arena[:0], a.ends[:0]
	for i, arg := range args {
		oid := uint32(oidUnknown)
		if oids != nil {
			oid = oids[i]
		}
		format, null, err := a.append(arg, oid, oids == nil)
		if err != nil {
			return fmt.Errorf("argument $%d: %w", i+1, err)
		}
		a.formats = append(a.formats, format)
		if null {
			a.ends = append(a.ends, -1)
		} else {
			a.ends = append(a.ends, len(a.arena))
		}
	}
	a.values = a.values[:0]
	start := 0
	for _, end := range a.ends {
		if end < 0 {
			a.values = append(a.values, nil)
			continue
		}
		a.values = append(a.values, a.arena[start:end:end])
		start = end
	}
	return nil
}

// forget lets go of memory that only a large statement needed.
func (a *arguments) forget() {
	clear(a.values)
	const most = 64 << 10
	if cap(a.arena) > most {
		a.arena = nil
	}
}

// append writes one argument to the arena. Usual types pass as they are; blind
// is for a statement whose types only the server knows.
func (a *arguments) append(arg any, oid uint32, blind bool) (format int16, null bool, err error) {
	switch v := arg.(type) {
	case nil:
		return formatText, true, nil
	case string:
		format, err = a.text(v, oid)
		return format, false, err
	case int64:
		format, err = a.integer(v, oid)
		return format, false, err
	case int:
		format, err = a.integer(int64(v), oid)
		return format, false, err
	case bool:
		format, err = a.boolean(v, oid, blind)
		return format, false, err
	case float64:
		format, err = a.float(v, oid)
		return format, false, err
	case []byte:
		if v == nil {
			return formatText, true, nil
		}
		format, err = a.bytes(v, oid, blind)
		return format, false, err
	case time.Time:
		format, err = a.instant(v, oid)
		return format, false, err
	case driver.Valuer, json.RawMessage:
	default:
		if rv := reflect.ValueOf(arg); rv.Kind() == reflect.String {
			format, err = a.text(rv.String(), oid)
			return format, false, err
		}
	}
	plain, err := db.Plain(arg)
	if err != nil {
		return 0, false, err
	}
	return a.append(plain, oid, blind)
}

// text serves every type: what the server reads in SQL it reads here too.
func (a *arguments) text(s string, oid uint32) (int16, error) {
	if oid == oidBytes {
		a.arena = append(a.arena, s...)
		return formatBinary, nil
	}
	if err := readable(s); err != nil {
		return 0, err
	}
	a.arena = append(a.arena, s...)
	return formatText, nil
}

// readable says what keeps a text from being one to the database.
func readable(s string) error {
	switch {
	case strings.IndexByte(s, 0) >= 0:
		return errors.New("a text with a NUL character, which no column can hold")
	case !utf8.ValidString(s):
		return errors.New("a text that is not UTF-8: pass []byte for a column of bytes")
	}
	return nil
}

func (a *arguments) integer(v int64, oid uint32) (int16, error) {
	switch oid {
	case oidInt8:
		a.arena = binary.BigEndian.AppendUint64(a.arena, uint64(v))
	case oidInt4:
		if v < math.MinInt32 || v > math.MaxInt32 {
			return 0, errors.New("an integer out of the range of the column")
		}
		a.arena = binary.BigEndian.AppendUint32(a.arena, uint32(v))
	case oidInt2:
		if v < math.MinInt16 || v > math.MaxInt16 {
			return 0, errors.New("an integer out of the range of the column")
		}
		a.arena = binary.BigEndian.AppendUint16(a.arena, uint16(v))
	case oidFloat8:
		a.arena = binary.BigEndian.AppendUint64(a.arena, math.Float64bits(float64(v)))
	default:
		a.arena = strconv.AppendInt(a.arena, v, 10)
		return formatText, nil
	}
	return formatBinary, nil
}

func (a *arguments) boolean(v bool, oid uint32, blind bool) (int16, error) {
	n := int64(0)
	if v {
		n = 1
	}
	switch oid {
	case oidBool:
		a.arena = append(a.arena, byte(n))
		return formatBinary, nil
	case oidInt2, oidInt4, oidInt8:
		return a.integer(n, oid)
	case oidJSON, oidJSONB:
		a.arena = strconv.AppendBool(a.arena, v)
		return formatText, nil
	case oidUnknown:
		if blind {
			a.arena = strconv.AppendBool(a.arena, v)
			return formatText, nil
		}
	}
	return 0, errors.New("a bool where none is expected: write CAST($n AS BOOLEAN) if the server cannot know")
}

func (a *arguments) float(v float64, oid uint32) (int16, error) {
	if math.IsNaN(v) {
		return 0, errors.New("NaN is no value that every database can hold")
	}
	if oid == oidFloat8 {
		a.arena = binary.BigEndian.AppendUint64(a.arena, math.Float64bits(v))
		return formatBinary, nil
	}
	switch {
	case math.IsInf(v, 1):
		a.arena = append(a.arena, "Infinity"...)
	case math.IsInf(v, -1):
		a.arena = append(a.arena, "-Infinity"...)
	default:
		a.arena = strconv.AppendFloat(a.arena, v, 'g', -1, 64)
	}
	return formatText, nil
}

func (a *arguments) bytes(v []byte, oid uint32, blind bool) (int16, error) {
	switch {
	case oid == oidBytes:
		a.arena = append(a.arena, v...)
		return formatBinary, nil
	case blind:
		a.arena = append(a.arena, `\x`...)
		for _, b := range v {
			const digits = "0123456789abcdef"
			a.arena = append(a.arena, digits[b>>4], digits[b&15])
		}
		return formatText, nil
	}
	if err := readable(string(v)); err != nil {
		return 0, err
	}
	a.arena = append(a.arena, v...)
	return formatText, nil
}

func (a *arguments) instant(t time.Time, oid uint32) (int16, error) {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return 0, fmt.Errorf("year %d does not fit four digits", y)
	}
	switch oid {
	case oidTimestamptz, oidTimestamp:
		a.arena = binary.BigEndian.AppendUint64(a.arena, uint64(t.UnixMicro()-epoch))
		return formatBinary, nil
	case oidJSON, oidJSONB:
		a.arena = append(a.arena, '"')
		a.arena = t.AppendFormat(a.arena, timeLayout)
		a.arena = append(a.arena, '"')
		return formatText, nil
	case oidInt2, oidInt4, oidInt8, oidFloat4, oidFloat8, oidNumeric, oidBool, oidBytes:
		return 0, errors.New("a time where none is expected")
	}
	a.arena = t.AppendFormat(a.arena, timeLayout)
	return formatText, nil
}

// epoch is the start of PostgreSQL's time, 2000-01-01, in Unix microseconds.
const epoch = 946684800_000_000

// timeLayout is the text of a time where no column of times takes it, the same
// on every database.
const timeLayout = "2006-01-02T15:04:05.000000Z"
