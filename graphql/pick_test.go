package graphql_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
	"github.com/ashlar-go/ashlar/rule"
)

// held has what trees and leaves have not.
type held struct {
	leaf

	Note    rule.Optional[string] `json:"note"`
	Again   rule.Optional[[]leaf] `json:"again"`
	Mood    rule.Optional[color]  `json:"mood"`
	Text    string                `json:"text,omitempty"`
	Least   int8                  `json:"least,omitzero"`
	Bytes   []byte                `json:"bytes"`
	Labels  map[string]string     `json:"labels"`
	Leaves  map[string]leaf       `json:"leaves,omitempty"`
	Address netip.Addr            `json:"address"`
	Any     any                   `json:"any"`
	Pair    [2]bool               `json:"pair"`
	Times   []*time.Time          `json:"times"`
	Bare    struct{}              `json:"bare"`
	Ratio   float64               `json:"ratio"`
	Tree    *tree                 `json:"tree,omitzero"`
	Next    **leaf                `json:"next"`
}

// told are what the operations answer.
type told struct {
	tree   tree
	things op.Page[*held]
	texts  op.Page[string]
}

// The operations answer what they are told, each time the same.
func (a *told) operations() []op.Operation {
	return []op.Operation{
		op.Query("tree", "GET /tree", func(context.Context, struct{}) (tree, error) { return a.tree, nil }, op.Public()),
		op.Command("cut", "POST /cut", func(context.Context, struct{}) (tree, error) { return a.tree, nil }, op.Public()),
		op.Query("things", "GET /things", func(context.Context, op.Paging) (op.Page[*held], error) { return a.things, nil }, op.Public()),
		op.Query("texts", "GET /texts", func(context.Context, op.Paging) (op.Page[string], error) { return a.texts, nil }, op.Public()),
	}
}

// takes counts the answers that were taken as values.
type takes struct {
	http.ResponseWriter

	offered, taken *atomic.Int64
}

func (t takes) Takes() bool { return scope.Takes(t.ResponseWriter) }

func (t takes) Take(answer any) (n int, taken bool) {
	t.offered.Add(1)
	if n, taken = t.ResponseWriter.(scope.Taker).Take(answer); taken {
		t.taken.Add(1)
	}
	return n, taken
}

// fill makes a value of a Go type.
func (g *generator) fill(v reflect.Value, depth int) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = time.Unix(rapid.Int64Range(0, 1e9).Draw(g.T, "time"), 0)
		return
	case *color:
		*p = pick[color](g, "color", "red", "green", "blue")
		if g.one(40, "broken color") {
			*p = "violet"
		}
		return
	case *netip.Addr:
		*p = netip.MustParseAddr("::1")
		return
	case *any:
		*p = pick[any](g, "any", nil, 1.5, "n", map[string]any{"a": []any{nil, true}})
		return
	case *op.Cursor:
		*p = op.NewCursor("here")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(pick(g, "string", "", "a", `q"\`, "☃ <&>\x00", "null"))
	case reflect.Bool:
		v.SetBool(g.one(2, "bool"))
	case reflect.Int8, reflect.Int32, reflect.Int64:
		v.SetInt(int64(rapid.IntRange(-3, 3).Draw(g.T, "int")))
	case reflect.Uint8:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(0.25)
		if g.one(60, "no number") {
			v.SetFloat(math.NaN())
		}
	case reflect.Pointer:
		if depth > 0 && !g.one(4, "nil") {
			v.Set(reflect.New(v.Type().Elem()))
			g.fill(v.Elem(), depth-1)
		}
	case reflect.Slice:
		if g.one(6, "nil") {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), rapid.IntRange(0, 2+min(depth, 0)).Draw(g.T, "items"), 2))
		for i := range v.Len() {
			g.fill(v.Index(i), depth-1)
		}
	case reflect.Array:
		for i := range v.Len() {
			g.fill(v.Index(i), depth-1)
		}
	case reflect.Map:
		if g.one(3, "nil") {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		entry := reflect.New(v.Type().Elem()).Elem()
		g.fill(entry, depth-1)
		v.SetMapIndex(reflect.ValueOf("k"), entry)
	case reflect.Struct:
		for _, f := range v.Fields() {
			if !f.CanSet() { // of a rule.Optional, and the leaf that is embedded
				continue
			}
			g.fill(f, depth-1)
		}
	default:
		g.Fatalf("%s", v.Type())
	}
}

// thing makes one with what reflection cannot set.
func (g *generator) thing(depth int) *held {
	h := &held{}
	g.fill(reflect.ValueOf(h).Elem(), depth)
	g.fill(reflect.ValueOf(&h.leaf).Elem(), depth)
	switch rapid.IntRange(0, 3).Draw(g.T, "patches") {
	case 1:
		h.Note, h.Again, h.Mood = rule.Some("n"), rule.Some([]leaf{{Size: 1}}), rule.Some[color]("red")
	case 2:
		h.Note, h.Again, h.Mood = rule.Null[string](), rule.Null[[]leaf](), rule.Null[color]()
	}
	return h
}

// TestWhatIsPickedIsWhatTheProjectionMakes has generated documents about
// generated values answered twice: from the values, and from the JSON that the
// operations write of them. The answers are the same to the last byte. Only a
// value that is no JSON fails all who ask for anything beside it in the second
// case, and only those who ask for it in the first.
func TestWhatIsPickedIsWhatTheProjectionMakes(t *testing.T) {
	t.Parallel()
	answers := &told{}
	mux := http.NewServeMux()
	for _, o := range answers.operations() {
		h, err := rest.New(o, rest.Config{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		mux.Handle(o.Spec().Pattern(), h)
	}
	var offered, taken, asked atomic.Int64
	unwritten := 0
	open := func(h http.HandlerFunc) *graphql.Handler {
		g, err := graphql.New(answers.operations(), h, graphql.Config{Limits: graphql.Limits{Cost: 1 << 30, Selections: 1 << 20, Aliases: 1 << 20, Operations: 1 << 20, Depth: 100, Tokens: 1 << 20}})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	picked := open(func(w http.ResponseWriter, r *http.Request) { mux.ServeHTTP(takes{w, &offered, &taken}, r) })
	walked := open(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		mux.ServeHTTP(struct{ http.ResponseWriter }{w}, r) // who takes nothing
	})
	types, err := validator.LoadSchema(validator.Prelude, &ast.Source{Input: picked.SDL()})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		g := &generator{T: rt, types: types}
		*answers = told{things: op.Page[*held]{HasMore: g.one(2, "more")}}
		g.fill(reflect.ValueOf(&answers.tree).Elem(), 4)
		for range rapid.IntRange(0, 3).Draw(rt, "things") {
			answers.things.Data = append(answers.things.Data, g.thing(5))
		}
		if g.one(20, "nil") {
			answers.things.Data = append(answers.things.Data, nil)
		}
		g.fill(reflect.ValueOf(&answers.texts.Data).Elem(), 2)
		g.fill(reflect.ValueOf(&answers.texts.NextCursor).Elem(), 2)
		r := g.document()
		body := object{"query": r.query, "variables": r.variables, "operationName": r.operation}
		parent := []string{"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"} // which refusals name
		mine, theirs := post(t, picked, body, parent...), post(t, walked, body, parent...)
		if bytes.Equal(mine.Body.Bytes(), theirs.Body.Bytes()) && mine.Code == theirs.Code {
			return
		}
		if bytes.Contains(theirs.Body.Bytes(), []byte(`"code":"internal"`)) && !json.Valid(encodedOf(*answers)) {
			unwritten++
			return
		}
		rt.Fatalf("%s\n%s\n%d %s\n%d %s", r.query, textOf(r.variables), mine.Code, mine.Body, theirs.Code, theirs.Body)
	})
	t.Logf("%d answers, of which %d were offered and %d taken; %d are no JSON", asked.Load(), offered.Load(), taken.Load(), unwritten)
	if taken.Load()*2 < asked.Load() {
		t.Error("most answers are not taken")
	}
}

// encodedOf is nothing if a value is no JSON.
func encodedOf(a told) []byte {
	b, err := json.Marshal([]any{a.tree, a.things})
	if err != nil {
		return nil
	}
	return b
}
