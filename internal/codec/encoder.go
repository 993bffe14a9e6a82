package codec

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unsafe"

	"github.com/go-json-experiment/json"

	"github.com/ashlar-go/ashlar/rule"
)

// maxWriteDepth bounds how deep a written value may be, because pointers can
// form a cycle.
const maxWriteDepth = 1000

var (
	errTooDeep   = errors.New("codec: the value is nested too deep, or holds itself")
	errNotFinite = errors.New("codec: JSON cannot hold an infinite number or NaN")
	errYear      = errors.New("codec: RFC 3339 cannot hold a year outside 0 to 9999")
)

// An Encoder writes the values of one type. It is safe for concurrent use.
type Encoder struct {
	root *node
	src  reflect.Type // *T
}

// CompileEncoder prepares the writing of values of t.Go.
func CompileEncoder(t *rule.Type) (*Encoder, error) {
	root, err := compile(t)
	if err != nil {
		return nil, err
	}
	return &Encoder{root, reflect.PointerTo(t.Go)}, nil
}

// Append appends v, a *T of the encoder's type, to dst. It fails for numbers
// that are not finite, times outside the years 0 to 9999, values that are
// nested deeper than 1000, and where a type's own method fails; dst is then
// returned as it was. Equal values give equal bytes. It does not keep v.
func (e *Encoder) Append(dst []byte, v any) ([]byte, error) {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.Type() != e.src || p.IsNil() {
		return dst, fmt.Errorf("codec: the encoder of %s cannot write a %T", e.src, v)
	}
	out, err := e.root.append(dst, p.UnsafePointer(), 0)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// append appends the value at p.
func (n *node) append(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
	switch n.shape {
	case text:
		return appendText(dst, *(*string)(p)), nil
	case integer:
		return strconv.AppendInt(dst, n.integerAt(p), 10), nil
	case natural:
		return strconv.AppendUint(dst, n.naturalAt(p), 10), nil
	case float:
		return appendFloat(dst, n.floatAt(p), n.bits)
	case boolean:
		return strconv.AppendBool(dst, *(*bool)(p)), nil
	case instant:
		return appendTime(dst, *(*time.Time)(p))
	case octets:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, *(*[]byte)(p))
		return append(dst, '"'), nil
	case foreign:
		raw, err := json.Marshal(n.addr(p), writing)
		return append(dst, raw...), err
	case pointer:
		to := *(*unsafe.Pointer)(p)
		if to == nil {
			return append(dst, "null"...), nil
		}
		if depth >= maxWriteDepth {
			return dst, errTooDeep
		}
		return n.elem.append(dst, to, depth+1)
	case optional:
		if *(*bool)(unsafe.Add(p, n.null)) || !*(*bool)(unsafe.Add(p, n.set)) {
			return append(dst, "null"...), nil
		}
		return n.elem.append(dst, p, depth)
	default:
	}
	if depth >= maxWriteDepth {
		return dst, errTooDeep
	}
	switch n.shape {
	case record:
		return n.appendRecord(dst, p, depth+1)
	case list:
		return n.appendList(dst, p, depth+1)
	default: // a mapping, the last of those with members
		return n.appendMap(dst, p, depth+1)
	}
}

func (n *node) appendRecord(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
	start := len(dst)
	var err error
	for i := range n.rec.fields {
		f := &n.rec.fields[i]
		at := unsafe.Add(p, f.offset)
		if f.omits(at) {
			continue
		}
		dst = append(dst, f.member...)
		if f.node.shape == text { // the most common, without a call more
			dst = appendText(dst, *(*string)(at))
			continue
		}
		if dst, err = f.node.append(dst, at, depth); err != nil {
			return dst, err
		}
	}
	if len(dst) == start {
		return append(dst, "{}"...), nil
	}
	dst[start] = '{' // each member brought a comma
	return append(dst, '}'), nil
}

// omits reports whether the field's value at p is left out.
func (f *field) omits(p unsafe.Pointer) bool {
	if f.node.shape == optional && !*(*bool)(unsafe.Add(p, f.node.set)) {
		return true
	}
	return (f.omitZero || f.omitEmpty) && f.node.zero(p) || f.omitEmpty && f.node.empty(p)
}

func (n *node) zero(p unsafe.Pointer) bool {
	switch n.shape {
	case text:
		return *(*string)(p) == ""
	case boolean:
		return !*(*bool)(p)
	case integer:
		return n.integerAt(p) == 0
	case natural:
		return n.naturalAt(p) == 0
	case float:
		return math.Float64bits(n.floatAt(p)) == 0
	case list, octets, mapping, pointer:
		return *(*unsafe.Pointer)(p) == nil
	case instant:
		return (*time.Time)(p).IsZero()
	case optional:
		return !*(*bool)(unsafe.Add(p, n.set))
	default:
	}
	v := reflect.NewAt(n.typ, p)
	if n.isZero != nil {
		return n.isZero(v)
	}
	return v.Elem().IsZero()
}

// empty reports whether the value at p is an empty list or map. Empty texts are
// zero.
func (n *node) empty(p unsafe.Pointer) bool {
	switch n.shape {
	case list, octets:
		return (*sliceHeader)(p).len == 0
	case mapping:
		return reflect.NewAt(n.typ, p).Elem().Len() == 0
	case foreign:
		switch v := reflect.NewAt(n.typ, p).Elem(); v.Kind() {
		case reflect.Map, reflect.Slice, reflect.Array:
			return v.Len() == 0
		default:
		}
	default:
	}
	return false
}

func (n *node) appendList(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
	header := (*sliceHeader)(p)
	size := n.elem.typ.Size()
	dst = append(dst, '[')
	var err error
	for i := range header.len {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = n.elem.append(dst, unsafe.Add(header.data, uintptr(i)*size), depth); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func (n *node) appendMap(dst []byte, p unsafe.Pointer, depth int) ([]byte, error) {
	if n.textMap {
		return appendTextMap(dst, *(*map[string]string)(p)), nil
	}
	m := reflect.NewAt(n.typ, p).Elem()
	keys := make([]string, 0, m.Len())
	for it := m.MapRange(); it.Next(); {
		keys = append(keys, it.Key().String())
	}
	slices.Sort(keys)
	key, entry := reflect.New(n.typ.Key()).Elem(), reflect.New(n.typ.Elem())
	dst = append(dst, '{')
	var err error
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, k), ':')
		key.SetString(k)
		entry.Elem().Set(m.MapIndex(key))
		if dst, err = n.elem.append(dst, entry.UnsafePointer(), depth); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func appendTextMap(dst []byte, m map[string]string) []byte {
	var few [16]string // most maps need no allocation
	keys := few[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	dst = append(dst, '{')
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, k), ':')
		dst = appendText(dst, m[k])
	}
	return append(dst, '}')
}

func (n *node) integerAt(p unsafe.Pointer) int64 {
	switch n.bits {
	case 8:
		return int64(*(*int8)(p))
	case 16:
		return int64(*(*int16)(p))
	case 32:
		return int64(*(*int32)(p))
	}
	return *(*int64)(p)
}

func (n *node) naturalAt(p unsafe.Pointer) uint64 {
	switch n.bits {
	case 8:
		return uint64(*(*uint8)(p))
	case 16:
		return uint64(*(*uint16)(p))
	case 32:
		return uint64(*(*uint32)(p))
	}
	return *(*uint64)(p)
}

func (n *node) floatAt(p unsafe.Pointer) float64 {
	if n.bits == 32 {
		return float64(*(*float32)(p))
	}
	return *(*float64)(p)
}
