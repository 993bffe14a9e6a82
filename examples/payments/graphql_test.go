package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/internal/input"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// TestTheGraphQLSchema holds the schema to the one that was agreed on: a diff is
// a change of the contract.
func TestTheGraphQLSchema(t *testing.T) {
	t.Parallel()
	app := open(t)
	sdl, err := graphql.SDL(app.Operations(), app.Relations()...)
	if err != nil {
		t.Fatal(err)
	}
	ashlartest.Golden(t, "testdata/schema.graphql", sdl)
}

// TestEveryOperationAnswersAlikeOverGraphQL calls every operation as everybody,
// with inputs made from its declaration, over REST and over GraphQL: the codes
// and the violations are the same.
func TestEveryOperationAnswersAlikeOverGraphQL(t *testing.T) {
	t.Parallel()
	s := open(t)
	tried, fine := 0, 0
	for _, o := range s.Operations() {
		spec := o.Spec()
		if spec.Kind == op.IsStream || spec.Returns == op.FileBytes || spec.SetsCookies {
			continue
		}
		for role, c := range map[string]*ashlartest.Client{
			"admin": s.admin, "shop": s.shop, "rival": s.rival, "support": s.support, "auditor": s.auditor, "nobody": s.Anonymous(),
		} {
			tried++
			rest, graph := overREST(t, c, spec), overGraphQL(t, c, spec)
			if rest != graph {
				t.Errorf("%s as %s: REST says %s, GraphQL %s", spec.Name, role, rest, graph)
			}
			if graph == "fine" {
				fine++
			}
		}
	}
	if tried < 150 || fine < 20 {
		t.Errorf("%d calls were compared, of which %d were fine: too few to show much", tried, fine)
	}
}

// inputFor makes an input that has all required members, each of its type and
// not much else.
func inputFor(of *rule.Type) map[string]any {
	in := map[string]any{}
	for _, f := range of.Object.Fields {
		if f.Required {
			in[f.Name] = valueFor(f.Type)
		}
	}
	return in
}

func valueFor(of *rule.Type) any {
	switch {
	case len(of.Enum) > 0:
		text := fmt.Sprint(of.Enum[0])
		for _, v := range of.Enum {
			if strings.ContainsAny(fmt.Sprint(v), ".:-*/ ") {
				return text // no enum: its values are no names
			}
		}
		return bare(text)
	case of.Kind == rule.Object:
		return inputFor(of)
	case of.Kind == rule.List:
		return []any{valueFor(of.Elem)}
	case of.Kind == rule.Bool:
		return true
	case of.Kind == rule.Int || of.Kind == rule.Uint || of.Kind == rule.Float:
		return 7
	case of.Kind == rule.Time:
		return "2026-01-02T03:04:05Z"
	}
	return "x"
}

// bare is a text that stands in a document without quotes.
type bare string

// verdict is how a call ended: "fine", or the code and the broken rules.
func verdict(code string, violations []fault.Violation) string {
	if code == "" {
		return "fine"
	}
	for _, v := range violations {
		code += " " + v.Pointer + ":" + v.Code
	}
	return code
}

func overREST(t *testing.T, c *ashlartest.Client, spec *op.Spec) string {
	t.Helper()
	members := map[string]json.RawMessage{}
	for name, v := range inputFor(spec.In) {
		members[name] = encoded(t, v)
	}
	target, body, err := input.Place(spec.Path, spec.PathFields, spec.Kind == op.IsCommand, members)
	if err != nil {
		t.Fatal(err)
	}
	if spec.Idempotent > 0 {
		c = c.Key(id.New("rest_"))
	}
	answer := c.Do(spec.Method, target, string(body))
	if answer.Code < 400 {
		return "fine"
	}
	var problem struct {
		Code   string            `json:"code"`
		Errors []fault.Violation `json:"errors"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &problem); err != nil || problem.Code == "" {
		t.Fatalf("%s is answered %d %s (%v)", spec.Name, answer.Code, answer.Body, err)
	}
	return verdict(problem.Code, problem.Errors)
}

func overGraphQL(t *testing.T, c *ashlartest.Client, spec *op.Spec) string {
	t.Helper()
	var arguments []string
	for name, v := range inputFor(spec.In) {
		arguments = append(arguments, name+": "+literal(t, v))
	}
	if spec.Idempotent > 0 {
		arguments = append(arguments, `idempotencyKey: "`+id.New("graph_")+`"`)
	}
	query := spec.Kind.String()
	if spec.Kind == op.IsCommand {
		query = "mutation"
	}
	query += " { it: " + fieldOf(spec.Name)
	if len(arguments) > 0 {
		query += "(" + strings.Join(arguments, ", ") + ")"
	}
	if spec.Returns == op.JSON {
		query += " { __typename }"
	}
	answer := c.Do(http.MethodPost, "/graphql", string(encoded(t, map[string]string{"query": query + " }"})))
	var said struct {
		Data   map[string]any `json:"data"`
		Errors []struct {
			Extensions struct {
				Code   string            `json:"code"`
				Errors []fault.Violation `json:"errors"`
			} `json:"extensions"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &said); err != nil || answer.Code != http.StatusOK || said.Data == nil {
		t.Fatalf("%s } is answered %d %s (%v)", query, answer.Code, answer.Body, err)
	}
	if len(said.Errors) == 0 {
		return "fine"
	}
	return verdict(said.Errors[0].Extensions.Code, said.Errors[0].Extensions.Errors)
}

// fieldOf is the name of an operation without its dots and underscores.
func fieldOf(operation string) string {
	words := strings.FieldsFunc(operation, func(r rune) bool { return r == '.' || r == '_' })
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

// literal writes a value as a document has it: names bare, enums too.
func literal(t *testing.T, v any) string {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for name, member := range v {
			parts = append(parts, name+": "+literal(t, member))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		var parts []string
		for _, item := range v {
			parts = append(parts, literal(t, item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case bare:
		return string(v)
	}
	return string(encoded(t, v))
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
