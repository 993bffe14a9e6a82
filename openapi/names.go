package openapi

import (
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/internal/typename"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// A role is the direction in which a value travels. Requests are described
// with everything that is enforced; answers by their shape.
type role uint8

const (
	either role = iota // an enum reads the same in both directions
	output
	input
)

// A component is a Go type in a role. Hidden names the members, joined by
// commas, that a route takes out of the body.
type component struct {
	of     reflect.Type
	role   role
	hidden string
}

// nameComponents finds every type that gets a component, and names them all
// before the first is written, so that no name depends on the order.
func nameComponents(specs []*op.Spec, form *rule.Type) map[component]string {
	f := finder{seen: map[component]bool{}}
	f.find(form, output, "")
	for _, s := range specs {
		if s.Returns == op.JSON {
			f.find(s.Out, output, "")
		}
	}
	for _, s := range specs {
		if s.Kind == op.IsCommand {
			f.find(s.In, input, strings.Join(s.PathFields, ","))
			continue
		}
		for _, field := range s.In.Object.Fields {
			f.find(field.Type, input, "")
		}
	}
	return f.name()
}

type finder struct {
	seen  map[component]bool
	order []component
}

func (f *finder) find(t *rule.Type, as role, hidden string) {
	if t == nil {
		return
	}
	if c, ok := componentOf(t, as, hidden); ok {
		if f.seen[c] {
			return
		}
		f.seen[c] = true
		f.order = append(f.order, c)
	}
	f.find(t.Elem, as, "")
	f.find(t.Key, as, "")
	if t.Kind == rule.Object {
		for _, field := range t.Object.Fields {
			f.find(field.Type, as, "")
		}
	}
}

// componentOf returns the component that describes t, if it has one: named
// structs do, and named types with a list of values of their own.
func componentOf(t *rule.Type, as role, hidden string) (component, bool) {
	switch {
	case t.Go.Name() == "" || t.Go.PkgPath() == "":
		return component{}, false
	case t.Kind == rule.Object:
		return component{t.Go, as, hidden}, t.Go.NumField() > 0
	case len(t.Enum) > 0 && !t.Secret:
		own, err := rule.Describe(t.Go)
		return component{of: t.Go}, err == nil && slices.Equal(own.Enum, t.Enum)
	}
	return component{}, false
}

// name gives each component a name of its own: that of its type, with the
// package in front where types of several packages share it, and Input behind
// where the type is sent too.
func (f *finder) name() map[component]string {
	sharers := map[string][]reflect.Type{
		"Problem": {nil}, "Violation": {nil}, // taken by the framework
	}
	for _, c := range f.order {
		if name := typename.Of(c.of); !slices.Contains(sharers[name], c.of) {
			sharers[name] = append(sharers[name], c.of)
		}
	}
	names := map[component]string{}
	taken := map[string]bool{"Problem": true, "Violation": true}
	for _, c := range f.order {
		name := typename.Of(c.of)
		if len(sharers[name]) > 1 {
			name = typename.Identifier(path.Base(c.of.PkgPath())) + name
		}
		if c.role == input && (f.seen[component{c.of, output, ""}] || c.hidden == "" && taken[name]) {
			name += "Input"
		}
		unique := name
		for n := 2; taken[unique]; n++ {
			unique = name + strconv.Itoa(n)
		}
		taken[unique] = true
		names[c] = unique
	}
	return names
}
