package graphql

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// variables holds those of a request as they go on: those that were left out
// and have no default are missing. There are few, and a list finds them sooner
// than a map is made.
type variables []variable

type variable struct {
	name  string
	value any
}

// of returns a variable, and false if it is missing. Of two with one name it is
// the last, as in JSON.
func (vars variables) of(name string) (value any, present bool) {
	for _, v := range slices.Backward(vars) {
		if v.name == name {
			return v.value, true
		}
	}
	return nil, false
}

// finder returns what finds variables of a request, however many were sent.
func (vars variables) finder() func(name string) (value any, present bool) {
	if len(vars) <= manyVariables {
		return vars.of
	}
	byName := make(map[string]any, len(vars))
	for _, v := range vars {
		byName[v.name] = v.value
	}
	return func(name string) (any, bool) {
		value, present := byName[name]
		return value, present
	}
}

const manyVariables = 16

// coerce holds the variables of a request to their types. Errors name the
// variable, never its value.
func (s *schema) coerce(operation *ast.OperationDefinition, given variables) (variables, error) {
	if len(operation.VariableDefinitions) == 0 {
		return nil, nil
	}
	vars, find := make(variables, 0, len(operation.VariableDefinitions)), given.finder()
	for _, v := range operation.VariableDefinitions {
		value, present := find(v.Variable)
		switch {
		case present:
		case v.DefaultValue != nil:
			vars = append(vars, variable{v.Variable, literal(v.DefaultValue, nil)})
			continue
		case v.Type.NonNull:
			return nil, refused(ErrVariables, v.Position, "The variable $"+v.Variable+" is required.")
		default:
			continue
		}
		fitting, ok := s.fit(v.Type, value)
		if !ok {
			return nil, refused(ErrVariables, v.Position, "The variable $"+v.Variable+" is not a valid "+v.Type.String()+".")
		}
		vars = append(vars, variable{v.Variable, fitting})
	}
	return vars, nil
}

// fit returns a value as its type has it.
func (s *schema) fit(t *ast.Type, value any) (any, bool) {
	if value == nil {
		return nil, !t.NonNull
	}
	if t.Elem != nil {
		list, is := value.([]any)
		if !is {
			list = []any{value}
		}
		fitting := make([]any, len(list))
		for i, v := range list {
			var ok bool
			if fitting[i], ok = s.fit(t.Elem, v); !ok {
				return nil, false
			}
		}
		return fitting, true
	}
	if def := s.types.Types[t.NamedType]; def != nil && def.Kind == ast.InputObject {
		return s.fitObject(def, value)
	}
	return value, s.fitsLeaf(t.NamedType, value)
}

func (s *schema) fitObject(def *ast.Definition, value any) (any, bool) {
	given, is := value.(map[string]any)
	if !is {
		return nil, false
	}
	fitting := map[string]any{}
	for name, v := range given {
		f := def.Fields.ForName(name)
		if f == nil {
			return nil, false
		}
		fit, ok := s.fit(f.Type, v)
		if !ok {
			return nil, false
		}
		fitting[s.wire(def.Name, name)] = fit
	}
	for _, f := range def.Fields {
		if _, present := given[f.Name]; !present && f.Type.NonNull {
			return nil, false
		}
	}
	return fitting, true
}

func (s *schema) wire(typ, name string) string {
	if wire, known := s.wires[typ][name]; known {
		return wire
	}
	return name
}

func (s *schema) fitsLeaf(name string, value any) bool {
	number, isNumber := value.(json.Number)
	text, isText := value.(string)
	whole := isNumber && !strings.ContainsAny(string(number), ".eE")
	switch name {
	case "Int":
		_, err := strconv.ParseInt(string(number), 10, 32)
		return whole && err == nil
	case "Int64":
		return whole
	case "Float":
		return isNumber
	case "Boolean":
		_, is := value.(bool)
		return is
	case "ID":
		return isText || whole
	case "JSON":
		return true
	}
	if values := s.enums[name]; values != nil {
		return values[text]
	}
	return isText
}

// literal returns a value of the document as JSON has it.
func literal(v *ast.Value, vars variables) any {
	switch v.Kind {
	case ast.Variable:
		value, _ := vars.of(v.Raw)
		return value
	case ast.IntValue, ast.FloatValue:
		return json.Number(v.Raw)
	case ast.BooleanValue:
		return v.Raw == "true"
	case ast.NullValue:
		return nil
	case ast.ListValue:
		list := make([]any, 0, len(v.Children))
		for _, c := range v.Children {
			list = append(list, literal(c.Value, vars))
		}
		return list
	case ast.ObjectValue:
		object := map[string]any{}
		for _, c := range v.Children {
			if !missing(c.Value, vars) {
				object[c.Name] = literal(c.Value, vars)
			}
		}
		return object
	default:
		return v.Raw
	}
}

// missing reports whether a value is a variable that was left out.
func missing(v *ast.Value, vars variables) bool {
	if v.Kind != ast.Variable {
		return false
	}
	_, present := vars.of(v.Raw)
	return !present
}

// place returns a value of the document as it goes to the operation: single
// values in a list where one is expected, members under their wire's names.
func (s *schema) place(t *ast.Type, v *ast.Value, vars variables) any {
	switch {
	case v.Kind == ast.Variable:
		value, _ := vars.of(v.Raw)
		return listed(t, value) // the rest has been seen to
	case v.Kind == ast.NullValue:
		return nil
	case t.Elem != nil && v.Kind == ast.ListValue:
		list := make([]any, 0, len(v.Children))
		for _, c := range v.Children {
			list = append(list, s.place(t.Elem, c.Value, vars))
		}
		return list
	case t.Elem != nil:
		return []any{s.place(t.Elem, v, vars)}
	}
	def := s.types.Types[t.NamedType]
	if def == nil || def.Kind != ast.InputObject || v.Kind != ast.ObjectValue {
		return literal(v, vars)
	}
	object := map[string]any{}
	for _, c := range v.Children {
		if f := def.Fields.ForName(c.Name); f != nil && !missing(c.Value, vars) {
			object[s.wire(def.Name, c.Name)] = s.place(f.Type, c.Value, vars)
		}
	}
	return object
}

// listed puts a variable that is one value where a list is expected into one.
func listed(t *ast.Type, value any) any {
	if _, is := value.([]any); t.Elem == nil || is || value == nil {
		return value
	}
	return []any{listed(t.Elem, value)}
}

// decided returns the values of the variables that decide what is left out.
func (d *document) decided(vars variables) string {
	if len(d.conditions) == 0 {
		return ""
	}
	b := make([]byte, len(d.conditions))
	for i, name := range d.conditions {
		b[i] = '0'
		if on, _ := vars.of(name); on == true {
			b[i] = '1'
		}
	}
	return string(b)
}

// leftOut reports whether @skip or @include leave a selection out.
func leftOut(directives ast.DirectiveList, vars variables) bool {
	return slices.ContainsFunc(directives, func(d *ast.Directive) bool {
		if d.Name != "skip" && d.Name != "include" {
			return false
		}
		condition := d.Arguments.ForName("if")
		return condition != nil && (literal(condition.Value, vars) == true) == (d.Name == "skip")
	})
}

// wholeOf returns a whole number of a request.
func wholeOf(value any) (int, bool) {
	number, is := value.(json.Number)
	if !is {
		return 0, false
	}
	n, err := strconv.Atoi(string(number))
	return n, err == nil
}
