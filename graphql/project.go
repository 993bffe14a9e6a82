package graphql

import (
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/ashlar-go/ashlar/fault"
)

// A projection writes what a plan sends of an answer, which is JSON already: it
// picks members, gives them the names and the order that were asked for, and
// holds them to what the schema promises.
type projection struct {
	failures failures
	resumed  bool // the page was asked for by a cursor
	holes    []hole
}

// value writes one value. It is false if the value is not there and has to be:
// then what holds it is not there either.
func (x *projection) value(b []byte, st *step, typ *ast.Type, v []byte, at *trail) ([]byte, bool) {
	if isNull(v) {
		if typ.NonNull {
			x.fail(st, at)
			return b, false
		}
		return append(b, null...), true
	}
	mark, ok := len(b), true
	switch {
	case typ.Elem != nil:
		b, ok = x.list(b, st, typ, v, at)
	case st.kind == object:
		b, ok = x.object(b, st.sub, v, at)
	case st.kind == isEnum && (len(v) < 2 || !st.enum[string(v[1:len(v)-1])]):
		x.fail(st, at)
		ok = false
	default:
		b = append(b, v...)
	}
	if ok {
		return b, true
	}
	b = b[:mark]
	x.forget(mark)
	if typ.NonNull {
		return b, false
	}
	return append(b, null...), true
}

// fail notes that an answer is not what the schema says: a defect of the
// operation, of which callers hear no more than that.
func (x *projection) fail(st *step, at *trail) {
	x.failures = append(x.failures, failure{
		message: "The answer is not what the schema says. That is our fault.",
		code:    fault.ErrInternal.Code(), at: st.at, path: at.list(),
	})
}

func (x *projection) list(b []byte, st *step, typ *ast.Type, v []byte, at *trail) ([]byte, bool) {
	b = append(b, '[')
	place := trail{up: at}
	for rest := v; ; place.index++ {
		item, left, more, ok := next(rest)
		switch {
		case !ok:
			x.fail(st, at)
			return b, false
		case !more:
			return append(b, ']'), true
		}
		if place.index > 0 {
			b = append(b, ',')
		}
		if b, ok = x.value(b, st, typ.Elem, item, &place); !ok {
			return b, false
		}
		rest = left
	}
}

// object writes an object.
func (x *projection) object(b []byte, sel *selection, v []byte, at *trail) ([]byte, bool) {
	var few [16][]byte
	found := few[:]
	if len(sel.wanted) > len(few) {
		found = make([][]byte, len(sel.wanted))
	}
	left := len(sel.wanted)
	ok := left == 0 || members(v, func(name, value []byte) bool {
		for i, wanted := range sel.wanted {
			if string(name) == wanted {
				found[i] = value
				left--
				break
			}
		}
		return left > 0
	})
	if !ok {
		return b, false
	}
	b = append(b, '{')
	place := trail{up: at} // one for all members, so that it lies on the stack
	for i, st := range sel.steps {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, st.key...)
		switch st.kind {
		case isTypename:
			b = append(b, st.text...)
			continue
		case edges:
			b, ok = x.edges(b, st, v, at)
		case pageInfo:
			b, ok = x.pageInfo(b, st, v)
		case related:
			b = x.leave(b, st, found[st.slot], at)
		default:
			place.name = st.name
			b, ok = x.value(b, st, st.typ, found[st.slot], &place)
		}
		if !ok {
			return b, false
		}
	}
	return append(b, '}'), true
}

// edges writes the items of a page, each in an object of its own. The place
// behind an item is known where the page ends.
func (x *projection) edges(b []byte, st *step, page []byte, at *trail) ([]byte, bool) {
	items, cursor := member(page, pageData), member(page, pageNext)
	above := trail{up: at, name: st.name}
	place := trail{up: &above}
	node := trail{up: &place}
	b = append(b, '[')
	for rest := items; ; place.index++ {
		item, left, more, ok := next(rest)
		switch {
		case !ok:
			x.fail(st, &above)
			return b, false
		case !more:
			return append(b, ']'), true
		}
		if place.index > 0 {
			b = append(b, ',')
		}
		_, _, further, _ := next(left)
		b = append(b, '{')
		for i, part := range st.sub.steps {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, part.key...)
			switch {
			case part.kind == isTypename:
				b = append(b, part.text...)
			case part.slot >= 0 && st.sub.wanted[part.slot] == "node":
				node.name = part.name
				if b, ok = x.value(b, part, part.typ, item, &node); !ok {
					return b, false
				}
			case further || isNull(cursor):
				b = append(b, null...)
			default:
				b = append(b, cursor...)
			}
		}
		b = append(b, '}')
		rest = left
	}
}

// pageInfo writes where a page stands.
func (x *projection) pageInfo(b []byte, st *step, page []byte) ([]byte, bool) {
	b = append(b, '{')
	for i, part := range st.sub.steps {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, part.key...)
		if part.kind == isTypename {
			b = append(b, part.text...)
			continue
		}
		switch wanted := st.sub.wanted[part.slot]; wanted {
		case "hasPreviousPage":
			b = appendBool(b, x.resumed)
		case "startCursor":
			b = append(b, null...)
		default:
			found := member(page, wanted)
			if isNull(found) {
				found = null
			}
			b = append(b, found...)
		}
	}
	return append(b, '}'), true
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, "true"...)
	}
	return append(b, "false"...)
}
