package openapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/openapi"
	"github.com/ashlar-go/ashlar/openapi/testdata/refunds"
	"github.com/ashlar-go/ashlar/rule"
)

var update = flag.Bool("update", false, "rewrite the files under testdata")

// TestTheDocumentIsWhatItWas fails on every change of what is published. If
// the change is wanted, run the test with -update and explain the difference.
func TestTheDocumentIsWhatItWas(t *testing.T) {
	t.Parallel()

	doc := shopDocument(t)
	golden(t, "shop.json", doc)
	for range 5 { // maps are walked in another order each time
		if !bytes.Equal(doc, shopDocument(t)) {
			t.Fatal("two documents of the same operations differ")
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// TestTheDocumentHoldsTogether checks what OpenAPI asks beyond its grammar.
func TestTheDocumentHoldsTogether(t *testing.T) {
	t.Parallel()

	var doc struct {
		OpenAPI    string `json:"openapi"`
		Tags       []struct{ Name string }
		Paths      map[string]map[string]operation
		Components map[string]map[string]any
	}
	text := shopDocument(t)
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.1" {
		t.Errorf("version %s", doc.OpenAPI)
	}
	referred := map[string]bool{}
	for _, m := range regexp.MustCompile(`"\$ref": "#/components/([^/]+)/([^"]+)"`).FindAllStringSubmatch(string(text), -1) {
		referred[m[1]+"/"+m[2]] = true
		if doc.Components[m[1]][m[2]] == nil {
			t.Errorf("%s leads nowhere", m[0])
		}
	}
	for kind, all := range doc.Components {
		for name := range all {
			if kind != "securitySchemes" && !referred[kind+"/"+name] {
				t.Errorf("nothing refers to %s/%s", kind, name)
			}
			if !regexp.MustCompile(`^[a-zA-Z0-9._-]+$`).MatchString(name) {
				t.Errorf("%s/%s: OpenAPI does not allow the name", kind, name)
			}
		}
	}
	ids := map[string]bool{}
	for path, item := range doc.Paths {
		for method, o := range item {
			if ids[o.OperationID] {
				t.Errorf("%s is there twice", o.OperationID)
			}
			ids[o.OperationID] = true
			var inPath []string
			for _, p := range o.Parameters {
				if p.In == "path" {
					inPath = append(inPath, "{"+p.Name+"}")
				}
				if p.In == "path" && !p.Required {
					t.Errorf("%s: {%s} is in the path and not required", o.OperationID, p.Name)
				}
			}
			if want := regexp.MustCompile(`\{[^}]*\}`).FindAllString(path, -1); !slices.Equal(want, inPath) {
				t.Errorf("%s: parameters %v, the path has %v", o.OperationID, inPath, want)
			}
			if len(o.Tags) != 1 || !slices.ContainsFunc(doc.Tags, func(tag struct{ Name string }) bool { return tag.Name == o.Tags[0] }) {
				t.Errorf("%s: tags %v", o.OperationID, o.Tags)
			}
			if method == "get" && o.RequestBody != nil {
				t.Errorf("%s: a GET with a body", o.OperationID)
			}
		}
	}
	if want := len(shop()); len(ids) != want {
		t.Errorf("%d operations, want %d", len(ids), want)
	}
	everySchemaCompiles(t, text, doc.Components["schemas"])
}

type operation struct {
	OperationID string `json:"operationId"`
	Tags        []string
	Parameters  []struct {
		Name, In string
		Required bool
	}
	RequestBody any
}

func everySchemaCompiles(t *testing.T, text []byte, schemas map[string]any) {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("doc.json", parsed); err != nil {
		t.Fatal(err)
	}
	for name := range schemas {
		if _, err := compiler.Compile("doc.json#/components/schemas/" + name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDocumentRefusesMistakes(t *testing.T) {
	t.Parallel()

	undeclared := op.Query("things.list", "GET /things", answer[struct{}, Payment])
	_, err := openapi.Document(openapi.Info{Title: "T"}, []op.Operation{undeclared})
	if err == nil || !strings.Contains(err.Error(), "things.list: does not say who may call it") {
		t.Errorf("got %v", err)
	}
}

func TestTheEmptyDocumentIsADocument(t *testing.T) {
	t.Parallel()

	doc, err := openapi.Document(openapi.Info{Title: `A "quoted" title`}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Info  struct{ Title, Version string }
		Paths map[string]any
	}
	if err := json.Unmarshal(doc, &got); err != nil {
		t.Fatal(err)
	}
	if got.Info.Title != `A "quoted" title` || got.Info.Version != "0" || got.Paths == nil {
		t.Errorf("got %+v", got)
	}
}

// Refund collides with the type of the same name in another package, Pair with
// itself on both ways, Problem with the framework's own.
type (
	Pair[A, B any] struct {
		Left  A `json:"left"`
		Right B `json:"right"`
	}
	Problem struct {
		Text string `json:"text"`
	}
)

func TestComponentsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()

	operations := []op.Operation{
		op.Command("refunds.make", "POST /refunds", answer[refunds.Refund, Refund], op.Public()),
		op.Command("refunds.pair", "POST /refunds/pair", answer[Pair[Currency, refunds.Refund], Pair[Currency, refunds.Refund]], op.Public()),
		op.Command("refunds.change", "PUT /refunds/{id}", answer[refunds.Refund, Problem], op.Public()),
	}
	doc, err := openapi.Document(openapi.Info{Title: "T"}, operations)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(doc, &got); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range got.Components.Schemas {
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{
		"Currency", "CurrencyRefundPair", "CurrencyRefundPairInput", "Openapi_testProblem", "Openapi_testRefund",
		"Problem", "RefundsRefund", "RefundsRefundInput", "RefundsRefundInput2", "Violation",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
}

func TestYAMLSaysTheSame(t *testing.T) {
	t.Parallel()

	doc := shopDocument(t)
	text, err := openapi.YAML(doc)
	if err != nil {
		t.Fatal(err)
	}
	var fromYAML, fromJSON any
	if err := yaml.Unmarshal(text, &fromYAML); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(doc, &fromJSON); err != nil { // JSON is YAML too
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromJSON, fromYAML); diff != "" {
		t.Errorf("-json +yaml:\n%s", diff)
	}
	if first, _, _ := strings.Cut(string(text), "\n"); first != "openapi: 3.1.1" {
		t.Errorf("begins with %s: the order is lost", first)
	}
	if i := bytes.IndexFunc(text, func(r rune) bool { return r == 0x7f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 }); i >= 0 {
		t.Errorf("has an invisible character at %d: %q", i, text[max(0, i-20):i+5])
	}
}

func TestYAMLKeepsTypes(t *testing.T) {
	t.Parallel()

	const doc = `{"z":"1","a":[true,"true",null,"null",1.50,-3,1e3,"",{}],"on":"NO","at":"12:30","2024-01-01":"2024-01-01","m":"a\nb\u202e","u":"\u2066"}`
	const want = `z: "1"
a:
  - true
  - "true"
  - null
  - "null"
  - 1.50
  - -3
  - 1e3
  - ""
  - {}
"on": "NO"
at: "12:30"
"2024-01-01": "2024-01-01"
m: "a\nb\u202E"
u: "\u2066"
`
	got, err := openapi.YAML([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, bad := range []string{"", "{", "{} {}", "nope", `{"a"}`} {
		if got, err := openapi.YAML([]byte(bad)); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

func TestUnusualTypesAreDescribedLoosely(t *testing.T) {
	t.Parallel()

	type unusual struct {
		Raw   json.RawMessage `json:"raw"`
		Free  any             `json:"free"`
		Array [2]int          `json:"array"`
		ByID  map[int]string  `json:"by_id"`
		Far   **int           `json:"far"`
		Self  *ownJSON        `json:"self"`
		Patch rule.Optional[[]*Currency]
	}
	doc, err := openapi.Document(openapi.Info{Title: "T"}, []op.Operation{
		op.Command("things.make", "POST /things", answer[struct {
			Thing unusual `json:"thing"`
		}, struct{}], op.Public()),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Components struct {
			Schemas map[string]struct{ Properties map[string]json.RawMessage }
		}
	}
	if err := json.Unmarshal(doc, &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"raw": `{}`, "free": `{}`, "array": `{"type":"array"}`, "by_id": `{"type":"object"}`, "self": `{}`,
		"far":   `{"type":["integer","null"],"format":"int64","minimum":-9223372036854775808,"maximum":9223372036854775807}`,
		"Patch": `{"type":["array","null"],"items":{"anyOf":[{"$ref":"#/components/schemas/Currency"},{"type":"null"}]},"maxItems":10000}`,
	} {
		var compact bytes.Buffer
		if err := json.Compact(&compact, got.Components.Schemas["Unusual"].Properties[name]); err != nil || compact.String() != want {
			t.Errorf("%s: %s, want %s (%v)", name, compact.String(), want, err)
		}
	}
}

type cents int32

type tip struct {
	ID     string  `json:"id"`
	Amount cents   `json:"amount"`
	Share  float32 `json:"share"`
	Stars  uint8   `json:"stars"`
	Whose  owner   `json:"whose"`
}

type owner string

func (in *tip) Rules(r *rule.Set) {
	rule.Number(r, &in.Amount).Example(250)
	rule.Number(r, &in.Share).Example(0.5)
	rule.Number(r, &in.Stars).Example(3)
	rule.Text(r, &in.Whose).Example("mine")
}

// TestExamplesOfAnyType gives examples to fields of types that are no int and
// no string.
func TestExamplesOfAnyType(t *testing.T) {
	t.Parallel()
	give := func(context.Context, tip) (struct{}, error) { return struct{}{}, nil }
	doc, err := openapi.Document(openapi.Info{}, []op.Operation{op.Command("tips.give", "POST /tips", give, op.Public())})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Components struct {
			Schemas struct {
				Tip struct {
					Properties map[string]struct{ Examples []any }
				}
			}
		}
	}
	if err := json.Unmarshal(doc, &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"amount": 250.0, "share": 0.5, "stars": 3.0, "whose": "mine"} {
		if examples := got.Components.Schemas.Tip.Properties[name].Examples; !slices.Equal(examples, []any{want}) {
			t.Errorf("the examples of %s are %v, want %v", name, examples, want)
		}
	}
}

// TestTheKeyIsRequiredWhereItIs compares what is published of the key with what
// was declared.
func TestTheKeyIsRequiredWhereItIs(t *testing.T) {
	t.Parallel()
	give := func(context.Context, tip) (struct{}, error) { return struct{}{}, nil }
	keyed := op.Idempotent(time.Hour)
	doc, err := openapi.Document(openapi.Info{}, []op.Operation{
		op.Command("tips.must", "POST /must", give, op.Authenticated(), keyed),
		op.Command("tips.may", "POST /may", give, op.Authenticated(), keyed, op.OptionalKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Paths map[string]struct {
			Post struct {
				Parameters []struct {
					Ref string `json:"$ref"`
				}
			}
		}
		Components struct {
			Parameters map[string]struct {
				Name     string
				Required bool
			}
		}
	}
	if err := json.Unmarshal(doc, &got); err != nil {
		t.Fatal(err)
	}
	for path, required := range map[string]bool{"/must": true, "/may": false} {
		parameters := got.Paths[path].Post.Parameters
		if len(parameters) != 1 {
			t.Fatalf("%s has the parameters %v", path, parameters)
		}
		p := got.Components.Parameters[strings.TrimPrefix(parameters[0].Ref, "#/components/parameters/")]
		if p.Name != "Idempotency-Key" || p.Required != required {
			t.Errorf("%s: %s is required: %t, want %t", path, p.Name, p.Required, required)
		}
	}
}
