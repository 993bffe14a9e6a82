package codec

import (
	"bytes"
	"reflect"
	"unsafe"
)

// Alike reports whether two pointers to values of one type point to the very
// same bits: the same numbers, and texts, lists and maps that are one and the
// same, not only equal. It may say no of a copy whose padding differs.
func Alike(a, b any) bool {
	v, w := reflect.ValueOf(a), reflect.ValueOf(b)
	if v.Kind() != reflect.Pointer || v.Type() != w.Type() || v.IsNil() || w.IsNil() {
		return false
	}
	size := v.Type().Elem().Size()
	return bytes.Equal(unsafe.Slice((*byte)(v.UnsafePointer()), size), unsafe.Slice((*byte)(w.UnsafePointer()), size))
}
