package row

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
	"unsafe"
)

// form is how the pointer for a target is made. The forms of Go's basic kinds
// give a driver the pointer to the basic type, so that it never meets a user's
// named type; a pointer in an interface costs no allocation.
type form uint8

const (
	formNone form = iota
	formString
	formBool
	formInt
	formInt8
	formInt16
	formInt32
	formInt64
	formUint
	formUint8
	formUint16
	formUint32
	formUint64
	formFloat32
	formFloat64
	formBytes
	formTime
	formAny

	formBasic = 1 << 6 // set for a pointer to one of the above: NULL is nil

	formScanner  = form(32) // *T scans itself
	formNullable = form(33) // a pointer to a type that scans itself
	formJSON     = form(34)
)

var (
	scannerType = reflect.TypeFor[sql.Scanner]()
	timeType    = reflect.TypeFor[time.Time]()
)

func formOf(t reflect.Type) (form, error) {
	if reflect.PointerTo(t).Implements(scannerType) {
		return formScanner, nil
	}
	if f := basicForm(t); f != formNone {
		return f, nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		if t.Implements(scannerType) {
			return formNullable, nil
		}
		if f := basicForm(t.Elem()); f != formNone {
			return f | formBasic, nil
		}
		if _, err := formOf(t.Elem()); err != nil {
			return formNone, err
		}
		return formJSON, nil
	case reflect.Map, reflect.Slice, reflect.Struct, reflect.Array:
		return formJSON, nil
	}
	return formNone, fmt.Errorf("a %s cannot hold a column", t)
}

func basicForm(t reflect.Type) form {
	switch t.Kind() {
	case reflect.String:
		return formString
	case reflect.Bool:
		return formBool
	case reflect.Int:
		return formInt
	case reflect.Int8:
		return formInt8
	case reflect.Int16:
		return formInt16
	case reflect.Int32:
		return formInt32
	case reflect.Int64:
		return formInt64
	case reflect.Uint:
		return formUint
	case reflect.Uint8:
		return formUint8
	case reflect.Uint16:
		return formUint16
	case reflect.Uint32:
		return formUint32
	case reflect.Uint64:
		return formUint64
	case reflect.Float32:
		return formFloat32
	case reflect.Float64:
		return formFloat64
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return formBytes
		}
	case reflect.Struct:
		if t == timeType {
			return formTime
		}
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return formAny
		}
	}
	return formNone
}

// pointer is what the driver scans into to fill the value at p.
func (t *target) pointer(p unsafe.Pointer, via *indirect) any {
	switch t.form {
	case formString:
		return (*string)(p)
	case formBool:
		return (*bool)(p)
	case formInt:
		return (*int)(p)
	case formInt8:
		return (*int8)(p)
	case formInt16:
		return (*int16)(p)
	case formInt32:
		return (*int32)(p)
	case formInt64:
		return (*int64)(p)
	case formUint:
		return (*uint)(p)
	case formUint8:
		return (*uint8)(p)
	case formUint16:
		return (*uint16)(p)
	case formUint32:
		return (*uint32)(p)
	case formUint64:
		return (*uint64)(p)
	case formFloat32:
		return (*float32)(p)
	case formFloat64:
		return (*float64)(p)
	case formBytes:
		return (*[]byte)(p)
	case formTime:
		return (*time.Time)(p)
	case formAny:
		return (*any)(p)
	case formString | formBasic:
		return (**string)(p)
	case formBool | formBasic:
		return (**bool)(p)
	case formInt | formBasic:
		return (**int)(p)
	case formInt8 | formBasic:
		return (**int8)(p)
	case formInt16 | formBasic:
		return (**int16)(p)
	case formInt32 | formBasic:
		return (**int32)(p)
	case formInt64 | formBasic:
		return (**int64)(p)
	case formUint | formBasic:
		return (**uint)(p)
	case formUint8 | formBasic:
		return (**uint8)(p)
	case formUint16 | formBasic:
		return (**uint16)(p)
	case formUint32 | formBasic:
		return (**uint32)(p)
	case formUint64 | formBasic:
		return (**uint64)(p)
	case formFloat32 | formBasic:
		return (**float32)(p)
	case formFloat64 | formBasic:
		return (**float64)(p)
	case formBytes | formBasic:
		return (**[]byte)(p)
	case formTime | formBasic:
		return (**time.Time)(p)
	case formAny | formBasic:
		return (**any)(p)
	case formScanner:
		return reflect.NewAt(t.typ, p).Interface()
	default: // formNullable, formJSON
		*via = indirect{target: t, at: p}
		return via
	}
}

// indirect is the sql.Scanner that stands in for a value which cannot take
// the column itself.
type indirect struct {
	target *target
	at     unsafe.Pointer
}

var errNull = errors.New("NULL for a value that cannot be nil")

// Scan implements sql.Scanner.
func (i *indirect) Scan(src any) error {
	v := reflect.NewAt(i.target.typ, i.at).Elem()
	if src == nil {
		switch v.Kind() {
		case reflect.Pointer, reflect.Map, reflect.Slice:
			v.SetZero()
			return nil
		}
		return errNull
	}
	if i.target.form == formNullable {
		fresh := reflect.New(v.Type().Elem())
		if err := fresh.Interface().(sql.Scanner).Scan(src); err != nil {
			return err
		}
		v.Set(fresh)
		return nil
	}
	fresh := reflect.New(v.Type()) // not into v: json.Unmarshal merges
	var err error
	switch src := src.(type) {
	case string:
		err = json.Unmarshal([]byte(src), fresh.Interface())
	case []byte:
		err = json.Unmarshal(src, fresh.Interface())
	case int64, float64:
		// SQLite may keep the JSON text of a number as a number.
		err = json.Unmarshal(fmt.Append(nil, src), fresh.Interface())
	default:
		return fmt.Errorf("a %T where JSON text was expected", src)
	}
	if err != nil {
		return fmt.Errorf("JSON for %s: %w", v.Type(), err)
	}
	v.Set(fresh.Elem())
	return nil
}
