package codec

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// Bodies up to aliased bytes are kept alive by the texts read from them;
// texts from longer ones are copied, so that one kept member does not hold a
// great body in memory.
const aliased = 16 << 10

// A Decoder reads the values of one type. It is safe for concurrent use.
type Decoder struct {
	root *node
	dst  reflect.Type // *T
}

// CompileDecoder prepares the reading of values of t.Go.
func CompileDecoder(t *rule.Type) (*Decoder, error) {
	root, err := compile(t)
	if err != nil {
		return nil, err
	}
	return &Decoder{root, reflect.PointerTo(t.Go)}, nil
}

// OwnDecoder is the decoder of a type of the framework's own, which is known to
// compile.
func OwnDecoder[T any]() *Decoder {
	t, err := rule.Describe(reflect.TypeFor[T]())
	if err != nil {
		panic(err)
	}
	d, err := CompileDecoder(t)
	if err != nil {
		panic(err)
	}
	return d
}

// Elsewhere returns a decoder of the same type that refuses the named members
// in a body, as if they were not known: [Reading.Text] fills them.
func (d *Decoder) Elsewhere(names ...string) (*Decoder, error) {
	if len(names) == 0 {
		return d, nil
	}
	root, err := d.record()
	if err != nil {
		return nil, err
	}
	o := *root.rec
	o.fields = append([]field(nil), o.fields...)
	for _, name := range names {
		i := o.find(name)
		if i < 0 {
			return nil, fmt.Errorf("codec: %s has no member %q", root.typ, name)
		}
		o.fields[i].elsewhere = true
		o.fields[i].quoted = "\x00" // so that no name in a body is taken for it unlooked
	}
	clone := *root
	clone.rec = &o
	return &Decoder{&clone, d.dst}, nil
}

func (d *Decoder) record() (*node, error) {
	if d.root.shape != record {
		return nil, fmt.Errorf("codec: %s has no members", d.root.typ)
	}
	return d.root, nil
}

// Decode reads body into dst, a *T of the decoder's type that points to a zero
// value; afterwards, unless Decode returns nil, dst holds nothing of use. The
// error is a [*Syntax] or [fault.Violations]. Texts in dst may alias the body:
// the caller must neither change nor reuse it.
func (d *Decoder) Decode(body []byte, dst any) error {
	r := d.Begin(dst)
	if err := r.Body(body); err != nil {
		return err
	}
	return r.Finish()
}

// A Reading is one value being read from several places: members from a body,
// others from the texts of a path or query. Begin it, call Body at most once
// and Text for each member that was given as text, then Finish, which reports
// the violations of all of them together. It is not safe for concurrent use.
type Reading struct {
	d   *Decoder
	dst unsafe.Pointer

	bad       fault.Violations
	seen      presence // of the root's fields
	unshapely bool     // the body is no object: its members are not missing, too

	b      []byte
	i      int
	depth  int
	copies bool // texts are copied out of b
	syntax *Syntax
}

// Begin starts reading into dst, a *T of the decoder's type that points to a
// zero value. It panics if dst is of another type.
func (d *Decoder) Begin(dst any) Reading {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.Type() != d.dst || v.IsNil() {
		panic(fmt.Sprintf("codec: the decoder of %s cannot fill a %T", d.dst, dst))
	}
	r := Reading{d: d, dst: v.UnsafePointer()}
	if d.root.rec != nil {
		r.seen = newPresence(len(d.root.rec.fields))
	}
	return r
}

// Body reads the value, or those of its members that are not [Decoder.Elsewhere].
// The only error is a [*Syntax]; violations wait for Finish. Texts may alias
// the body: the caller must neither change nor reuse it.
func (r *Reading) Body(body []byte) error {
	r.b, r.i, r.copies = body, 0, len(body) > aliased
	root := r.d.root
	var ok bool
	if c := r.space(); root.shape == record && c == '{' {
		ok = r.members(root.rec, r.dst, &r.seen)
	} else {
		r.unshapely = root.shape == record
		ok = r.value(root, r.dst)
	}
	if ok {
		if r.space(); r.i < len(r.b) {
			r.fail("something follows the value")
		}
	}
	if r.syntax != nil {
		return r.syntax
	}
	return nil
}

// Finish reports what the whole input breaks, as [fault.Violations], or runs
// the Validate methods if it breaks nothing: those of inner values first, and
// that of an outer one only if its inner ones hold.
func (r *Reading) Finish() error {
	if root := r.d.root; root.shape == record {
		r.require(root.rec, &r.seen, r.unshapely)
	}
	if len(r.bad) == 0 && r.d.root.validates {
		r.validate(r.d.root, r.dst)
	}
	if len(r.bad) > 0 {
		return r.bad
	}
	return nil
}

// require notes each required member that was not seen.
func (r *Reading) require(o *object, seen *presence, elsewhereOnly bool) {
	if seen.holds(&o.required) {
		return
	}
	for i := range o.fields {
		f := &o.fields[i]
		if o.required.has(i) && !seen.has(i) && (f.elsewhere || !elsewhereOnly) {
			r.violateAt(f.name, missing)
		}
	}
}
