package graphql

import (
	"slices"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/op"
)

// Most of what is asked can be written from the very value that an operation
// answers: its encoder is told which members are wanted, in which order and by
// which names, and nothing is written that is thrown away. What it cannot know
// is left to the projection, which makes the same of the JSON: answers that come
// as such, out of a store, relations, cursors, and whatever is not as the schema says,
// so that there is one place that says so.

// picker is what writes a step of the root from the value of its operation, for a
// page that was asked for by a cursor or not. It is nil where that cannot be.
func (st *step) picker(resumed bool) *codec.Picker {
	if resumed {
		return st.pickers[1]
	}
	return st.pickers[0]
}

// choose compiles the pickers.
func (st *step) choose() {
	encoder := st.call.encoder()
	if encoder == nil {
		return
	}
	for _, below := range st.sub.tops() {
		if below.kind == edges {
			below.paged, st.cursors = true, st.cursors || below.asksCursors()
		}
	}
	for i := range st.pickers {
		if i == 1 && !st.call.paged {
			break // nothing else goes on by a cursor
		}
		if p := st.pick(st.typ, i == 1); p != nil {
			st.pickers[i], _ = encoder.Pick(p)
		}
	}
}

// encoder returns what writes the answers of the operation, or nil if they are
// not values.
func (f *field) encoder() *codec.Encoder {
	f.compiled.Do(func() {
		if s := f.spec; s.Returns == op.JSON && s.Kind != op.IsStream && s.Out != nil {
			f.encodes, _ = codec.CompileEncoder(s.Out) // an operation without one is not served either
		}
	})
	return f.encodes
}

// pick says what is written of a value of the step, or is nil.
func (st *step) pick(typ *ast.Type, resumed bool) *codec.Pick {
	p := &codec.Pick{Null: !typ.NonNull}
	switch {
	case typ.Elem != nil:
		p.Item = st.pick(typ.Elem, resumed)
		if p.Item == nil {
			return nil
		}
	case st.kind == object:
		p.Parts = make([]codec.Part, 0, len(st.sub.steps))
		for _, below := range st.sub.steps {
			part, ok := below.part(st.sub, resumed)
			if !ok {
				return nil
			}
			p.Parts = append(p.Parts, part)
		}
	case st.kind == isEnum:
		p.Only = st.enum
	}
	return p
}

// part is a step as a member of an object of which sel is wanted.
func (st *step) part(sel *selection, resumed bool) (codec.Part, bool) {
	part := codec.Part{Key: string(st.key[:len(st.key)-1])}
	switch st.kind {
	case isTypename:
		part.Text = string(st.text)
	case edges:
		part.From, part.Of = pageData, st.edgesPick(resumed)
	case pageInfo:
		part.Of = st.pagePick(resumed)
	case related:
		return part, false
	default:
		part.From, part.Of = sel.wanted[st.slot], st.pick(st.typ, resumed)
	}
	return part, part.Of != nil || part.Text != ""
}

// edgesPick says what is written of the items of a page, each in an object of its
// own.
func (st *step) edgesPick(resumed bool) *codec.Pick {
	edge := &codec.Pick{Around: true}
	for _, below := range st.sub.steps {
		part := codec.Part{Key: string(below.key[:len(below.key)-1])}
		switch {
		case below.kind == isTypename:
			part.Text = string(below.text)
		case st.sub.isNode(below):
			part.Of = below.pick(below.typ, resumed)
		default:
			part.Each = st.paged
		}
		if part.Of == nil && part.Text == "" && !part.Each {
			return nil
		}
		edge.Parts = append(edge.Parts, part)
	}
	return &codec.Pick{Item: edge}
}

// pagePick says what is written of where a page stands.
func (st *step) pagePick(resumed bool) *codec.Pick {
	p := &codec.Pick{Parts: []codec.Part{}}
	for _, below := range st.sub.steps {
		part := codec.Part{Key: string(below.key[:len(below.key)-1])}
		switch {
		case below.kind == isTypename:
			part.Text = string(below.text)
		case st.sub.wanted[below.slot] == "hasPreviousPage":
			part.Text = string(appendBool(nil, resumed))
		case st.sub.wanted[below.slot] == "startCursor":
			part.Text = string(null)
		default:
			part.From, part.Of = st.sub.wanted[below.slot], &codec.Pick{Null: true}
		}
		p.Parts = append(p.Parts, part)
	}
	return p
}

// tops are the steps of a selection, none if there is none.
func (sel *selection) tops() []*step {
	if sel == nil {
		return nil
	}
	return sel.steps
}

// asksCursors reports whether the cursors of edges are asked for.
func (st *step) asksCursors() bool {
	return slices.ContainsFunc(st.sub.steps, func(part *step) bool { return part.kind != isTypename && !st.sub.isNode(part) })
}

// cursorsOf returns the cursors behind the items of a page, as far as it knows
// them.
func cursorsOf(answer any) []string {
	page, is := answer.(interface{ Cursors() []op.Cursor })
	if !is {
		return nil
	}
	known := page.Cursors()
	all := make([]string, len(known))
	for i, c := range known {
		all[i] = string(c)
	}
	return all
}
