package tsclient

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// declarations writes every type: those of the inputs after their operations,
// those that they share after their Go types.
func (w *writer) declarations() {
	for _, s := range w.specs {
		if len(s.In.Object.Fields) == 0 {
			continue
		}
		w.line("")
		w.comment("", "What `"+s.Name+"` takes.")
		w.line("export interface %s {", inputName(s))
		for _, f := range s.In.Object.Fields {
			brand := w.brands.of(s.In, f)
			if slices.Contains(s.PathFields, f.Name) {
				brand = w.brands.inPath(s, f.Name)
			}
			w.member(s.In, f, input, brand)
		}
		w.line("}")
	}
	for _, d := range w.names.order {
		t := w.names.types[d]
		w.line("")
		w.comment("", w.explain.Type(t.Go))
		if t.Kind != rule.Object {
			w.line("export type %s = %s;", w.names.of[d], union(t))
			continue
		}
		w.line("export interface %s {", w.names.of[d])
		for _, f := range t.Object.Fields {
			w.member(t, f, d.role, w.brands.of(t, f))
		}
		w.line("}")
	}
}

// member writes one member with its doc comment and, where it is sent, its bounds.
func (w *writer) member(of *rule.Type, f *rule.Field, as role, brand string) {
	text := w.explain.Field(of.Go, f)
	if as == input {
		text = strings.TrimSpace(text + "\n" + bounds(f.Type))
	}
	w.comment("  ", text)
	optional := as == input && !f.Required || as == output && (f.OmitZero || f.OmitEmpty || f.Wrap == rule.Opt)
	mark := ""
	if optional {
		mark = "?"
	}
	kind := brand
	if kind == "" {
		kind = w.typed(f.Type, as)
	}
	if f.Nullable && (as == input || !f.OmitZero && !f.OmitEmpty) {
		kind += " | null"
	}
	w.line("  %s%s: %s;", property(f.Name), mark, kind)
}

// typed is the type of a value.
func (w *writer) typed(t *rule.Type, as role) string {
	if d, ok := declaredOf(t, as); ok {
		return w.names.of[d]
	}
	if item := op.ItemOf(t); item != nil {
		return "Page<" + w.typed(item, as) + ">"
	}
	if len(t.Enum) > 0 {
		return union(t)
	}
	switch t.Kind {
	case rule.Bool:
		return "boolean"
	case rule.Int, rule.Uint, rule.Float:
		return "number"
	case rule.String:
		return "string"
	case rule.Bytes:
		return "Base64"
	case rule.Time:
		if as == input {
			return "Timestamp | Date"
		}
		return "Timestamp"
	case rule.List:
		if elem := w.typed(t.Elem, as); !strings.ContainsAny(elem, " |") {
			return elem + "[]"
		}
		return "Array<" + w.typed(t.Elem, as) + ">"
	case rule.Map:
		return "Record<string, " + w.typed(t.Elem, as) + ">"
	case rule.Object:
		return w.inline(t, as)
	case rule.Any:
	}
	return w.unusual(t, as)
}

// inline is a struct without a name.
func (w *writer) inline(t *rule.Type, as role) string {
	if len(t.Object.Fields) == 0 {
		return "Record<string, never>"
	}
	var members []string
	for _, f := range t.Object.Fields {
		mark := ""
		if as == input && !f.Required || as == output && (f.OmitZero || f.OmitEmpty) {
			mark = "?"
		}
		kind := w.typed(f.Type, as)
		if f.Nullable {
			kind += " | null"
		}
		members = append(members, property(f.Name)+mark+": "+kind)
	}
	return "{ " + strings.Join(members, "; ") + " }"
}

var (
	textOut = reflect.TypeFor[encoding.TextMarshaler]()
	jsonOut = reflect.TypeFor[json.Marshaler]()
)

// unusual is what only its own code can read, as far as its Go type tells.
func (w *writer) unusual(t *rule.Type, as role) string {
	p := reflect.PointerTo(t.Go)
	switch kind := t.Go.Kind(); {
	case kind == reflect.Pointer && t.Elem != nil:
		return w.typed(t.Elem, as) + " | null"
	case p.Implements(jsonOut):
		return "Json"
	case p.Implements(textOut):
		return "string"
	}
	return "Json"
}

// union lists the values of an enumeration.
func union(t *rule.Type) string {
	values := make([]string, len(t.Enum))
	for i, v := range t.Enum {
		switch v := reflect.ValueOf(v); {
		case v.Kind() == reflect.String:
			values[i] = quote(v.String())
		case v.CanInt():
			values[i] = strconv.FormatInt(v.Int(), 10)
		default:
			values[i] = strconv.FormatUint(v.Uint(), 10)
		}
	}
	return strings.Join(values, " | ")
}

// bounds says in words what a type cannot.
func bounds(t *rule.Type) string {
	var all []string
	add := func(when bool, format string, args ...any) {
		if when {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	n := t.Number
	switch t.Kind {
	case rule.Int:
		add(n.HasMin && n.HasMax, "A whole number, %d to %d.", n.MinInt, n.MaxInt)
		add(n.HasMin && !n.HasMax, "A whole number, at least %d.", n.MinInt)
		add(!n.HasMin && n.HasMax, "A whole number, at most %d.", n.MaxInt)
		add(!n.HasMin && !n.HasMax && len(t.Enum) == 0, "A whole number.")
	case rule.Uint:
		add(len(t.Enum) == 0, "A whole number, not negative.")
	case rule.String:
		if len(t.Enum) > 0 {
			break
		}
		add(t.Text.Format != "", "Format: %s.", t.Text.Format)
		add(t.Text.Min > 0 && t.Text.Max > 0, "%d to %d characters.", t.Text.Min, t.Text.Max)
		add(t.Text.Pattern != "", "Matches `%s`.", t.Text.Pattern)
	case rule.List, rule.Map:
		add(t.Size.Max > 0, "%d to %d entries.", t.Size.Min, t.Size.Max)
	default:
	}
	return strings.Join(all, " ")
}

// property is a member's name as it stands in a type.
func property(name string) string {
	if ws := words(name); len(ws) > 0 && strings.Join(ws, "_") == name && name[0] > '9' {
		return name
	}
	return quote(name)
}

// answer is the type of what an operation answers.
func (w *writer) answer(s *op.Spec) string {
	switch s.Returns {
	case op.FileBytes:
		return "FileAnswer"
	case op.Nothing:
		return "void"
	case op.JSON:
	}
	return w.typed(s.Out, output)
}
