package codec

import (
	"fmt"
	"reflect"
	"unicode/utf8"
	"unsafe"
)

// A Field is one member that a path or query gives as text. It is safe for
// concurrent use.
type Field struct {
	number int
	name   string
	offset uintptr
	node   *node
}

// Field returns the member of that name for [Reading.Text]. Booleans are true
// or false, numbers are written as in JSON, texts and times as they are, bytes
// in base64; types that read text read theirs; lists of these take several
// texts. Objects, maps and interfaces have no text form, which is an error.
func (d *Decoder) Field(name string) (*Field, error) {
	root, err := d.record()
	if err != nil {
		return nil, err
	}
	i := root.rec.find(name)
	if i < 0 {
		return nil, fmt.Errorf("codec: %s has no member %q", root.typ, name)
	}
	f := &root.rec.fields[i]
	inner := f.node.inner()
	if inner.shape == list {
		inner = inner.elem.inner()
	}
	switch inner.shape {
	case list, mapping, record:
		return nil, fmt.Errorf("codec: member %q of %s cannot be given as text", name, root.typ)
	case foreign:
		if !inner.readsText {
			return nil, fmt.Errorf("codec: member %q of %s cannot be given as text", name, root.typ)
		}
	default:
	}
	return &Field{number: i, name: f.name, offset: f.offset, node: f.node}, nil
}

// inner returns the node without the pointers and optionals around it.
func (n *node) inner() *node {
	for n.shape == pointer || n.shape == optional {
		n = n.elem
	}
	return n
}

// Text fills a member of the decoder's type from texts: all those that were
// given under its name, or none. A member that is no list takes one; more are
// a violation, and so is a second call. Texts are kept as they are, not copied;
// the slice is not kept.
func (r *Reading) Text(f *Field, given ...string) {
	if len(given) == 0 {
		return
	}
	met := len(r.bad)
	p := unsafe.Add(r.dst, f.offset)
	if r.seen.has(f.number) || f.node.inner().shape != list && len(given) > 1 {
		r.violate(givenTwice)
	} else {
		r.give(f.node, p, given)
	}
	r.seen.add(f.number)
	r.under(met, f.name)
}

func (r *Reading) give(n *node, p unsafe.Pointer, given []string) {
	switch n.shape {
	case pointer:
		to := reflect.New(n.typ.Elem())
		*(*unsafe.Pointer)(p) = to.UnsafePointer()
		r.give(n.elem, to.UnsafePointer(), given)
	case optional:
		*(*bool)(unsafe.Add(p, n.set)) = true
		r.give(n.elem, p, given)
	case list:
		slice := reflect.NewAt(n.typ, p).Elem()
		kept := len(given)
		if n.of.Size.Max > 0 {
			kept = min(kept, n.of.Size.Max)
		}
		slice.Set(reflect.MakeSlice(n.typ, kept, kept))
		before := len(r.bad)
		for i := range kept {
			met := len(r.bad)
			r.give(n.elem, slice.Index(i).Addr().UnsafePointer(), given[i:i+1])
			r.underItem(met, i)
		}
		r.checkList(n, p, len(given), len(r.bad) == before)
	default:
		r.giveScalar(n, p, given[0])
	}
}

func (r *Reading) giveScalar(n *node, p unsafe.Pointer, s string) {
	if !utf8.ValidString(s) {
		r.violate(notUTF8)
		return
	}
	switch n.shape {
	case text, octets, instant:
		r.keep(n, p, s, false, true)
	case foreign:
		r.keepForeign(n, p, []byte(s))
	default:
		// Numbers and booleans are read as from a body of their own.
		sub := Reading{b: unsafe.Slice(unsafe.StringData(s), len(s))}
		if s == "" || s[0] <= ' ' || s == "null" || !sub.value(n, p) || sub.i < len(s) {
			r.violate(typeMismatch[n.shape])
			return
		}
		for i := range sub.bad {
			r.violate(&sub.bad[i])
		}
	}
}
