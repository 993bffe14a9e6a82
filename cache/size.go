package cache

import "reflect"

// overhead is about what an entry takes beside its key, tags and value.
const overhead = 320

// weigh sets what an entry counts for.
func (e *entry) weigh() {
	size := overhead + 2*len(e.key) + 4*len(e.tags)
	if e.gone == nil {
		size += max(e.of.size(e.value), 0)
	}
	e.weight = uint32(min(max(int64(size), int64(e.of.cache.least)), largest))
}

// sizeOf estimates the bytes that a value takes, with what it points to.
func sizeOf(value any) int {
	v := reflect.ValueOf(value)
	if !v.IsValid() {
		return 0
	}
	s := sizing{left: maxSteps}
	return int(v.Type().Size()) + s.behind(v, 0)
}

// sizing bounds the look at one value: what is left out is small beside what
// was seen, or the value is no tree.
type sizing struct{ left int }

const (
	maxSteps = 4096
	maxDepth = 16
	sample   = 64
)

// behind estimates what v points to.
func (s *sizing) behind(v reflect.Value, depth int) int {
	if s.left--; s.left < 0 || depth > maxDepth {
		return 0
	}
	switch v.Kind() {
	case reflect.String:
		return v.Len()
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return 0
		}
		return int(v.Elem().Type().Size()) + s.behind(v.Elem(), depth+1)
	case reflect.Slice:
		return v.Cap()*int(v.Type().Elem().Size()) + s.elements(v, depth)
	case reflect.Array:
		return s.elements(v, depth)
	case reflect.Map:
		return s.mapped(v, depth)
	case reflect.Struct:
		size := 0
		for _, field := range v.Fields() {
			size += s.behind(field, depth+1)
		}
		return size
	default:
		return 0
	}
}

// elements looks at some and takes the rest for the same.
func (s *sizing) elements(v reflect.Value, depth int) int {
	if flat(v.Type().Elem()) {
		return 0
	}
	size, seen := 0, min(v.Len(), sample)
	for i := range seen {
		size += s.behind(v.Index(i), depth+1)
	}
	return scale(size, seen, v.Len())
}

func (s *sizing) mapped(v reflect.Value, depth int) int {
	size, seen := 0, 0
	each := int(v.Type().Key().Size()+v.Type().Elem().Size()) + 8
	for at := v.MapRange(); at.Next() && seen < sample; seen++ {
		size += s.behind(at.Key(), depth+1) + s.behind(at.Value(), depth+1)
	}
	return each*v.Len() + scale(size, seen, v.Len())
}

func scale(size, seen, all int) int {
	if seen == 0 {
		return 0
	}
	return size * all / seen
}

// flat reports whether values of a type point to nothing.
func flat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr,
		reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return true
	default:
		return false
	}
}
