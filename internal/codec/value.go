package codec

import (
	"reflect"
	"unsafe"

	"github.com/ashlar-go/ashlar/rule"
)

// value reads the value at the cursor into p, which points to a zero value of
// the node's type. It returns false when the body cannot be read further;
// violations do not stop it.
func (r *Reading) value(n *node, p unsafe.Pointer) bool {
	c := r.space()
	switch n.shape {
	case text, octets, instant:
		if c == '"' {
			return r.textual(n, p)
		}
	case integer, natural:
		if c == '-' || c-'0' <= 9 {
			return r.whole(n, p)
		}
	case float:
		if c == '-' || c-'0' <= 9 {
			return r.float(n, p)
		}
	case boolean:
		switch c {
		case 't':
			*(*bool)(p) = true
			return r.literal("true")
		case 'f':
			return r.literal("false")
		}
	case record:
		if c == '{' {
			seen := newPresence(len(n.rec.fields))
			if !r.members(n.rec, p, &seen) {
				return false
			}
			r.require(n.rec, &seen, false)
			return true
		}
	case list:
		if c == '[' {
			return r.items(n, p)
		}
	case mapping:
		if c == '{' {
			return r.entries(n, p)
		}
	case pointer:
		if c == 'n' {
			return r.literal("null")
		}
		to := reflect.New(n.typ.Elem())
		*(*unsafe.Pointer)(p) = to.UnsafePointer()
		return r.value(n.elem, to.UnsafePointer())
	case optional:
		*(*bool)(unsafe.Add(p, n.set)) = true
		if c == 'n' {
			*(*bool)(unsafe.Add(p, n.null)) = true
			return r.literal("null")
		}
		return r.value(n.elem, p)
	case foreign:
		return r.foreign(n, p, c)
	}
	return r.mismatch(n, c)
}

// mismatch skips a value that is not of the node's type.
func (r *Reading) mismatch(n *node, c byte) bool {
	if !r.skip() {
		return false
	}
	if c == 'n' {
		r.violate(nullRefused)
	} else {
		r.violate(typeMismatch[n.shape])
	}
	return true
}

// members reads the object at the cursor. Fields are expected in the order in
// which they are declared, which is how most clients send them; any other
// order costs a look-up.
func (r *Reading) members(o *object, p unsafe.Pointer, seen *presence) bool {
	if !r.enter() {
		return false
	}
	var strangers nameSet
	next := 0
	another, ok := r.space() != '}', true
	for another {
		r.space()
		start, i := r.i, -1
		if next < len(o.fields) {
			if q := o.fields[next].quoted; len(r.b)-r.i >= len(q) && string(r.b[r.i:r.i+len(q)]) == q {
				i = next
				r.i += len(q)
			}
		}
		if i < 0 {
			name, _, _, ok := r.name()
			if !ok {
				return false
			}
			if i = o.find(name); i < 0 || o.fields[i].elsewhere {
				i = -1
				if !strangers.add(name) {
					return r.failAt(start, twice)
				}
				if !r.skip() {
					return false
				}
				r.violateAt(name, unknown)
			}
		}
		if i >= 0 {
			f := &o.fields[i]
			if seen.has(i) {
				return r.failAt(start, twice)
			}
			seen.add(i)
			met := len(r.bad)
			if !r.value(f.node, unsafe.Add(p, f.offset)) {
				return false
			}
			r.under(met, f.name)
			next = i + 1
		}
		if another, ok = r.more('}'); !ok {
			return false
		}
	}
	return r.leave()
}

// sliceHeader is how a slice of any type is laid out.
type sliceHeader struct {
	data     unsafe.Pointer
	len, cap int
}

func (r *Reading) items(n *node, p unsafe.Pointer) bool {
	if !r.enter() {
		return false
	}
	header := (*sliceHeader)(p)
	slice := reflect.NewAt(n.typ, p).Elem()
	size := n.typ.Elem().Size()
	count, met := 0, len(r.bad)
	another, ok := r.space() != ']', true
	for another {
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
	r.checkList(n, slice, count, len(r.bad) == met)
	return r.leave()
}

// checkList checks the rules of a list as a whole.
func (r *Reading) checkList(n *node, slice reflect.Value, count int, intact bool) {
	r.checkSize(n.of, count)
	if n.of.Size.Unique && intact && count == slice.Len() && hasTwins(slice) {
		r.violate(rule.NotUnique())
	}
}

func (r *Reading) checkSize(t *rule.Type, count int) {
	if count < t.Size.Min || t.Size.Max > 0 && count > t.Size.Max {
		r.violate(t.CheckSize(count))
	}
}

func hasTwins(slice reflect.Value) bool {
	met := make(map[any]struct{}, slice.Len())
	for i := range slice.Len() {
		met[slice.Index(i).Interface()] = struct{}{}
	}
	return len(met) < slice.Len()
}

func (r *Reading) entries(n *node, p unsafe.Pointer) bool {
	if n.textMap {
		return r.textEntries(n, p)
	}
	if !r.enter() {
		return false
	}
	m := reflect.MakeMap(n.typ)
	reflect.NewAt(n.typ, p).Elem().Set(m)
	key, entry := reflect.New(n.typ.Key()).Elem(), reflect.New(n.typ.Elem())
	var met nameSet
	count := 0
	another, ok := r.space() != '}', true
	for another {
		r.space()
		start := r.i
		name, ok := r.key(n)
		if !ok {
			return false
		}
		if !met.add(name) {
			return r.failAt(start, twice)
		}
		if r.full() || n.of.Size.Max > 0 && count >= n.of.Size.Max {
			ok = r.skip() // as in items
		} else {
			entry.Elem().SetZero()
			before := len(r.bad)
			ok = r.value(n.elem, entry.UnsafePointer())
			r.under(before, name)
			key.SetString(name)
			m.SetMapIndex(key, entry.Elem())
		}
		if !ok {
			return false
		}
		count++
		if another, ok = r.more('}'); !ok {
			return false
		}
	}
	r.checkSize(n.of, count)
	return ok && r.leave()
}

// textEntries is entries for a map from texts to texts, without reflection.
func (r *Reading) textEntries(n *node, p unsafe.Pointer) bool {
	if !r.enter() {
		return false
	}
	m := make(map[string]string)
	*(*map[string]string)(p) = m
	another, ok := r.space() != '}', true
	for another {
		r.space()
		start := r.i
		name, ok := r.key(n)
		if !ok {
			return false
		}
		if _, known := m[name]; known {
			return r.failAt(start, twice)
		}
		met := len(r.bad)
		var kept string
		if c := r.space(); c == '"' {
			s, plain, fresh, ok := r.text()
			if !ok {
				return false
			}
			r.keepText(n.elem, unsafe.Pointer(&kept), s, plain, fresh || !r.copies)
		} else if !r.mismatch(n.elem, c) {
			return false
		}
		r.under(met, name)
		m[name] = kept
		if another, ok = r.more('}'); !ok {
			return false
		}
	}
	r.checkSize(n.of, len(m))
	return ok && r.leave()
}

// key reads the key of a map's entry, which obeys the rules of its type, and
// the colon after it.
func (r *Reading) key(n *node) (string, bool) {
	name, plain, fresh, ok := r.name()
	if !ok {
		return "", false
	}
	met, kept := len(r.bad), name
	r.keepText(n.key, unsafe.Pointer(&kept), name, plain, fresh || !r.copies)
	r.under(met, name)
	return kept, true
}
