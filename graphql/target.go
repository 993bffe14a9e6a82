package graphql

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/ashlar-go/ashlar/op"
)

// A sent is an argument that goes into the query of a request.
type sent struct {
	name  string // on the wire, escaped
	typ   *ast.Type
	value *ast.Value
}

// routeOf returns the address of an operation whose arguments all go into the
// query, or nil.
func routeOf(s *op.Spec) *url.URL {
	if s.Kind != op.IsQuery || len(s.PathFields) > 0 {
		return nil
	}
	u, err := url.ParseRequestURI(s.Path)
	if err != nil {
		return nil
	}
	return u
}

// address prepares the address that a step asks, if its arguments all go into
// the query.
func (st *step) address(s *schema) {
	if st.call.route == nil {
		return
	}
	for _, a := range st.arguments {
		declared := st.given.ForName(a.Name)
		if declared == nil {
			continue
		}
		wire := s.wires[st.call.name][a.Name]
		if wire == "" {
			return // it is a header
		}
		st.query = append(st.query, sent{url.QueryEscape(wire), declared.Type, a.Value})
	}
	slices.SortFunc(st.query, func(a, b sent) int { return strings.Compare(a.name, b.name) })
	st.route = st.call.route
}

// plainTarget returns where a request goes whose arguments are single values in
// the query: what input.Place makes of them in general.
func (h *Handler) plainTarget(st *step, vars variables) (u *url.URL, target string, ok bool) {
	if st.route == nil {
		return nil, "", false
	}
	path := st.call.spec.Path
	var room [256]byte
	b := append(append(room[:0], path...), '?')
	for i := range st.query {
		q := &st.query[i]
		if missing(q.value, vars) {
			continue
		}
		var text string
		switch v := h.schema.place(q.typ, q.value, vars).(type) {
		case nil:
			continue
		case json.Number:
			text = string(v)
		case string:
			if text = v; !utf8.ValidString(v) {
				return nil, "", false
			}
		case bool:
			text = string(appendBool(nil, v))
		default:
			return nil, "", false
		}
		if b[len(b)-1] != '?' {
			b = append(b, '&')
		}
		b = append(append(append(b, q.name...), '='), url.QueryEscape(text)...)
	}
	at := *st.route
	if len(b) == len(path)+1 {
		return &at, path, true
	}
	target = string(b)
	at.RawQuery = target[len(path)+1:]
	return &at, target, true
}
