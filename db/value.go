package db

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"time"
)

// Plain turns an argument of a statement into one of the values that every
// database can bind: nil, int64, float64, bool, string, []byte or time.Time.
// It is for adapters, which handle the usual types themselves first.
//
// A driver.Valuer decides for itself; a pointer is what it points at, or
// NULL; named types are their basic kind; maps, slices and structs become
// JSON text. A nil map or slice is NULL.
func Plain(arg any) (any, error) {
	switch v := arg.(type) {
	case nil, int64, float64, bool, string, []byte, time.Time:
		return v, nil
	case json.RawMessage:
		if v == nil {
			return nil, nil
		}
		return string(v), nil
	case driver.Valuer:
		rv := reflect.ValueOf(arg)
		if rv.Kind() == reflect.Pointer && rv.IsNil() {
			return nil, nil // a nil pointer's Value may be a method of the value
		}
		inner, err := v.Value()
		if err != nil {
			return nil, fmt.Errorf("db: value of %T: %w", arg, err)
		}
		if _, again := inner.(driver.Valuer); again {
			return nil, fmt.Errorf("db: the Value of %T is another driver.Valuer", arg)
		}
		return Plain(inner)
	}

	v := reflect.ValueOf(arg)
	switch v.Kind() {
	case reflect.String:
		return v.String(), nil
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if v.Uint() > math.MaxInt64 {
			return nil, fmt.Errorf("db: %T %d does not fit a 64-bit column", arg, v.Uint())
		}
		return int64(v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return v.Float(), nil
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return Plain(v.Elem().Interface())
	case reflect.Slice:
		if v.IsNil() {
			return nil, nil
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Bytes(), nil
		}
	case reflect.Map:
		if v.IsNil() {
			return nil, nil
		}
	case reflect.Struct, reflect.Array:
	default:
		return nil, fmt.Errorf("db: a %T cannot be an argument", arg)
	}
	text, err := json.Marshal(arg)
	if err != nil {
		return nil, fmt.Errorf("db: argument of type %T as JSON: %w", arg, err)
	}
	return string(text), nil
}
