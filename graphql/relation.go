package graphql

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/ask"
	"github.com/ashlar-go/ashlar/internal/typename"
	"github.com/ashlar-go/ashlar/op"
)

// A relation is a field that one call answers for all parents of an answer.
// While the answer is written each parent leaves a hole; when it is whole, the
// keys of the holes are asked for at once, and what they lead to is filled in.
// That may have holes of its own, which are filled level by level: how many
// calls a document makes depends on its fields, never on how many parents there
// are (but for those beyond op.MaxParents).

// A hole is the place of a relation's value in an answer.
type hole struct {
	st    *step
	at    int    // where in its answer the value belongs
	key   []byte // of the parent, as JSON
	path  []byte
	value []byte
	holes []hole // of value
}

// related writes the fields of a type that are relations.
func (b *builder) related(text *strings.Builder, t reflect.Type, name string) {
	for _, l := range b.links[t] {
		as := memberOf(l.Field)
		if _, taken := b.wires[name][as]; taken {
			b.errs = append(b.errs, l.Operation.Mistakef("the GraphQL type %s has a field %s already", name, as))
			continue
		}
		if b.relations[name] == nil {
			b.relations[name] = map[string]*op.Link{}
		}
		b.relations[name][as] = l
		s := l.Operation.Spec()
		describe(text, "  ", strings.TrimSpace(s.Summary+"\n\n"+s.Description))
		typ, arguments := b.output(l.Target, name+typename.Upper(as)), ""
		if l.Many {
			typ = "[" + always(l.Target, typ) + "]"
			arguments = fmt.Sprintf("(\n    \"\"\"How many of each are wanted, at most %d.\"\"\"\n    first: Int = %d\n  )", l.Most, op.StandardRelated)
		}
		text.WriteString("  " + as + arguments + ": " + typ + deprecated(s) + "\n")
	}
}

// relate makes the step of a field that is a relation: what is sent of its
// values is a step of its own.
func (c *compiler) relate(st *step, g *group, l *op.Link) {
	inner := *st
	c.look(&inner, g)
	st.kind, st.link, st.inner, st.relates = related, l, &inner, true
	st.arguments, st.given = g.fields[0].Arguments, g.fields[0].Definition.Arguments
	c.related++
}

// wanted is how many values of each parent are asked for.
func (st *step) wanted(vars variables) (n int, ok bool) {
	if !st.link.Many {
		return 1, true
	}
	a := st.arguments.ForName(first)
	if a == nil || missing(a.Value, vars) {
		return op.StandardRelated, true
	}
	v := literal(a.Value, vars)
	if v == nil {
		return op.StandardRelated, true
	}
	n, ok = wholeOf(v)
	return n, ok && n >= 1 && n <= st.link.Most
}

// costOf is how many values a step's answer may have. Only what holds relations
// depends on variables.
func (st *step) costOf(vars variables) int {
	if !st.relates {
		return st.cost
	}
	total, sub, items := 1, st.sub, 1
	if st.kind == related {
		n, _ := st.wanted(vars)
		sub, items = st.inner.sub, min(max(n, 1), largestPage)
	}
	if sub != nil {
		for _, below := range sub.steps {
			total += below.costOf(vars)
		}
	}
	return min(total*items, unaffordable)
}

// unaffordable is a cost above every limit, which cannot overflow.
const unaffordable = 1 << 40

// leave notes the place of a relation's value.
func (x *projection) leave(b []byte, st *step, key []byte, at *trail) []byte {
	if isNull(key) {
		return append(b, null...)
	}
	path := trail{up: at, name: st.name}
	x.holes = append(x.holes, hole{st: st, at: len(b), key: key, path: path.list()})
	return b
}

// forget drops the holes of what was taken back.
func (x *projection) forget(mark int) {
	for len(x.holes) > 0 && x.holes[len(x.holes)-1].at >= mark {
		x.holes = x.holes[:len(x.holes)-1]
	}
}

// fill asks for what the holes need, level by level.
func (h *Handler) fill(ctx context.Context, x *exchange, holes []hole) failures {
	var found failures
	level := places(holes)
	for len(level) > 0 {
		var next []*hole
		for len(level) > 0 {
			st := level[0].st
			var same, others []*hole
			for _, p := range level {
				if p.st == st {
					same = append(same, p)
				} else {
					others = append(others, p)
				}
			}
			found = append(found, h.fillStep(ctx, x, st, same)...)
			for _, p := range same {
				next = append(next, places(p.holes)...)
			}
			level = others
		}
		level = next
	}
	return found
}

func places(holes []hole) []*hole {
	all := make([]*hole, len(holes))
	for i := range holes {
		all[i] = &holes[i]
	}
	return all
}

// fillStep fills the holes of one field.
func (h *Handler) fillStep(ctx context.Context, x *exchange, st *step, holes []*hole) (found failures) {
	limit, ok := st.wanted(x.vars)
	if !ok {
		for _, p := range holes {
			p.value = null
			found = append(found, failure{
				message: "The argument first is from 1 to " + strconv.Itoa(st.link.Most) + ".", code: fault.ErrInvalid.Code(), at: st.at, path: p.path,
			})
		}
		return found
	}
	var keys [][]byte
	places := make(map[string]int, len(holes))
	for _, p := range holes {
		if _, known := places[string(p.key)]; !known {
			places[string(p.key)] = len(keys)
			keys = append(keys, p.key)
		}
	}
	values, refusals := make([][]byte, 0, len(keys)), make([]*ask.Answer, 0, 1)
	for part := range slices.Chunk(keys, op.MaxParents) {
		answer := h.askRelated(ctx, x, st, part, limit)
		of, ok := relatedValues(answer, len(part), st.link.Many)
		if !ok {
			of = make([][]byte, len(part))
		}
		for range part {
			refusals = append(refusals, nil)
			if !ok {
				refusals[len(refusals)-1] = answer
			}
		}
		values = append(values, of...)
	}
	for _, p := range holes {
		place := places[string(p.key)]
		at := &trail{above: p.path}
		if refused := refusals[place]; refused != nil {
			p.value = null
			found = append(found, problem(refused, st, at))
			continue
		}
		projected := projection{}
		p.value, _ = projected.value(nil, st.inner, st.inner.typ, values[place], at) // it may always be null
		p.holes = projected.holes
		found = append(found, projected.failures...)
	}
	return found
}

// askRelated asks a relation about several parents.
func (h *Handler) askRelated(ctx context.Context, x *exchange, st *step, keys [][]byte, limit int) *ask.Answer {
	s := st.link.Operation.Spec()
	given := map[string]json.RawMessage{"keys": slices.Concat([]byte("["), bytes.Join(keys, []byte(",")), []byte("]"))}
	if st.link.Many {
		given["limit"] = strconv.AppendInt(nil, int64(limit), 10)
	}
	r, err := h.requestOf(ctx, x, s, given, make(http.Header, 8))
	if err != nil {
		return ask.Refusal(err)
	}
	answer, panicked := ask.Taken(h.cfg.Related, r, x.observed(), nil)
	h.note(ctx, s, panicked)
	return answer
}

// relatedValues returns what each key leads to: a value, a list, or nil. It
// fails if the relation refused, or its answer is none.
func relatedValues(answer *ask.Answer, keys int, many bool) ([][]byte, bool) {
	if answer.Status >= http.StatusMultipleChoices {
		return nil, false
	}
	body := answer.Body.Bytes()
	ends, values := member(body, "ends"), member(body, "values")
	found := make([][]byte, 0, keys)
	place := 0
	for range keys {
		end, left, more, ok := next(ends)
		until, err := strconv.Atoi(string(end))
		if !ok || !more || err != nil {
			return nil, false
		}
		ends = left
		var of []byte
		if many {
			of = []byte{'['}
		}
		for ; place < until; place++ {
			item, rest, more, ok := next(values)
			switch {
			case !ok || !more:
				return nil, false
			case many && len(of) > 1:
				of = append(append(of, ','), item...)
			default:
				of = append(of, item...)
			}
			values = rest
		}
		if many {
			of = append(of, ']')
		}
		found = append(found, of)
	}
	return found, true
}

// filled puts the values of holes where they belong.
func filled(b []byte, holes []hole) []byte {
	if len(holes) == 0 {
		return b
	}
	var out []byte
	from := 0
	for i := range holes {
		p := &holes[i]
		out = append(append(out, b[from:p.at]...), filled(p.value, p.holes)...)
		from = p.at
	}
	return append(out, b[from:]...)
}

// checkLinks refuses relations that lead from nowhere.
func (b *builder) checkLinks(relations []op.Relation) {
	used := map[*op.Link]bool{}
	for _, of := range b.relations {
		for _, l := range of {
			used[l] = true
		}
	}
	for _, r := range relations {
		if l := r.Link(); !used[l] && len(b.errs) == 0 {
			b.errs = append(b.errs, l.Operation.Mistakef("no operation answers with %s, from which the relation leads", l.Parent.Go))
		}
	}
}

// linksOf returns relations by the types from which they lead, in the order of
// their names.
func linksOf(relations []op.Relation) map[reflect.Type][]*op.Link {
	links := map[reflect.Type][]*op.Link{}
	for _, r := range relations {
		l := r.Link()
		links[l.Parent.Go] = append(links[l.Parent.Go], l)
	}
	for _, of := range links {
		slices.SortFunc(of, func(a, b *op.Link) int { return cmp.Compare(a.Field, b.Field) })
	}
	return links
}
