package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// bind sets the parameters of s. Texts are copied once, into memory that the
// connection keeps for the purpose.
func (c *conn) bind(s *stmt, args []any) error {
	if len(args) != s.Args {
		return failed(fmt.Errorf("%d placeholders, %d arguments", s.Args, len(args)), s.sql)
	}
	c.values = c.values[:0]
	defer func() { clear(c.values) }()
	size := 0
	for i, arg := range args {
		v, n, err := measure(arg)
		if err != nil {
			return failed(fmt.Errorf("argument $%d: %w", i+1, err), s.sql)
		}
		size += n
		c.values = append(c.values, v)
	}
	if err := c.native.Reserve(size); err != nil {
		return failed(err, s.sql)
	}
	for i := range s.Params() {
		if err := set(s, i, c.values[s.Place(i)]); err != nil {
			return failed(fmt.Errorf("argument $%d: %w", s.Place(i)+1, err), s.sql)
		}
	}
	return nil
}

// measure answers an argument in a form that set knows and how many bytes of
// text it needs. Usual types pass as they are, in the interface they came in:
// that allocates nothing.
func measure(arg any) (any, int, error) {
	switch v := arg.(type) {
	case nil, int64, int, int32, bool:
		return arg, 0, nil
	case string:
		return arg, len(v), nil // v would be boxed anew
	case []byte:
		return arg, len(v), nil
	case float64:
		if math.IsNaN(v) {
			return nil, 0, errors.New("NaN is NULL to SQLite")
		}
		return arg, 0, nil
	case time.Time:
		if y := v.UTC().Year(); y < 0 || y > 9999 {
			return nil, 0, fmt.Errorf("year %d does not fit four digits", y)
		}
		return arg, len(timeLayout), nil
	case driver.Valuer, json.RawMessage:
	default:
		if rv := reflect.ValueOf(arg); rv.Kind() == reflect.String {
			return arg, rv.Len(), nil // set reads it without boxing it again
		}
	}
	v, err := db.Plain(arg)
	if err != nil {
		return nil, 0, err
	}
	return measure(v)
}

func set(s *stmt, i int, value any) error {
	switch v := value.(type) {
	case nil:
		return s.BindNull(i)
	case string:
		return s.BindText(i, v)
	case int64:
		return s.BindInt(i, v)
	case int:
		return s.BindInt(i, int64(v))
	case int32:
		return s.BindInt(i, int64(v))
	case bool:
		if v {
			return s.BindInt(i, 1)
		}
		return s.BindInt(i, 0)
	case float64:
		return s.BindFloat(i, v)
	case time.Time:
		var text [len(timeLayout)]byte
		return s.BindTextBytes(i, appendTime(text[:0], v))
	case []byte:
		if v == nil {
			return s.BindNull(i)
		}
		return s.BindBlob(i, v)
	default:
		return s.BindText(i, reflect.ValueOf(v).String())
	}
}
