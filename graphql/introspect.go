package graphql

import (
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// introspect answers __schema and __type.
func (h *Handler) introspect(x *exchange, asks []*ast.Field) []byte {
	f := asks[0]
	i := introspector{c: compiler{h: h, d: &document{}, vars: x.vars}, types: h.schema.types}
	i.c.d.fragments = x.plan.fragments
	if f.Name == "__schema" {
		return i.object(nil, "__Schema", nil, asks...)
	}
	name, _ := literal(f.Arguments.ForName("name").Value, x.vars).(string)
	def := i.types.Types[name]
	if def == nil {
		return null
	}
	return i.object(nil, "__Type", def, asks...)
}

// introspector writes what is asked about the schema.
type introspector struct {
	c     compiler
	types *ast.Schema
}

// object writes the fields that were asked for of something about the schema.
func (i *introspector) object(b []byte, typ string, about any, fields ...*ast.Field) []byte {
	sets := make([]ast.SelectionSet, len(fields))
	for n, f := range fields {
		sets[n] = f.SelectionSet
	}
	b = append(b, '{')
	for n, g := range i.c.collect(typ, sets...) {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, g.name), ':')
		if g.fields[0].Name == "__typename" {
			b = appendText(b, typ)
			continue
		}
		switch about := about.(type) {
		case nil:
			b = i.schema(b, g.fields)
		case *ast.Definition:
			b = i.definition(b, about, g.fields)
		case *ast.Type:
			b = i.wrapping(b, about, g.fields)
		case *ast.FieldDefinition:
			b = i.field(b, about, g.fields)
		case *ast.ArgumentDefinition:
			b = i.value(b, about.Name, about.Description, about.Type, about.DefaultValue, about.Directives, g.fields)
		case inputField:
			b = i.value(b, about.Name, about.Description, about.Type, about.DefaultValue, about.Directives, g.fields)
		case *ast.EnumValueDefinition:
			b = i.enumValue(b, about, g.fields)
		case *ast.DirectiveDefinition:
			b = i.directive(b, about, g.fields)
		}
	}
	return append(b, '}')
}

type inputField struct{ *ast.FieldDefinition }

// each writes a list of such things.
func each[T any](i *introspector, b []byte, typ string, all []T, fields []*ast.Field) []byte {
	b = append(b, '[')
	for n, one := range all {
		if n > 0 {
			b = append(b, ',')
		}
		b = i.object(b, typ, one, fields...)
	}
	return append(b, ']')
}

func sortedDefinitions(s *ast.Schema) []*ast.Definition {
	all := make([]*ast.Definition, 0, len(s.Types))
	for _, def := range s.Types {
		all = append(all, def)
	}
	slices.SortFunc(all, func(a, b *ast.Definition) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func sortedDirectives(s *ast.Schema) []*ast.DirectiveDefinition {
	all := make([]*ast.DirectiveDefinition, 0, len(s.Directives))
	for _, def := range s.Directives {
		if slices.Contains([]string{"skip", "include", "deprecated", "specifiedBy", "oneOf"}, def.Name) {
			all = append(all, def)
		}
	}
	slices.SortFunc(all, func(a, b *ast.DirectiveDefinition) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (i *introspector) schema(b []byte, fields []*ast.Field) []byte {
	root := func(def *ast.Definition) []byte {
		if def == nil {
			return append(b, null...)
		}
		return i.object(b, "__Type", def, fields...)
	}
	switch fields[0].Name {
	case "types":
		return each(i, b, "__Type", sortedDefinitions(i.types), fields)
	case "queryType":
		return root(i.types.Query)
	case "mutationType":
		return root(i.types.Mutation)
	case "subscriptionType":
		return root(i.types.Subscription)
	case "directives":
		return each(i, b, "__Directive", sortedDirectives(i.types), fields)
	case "description":
		return optional(b, i.types.Description)
	}
	return append(b, null...)
}

// deprecatedToo reports whether those that are deprecated are asked for as well.
func (i *introspector) deprecatedToo(f *ast.Field) bool {
	a := f.Arguments.ForName("includeDeprecated")
	return a != nil && literal(a.Value, i.c.vars) == true
}

func (i *introspector) definition(b []byte, def *ast.Definition, fields []*ast.Field) []byte {
	f := fields[0]
	switch f.Name {
	case "kind":
		return appendText(b, string(def.Kind))
	case "name":
		return appendText(b, def.Name)
	case "description":
		return optional(b, def.Description)
	case "specifiedByURL":
		if d := def.Directives.ForName("specifiedBy"); d != nil {
			return appendText(b, d.Arguments.ForName("url").Value.Raw)
		}
	case "isOneOf":
		if def.Kind == ast.InputObject {
			return appendBool(b, def.Directives.ForName("oneOf") != nil)
		}
	case "fields":
		if def.Kind != ast.Object && def.Kind != ast.Interface {
			break
		}
		var shown []*ast.FieldDefinition
		for _, fd := range def.Fields {
			if !strings.HasPrefix(fd.Name, "__") && (i.deprecatedToo(f) || fd.Directives.ForName("deprecated") == nil) {
				shown = append(shown, fd)
			}
		}
		return each(i, b, "__Field", shown, fields)
	case "inputFields":
		if def.Kind != ast.InputObject {
			break
		}
		var shown []inputField
		for _, fd := range def.Fields {
			if i.deprecatedToo(f) || fd.Directives.ForName("deprecated") == nil {
				shown = append(shown, inputField{fd})
			}
		}
		return each(i, b, "__InputValue", shown, fields)
	case "interfaces":
		if def.Kind == ast.Object || def.Kind == ast.Interface {
			return append(b, "[]"...)
		}
	case "enumValues":
		if def.Kind == ast.Enum {
			var shown []*ast.EnumValueDefinition
			for _, v := range def.EnumValues {
				if i.deprecatedToo(f) || v.Directives.ForName("deprecated") == nil {
					shown = append(shown, v)
				}
			}
			return each(i, b, "__EnumValue", shown, fields)
		}
	}
	return append(b, null...) // possibleTypes, ofType, and what this kind has not
}

// wrapping writes a type as it is used: non-null, a list, or by its name.
func (i *introspector) wrapping(b []byte, t *ast.Type, fields []*ast.Field) []byte {
	name := fields[0].Name
	switch {
	case t.NonNull:
		switch name {
		case "kind":
			return append(b, `"NON_NULL"`...)
		case "ofType":
			inner := *t
			inner.NonNull = false
			return i.use(b, &inner, fields)
		}
	case t.Elem != nil:
		switch name {
		case "kind":
			return append(b, `"LIST"`...)
		case "ofType":
			return i.use(b, t.Elem, fields)
		}
	}
	return append(b, null...)
}

// use writes the type of a field or an argument.
func (i *introspector) use(b []byte, t *ast.Type, fields []*ast.Field) []byte {
	if !t.NonNull && t.Elem == nil {
		return i.object(b, "__Type", i.types.Types[t.NamedType], fields...)
	}
	return i.object(b, "__Type", t, fields...)
}

func (i *introspector) field(b []byte, fd *ast.FieldDefinition, fields []*ast.Field) []byte {
	switch fields[0].Name {
	case "name":
		return appendText(b, fd.Name)
	case "description":
		return optional(b, fd.Description)
	case "args":
		var shown []*ast.ArgumentDefinition
		for _, a := range fd.Arguments {
			if i.deprecatedToo(fields[0]) || a.Directives.ForName("deprecated") == nil {
				shown = append(shown, a)
			}
		}
		return each(i, b, "__InputValue", shown, fields)
	case "type":
		return i.use(b, fd.Type, fields)
	}
	return deprecation(b, fd.Directives, fields[0].Name)
}

func (i *introspector) value(b []byte, name, description string, t *ast.Type, standard *ast.Value, directives ast.DirectiveList, fields []*ast.Field) []byte {
	switch fields[0].Name {
	case "name":
		return appendText(b, name)
	case "description":
		return optional(b, description)
	case "type":
		return i.use(b, t, fields)
	case "defaultValue":
		if standard == nil {
			return append(b, null...)
		}
		return appendText(b, standard.String())
	}
	return deprecation(b, directives, fields[0].Name)
}

func (*introspector) enumValue(b []byte, v *ast.EnumValueDefinition, fields []*ast.Field) []byte {
	switch fields[0].Name {
	case "name":
		return appendText(b, v.Name)
	case "description":
		return optional(b, v.Description)
	}
	return deprecation(b, v.Directives, fields[0].Name)
}

func (i *introspector) directive(b []byte, d *ast.DirectiveDefinition, fields []*ast.Field) []byte {
	switch fields[0].Name {
	case "name":
		return appendText(b, d.Name)
	case "description":
		return optional(b, d.Description)
	case "isRepeatable":
		return appendBool(b, d.IsRepeatable)
	case "locations":
		b = append(b, '[')
		for n, l := range d.Locations {
			if n > 0 {
				b = append(b, ',')
			}
			b = appendText(b, string(l))
		}
		return append(b, ']')
	case "args":
		return each(i, b, "__InputValue", d.Arguments, fields)
	}
	return append(b, null...)
}

func optional(b []byte, text string) []byte {
	if text == "" {
		return append(b, null...)
	}
	return appendText(b, text)
}

// deprecation writes whether something is deprecated, and why.
func deprecation(b []byte, directives ast.DirectiveList, asked string) []byte {
	d := directives.ForName("deprecated")
	if asked == "isDeprecated" {
		return appendBool(b, d != nil)
	}
	if d == nil {
		return append(b, null...)
	}
	if reason := d.Arguments.ForName("reason"); reason != nil {
		return appendText(b, reason.Value.Raw)
	}
	return append(b, `"No longer supported"`...)
}
