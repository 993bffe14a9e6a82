package codec

import (
	"reflect"
	"unsafe"
)

// entries reads the map at the cursor.
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
	another := r.space() != '}'
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
	return r.leave()
}

// textEntries is entries for a map from texts to texts, without reflection: a
// map's layout and hash depend on the kinds of its key and element, so one with
// named text types can be used as a map[string]string.
func (r *Reading) textEntries(n *node, p unsafe.Pointer) bool {
	if !r.enter() {
		return false
	}
	m := make(map[string]string)
	*(*map[string]string)(p) = m
	another := r.space() != '}'
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
	return r.leave()
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
