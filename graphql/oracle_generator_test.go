package graphql_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/graphql"
)

// A request is a document and what goes with it.
type request struct {
	query, operation string
	variables        object
}

// typesOf reads the schema that both serve.
func typesOf(t testing.TB) *ast.Schema {
	t.Helper()
	sdl, err := graphql.SDL(oracleOperations())
	if err != nil {
		t.Fatal(err)
	}
	types, err := validator.LoadSchema(validator.Prelude, &ast.Source{Input: sdl})
	if err != nil {
		t.Fatal(err)
	}
	return types
}

// A generator makes answers, and documents that ask for them. Most are valid.
type generator struct {
	*rapid.T

	types     *ast.Schema
	sloppy    bool       // of documents: some are not valid
	strict    bool       // about the schema: no null, and no clash of arguments
	fragments []fragment // complete ones, that may be used again
	defined   []string   // definitions of variables
	variables object
}

type fragment struct{ name, typ, text string }

// one reports true once in n times.
func (g *generator) one(n int, what string) bool {
	return rapid.IntRange(1, n).Draw(g.T, what) == n // rapid shrinks to false
}

func pick[T any](g *generator, what string, from ...T) T {
	return rapid.SampledFrom(from).Draw(g.T, what)
}

// broken is how many values there are for one that the schema does not promise.
const broken = 15

func (g *generator) color() any {
	if g.one(broken, "broken color") {
		return pick[any](g, "no color", nil, "violet")
	}
	return pick(g, "color", "red", "green", "blue")
}

// or returns null instead of a value now and then, whether it may be or not.
func (g *generator) or(v any) any {
	if g.one(broken, "null") {
		return nil
	}
	return v
}

func several[T any](g *generator, one func() T) any {
	if g.one(broken, "no list") {
		return nil
	}
	return some(g, one)
}

func some[T any](g *generator, one func() T) []any {
	list := []any{}
	for range rapid.IntRange(0, 3).Draw(g.T, "items") {
		list = append(list, one())
	}
	return list
}

func (g *generator) tree(depth int) any {
	if depth <= 0 || g.one(broken, "no tree") {
		return nil
	}
	leaf := func() any { return g.leaf(depth - 1) }
	members := map[string]any{
		"id": g.or(pick(g, "id", "", "a", `q"\`, "☃ <&>")), "name": g.or("n"), "count": g.or(rapid.IntRange(-5, 5).Draw(g.T, "count")),
		"ratio": g.or(0.25), "big": g.or(json.Number("9007199254740993")), "done": g.or(g.one(2, "done")),
		"color": g.color(), "mood": g.color(), "colors": several(g, g.color), "moods": several(g, g.color),
		"child": g.tree(depth - 1), "must": g.leaf(depth), "all": several(g, leaf), "some": several(g, leaf),
		"grid": several(g, func() any { return some(g, leaf) }),
	}
	if g.one(2, "maybe") {
		members["maybe"] = several(g, leaf)
	}
	return members
}

func (g *generator) leaf(depth int) any {
	if depth < 0 || g.one(broken, "no leaf") {
		return nil
	}
	return map[string]any{"size": g.or(7), "shade": g.color(), "inner": g.tree(depth - 1)}
}

// document makes a request.
func (g *generator) document() request {
	g.variables, g.sloppy = object{}, rapid.IntRange(0, 3).Draw(g.T, "sloppy") == 2
	kind, root := "query", g.types.Query
	if g.one(3, "mutation") {
		kind, root = "mutation", g.types.Mutation
	}
	body := g.set(root, 4)
	var r request
	name := ""
	if g.one(3, "named") || len(g.defined) > 0 {
		name = " It"
	}
	if len(g.defined) > 0 {
		name += "(" + strings.Join(g.defined, ", ") + ")"
	}
	r.query = kind + name + g.directives() + " " + body
	if name == "" && kind == "query" && g.one(2, "short") {
		r.query = body
	}
	// With variables the other one demands those of the operation that is not
	// asked for too, against 6.1.2: "For each variableDefinition in operation".
	if name != "" && len(g.defined) == 0 && g.one(3, "two operations") {
		r.query += " query Other { __typename }"
		r.operation = pick(g, "operation", "It", "Other", "", "Neither")
	}
	for _, f := range g.fragments {
		r.query += " " + f.text
	}
	r.variables = g.variables
	return r
}

// directives of an operation: there are none that it may have.
func (g *generator) directives() string {
	if g.sloppy && g.one(60, "a directive of the operation") {
		return " @skip(if: true)"
	}
	return ""
}

// set makes a selection of a type.
func (g *generator) set(def *ast.Definition, depth int) string {
	var b strings.Builder
	b.WriteString("{")
	for range rapid.IntRange(1, 3).Draw(g.T, "selections") {
		b.WriteString(" " + g.selection(def, depth))
	}
	return b.String() + " }"
}

func (g *generator) selection(def *ast.Definition, depth int) string {
	if depth < 1 {
		return g.field(def, 0)
	}
	switch rapid.IntRange(0, 9).Draw(g.T, "selection") {
	case 7:
		return "... on " + def.Name + g.conditions() + " " + g.set(def, depth-1)
	case 8:
		return "..." + g.conditions() + " " + g.set(def, depth-1)
	case 9:
		return "..." + g.spread(def, depth) + g.conditions()
	default:
		return g.field(def, depth)
	}
}

// spread uses a fragment of a type, and makes it first if need be.
func (g *generator) spread(def *ast.Definition, depth int) string {
	var known []string
	for _, f := range g.fragments {
		if f.typ == def.Name {
			known = append(known, f.name)
		}
	}
	if len(known) > 0 && g.one(2, "again") {
		return pick(g, "fragment", known...)
	}
	text := g.set(def, depth-1)
	name := "f" + strconv.Itoa(len(g.fragments))
	g.fragments = append(g.fragments, fragment{name, def.Name, "fragment " + name + " on " + def.Name + " " + text})
	return name
}

func (g *generator) conditions() string {
	var b strings.Builder
	for _, name := range []string{"skip", "include"} {
		if g.one(8, name) {
			b.WriteString(" @" + name + "(if: " + g.value(ast.NonNullNamedType("Boolean", nil), 0) + ")")
		}
	}
	if g.sloppy && g.one(150, "unknown directive") {
		b.WriteString(" @unheard")
	}
	return b.String()
}

func (g *generator) field(def *ast.Definition, depth int) string {
	var fields []*ast.FieldDefinition
	for _, f := range def.Fields {
		if inner := g.types.Types[f.Type.Name()]; depth > 0 || inner.Kind != ast.Object {
			switch { // the other one has no isOneOf (4.2.2), and words of its own for the standard scalars
			case def.Name == "__Type" && (f.Name == "isOneOf" || f.Name == "description"), strings.HasPrefix(f.Name, "__"):
			default:
				fields = append(fields, f)
			}
		}
	}
	if len(fields) == 0 || g.one(10, "typename") {
		return pick(g, "alias of a type's name", "", "t: ") + "__typename" + g.conditions()
	}
	f := pick(g, "field", fields...)
	var b strings.Builder
	if g.strict && len(f.Arguments) > 0 && g.one(2, "deprecated too") {
		// Under a name of their own: the other one merges what 5.3.2 forbids here.
		return f.Name + "All: " + f.Name + "(includeDeprecated: true)" + g.conditions() + " " + g.set(g.types.Types[f.Type.Name()], depth-1)
	}
	switch rapid.IntRange(0, 40).Draw(g.T, "alias") {
	case 1, 2, 3, 4, 5, 6:
		b.WriteString(f.Name + "2: ")
	case 7:
		if !g.sloppy {
			break
		}
		b.WriteString("clash: ") // which cannot be merged if another has it
	}
	b.WriteString(f.Name)
	if g.sloppy && g.one(200, "unknown field") {
		b.WriteString("x")
	}
	if !g.strict {
		b.WriteString(g.arguments(f))
	}
	b.WriteString(g.conditions())
	if inner := g.types.Types[f.Type.Name()]; inner.Kind == ast.Object {
		b.WriteString(" " + g.set(inner, depth-1))
	}
	return b.String()
}

// careful reports whether what must be there is: almost always.
func (g *generator) careful() bool { return !g.sloppy || !g.one(40, "left out") }

func (g *generator) arguments(f *ast.FieldDefinition) string {
	var list []string
	for _, a := range f.Arguments {
		if a.Type.NonNull && g.careful() || !a.Type.NonNull && g.one(3, "given") {
			list = append(list, a.Name+": "+g.value(a.Type, 2))
		}
	}
	if len(list) == 0 {
		return ""
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// value makes a literal, or a variable and its value.
func (g *generator) value(t *ast.Type, depth int) string {
	if g.one(3, "variable") {
		return g.variable(t, depth)
	}
	return g.literal(t, depth)
}

// variable makes one that fits its type. One that does not would be refused by us
// alone: "If value cannot be coerced according to the input coercion rules of
// variableType, raise a request error" (6.1.2, Coercing Variable Values). The
// other implementation looks at a variable where it is used, or not at all;
// TestVariablesAreHeldToTheirTypes has those. Nor is it null where none may be
// but a default admits the variable: "raise an execution error" (6.4.1, Coercing
// Field Arguments), for which the other one leaves the field out and names no
// path; TestNullIsNoDefault has those.
func (g *generator) variable(t *ast.Type, depth int) string {
	name := "v" + strconv.Itoa(len(g.defined))
	as := *t
	if !as.NonNull && (g.strict || g.one(4, "stricter")) {
		as.NonNull = true
	}
	place := len(g.defined)
	g.defined = append(g.defined, "")
	definition := "$" + name + ": "
	switch {
	case as.NonNull && !g.strict && g.one(3, "standard for what must be there"): // allowed since there is a default
		as.NonNull = false
		definition += as.String() + " = " + g.plain(&as, depth)
	case !as.NonNull && g.one(4, "standard"): // the other one holds to a rule of 2016 that a non-null variable has none; 5.8 and 6.1.2 have no such rule
		definition += as.String() + " = " + g.plain(&as, depth)
	default:
		definition += as.String()
	}
	g.defined[place] = definition
	switch {
	case (g.sloppy || !as.NonNull) && g.one(6, "absent"):
	case !as.NonNull && !t.NonNull && g.one(8, "null"):
		g.variables[name] = nil
	default:
		as.NonNull = t.NonNull || as.NonNull
		g.variables[name] = g.given(&as, depth)
	}
	return "$" + name
}

// plain is a literal without variables, as defaults are.
func (g *generator) plain(t *ast.Type, depth int) string {
	return literalOf(g.types, t, g.given(t, depth))
}

func (g *generator) literal(t *ast.Type, depth int) string {
	switch {
	case !t.NonNull && !g.strict && g.one(8, "null"), t.NonNull && g.sloppy && g.one(80, "null where none may be"):
		return "null"
	case t.Elem != nil && g.one(4, "one for a list"):
		return g.value(t.Elem, depth)
	case t.Elem != nil:
		var items []string
		for range rapid.IntRange(0, 2).Draw(g.T, "items") {
			items = append(items, g.value(t.Elem, depth))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	def := g.types.Types[t.NamedType]
	if def.Kind != ast.InputObject {
		return literalOf(g.types, t, g.given(t, depth))
	}
	var members []string
	for _, f := range def.Fields {
		if f.Type.NonNull && g.careful() || !f.Type.NonNull && depth > 0 && g.one(2, "given") {
			members = append(members, f.Name+": "+g.value(f.Type, depth-1))
		}
	}
	return "{" + strings.Join(members, ", ") + "}"
}

// given makes a value as a variable has it.
func (g *generator) given(t *ast.Type, depth int) any {
	if !t.NonNull && !g.strict && g.one(10, "null") {
		return nil
	}
	if t.Elem != nil {
		items := []any{}
		for range rapid.IntRange(0, 2).Draw(g.T, "items") {
			items = append(items, g.given(t.Elem, depth))
		}
		return items
	}
	switch t.NamedType {
	case "Int":
		return rapid.IntRange(-3, 3).Draw(g.T, "int")
	case "Int64":
		return rapid.IntRange(-3, 3).Draw(g.T, "int64") << 40
	case "Float":
		return pick[any](g, "float", 0.5, 2, -1.25)
	case "Boolean":
		return g.one(2, "boolean")
	case "Color":
		return pick(g, "enum", "red", "blue")
	case "String":
		return pick(g, "string", "", "a", "ü", `q"`)
	}
	members := map[string]any{}
	for _, f := range g.types.Types[t.NamedType].Fields {
		if f.Type.NonNull || depth > 0 && g.one(2, "given") {
			members[f.Name] = g.given(f.Type, depth-1)
		}
	}
	return members
}

// literalOf writes a value in a document.
func literalOf(types *ast.Schema, t *ast.Type, v any) string {
	switch v := v.(type) {
	case []any:
		items := make([]string, len(v))
		for i := range v {
			items[i] = literalOf(types, t.Elem, v[i])
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		var members []string
		for _, f := range types.Types[t.NamedType].Fields {
			if member, given := v[f.Name]; given {
				members = append(members, f.Name+": "+literalOf(types, f.Type, member))
			}
		}
		return "{" + strings.Join(members, ", ") + "}"
	case string:
		if def := types.Types[t.NamedType]; def != nil && def.Kind == ast.Enum {
			return v
		}
	}
	return textOf(v)
}

// introspection makes a request about the types of the schema. Those of
// introspection itself are another edition's with the other one: there
// includeDeprecated is Boolean! since September 2025, and Boolean with us.
func (g *generator) introspection() request {
	g.variables, g.strict = object{}, true
	var names []string
	for name := range g.types.Types {
		if !strings.HasPrefix(name, "__") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	query := "{ __type(name: " + textOf(pick(g, "type", append(names, "Nothing")...)) + ") " + g.set(g.types.Types["__Type"], 4)
	query += " }"
	if len(g.defined) > 0 {
		query = "query(" + strings.Join(g.defined, ", ") + ") " + query
	}
	for _, f := range g.fragments {
		query += " " + f.text
	}
	return request{query: query, variables: g.variables}
}
