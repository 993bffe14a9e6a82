package codec

import (
	"reflect"
	"unsafe"
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
	another := r.space() != '}'
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
		var ok bool
		if another, ok = r.more('}'); !ok {
			return false
		}
	}
	return r.leave()
}
