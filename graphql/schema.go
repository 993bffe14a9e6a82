package graphql

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"

	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/internal/typename"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// A schema is what documents are checked against, and what stands behind its
// types and fields.
type schema struct {
	sdl   string
	types *ast.Schema
	// fields are the operations by their field's name: of all three root types,
	// since no two operations have one name.
	fields map[string]*field
	// wires are the names that members have on the wire, by type and field.
	wires map[string]map[string]string
	// enums are the values of the enums.
	enums map[string]map[string]bool
	// pages are the types of connections, and edges those of their edges.
	pages, edges map[string]bool
	// relations are the fields that lead to other answers, by type and name.
	relations map[string]map[string]*op.Link
}

// A field is an operation in the schema.
type field struct {
	name string
	spec *op.Spec
	paged,
	empty bool // answers nothing: true is its value
	key, match string // arguments for Idempotency-Key and If-Match, or empty

	route    *url.URL // see routeOf
	compiled sync.Once
	encodes  *codec.Encoder
}

// SDL returns the schema of the operations and relations in the schema
// definition language, the same for the same operations.
func SDL(operations []op.Operation, relations ...op.Relation) (string, error) {
	s, err := build(operations, relations)
	if err != nil {
		return "", err
	}
	return s.sdl, nil
}

// builder writes a schema.
type builder struct {
	schema
	names map[named]string
	taken map[string]bool
	parts map[string]string // definitions by name
	links map[reflect.Type][]*op.Link
	docs  op.Docs
	errs  []error
}

// The scalars beside GraphQL's own.
var scalars = map[string]string{
	"Int64":    "A whole number of up to 64 bits, as a JSON number.",
	"DateTime": "A time as RFC 3339 says: `2026-01-02T15:04:05.000Z`.",
	"Base64":   "Bytes in base64, with padding.",
	"JSON":     "Any JSON value.",
}

func build(operations []op.Operation, relations []op.Relation) (*schema, error) {
	if err := op.CheckRelations(relations, operations); err != nil {
		return nil, err
	}
	b := &builder{
		schema: schema{
			fields: map[string]*field{}, wires: map[string]map[string]string{}, enums: map[string]map[string]bool{},
			pages: map[string]bool{}, edges: map[string]bool{},
			relations: map[string]map[string]*op.Link{},
		},
		links: linksOf(relations),
		names: map[named]string{}, taken: map[string]bool{}, parts: map[string]string{},
	}
	for _, name := range []string{"Query", "Mutation", "Subscription", "PageInfo", "Int", "Float", "String", "Boolean", "ID", "Int64", "DateTime", "Base64", "JSON"} {
		b.taken[name] = true
	}
	sorted := slices.Clone(operations)
	slices.SortFunc(sorted, func(x, y op.Operation) int { return strings.Compare(x.Spec().Name, y.Spec().Name) })
	var roots [3]strings.Builder
	for _, o := range sorted {
		if s := o.Spec(); s.Returns != op.FileBytes && !s.SetsCookies {
			b.root(&roots[s.Kind], o)
		}
	}
	b.checkLinks(relations)
	if len(b.errs) > 0 {
		return nil, errors.Join(b.errs...)
	}
	if roots[op.IsQuery].Len() == 0 {
		roots[op.IsQuery].WriteString("  \"There is no query.\"\n  nothing: Boolean\n")
	}
	b.write(&roots)
	return b.load()
}

// load has the text read by who reads the documents.
func (b *builder) load() (*schema, error) {
	types, err := validator.LoadSchema(validator.Prelude, &ast.Source{Name: "schema.graphql", Input: b.sdl})
	if err != nil {
		return nil, fmt.Errorf("graphql: the schema that was derived is none: %w", err)
	}
	b.types = types
	s := b.schema
	return &s, nil
}

func (b *builder) write(roots *[3]strings.Builder) {
	var text strings.Builder
	for i, name := range []string{"Query", "Mutation", "Subscription"} {
		if roots[i].Len() > 0 {
			fmt.Fprintf(&text, "type %s {\n%s}\n\n", name, roots[i].String())
		}
	}
	names := make([]string, 0, len(b.parts))
	for name := range b.parts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		text.WriteString(b.parts[name] + "\n")
	}
	b.sdl = strings.TrimRight(text.String(), "\n") + "\n"
}

// root writes the field of an operation.
func (b *builder) root(text *strings.Builder, o op.Operation) {
	s := o.Spec()
	name := fieldOf(s.Name)
	if twin := b.fields[name]; twin != nil {
		b.errs = append(b.errs, o.Mistakef("the GraphQL field %s is already taken by %s", name, twin.spec.Name))
		return
	}
	f := &field{name: name, spec: s, empty: s.Returns == op.Nothing, route: routeOf(s), paged: s.Kind != op.IsStream && op.ItemOf(s.Out) != nil && pages(s.In)}
	b.fields[name] = f
	b.docs = s.Docs
	describe(text, "  ", strings.TrimSpace(s.Summary+"\n\n"+s.Description))
	text.WriteString("  " + name)
	b.arguments(text, o, f, name)
	out := "Boolean"
	if !f.empty {
		out = b.output(s.Out, typename.Upper(name))
	}
	text.WriteString(": " + out + deprecated(s) + "\n")
}

// deprecated is the directive of what is.
func deprecated(s *op.Spec) string {
	if s.Deprecated.IsZero() {
		return ""
	}
	reason := "Since " + s.Deprecated.UTC().Format("2006-01-02") + "."
	if !s.Sunset.IsZero() {
		reason += " It will be gone on " + s.Sunset.UTC().Format("2006-01-02") + "."
	}
	return " @deprecated(reason: " + strconv.Quote(reason) + ")"
}

// The arguments of a page, as Relay calls them, and what they are here.
const (
	first, limit  = "first", "limit"
	after, cursor = "after", "cursor"
)

// The arguments that stand for headers.
const (
	keyArgument   = "idempotencyKey"
	matchArgument = "ifMatch"
)

func (b *builder) arguments(text *strings.Builder, o op.Operation, f *field, name string) {
	s := o.Spec()
	var list []string
	wires := map[string]string{}
	add := func(name, wire, typ, doc string) {
		if _, taken := wires[name]; taken {
			b.errs = append(b.errs, o.Mistakef("the GraphQL argument %s would stand for two things", name))
		}
		wires[name] = wire
		var line strings.Builder
		describe(&line, "    ", doc)
		list = append(list, line.String()+"    "+name+": "+typ+"\n")
	}
	for _, m := range s.In.Object.Fields {
		as := memberOf(m.Name)
		switch {
		case f.paged && m.Name == limit:
			as = first
		case f.paged && m.Name == cursor:
			as = after
		}
		typ := b.input(m.Type, typename.Upper(name)+typename.Upper(as))
		if m.Required && !m.Nullable {
			typ += "!"
		}
		add(as, m.Name, typ, b.docs.Field(s.In.Go, m))
	}
	if s.Idempotent > 0 {
		f.key = keyArgument
		typ := "String!"
		if s.KeyOptional {
			typ = "String"
		}
		add(keyArgument, "", typ, "Makes a retry safe: a second call with the same key gets the first one's answer.")
	}
	if s.Match != op.NoMatch {
		f.match = matchArgument
		typ := "String"
		if s.Match == op.DemandMatch {
			typ = "String!"
		}
		add(matchArgument, "", typ, "The ETag of the version that may be changed.")
	}
	b.wires[name] = wires
	if len(list) > 0 {
		text.WriteString("(\n" + strings.Join(list, "") + "  )")
	}
}

// describe writes a description, if there is one.
func describe(text *strings.Builder, indent, doc string) {
	doc = strings.TrimSpace(doc)
	if doc == "" {
		return
	}
	doc = strings.ReplaceAll(doc, `"""`, `\"""`)
	if !strings.Contains(doc, "\n") && !strings.HasSuffix(doc, `"`) && !strings.HasSuffix(doc, `\`) {
		text.WriteString(indent + `"""` + doc + `"""` + "\n")
		return
	}
	text.WriteString(indent + `"""` + "\n")
	for line := range strings.SplitSeq(doc, "\n") {
		text.WriteString(strings.TrimRight(indent+line, " ") + "\n")
	}
	text.WriteString(indent + `"""` + "\n")
}

// pages reports whether an input says which page is wanted.
func pages(t *rule.Type) bool {
	return t.Object.Field(limit) != nil && t.Object.Field(cursor) != nil &&
		t.Object.Field(first) == nil && t.Object.Field(after) == nil
}

// output returns the type of a value that is sent, without what says that it
// is always there.
func (b *builder) output(t *rule.Type, fallback string) string {
	switch {
	case t.Kind == rule.Any:
		return b.unusual(t, func(e *rule.Type) string { return b.output(e, fallback) }, textOut, jsonOut)
	case t.Kind == rule.List:
		return "[" + always(t.Elem, b.output(t.Elem, fallback)) + "]"
	case op.ItemOf(t) != nil:
		return b.connection(t, fallback)
	case t.Kind == rule.Object && len(t.Object.Fields) > 0:
		return b.object(t, fallback)
	}
	return b.leaf(t, fallback, false)
}

// always marks a value that cannot be null.
func always(t *rule.Type, name string) string {
	if name == "JSON" || t.Kind == rule.Any && t.Go.Kind() == reflect.Pointer {
		return name
	}
	return name + "!"
}

var (
	textOut = reflect.TypeFor[encoding.TextMarshaler]()
	textIn  = reflect.TypeFor[encoding.TextUnmarshaler]()
	jsonOut = reflect.TypeFor[json.Marshaler]()
	jsonIn  = reflect.TypeFor[json.Unmarshaler]()
)

// unusual is what is left to the fallback library, as far as its Go type tells.
func (b *builder) unusual(t *rule.Type, elem func(*rule.Type) string, text, own reflect.Type) string {
	if t.Go.Kind() == reflect.Pointer {
		return elem(t.Elem)
	}
	if p := reflect.PointerTo(t.Go); p.Implements(text) && !p.Implements(own) {
		return "String"
	}
	return b.scalar("JSON")
}

func (b *builder) scalar(name string) string {
	if b.parts[name] == "" {
		b.parts[name] = `"""` + scalars[name] + `"""` + "\nscalar " + name + "\n"
	}
	return name
}

// leaf returns the type of a value without fields.
func (b *builder) leaf(t *rule.Type, fallback string, input bool) string {
	switch t.Kind {
	case rule.Bool:
		return "Boolean"
	case rule.Int, rule.Uint:
		if small(t, input) {
			return "Int"
		}
		return b.scalar("Int64")
	case rule.Float:
		return "Float"
	case rule.String:
		return b.text(t, fallback)
	case rule.Bytes:
		return b.scalar("Base64")
	case rule.Time:
		return b.scalar("DateTime")
	default:
		return b.scalar("JSON")
	}
}

// small reports whether all values of a type are GraphQL's Int, of 32 bits. What
// is sent is not held to the rules of what is received.
func small(t *rule.Type, input bool) bool {
	bits := t.Go.Bits()
	l := t.Number
	switch {
	case bits < 32 || bits == 32 && t.Kind == rule.Int:
		return true
	case !input || !l.HasMax:
		return false
	case t.Kind == rule.Uint:
		return l.MaxUint <= math.MaxInt32
	}
	return l.HasMin && l.MinInt >= math.MinInt32 && l.MaxInt <= math.MaxInt32
}

// text is an enum, where the type lists its values and they are names.
func (b *builder) text(t *rule.Type, fallback string) string {
	if len(t.Enum) == 0 || t.Secret {
		return "String"
	}
	values := make([]string, len(t.Enum))
	for i, v := range t.Enum {
		values[i] = reflect.ValueOf(v).String()
		if !fits(values[i]) {
			return "String"
		}
	}
	key := named{of: t.Go}
	if own, err := rule.Describe(t.Go); err != nil || t.Go.PkgPath() == "" || !slices.Equal(own.Enum, t.Enum) {
		return b.enum(b.unique(fallback), t, values) // of this member alone
	}
	if name, known := b.names[key]; known {
		return name
	}
	return b.enum(b.nameOf(t.Go, false, fallback), t, values)
}

func (b *builder) enum(name string, t *rule.Type, values []string) string {
	var text strings.Builder
	describe(&text, "", b.docs.Type(t.Go))
	text.WriteString("enum " + name + " {\n")
	b.enums[name] = map[string]bool{}
	for _, v := range values {
		text.WriteString("  " + v + "\n")
		b.enums[name][v] = true
	}
	b.parts[name] = text.String() + "}\n"
	return name
}

// object writes the type of an answer with fields.
func (b *builder) object(t *rule.Type, fallback string) string {
	if name, known := b.names[named{t.Go, false}]; known {
		return name
	}
	name := b.nameOf(t.Go, false, fallback)
	b.parts[name] = " " // for a type that holds itself
	var text strings.Builder
	describe(&text, "", b.docs.Type(t.Go))
	text.WriteString("type " + name + " {\n")
	b.members(&text, t, name, func(m *rule.Field) string {
		typ := b.output(m.Type, name+typename.Upper(memberOf(m.Name)))
		if m.Nullable || m.OmitZero || m.OmitEmpty {
			return typ
		}
		return always(m.Type, typ)
	})
	b.related(&text, t.Go, name)
	b.parts[name] = text.String() + "}\n"
	return name
}

func (b *builder) members(text *strings.Builder, t *rule.Type, name string, typ func(*rule.Field) string) {
	b.wires[name] = map[string]string{}
	for _, m := range t.Object.Fields {
		as := memberOf(m.Name)
		if twin, taken := b.wires[name][as]; taken {
			b.errs = append(b.errs, fmt.Errorf("graphql: the members %s and %s of %s would have one name", twin, m.Name, t.Go))
			continue
		}
		b.wires[name][as] = m.Name
		describe(text, "  ", b.docs.Field(t.Go, m))
		text.WriteString("  " + as + ": " + typ(m) + "\n")
	}
}

// connection writes the types of a page, as Relay has them.
func (b *builder) connection(t *rule.Type, fallback string) string {
	if name, known := b.names[named{t.Go, false}]; known {
		return name
	}
	item := t.Object.Field("data").Type.Elem
	node := always(item, b.output(item, fallback+"Item"))
	base := strings.Trim(node, "[]!")
	name, edge := b.unique(base+"Connection"), b.unique(base+"Edge")
	b.names[named{t.Go, false}] = name
	b.pages[name], b.edges[edge] = true, true
	b.parts["PageInfo"] = `"""Where a page stands in its list."""
type PageInfo {
  """Whether there is a next page."""
  hasNextPage: Boolean!
  """Whether this page was asked for by a cursor."""
  hasPreviousPage: Boolean!
  """Always null: lists are read forwards."""
  startCursor: String
  """What the next page comes after; null on the last one."""
  endCursor: String
}
`
	b.parts[name] = fmt.Sprintf(`"""One page of a list."""
type %s {
  edges: [%s!]!
  """The items, for those who need no edges."""
  nodes: [%s]!
  pageInfo: PageInfo!
}
`, name, edge, node)
	b.parts[edge] = fmt.Sprintf(`type %s {
  node: %s
  """Continues the list after this item; null if the list does not know how."""
  cursor: String
}
`, edge, node)
	return name
}

// input returns the type of a value that is received.
func (b *builder) input(t *rule.Type, fallback string) string {
	switch {
	case t.Kind == rule.Any:
		return b.unusual(t, func(e *rule.Type) string { return b.input(e, fallback) }, textIn, jsonIn)
	case t.Kind == rule.List:
		return "[" + always(t.Elem, b.input(t.Elem, fallback)) + "]"
	case t.Kind != rule.Object || len(t.Object.Fields) == 0:
		return b.leaf(t, fallback, true)
	}
	if name, known := b.names[named{t.Go, true}]; known {
		return name
	}
	name := b.nameOf(t.Go, true, fallback)
	b.parts[name] = " "
	var text strings.Builder
	describe(&text, "", b.docs.Type(t.Go))
	text.WriteString("input " + name + " {\n")
	b.members(&text, t, name, func(m *rule.Field) string {
		typ := b.input(m.Type, strings.TrimSuffix(name, "Input")+typename.Upper(memberOf(m.Name)))
		if m.Required && !m.Nullable {
			typ += "!"
		}
		return typ
	})
	b.parts[name] = text.String() + "}\n"
	return name
}
