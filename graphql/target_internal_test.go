package graphql

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/internal/input"
	"github.com/ashlar-go/ashlar/op"
)

type search struct {
	op.Paging

	Text  string   `json:"text,omitzero"`
	Whole int64    `json:"whole,omitzero"`
	Ratio *float64 `json:"ratio"`
	On    *bool    `json:"on"`
	Tags  []string `json:"tags,omitzero"`
}

// TestPlainTargetsAreThoseOfPlace has generated arguments placed in both ways.
func TestPlainTargetsAreThoseOfPlace(t *testing.T) {
	t.Parallel()
	none := func(context.Context, search) (op.Page[string], error) { return op.Page[string]{}, nil }
	h, err := New([]op.Operation{op.Query("find", "GET /a/find", none, op.Public())}, http.NotFoundHandler(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{"first": "Int", "after": "String", "text": "String", "whole": "Int64", "ratio": "Float", "on": "Boolean", "tags": "[String!]"}
	values := map[string][]string{
		"Int": {"0", "-7", "25"}, "Int64": {"9007199254740993"}, "Float": {"0.5", "1e+3", "-2"}, "Boolean": {"true", "false"},
		"String": {`""`, `"a b&c=d/é?"`, `"\"\\\u0000"`, `"null"`, `"\ud800"`}, "[String!]": {`[]`, `["a","b"]`, `"a"`},
	}
	plain := 0
	rapid.Check(t, func(rt *rapid.T) {
		var defined, given []string
		sent := map[string]json.RawMessage{}
		for _, name := range slices.Sorted(maps.Keys(types)) {
			value := rapid.SampledFrom(append(values[types[name]], "null")).Draw(rt, name)
			switch rapid.IntRange(0, 3).Draw(rt, "how") {
			case 0:
			case 1:
				given = append(given, name+": "+value)
			case 2:
				sent[name] = json.RawMessage(value)
				fallthrough
			default:
				defined, given = append(defined, "$"+name+": "+types[name]), append(given, name+": $"+name)
			}
		}
		query := "{ find"
		if len(defined) > 0 {
			query = "query It(" + strings.Join(defined, ", ") + ") { find"
		}
		if len(given) > 0 {
			query += "(" + strings.Join(given, ", ") + ")"
		}
		body, err := json.Marshal(map[string]any{"query": query + " { nodes } }", "variables": sent})
		if err != nil {
			rt.Fatal(err)
		}
		x := &exchange{r: &http.Request{Method: http.MethodPost}}
		if err := x.asked.read(body); err != nil {
			rt.Fatal(err)
		}
		if err := h.compile(x); err != nil {
			rt.Fatalf("%s: %v", body, err)
		}
		st := x.plan.root[0]
		u, target, ok := h.plainTarget(st, x.vars)
		if !ok {
			return
		}
		plain++
		members, err := h.members(st, x, func(name, _ string) { rt.Errorf("the header %s", name) })
		if err != nil {
			rt.Fatal(err)
		}
		want, _, err := input.Place(st.call.spec.Path, nil, false, members)
		if err != nil || target != want {
			rt.Fatalf("%s\n%s\n%s, %v", body, target, want, err)
		}
		whole, err := h.requestOf(t.Context(), x, st.call.spec, members, http.Header{})
		if err != nil || whole.RequestURI != target || !reflect.DeepEqual(whole.URL, u) {
			rt.Fatalf("%s\n%+v\n%+v, %v", body, u, whole.URL, err)
		}
	})
	if plain == 0 {
		t.Error("none is plain")
	}
	t.Log(plain)
}
