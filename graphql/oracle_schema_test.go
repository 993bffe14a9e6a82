package graphql_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"

	oracle "github.com/graph-gophers/graphql-go"

	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// What follows is one schema served twice: by our executor, which is told the
// answers as JSON, and by graph-gophers/graphql-go, which is told them by
// resolvers. The JSON may break what the schema promises; the resolvers then
// answer with an error, or nil.

type color string

func (c *color) Rules(r *rule.Set) { rule.OneOf(r, c, "red", "green", "blue") }

type tree struct {
	ID     string   `json:"id"`
	Name   *string  `json:"name"`
	Count  int32    `json:"count"`
	Ratio  *float64 `json:"ratio"`
	Big    int64    `json:"big"`
	Done   bool     `json:"done"`
	Color  color    `json:"color"`
	Mood   *color   `json:"mood"`
	Colors []color  `json:"colors"`
	Moods  []*color `json:"moods"`
	Child  *tree    `json:"child"`
	Must   leaf     `json:"must"`
	All    []leaf   `json:"all"`
	Some   []*leaf  `json:"some"`
	Maybe  []leaf   `json:"maybe,omitzero"`
	Grid   [][]leaf `json:"grid"`
}

type leaf struct {
	Size  int32  `json:"size"`
	Shade *color `json:"shade"`
	Inner *tree  `json:"inner"`
}

type bounds struct {
	Low  int32   `json:"low"`
	High *int32  `json:"high"`
	In   *bounds `json:"in"`
}

type echoed struct {
	Text   string    `json:"text"`
	Note   *string   `json:"note"`
	N      int32     `json:"n,omitzero"`
	Big    *int64    `json:"big"`
	Ratio  *float64  `json:"ratio"`
	Flag   *bool     `json:"flag"`
	Color  *color    `json:"color"`
	Colors []color   `json:"colors,omitzero"`
	Grid   [][]int32 `json:"grid,omitzero"`
	Bounds *bounds   `json:"bounds"`
	Many   []bounds  `json:"many,omitzero"`
}

type echo struct {
	Said string `json:"said"`
	Tree *tree  `json:"tree"`
}

func unasked[In, Out any](context.Context, In) (out Out, err error) {
	return out, errors.New("the test answers itself")
}

func oracleOperations() []op.Operation {
	return []op.Operation{
		op.Query("tree", "GET /tree", unasked[struct{}, tree], op.Public()),
		op.Query("leaf.get", "GET /leaf", unasked[struct{}, leaf], op.Public()),
		op.Command("echo", "POST /echo", unasked[echoed, echo], op.Public()),
		op.Command("cut", "POST /cut", unasked[struct{}, tree], op.Public()),
	}
}

// answers are what the operations answer, by their paths.
type answers map[string]any

// ServeHTTP answers our executor. What is sent to /echo comes back as text.
func (a answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := a[r.URL.Path]
	if r.URL.Path == "/echo" {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		var given any
		if err := json.Unmarshal(body, &given); err != nil {
			panic(err)
		}
		answer = echoOf(given, a["/tree"])
	}
	encoded, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encoded)
}

func echoOf(given, tree any) map[string]any {
	text, err := json.Marshal(withoutNull(given))
	if err != nil {
		panic(err)
	}
	return map[string]any{"said": string(text), "tree": tree}
}

// withoutNull drops the members that are null: for these inputs they say what
// one that is left out says.
func withoutNull(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if v[name] = withoutNull(member); member == nil {
				delete(v, name)
			}
		}
	case []any:
		for i := range v {
			v[i] = withoutNull(v[i])
		}
	}
	return v
}

// int64s is the scalar of whole numbers above 32 bits.
type int64s struct{ value json.Number }

func (int64s) ImplementsGraphQLType(name string) bool { return name == "Int64" }

func (n *int64s) UnmarshalGraphQL(input any) error {
	b, err := json.Marshal(input)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, &n.value)
}

func (n int64s) MarshalJSON() ([]byte, error) { return json.Marshal(n.value) }

// rootOf resolves the fields of the roots from answers.
type rootOf struct{ answers answers }

func (r *rootOf) Tree() *treeOf    { return objectOf[treeOf](r.answers["/tree"]) }
func (r *rootOf) LeafGet() *leafOf { return objectOf[leafOf](r.answers["/leaf"]) }
func (r *rootOf) Cut() *treeOf     { return objectOf[treeOf](r.answers["/cut"]) }

type boundsOf struct {
	Low  int32     `json:"low"`
	High *int32    `json:"high"`
	In   *boundsOf `json:"in"`
}

func (r *rootOf) Echo(in struct {
	Text   string
	Note   *string
	N      *int32
	Big    *int64s
	Ratio  *float64
	Flag   *bool
	Color  *string
	Colors *[]string
	Grid   *[][]int32
	Bounds *boundsOf
	Many   *[]boundsOf
},
) (*echoOfThem, error) {
	b, err := json.Marshal(map[string]any{
		"text": in.Text, "note": in.Note, "n": in.N, "big": in.Big, "ratio": in.Ratio, "flag": in.Flag,
		"color": in.Color, "colors": in.Colors, "grid": in.Grid, "bounds": in.Bounds, "many": in.Many,
	})
	if err != nil {
		return nil, err
	}
	var given any
	if err := json.Unmarshal(b, &given); err != nil {
		return nil, err
	}
	return &echoOfThem{thing{echoOf(given, r.answers["/tree"])}}, nil
}

type (
	// thing is an object of JSON, by its members.
	thing      struct{ members map[string]any }
	treeOf     struct{ thing }
	leafOf     struct{ thing }
	echoOfThem struct{ thing }
)

func objectOf[T treeOf | leafOf | echoOfThem](v any) *T {
	members, is := v.(map[string]any)
	if !is {
		return nil
	}
	return &T{thing{members}}
}

var errNull = errors.New("it is null")

// of returns a member that must be there, and a failure if it is not.
func of[T any](t thing, name string) (T, error) {
	v, is := t.members[name].(T)
	if !is {
		return v, errNull
	}
	return v, nil
}

// perhaps returns a member that may be null.
func perhaps[T any](t thing, name string) *T {
	v, is := t.members[name].(T)
	if !is {
		return nil
	}
	return &v
}

func whole(t thing, name string) (int32, error) {
	v, err := of[int](t, name)
	return int32(v), err
}

// listOf returns a member that is a list of objects, nil for those that are null.
func listOf[T treeOf | leafOf](t thing, name string) ([]*T, error) {
	return itemsOf[T](t.members[name])
}

func itemsOf[T treeOf | leafOf](v any) ([]*T, error) {
	items, is := v.([]any)
	if !is {
		return nil, errNull
	}
	list := make([]*T, len(items))
	for i, item := range items {
		list[i] = objectOf[T](item)
	}
	return list, nil
}

// textsOf returns a member that is a list of enums, nil for those that are null.
func textsOf(t thing, name string) ([]*string, error) {
	items, is := t.members[name].([]any)
	if !is {
		return nil, errNull
	}
	list := make([]*string, len(items))
	for i, item := range items {
		if text, is := item.(string); is {
			list[i] = &text
		}
	}
	return list, nil
}

func (t *treeOf) ID() (string, error)        { return of[string](t.thing, "id") }
func (t *treeOf) Name() *string              { return perhaps[string](t.thing, "name") }
func (t *treeOf) Count() (int32, error)      { return whole(t.thing, "count") }
func (t *treeOf) Ratio() *float64            { return perhaps[float64](t.thing, "ratio") }
func (t *treeOf) Done() (bool, error)        { return of[bool](t.thing, "done") }
func (t *treeOf) Color() (string, error)     { return of[string](t.thing, "color") }
func (t *treeOf) Mood() *string              { return perhaps[string](t.thing, "mood") }
func (t *treeOf) Colors() ([]*string, error) { return textsOf(t.thing, "colors") }
func (t *treeOf) Moods() ([]*string, error)  { return textsOf(t.thing, "moods") }
func (t *treeOf) Child() *treeOf             { return objectOf[treeOf](t.members["child"]) }
func (t *treeOf) Must() (*leafOf, error)     { return objectOf[leafOf](t.members["must"]), nil }
func (t *treeOf) All() ([]*leafOf, error)    { return listOf[leafOf](t.thing, "all") }
func (t *treeOf) Some() ([]*leafOf, error)   { return listOf[leafOf](t.thing, "some") }
func (l *leafOf) Size() (int32, error)       { return whole(l.thing, "size") }
func (l *leafOf) Shade() *string             { return perhaps[string](l.thing, "shade") }
func (l *leafOf) Inner() *treeOf             { return objectOf[treeOf](l.members["inner"]) }
func (e *echoOfThem) Said() (string, error)  { return of[string](e.thing, "said") }
func (e *echoOfThem) Tree() *treeOf          { return objectOf[treeOf](e.members["tree"]) }

func (t *treeOf) Big() (int64s, error) {
	v, err := of[json.Number](t.thing, "big")
	return int64s{v}, err
}

func (t *treeOf) Maybe() *[]*leafOf {
	list, err := listOf[leafOf](t.thing, "maybe")
	if err != nil {
		return nil
	}
	return &list
}

func (t *treeOf) Grid() ([][]*leafOf, error) {
	rows, is := t.members["grid"].([]any)
	if !is {
		return nil, errNull
	}
	list := make([][]*leafOf, len(rows))
	for i, row := range rows {
		list[i], _ = itemsOf[leafOf](row) // the rows are always there: a slice cannot say null
	}
	return list, nil
}

// twoServers serve the schema with the same answers.
func twoServers(t testing.TB, told answers) (ours *graphql.Handler, theirs *oracle.Schema) {
	t.Helper()
	operations := oracleOperations()
	ours, err := graphql.New(operations, told, graphql.Config{Introspection: true, Limits: graphql.Limits{Cost: 1 << 30, Selections: 1 << 20, Aliases: 1 << 20, Operations: 1 << 20, Depth: 100, Tokens: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = oracle.ParseSchema(ours.SDL(), &rootOf{told}, oracle.UseStringDescriptions())
	if err != nil {
		t.Fatalf("%v\n%s", err, ours.SDL())
	}
	return ours, theirs
}
