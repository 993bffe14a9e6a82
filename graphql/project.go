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
	cursors  []string // behind the items of the page, if it knows them
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
		var few [fewMembers][]byte
		found, _, _, is := st.sub.find(v, few[:])
		if ok = is; ok {
			b, ok = x.object(b, st.sub, v, found, at)
		}
	case st.kind == isEnum && (len(v) < 2 || !st.enum[string(v[1:len(v)-1])]):
		x.fail(st, at)
		ok = false
	default:
		b = append(b, v...)
	}
	return x.settle(b, mark, typ, ok)
}

// settle takes back what was written of a value, from mark on, if it is not ok.
func (x *projection) settle(b []byte, mark int, typ *ast.Type, ok bool) ([]byte, bool) {
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
	var few [fewMembers][]byte
	for rest := v; ; place.index++ {
		i, more, ok := begin(rest)
		var item []byte
		var found [][]byte
		if more {
			item, found, ok = itemOf(rest[i:], st, typ.Elem, few[:])
		}
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
		if b, ok = x.item(b, st, typ.Elem, item, found, &place); !ok {
			return b, false
		}
		rest = rest[i+len(item):]
	}
}

// itemOf returns the first value of what is left of a list. Its end has to be
// found before the next one can be; where it is an object of which members are
// wanted, they are found on the way.
func itemOf(b []byte, st *step, typ *ast.Type, room [][]byte) (item []byte, found [][]byte, ok bool) {
	if typ.Elem != nil || st.kind != object || len(b) == 0 || b[0] != '{' {
		end, ok := skipValue(b, 0)
		return b[:end], nil, ok
	}
	found, end, over, ok := st.sub.find(b, room)
	if ok && !over {
		end, ok = skipOut(b, end, 1)
	}
	return b[:end], found, ok
}

// item writes a value of a list, of which found are the members if it is an
// object.
func (x *projection) item(b []byte, st *step, typ *ast.Type, v []byte, found [][]byte, at *trail) ([]byte, bool) {
	if found == nil {
		return x.value(b, st, typ, v, at)
	}
	mark := len(b)
	b, ok := x.object(b, st.sub, v, found, at)
	return x.settle(b, mark, typ, ok)
}

// fewMembers are as many as most selections want.
const fewMembers = 16

// find returns the values of the members that are wanted, nil for those that
// are not there, and how far it had to look: see walk.
func (sel *selection) find(v []byte, room [][]byte) (found [][]byte, end int, over, ok bool) {
	if len(sel.wanted) > len(room) {
		room = make([][]byte, len(sel.wanted))
	}
	found = room[:len(sel.wanted)]
	clear(found)
	left := len(found)
	end, over, ok = walk(v, func(name, value []byte) bool {
		for i, wanted := range sel.wanted {
			if string(name) == wanted {
				found[i] = value
				left--
				break
			}
		}
		return left > 0
	})
	return found, end, over, ok
}

// object writes an object of which the wanted members were found.
func (x *projection) object(b []byte, sel *selection, v []byte, found [][]byte, at *trail) ([]byte, bool) {
	ok := true
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
// behind an item is known where the page ends, and elsewhere if the page knows it.
func (x *projection) edges(b []byte, st *step, page []byte, at *trail) ([]byte, bool) {
	items, cursor := member(page, pageData), member(page, pageNext)
	above := trail{up: at, name: st.name}
	place := trail{up: &above}
	node := trail{up: &place}
	nodes := st.sub.nodes()
	var few [fewMembers][]byte
	b = append(b, '[')
	for rest := items; ; place.index++ {
		i, more, ok := begin(rest)
		var item []byte
		var found [][]byte
		switch {
		case !more:
		case len(nodes) == 1:
			item, found, ok = itemOf(rest[i:], nodes[0], nodes[0].typ, few[:])
		default:
			var end int
			end, ok = skipValue(rest, i)
			item = rest[i:max(i, end)]
		}
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
		rest = rest[i+len(item):]
		_, further, _ := begin(rest)
		b = append(b, '{')
		for i, part := range st.sub.steps {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, part.key...)
			switch {
			case part.kind == isTypename:
				b = append(b, part.text...)
			case st.sub.isNode(part):
				node.name = part.name
				if b, ok = x.item(b, part, part.typ, item, found, &node); !ok {
					return b, false
				}
			case st.paged && place.index < len(x.cursors):
				b = appendText(b, x.cursors[place.index])
			case further || isNull(cursor):
				b = append(b, null...)
			default:
				b = append(b, cursor...)
			}
		}
		b = append(b, '}')
	}
}

// nodes are the fields of an edge that are its node.
func (sel *selection) nodes() (nodes []*step) {
	for _, part := range sel.steps {
		if sel.isNode(part) {
			nodes = append(nodes, part)
		}
	}
	return nodes
}

func (sel *selection) isNode(part *step) bool {
	return part.slot >= 0 && sel.wanted[part.slot] == "node"
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
