package codec

import (
	"reflect"
	"unsafe"
)

// A Pick says what is written of a value. The zero Pick writes it as it is, and
// has no room for null.
type Pick struct {
	// Null says that the value may be null, or may not be there at all: null is
	// written then.
	Null bool
	// Item is what is written of each item of a list.
	Item *Pick
	// Parts are what is written of an object, in their order. Nil is for a value
	// that is none; an object of which nothing is wanted has no parts.
	Parts []Part
	// Around says that the object of Parts is put around the value, whatever
	// that is: none of its members is a part.
	Around bool
	// Only are the texts that may be written.
	Only map[string]bool
}

// A Part is one member of what is written.
type Part struct {
	// Key is its name, as JSON.
	Key string
	// From is the name of the member that it is written from, and empty for the
	// value itself.
	From string
	// Of says what is written of that.
	Of *Pick
	// Text is written in its place if Of is nil: one value of JSON.
	Text string
	// Each says that a text is written which is another one for each item of the
	// list that the object stands in: see [Picker.Append].
	Each bool
}

// A Picker writes parts of the values of one type, without writing the rest. It
// is safe for concurrent use.
type Picker struct {
	root *choice
	src  reflect.Type // *T
}

// A choice is a Pick for the values of a node.
type choice struct {
	node   *node
	null   bool
	around bool
	each   bool
	item   *choice
	parts  []chosen
	only   map[string]bool
}

// chosen is a Part.
type chosen struct {
	lead  string // `,"key":`, and the text if there is one
	each  bool
	field *field // nil for the value itself
	of    *choice
}

// Pick prepares the writing of what a Pick says. It is false, and there is no
// Picker, if that does not fit the type, or is about values whose types write
// themselves.
func (e *Encoder) Pick(p *Pick) (picker *Picker, ok bool) {
	root, ok := e.root.choose(p)
	if !ok {
		return nil, false
	}
	return &Picker{root, e.src}, true
}

// behind returns the node of what is there if it is not null.
func (n *node) behind() *node {
	for n.shape == pointer || n.shape == optional {
		n = n.elem
	}
	return n
}

func (n *node) choose(p *Pick) (c *choice, ok bool) {
	c = &choice{node: n, null: p.Null, around: p.Around, only: p.Only}
	switch to := n.behind(); {
	case p.Item != nil:
		if to.shape != list {
			return nil, false
		}
		c.item, ok = to.elem.choose(p.Item)
	case p.Around:
		ok = c.take(p.Parts, n)
	case p.Parts != nil:
		ok = to.shape == record && c.take(p.Parts, to)
	default:
		ok = p.Only == nil || to.shape == text
	}
	return c, ok
}

// take prepares the parts of a value of n.
func (c *choice) take(parts []Part, n *node) (ok bool) {
	c.parts = make([]chosen, 0, len(parts))
	for _, p := range parts {
		part, of := chosen{lead: "," + p.Key + ":"}, n
		if p.Of == nil {
			part.lead += p.Text
			part.each = p.Each
			c.each = c.each || p.Each
			c.parts = append(c.parts, part)
			continue
		}
		if p.From != "" {
			if part.field = n.member(p.From); part.field == nil || c.around {
				return false
			}
			of = part.field.node
		}
		if part.of, ok = of.choose(p.Of); !ok {
			return false
		}
		c.parts = append(c.parts, part)
	}
	return true
}

// member returns the field of a name, or nil.
func (n *node) member(name string) *field {
	if n.rec == nil {
		return nil
	}
	for i := range n.rec.fields {
		if f := &n.rec.fields[i]; f.name == name {
			return f
		}
	}
	return nil
}

// Append appends what was picked of v, a *T of the encoder's type, to dst. It is
// false, and dst as it was, where something is null that must not be, a text
// is none of those that may be written, or a value that is written cannot be.
// Each are the texts of a [Part] that is so; it is also false if they are too few.
func (k *Picker) Append(dst []byte, v any, each []string) ([]byte, bool) {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.Type() != k.src || p.IsNil() {
		return dst, false
	}
	out, ok := k.root.append(dst, p.UnsafePointer(), 0, &picking{each: each})
	if !ok {
		return dst, false
	}
	return out, true
}

// picking is one call of Append.
type picking struct {
	each []string
	item int // the place of the one that is written
}

func (c *choice) append(dst []byte, p unsafe.Pointer, depth int, now *picking) (out []byte, ok bool) {
	if depth >= maxWriteDepth {
		return dst, false
	}
	if c.around {
		return c.appendParts(dst, p, depth+1, now)
	}
	n := c.node
	for n.shape == pointer || n.shape == optional {
		if n.shape == pointer {
			p = *(*unsafe.Pointer)(p)
			if p == nil {
				return c.nothing(dst)
			}
		} else if *(*bool)(unsafe.Add(p, n.null)) || !*(*bool)(unsafe.Add(p, n.set)) {
			return c.nothing(dst)
		}
		n = n.elem
	}
	switch {
	case c.item != nil:
		return c.appendItems(dst, n, p, depth+1, now)
	case c.parts != nil:
		return c.appendParts(dst, p, depth+1, now)
	case c.only != nil && !c.only[*(*string)(p)]:
		return dst, false
	}
	mark := len(dst)
	dst, err := n.append(dst, p, depth)
	if err != nil || n.shape == foreign && !c.null && string(dst[mark:]) == "null" {
		return dst, false
	}
	return dst, true
}

// nothing writes what is not there.
func (c *choice) nothing(dst []byte) ([]byte, bool) {
	if !c.null {
		return dst, false
	}
	return append(dst, "null"...), true
}

func (c *choice) appendItems(dst []byte, n *node, p unsafe.Pointer, depth int, now *picking) (out []byte, ok bool) {
	header := (*sliceHeader)(p)
	size := n.elem.typ.Size()
	dst = append(dst, '[')
	for i := range header.len {
		if i > 0 {
			dst = append(dst, ',')
		}
		if c.item.each {
			now.item = i
		}
		if dst, ok = c.item.append(dst, unsafe.Add(header.data, uintptr(i)*size), depth, now); !ok {
			return dst, false
		}
	}
	return append(dst, ']'), true
}

func (c *choice) appendParts(dst []byte, p unsafe.Pointer, depth int, now *picking) (out []byte, ok bool) {
	start := len(dst)
	for i := range c.parts {
		part := &c.parts[i]
		dst = append(dst, part.lead...)
		at := p
		switch f := part.field; {
		case part.each:
			if now.item >= len(now.each) {
				return dst, false
			}
			dst = appendText(dst, now.each[now.item])
			continue
		case part.of == nil:
			continue
		case f == nil:
		default:
			at = unsafe.Add(p, f.offset)
			if (f.omitZero || f.omitEmpty || f.node.shape == optional) && f.omits(at) {
				if dst, ok = part.of.nothing(dst); !ok {
					return dst, false
				}
				continue
			}
			if f.node.shape == text && part.of.only == nil { // the most common, without a call more
				dst = appendText(dst, *(*string)(at))
				continue
			}
		}
		if dst, ok = part.of.append(dst, at, depth, now); !ok {
			return dst, false
		}
	}
	if len(dst) == start {
		return append(dst, "{}"...), true
	}
	dst[start] = '{' // each part brought a comma
	return append(dst, '}'), true
}
