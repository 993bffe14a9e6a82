package graphql

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
	"go.yaml.in/yaml/v3"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// cats are the scenarios of graphql-cats, where they are laid beside the
// repository. They are of 2018.
const cats = "../../shared/suites/graphql-cats"

const (
	noAbstract = "a schema that is derived has neither interfaces nor unions"
	noTypes    = "a document with definitions of types is refused before their directives are looked at"
	noUnsound  = "every document is validated: it is refused, not executed in part"
)

// unsupported are the cases that cannot be ours, and why.
var unsupported = map[string]string{
	"introspect on union and intersection types":      noAbstract,
	"executes using union types":                      noAbstract,
	"executes union types with inline fragments":      noAbstract,
	"executes using interface types":                  noAbstract,
	"executes interface types with inline fragments":  noAbstract,
	"allows fragment conditions to be abstract types": noAbstract,

	"within schema language with well placed directives": noTypes,
	"within schema language with misplaced directives":   noTypes,

	"Avoids recursion":                          noUnsound,
	"does not include illegal fields in output": noUnsound,
	"nulls out error subtrees":                  "an operation answers as a whole: no item of its list fails by itself",
}

// A cat is one case.
type cat struct {
	file, name string
	schema     string
	query      string
	data       map[string]any
	when, then any
}

// TestGraphQLCats runs the scenarios: each passes, or is unsupported with a
// reason.
func TestGraphQLCats(t *testing.T) {
	t.Parallel()
	passed, without := 0, 0
	for _, c := range catsOf(t) {
		err := c.run()
		reason, known := unsupported[c.name]
		switch {
		case err == nil && known && reason != "":
			t.Errorf("%s: %q passes, although %s", c.file, c.name, reason)
		case err == nil:
			passed++
		case reason != "":
			without++
		default:
			t.Errorf("%s: %q: %v\n%s", c.file, c.name, err, c.query)
		}
	}
	const all, cannot = 101, 11
	if passed != all-cannot || without != cannot {
		t.Errorf("%d passed and %d are unsupported, want %d and %d", passed, without, all-cannot, cannot)
	}
}

func catsOf(t *testing.T) (all []*cat) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(cats, "*", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("the scenarios of graphql-cats are not at %s", cats)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var node yaml.Node
		if err := yaml.Unmarshal(text, &node); err != nil {
			t.Fatal(err)
		}
		whole := plain(t, node.Content[0]).(map[string]any)
		background, _ := whole["background"].(map[string]any)
		for _, one := range whole["tests"].([]any) {
			of := one.(map[string]any)
			given := of["given"].(map[string]any)
			c := &cat{file: filepath.Base(file), name: of["name"].(string), when: of["when"], then: of["then"], query: given["query"].(string)}
			for _, from := range []map[string]any{background, given} {
				if s, is := from["schema"].(string); is {
					c.schema = s
				}
				if name, is := from["schema-file"].(string); is {
					c.schema = read(t, filepath.Join(filepath.Dir(file), name))
				}
				if data, is := from["test-data"].(map[string]any); is {
					c.data = data
				}
			}
			all = append(all, c)
		}
	}
	return all
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// plain is a value of YAML as JSON has it; of a name that is given twice, as one
// of them is, the last holds.
func plain(t *testing.T, n *yaml.Node) any {
	t.Helper()
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(t, n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			list = append(list, plain(t, item))
		}
		return list
	default:
		var v any
		if err := n.Decode(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (c *cat) run() error {
	when := c.when.(map[string]any)
	switch {
	case when["parse"] != nil:
		return c.parse()
	case when["validate"] != nil:
		return c.validate(when["validate"].([]any))
	}
	how, _ := when["execute"].(map[string]any)
	return c.execute(how)
}

// parse reads a schema, as those that are derived are.
func (c *cat) parse() error {
	_, err := parser.ParseSchema(&ast.Source{Input: c.query})
	if want, _ := c.then.(map[string]any)["passes"].(bool); want != (err == nil) {
		return fmt.Errorf("parsed with %w", err)
	}
	return nil
}

// An expectation is a part of what should come of a case.
type expectation = map[string]any

func (c *cat) expectations() []expectation {
	if list, is := c.then.([]any); is {
		all := make([]expectation, len(list))
		for i, e := range list {
			all[i] = e.(expectation)
		}
		return all
	}
	if one, is := c.then.(expectation); is {
		return []expectation{one}
	}
	return nil
}

// validate holds the query to one rule of those that we hold documents to.
func (c *cat) validate(names []any) error {
	types, err := c.types()
	if err != nil {
		return err
	}
	var found gqlerror.List
	if parsed, err := parser.ParseQuery(&ast.Source{Input: c.query}); err != nil {
		if names[0] != "ExecutableDefinitions" {
			return err
		}
		found = gqlerror.List{err.(*gqlerror.Error)} // our parser knows nothing else
	} else if names[0] != "ExecutableDefinitions" {
		for _, name := range names {
			r, known := ruleCalled(name.(string))
			if !known {
				return fmt.Errorf("we have no rule %s", name)
			}
			found = append(found, validator.ValidateWithRules(types, parsed, rules.NewRules(r))...)
		}
	}
	parsed := names[0] != "ExecutableDefinitions" // of which our parser tells the first alone
	for _, e := range c.expectations() {
		count, counts := e["error-count"].(int)
		at, placed := e["loc"].(map[string]any)
		placed = placed && parsed
		switch {
		case e["passes"] == true && len(found) > 0, counts && parsed && count != len(found):
			return found
		case counts && len(found) == 0:
			return errors.New("it was not refused")
		case placed && !foundAt(found, at):
			return fmt.Errorf("none at %v: %w", at, found)
		}
	}
	return nil
}

func ruleCalled(name string) (validator.Rule, bool) {
	for _, r := range validRules {
		if strings.TrimSuffix(r.Name, "WithoutSuggestions") == name {
			return r, true
		}
	}
	return validator.Rule{}, false
}

// foundAt reports whether an error is on a line: which column of what stands
// there is meant differs with the rule.
func foundAt(found gqlerror.List, at map[string]any) bool {
	for _, e := range found {
		if len(e.Locations) > 0 && e.Locations[0].Line == at["line"] {
			return true
		}
	}
	return false
}

// types reads the schema of a case, and declares the directives with which cases
// say what stands behind a field.
func (c *cat) types() (*ast.Schema, error) {
	return validator.LoadSchema(validator.Prelude, &ast.Source{Name: "case", Input: c.schema + `
		directive @enumInt(value: Int) on ENUM_VALUE
		directive @resolveString(value: String) on FIELD_DEFINITION
		directive @resolveEmptyObject on FIELD_DEFINITION
		directive @resolvePromise on FIELD_DEFINITION
		directive @resolvePromiseString(value: String) on FIELD_DEFINITION
		directive @resolveError(message: String) on FIELD_DEFINITION
		directive @resolveErrorList(values: [String], messages: [String]) on FIELD_DEFINITION
		directive @resolvePromiseReject(message: String) on FIELD_DEFINITION
		directive @resolvePromiseRejectList(values: [String], messages: [String]) on FIELD_DEFINITION
		directive @argumentsJson on FIELD_DEFINITION`})
}

// execute has operations stand behind the fields of the root, which answer with
// the data of the case.
func (c *cat) execute(how map[string]any) error {
	types, err := c.types()
	if err != nil {
		return err
	}
	h, err := c.handler(types, how)
	if err != nil {
		return err
	}
	variables, _ := how["variables"].(map[string]any)
	request, err := json.Marshal(map[string]any{"query": c.query, "operationName": how["operation-name"], "variables": variables})
	if err != nil {
		return err
	}
	r, err := http.NewRequest(http.MethodPost, "/graphql", http.NoBody)
	if err != nil {
		return err
	}
	x := &exchange{r: r}
	if err := x.asked.read(request); err != nil {
		return err
	}
	var answer []byte
	switch err := h.compile(x); {
	case err != nil:
		_, found := statusOf(err)
		answer = found.alone()
	case x.plan.operation.Operation == ast.Subscription:
		item, err := json.Marshal(c.value(types.Subscription, x.plan.root[0].call.name, c.root(how), nil, 0))
		if err != nil {
			return err
		}
		answer = h.appendResult(r.Context(), nil, x, "", item)
	default:
		answer, _, _ = h.execute(x, nil)
	}
	return c.compare(answer)
}

func (c *cat) compare(answer []byte) error {
	var got struct {
		Data   any   `json:"data"`
		Errors []any `json:"errors"`
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return err
	}
	expected := c.expectations()
	for _, e := range expected {
		count, counts := e["error-count"].(int)
		switch {
		case e["data"] != nil && asJSON(e["data"]) != asJSON(got.Data):
			return fmt.Errorf("answered %s", answer)
		case counts && count != len(got.Errors), e["exception"] != nil && (got.Data != nil || len(got.Errors) == 0):
			return fmt.Errorf("answered %s", answer)
		}
	}
	if len(expected) == 0 && (got.Data != nil || len(got.Errors) == 0) { // it only says that it fails
		return fmt.Errorf("answered %s", answer)
	}
	return nil
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// root is the object that a case begins with.
func (c *cat) root(how map[string]any) map[string]any {
	name, _ := how["test-value"].(string)
	root, _ := c.data[name].(map[string]any)
	return root
}

// handler is an endpoint for the schema of a case.
func (c *cat) handler(types *ast.Schema, how map[string]any) (*Handler, error) {
	nothing, err := rule.Describe(reflect.TypeFor[struct{}]())
	if err != nil {
		return nil, err
	}
	h := &Handler{
		schema: &schema{
			types: types, fields: map[string]*field{}, wires: map[string]map[string]string{}, enums: map[string]map[string]bool{},
			pages: map[string]bool{}, edges: map[string]bool{}, relations: map[string]map[string]*op.Link{},
		},
		limits: Limits{}.orStandard(),
	}
	h.documents, h.texts = newCache[*document](h.limits.Plans), newCache[string](h.limits.Plans)
	mux := http.NewServeMux()
	for _, root := range []*ast.Definition{types.Query, types.Mutation, types.Subscription} {
		if root == nil {
			continue
		}
		for _, f := range root.Fields {
			if strings.HasPrefix(f.Name, "__") || h.schema.fields[f.Name] != nil { // of two roots, with the same data
				continue
			}
			h.schema.fields[f.Name] = &field{name: f.Name, spec: &op.Spec{Name: f.Name, Kind: op.IsQuery, Method: http.MethodGet, Path: "/" + f.Name, In: nothing, Returns: op.JSON}}
			h.schema.wires[f.Name] = map[string]string{}
			for _, a := range f.Arguments {
				h.schema.wires[f.Name][a.Name] = a.Name
			}
			mux.HandleFunc("GET /"+f.Name, func(w http.ResponseWriter, r *http.Request) {
				arguments := map[string]string{}
				for _, a := range f.Arguments {
					if r.URL.Query().Has(a.Name) {
						arguments[a.Name] = r.URL.Query().Get(a.Name)
					} else if a.DefaultValue != nil {
						arguments[a.Name] = a.DefaultValue.Raw
					}
				}
				switch v := c.value(root, f.Name, c.root(how), arguments, 0).(type) {
				case error:
					_ = fault.Write(w, fault.ProblemOf(v, ""))
				default:
					_ = json.NewEncoder(w).Encode(v)
				}
			})
		}
	}
	h.operations = mux
	return h, nil
}

// deep is how far an object is followed that holds itself.
const deep = 5

var errCase fault.Conflict = "case"

// value is what a field of an object is.
func (c *cat) value(of *ast.Definition, name string, in map[string]any, arguments map[string]string, depth int) any {
	f := of.Fields.ForName(name)
	say := func(directive, argument string) (string, bool) {
		d := f.Directives.ForName(directive)
		if d == nil {
			return "", false
		}
		return d.Arguments.ForName(argument).Value.Raw, true
	}
	for _, directive := range []string{"resolveString", "resolvePromiseString"} {
		if text, ok := say(directive, "value"); ok {
			for argument, v := range arguments {
				text = strings.ReplaceAll(text, "$"+argument, v)
			}
			return text
		}
	}
	for _, directive := range []string{"resolveError", "resolvePromiseReject"} {
		if text, ok := say(directive, "message"); ok {
			return errCase.Because("%s", text)
		}
	}
	if f.Directives.ForName("argumentsJson") != nil {
		return argumentsAsJSON(f, arguments)
	}
	v := in[name]
	if f.Directives.ForName("resolveEmptyObject") != nil {
		v = map[string]any{}
	}
	return c.whole(f.Type, v, depth)
}

func argumentsAsJSON(f *ast.FieldDefinition, arguments map[string]string) string {
	var parts []string
	for _, a := range f.Arguments {
		if v, given := arguments[a.Name]; given {
			parts = append(parts, `"`+a.Name+`":`+v)
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// whole is a value with all its fields.
func (c *cat) whole(typ *ast.Type, v any, depth int) any {
	if list, is := v.([]any); is {
		all := make([]any, len(list))
		for i, item := range list {
			all[i] = c.whole(typ.Elem, item, depth)
		}
		return all
	}
	object, is := v.(map[string]any)
	if !is {
		return v
	}
	if name, refers := object["$ref"].(string); refers {
		object, _ = c.data[name].(map[string]any)
	}
	types, err := c.types()
	if err != nil || depth > deep {
		return nil
	}
	of, full := types.Types[typ.Name()], map[string]any{}
	for _, f := range of.Fields {
		if !strings.HasPrefix(f.Name, "__") && of.Kind == ast.Object {
			full[f.Name] = c.value(of, f.Name, object, nil, depth+1)
		}
	}
	return full
}
