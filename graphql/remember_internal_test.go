package graphql

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestWhatIsRememberedIsWhatIsRead has requests for known documents read in both
// ways: what is remembered of one is what reading it with care finds, and nothing is
// remembered of what cannot be read.
func TestWhatIsRememberedIsWhatIsRead(t *testing.T) {
	t.Parallel()
	h := &Handler{documents: newCache[*document](100)}
	query, name := json.RawMessage(`"query A($n: Int) { \"é\" }"`), json.RawMessage(`"A"`)
	for _, known := range []asked{{query: query}, {query: query, operation: name}, {query: json.RawMessage(`"{a}"`)}} {
		h.documents.put(string(known.appendKey(nil)), &document{})
	}
	pieces := []string{
		`{`, `}`, `[`, `]`, `,`, `:`, ` `, "\n", "\x00", "\xff", `"`, `\`, `null`, `true`, `false`, `0`, `-1`, `1.5e+3`, `01`, `1.`, `.5`, `1e`, `-`, `nul`, `"x"`, `"\u0041"`, `"é"`, "\"\t\"",
		`"query"`, `"variables"`, `"operationName"`, `"extensions"`, `"n"`, string(query), string(name), `"{a}"`, `""`, `"unheard"`, `{"n":1}`, `{"n":null,"m":"x"}`, `{}`, `{"n":[1]}`, `{"n":1,"n":2}`,
	}
	remembered := 0
	rapid.Check(t, func(rt *rapid.T) {
		members := []string{rapid.SampledFrom([]string{`"query":` + string(query), `"query" : "{a}"`}).Draw(rt, "query")}
		for _, more := range []string{`"variables":{"n":1}`, `"variables" :  {"n" : -1.5e3 , "m": "x y","l":true} `, `"variables":{}`, `"operationName":` + string(name), `"operationName":null`, `"extensions":{}`} {
			if rapid.IntRange(0, 3).Draw(rt, "more") == 0 {
				members = append(members, more)
			}
		}
		members = rapid.Permutation(members).Draw(rt, "order")
		body := "{" + strings.Join(members, rapid.SampledFrom([]string{",", " , "}).Draw(rt, "comma")) + "}"
		for range rapid.IntRange(0, 2).Draw(rt, "changes") {
			from := rapid.IntRange(0, len(body)).Draw(rt, "from")
			to := min(len(body), from+rapid.IntRange(0, 3).Draw(rt, "length"))
			body = body[:from] + rapid.SampledFrom(pieces).Draw(rt, "piece") + body[to:]
		}
		var quick, careful asked
		d := h.remembered([]byte(body), &quick)
		err := careful.read([]byte(body))
		if d == nil {
			return
		}
		remembered++
		if err != nil {
			rt.Fatalf("%q cannot be read: %v", body, err)
		}
		find := careful.variables.finder()
		for _, v := range quick.variables {
			value, _ := quick.variables.of(v.name)
			if other, present := find(v.name); !present || !reflect.DeepEqual(value, other) {
				rt.Fatalf("%q: the variable %s is %v and %v", body, v.name, value, other)
			}
		}
		if string(quick.query) != string(careful.query) || string(quick.operation) != string(careful.operation) || len(quick.variables) != len(careful.variables) ||
			careful.hash != "" || careful.after != "" {
			rt.Fatalf("%q: %+v and %+v", body, quick, careful)
		}
	})
	t.Logf("%d are remembered", remembered)
	for _, body := range []string{
		`{"query":"{a}"}`, ` { "variables" : { "n" : 1, "m":null } , "query" : "{a}" } `, `{"operationName":"A","query":` + string(query) + `}`,
	} {
		if h.remembered([]byte(body), new(asked)) == nil {
			t.Errorf("%s is not remembered", body)
		}
	}
}

func TestManyVariablesAreFound(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, manyVariables, manyVariables + 1, 1000} {
		vars := make(variables, 0, n+1)
		for range n {
			vars = append(vars, variable{"twice", 1})
		}
		vars = append(vars, variable{"twice", 2})
		find := vars.finder()
		if v, present := find("twice"); !present || v != 2 {
			t.Errorf("%d: %v, %t", n, v, present)
		}
		if v, present := find("never"); present {
			t.Errorf("%d: %v", n, v)
		}
	}
}

func TestNumbersAreThoseOfJSON(t *testing.T) {
	t.Parallel()
	alphabet := []byte("0019-+.eE")
	var try func(s []byte)
	try = func(s []byte) {
		if want := len(s) > 0 && json.Valid(s); isNumber(string(s)) != want {
			t.Errorf("%q: %t", s, !want)
		}
		if len(s) == 6 {
			return
		}
		for _, c := range alphabet[1:] {
			try(append(s, c))
		}
	}
	try(make([]byte, 0, 8))
}
