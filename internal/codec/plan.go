package codec

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/ashlar-go/ashlar/rule"
)

// A shape says how a Go value is laid out and which JSON it is.
type shape uint8

const (
	foreign shape = iota // read and written by the fallback library
	boolean
	integer
	natural
	float
	text
	octets
	instant
	list
	mapping
	record
	pointer  // to elem, or null
	optional // a rule.Optional of elem
)

// A node is the plan for the values of one type. Nodes of types that hold
// themselves form cycles.
type node struct {
	shape shape
	of    *rule.Type
	typ   reflect.Type
	elem  *node   // of a list, mapping, pointer or optional
	key   *node   // of a mapping: its keys, which are texts
	rec   *object // of a record

	bits      int      // of a number: its size
	free      bool     // of a text: ASCII of a valid length breaks no rule
	enum      []string // of a text with few valid values: all of them
	nullable  bool     // of a foreign value: null is for it to judge
	readsText bool     // of a foreign value: JSON text and query text go to UnmarshalText
	textMap   bool     // of a mapping: texts to texts, and so laid out as a map[string]string

	set, null uintptr // of an optional: the offsets of its flags; its value is at 0

	validates bool                     // it or something in it has a Validate method
	isZero    func(reflect.Value) bool // of a record or foreign value: its IsZero method, or nil
}

// An object is the part of a record's plan that is about its members.
type object struct {
	fields    []field
	names     names
	required  presence
	validates bool
}

// A field is one member of an object.
type field struct {
	name      string
	quoted    string // `"name":` as most clients write it
	member    string // `,"name":` as the encoder writes it
	offset    uintptr
	node      *node
	omitZero  bool
	omitEmpty bool
	elsewhere bool // filled by Text, refused in the body
}

const fewValues = 8

// compiler makes the nodes of one root type.
type compiler struct {
	nodes   map[*rule.Type]*node
	objects map[*rule.Struct]*object
	all     []*node
	errs    []error
}

func compile(t *rule.Type) (*node, error) {
	if t == nil {
		return nil, errors.New("codec: no type was given")
	}
	c := compiler{nodes: map[*rule.Type]*node{}, objects: map[*rule.Struct]*object{}}
	root := c.node(t)
	for _, n := range c.all {
		n.validates = n.leadsToValidate(map[*node]bool{})
	}
	return root, errors.Join(c.errs...)
}

func (c *compiler) node(t *rule.Type) *node {
	if known, ok := c.nodes[t]; ok {
		return known
	}
	n := c.add(&node{of: t, typ: t.Go})
	c.nodes[t] = n
	switch t.Kind {
	case rule.Any:
		if t.Elem != nil { // a pointer in a list, in a map or behind another
			n.shape, n.elem = pointer, c.node(t.Elem)
			break
		}
		n.asForeign()
	case rule.Bool:
		n.shape = boolean
	case rule.Int:
		n.shape, n.bits = integer, t.Go.Bits()
	case rule.Uint:
		n.shape, n.bits = natural, t.Go.Bits()
	case rule.Float:
		n.shape, n.bits = float, t.Go.Bits()
	case rule.String:
		n.shape = text
		n.free = t.Text.Pattern == "" && t.Text.Format == "" && len(t.Enum) == 0
		if len(t.Enum) <= fewValues {
			for _, v := range t.Enum {
				n.enum = append(n.enum, reflect.ValueOf(v).String())
			}
		}
	case rule.Bytes:
		n.shape = octets
	case rule.Time:
		n.shape = instant
	case rule.List:
		n.shape, n.elem = list, c.node(t.Elem)
	case rule.Map:
		n.shape, n.elem, n.key = mapping, c.node(t.Elem), c.node(t.Key)
		n.textMap = n.elem.shape == text
	case rule.Object:
		n.shape, n.rec = record, c.object(t)
		n.isZero = zeroMethod(t.Go)
	default:
		c.errs = append(c.errs, fmt.Errorf("codec: %s is of a kind that is not known: %d", t.Go, t.Kind))
	}
	return n
}

func (c *compiler) add(n *node) *node {
	c.all = append(c.all, n)
	return n
}

// asForeign plans what the fallback library reads.
func (n *node) asForeign() {
	n.shape = foreign
	p := reflect.Zero(reflect.PointerTo(n.typ)).Interface()
	_, unmarshals := p.(json.Unmarshaler)
	_, unmarshalsFrom := p.(jsonv2.UnmarshalerFrom)
	_, readsText := p.(encoding.TextUnmarshaler)
	n.readsText = readsText && !unmarshals && !unmarshalsFrom
	n.nullable = unmarshals || unmarshalsFrom || n.typ.Kind() == reflect.Interface
	n.isZero = zeroMethod(n.typ)
}

func (c *compiler) object(t *rule.Type) *object {
	if known, ok := c.objects[t.Object]; ok {
		return known
	}
	o := &object{validates: t.Object.Validates, required: newPresence(len(t.Object.Fields))}
	c.objects[t.Object] = o
	o.fields = make([]field, len(t.Object.Fields))
	for i, f := range t.Object.Fields {
		inner := c.node(f.Type)
		offset, typ := locate(t.Go, f.Index)
		switch f.Wrap {
		case rule.Plain:
		case rule.Pointer:
			inner = c.add(&node{shape: pointer, typ: typ, elem: inner})
		case rule.Opt:
			inner = c.add(&node{shape: optional, typ: typ, elem: inner, set: typ.Field(1).Offset, null: typ.Field(2).Offset})
		}
		key := string(appendText(nil, f.Name)) + ":"
		o.fields[i] = field{
			name: f.Name, quoted: key, member: "," + key,
			offset: offset, node: inner,
			omitZero: f.OmitZero, omitEmpty: f.OmitEmpty,
		}
		if f.Required {
			o.required.add(i)
		}
	}
	o.names = indexNames(o.fields)
	return o
}

// locate returns where a field is in its struct. Its path leads through
// embedded structs only, never through a pointer.
func locate(t reflect.Type, index []int) (uintptr, reflect.Type) {
	var offset uintptr
	for _, i := range index {
		f := t.Field(i)
		offset += f.Offset
		t = f.Type
	}
	return offset, t
}

// leadsToValidate reports whether the node or one that it holds has a Validate
// method to run.
func (n *node) leadsToValidate(visited map[*node]bool) bool {
	if n == nil || visited[n] {
		return false
	}
	visited[n] = true
	if n.rec != nil {
		if n.rec.validates {
			return true
		}
		for _, f := range n.rec.fields {
			if f.node.leadsToValidate(visited) {
				return true
			}
		}
	}
	return n.elem.leadsToValidate(visited)
}

// limits returns the least and the greatest number of a signed type.
func limits(size int) (least, most int64) {
	return math.MinInt64 >> (64 - size), math.MaxInt64 >> (64 - size)
}

// zeroMethod returns a call of the type's IsZero method, or nil.
func zeroMethod(t reflect.Type) func(reflect.Value) bool {
	type zeroer interface{ IsZero() bool }
	if !reflect.PointerTo(t).Implements(reflect.TypeFor[zeroer]()) {
		return nil
	}
	return func(p reflect.Value) bool { return p.Interface().(zeroer).IsZero() }
}
