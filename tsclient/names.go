package tsclient

import (
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/internal/typename"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// A role is the direction in which a value travels: what is sent may leave out
// other members than what is answered. An enumeration is the same in both.
type role uint8

const (
	either role = iota
	output
	input
)

// A declared is a Go type in a role that has a name in the client.
type declared struct {
	of   reflect.Type
	role role
}

// names are the names in the file.
type names struct {
	of    map[declared]string
	types map[declared]*rule.Type
	order []declared
	taken map[string]bool
}

// exported finds what the runtime declares.
var exported = regexp.MustCompile(`(?m)^(?:export )?(?:class|interface|type|const|function|async function) (\w+)`)

// standard are names that the file uses from outside, and keywords that are types.
const standard = `AbortController AbortSignal Array AsyncGenerator AsyncIterable Blob Boolean Date Error Headers JSON Map
Math Number Object Promise PromiseLike Record Request RequestInit Response RangeError ReturnType Set String Symbol
SyntaxError TextDecoder TypeError URLSearchParams WebSocket Timestamp Base64 Json Operations Problem Problems ProblemCode
Brand isProblem`

func (n *names) take(name string) string {
	unique := name
	for i := 2; n.taken[unique]; i++ {
		unique = name + strconv.Itoa(i)
	}
	n.taken[unique] = true
	return unique
}

// findNames names every type before the first is written, so that no name depends on the
// order in which they are.
func findNames(specs []*op.Spec, b brands) names {
	n := names{of: map[declared]string{}, types: map[declared]*rule.Type{}, taken: map[string]bool{}}
	for _, m := range exported.FindAllStringSubmatch(runtime, -1) {
		n.taken[m[1]] = true
	}
	for name := range strings.FieldsSeq(standard) {
		n.taken[name] = true
	}
	for _, name := range b.all() {
		n.taken[name] = true
	}
	for _, s := range specs {
		n.taken[inputName(s)] = true
	}
	for _, s := range specs {
		if s.Returns == op.JSON {
			n.find(s.Out, output)
		}
	}
	for _, s := range specs {
		for _, f := range s.In.Object.Fields {
			n.find(f.Type, input)
		}
	}
	sharers := map[string][]reflect.Type{}
	for _, d := range n.order {
		if name := typename.Of(d.of); !slices.Contains(sharers[name], d.of) {
			sharers[name] = append(sharers[name], d.of)
		}
	}
	for _, d := range n.order {
		name := typename.Of(d.of)
		if len(sharers[name]) > 1 {
			name = pascal(path.Base(d.of.PkgPath())) + name
		}
		if _, answered := n.types[declared{d.of, output}]; d.role == input && answered {
			name += "Input"
		}
		n.of[d] = n.take(name)
	}
	return n
}

func (n *names) find(t *rule.Type, as role) {
	if t == nil {
		return
	}
	if d, ok := declaredOf(t, as); ok {
		if n.types[d] != nil {
			return
		}
		n.types[d] = t
		n.order = append(n.order, d)
	}
	if page := op.ItemOf(t); page != nil {
		n.find(page, as)
		return
	}
	n.find(t.Elem, as)
	n.find(t.Key, as)
	if t.Kind == rule.Object {
		for _, f := range t.Object.Fields {
			n.find(f.Type, as)
		}
	}
}

// declaredOf returns the declaration of t, if it has one: structs with a name
// do, and texts and numbers with a list of values of their own. A page is one of
// the runtime's.
func declaredOf(t *rule.Type, as role) (declared, bool) {
	switch {
	case t.Go.Name() == "" || t.Go.PkgPath() == "" || op.ItemOf(t) != nil:
		return declared{}, false
	case t.Kind == rule.Object:
		return declared{t.Go, as}, len(t.Object.Fields) > 0
	case len(t.Enum) > 0:
		own, err := rule.Describe(t.Go)
		return declared{of: t.Go}, err == nil && slices.Equal(own.Enum, t.Enum)
	}
	return declared{}, false
}

// inputName is the type of an operation's input.
func inputName(s *op.Spec) string { return pascal(s.Name) + "Input" }
