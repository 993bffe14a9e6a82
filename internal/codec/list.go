package codec

import (
	"reflect"
	"unsafe"

	"github.com/ashlar-go/ashlar/rule"
)

// sliceHeader is how a slice of any type is laid out.
type sliceHeader struct {
	data     unsafe.Pointer
	len, cap int
}

// items reads the list at the cursor.
func (r *Reading) items(n *node, p unsafe.Pointer) bool {
	if !r.enter() {
		return false
	}
	header := (*sliceHeader)(p)
	slice := reflect.NewAt(n.typ, p).Elem()
	size := n.elem.typ.Size()
	count, met := 0, len(r.bad)
	another := r.space() != ']'
	for another {
		var ok bool
		if r.full() || n.of.Size.Max > 0 && count >= n.of.Size.Max {
			// The list is refused already: what follows must be JSON, but
			// need not take memory.
			ok = r.skip()
		} else {
			if header.len == header.cap {
				slice.Grow(max(4, header.len))
			}
			header.len++
			before := len(r.bad)
			ok = r.value(n.elem, unsafe.Add(header.data, uintptr(count)*size))
			r.underItem(before, count)
		}
		if !ok {
			return false
		}
		count++
		if another, ok = r.more(']'); !ok {
			return false
		}
	}
	if count == 0 {
		slice.Set(reflect.MakeSlice(n.typ, 0, 0))
	}
	r.checkList(n, p, count, len(r.bad) == met)
	return r.leave()
}

// checkList checks the rules of the list at p as a whole. Fewer items may have
// been kept than were counted; intact says that each of them is valid.
func (r *Reading) checkList(n *node, p unsafe.Pointer, count int, intact bool) {
	r.checkSize(n.of, count)
	if n.of.Size.Unique && intact && count == (*sliceHeader)(p).len && n.hasTwins(p) {
		r.violate(rule.NotUnique())
	}
}

func (r *Reading) checkSize(t *rule.Type, count int) {
	if count < t.Size.Min || t.Size.Max > 0 && count > t.Size.Max {
		r.violate(t.CheckSize(count))
	}
}

// hasTwins reports whether two items are written alike, which is when JSON
// takes them for equal: Go's == would compare pointers, and panic on what an
// interface may hold.
func (n *node) hasTwins(p unsafe.Pointer) bool {
	header := (*sliceHeader)(p)
	size := n.elem.typ.Size()
	met := make(map[string]struct{}, header.len)
	var scratch []byte
	for i := range header.len {
		var err error
		if scratch, err = n.elem.append(scratch[:0], unsafe.Add(header.data, uintptr(i)*size), 0); err != nil {
			return false // a type that cannot write what it read
		}
		met[string(scratch)] = struct{}{}
	}
	return len(met) < header.len
}
