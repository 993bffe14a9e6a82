package graphql_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	oracle "github.com/graph-gophers/graphql-go"
	"pgregory.net/rapid"
)

// TestAnswersAreThoseOfAnotherImplementation has generated documents answered
// by graph-gophers/graphql-go too, over the same schema and the same answers,
// of which some are not what the schema promises. The data are the same to the
// last byte, and the errors are in the same places.
func TestAnswersAreThoseOfAnotherImplementation(t *testing.T) {
	t.Parallel()
	types := typesOf(t)
	told := answers{}
	ours, theirs := twoServers(t, told)
	refusals, complete, cut := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		g := &generator{T: rt, types: types}
		told["/tree"], told["/leaf"], told["/cut"] = g.tree(3), g.leaf(2), g.tree(2)
		request := g.document()
		switch verdict := compare(t, ours, theirs, request); verdict {
		case "refused":
			refusals++
		case "complete":
			complete++
		case "cut":
			cut++
		default:
			rt.Fatalf("%s\n%s\nvariables %s", verdict, request.query, textOf(request.variables))
		}
	})
	t.Logf("refused by both: %d; answered alike: %d, and %d with errors", refusals, complete, cut)
}

// TestTheSchemaIsShownAsByAnotherImplementation asks both about their types.
func TestTheSchemaIsShownAsByAnotherImplementation(t *testing.T) {
	t.Parallel()
	types := typesOf(t)
	ours, theirs := twoServers(t, answers{})
	rapid.Check(t, func(rt *rapid.T) {
		r := (&generator{T: rt, types: types}).introspection()
		if verdict := compare(t, ours, theirs, r); verdict != "complete" && verdict != "refused" { // fields that cannot be merged
			rt.Fatalf("%s\n%s\nvariables %s", verdict, r.query, textOf(r.variables))
		}
	})
}

// TestADifferenceFromTheOtherImplementationIsSeen plants some.
func TestADifferenceFromTheOtherImplementationIsSeen(t *testing.T) {
	t.Parallel()
	good := map[string]any{"size": 1, "shade": "red", "inner": nil}
	for name, c := range map[string]struct{ data, failures string }{
		"a value":        {`{"leafGet":{"size":2}}`, ``},
		"an order":       {`{"leafGet":{"size":1,"shade":"red"}}`, ``},
		"null":           {`{"leafGet":null}`, ``},
		"an error":       {`{"leafGet":{"shade":"red","size":1}}`, `["leafGet","shade"]`},
		"nothing at all": {``, `[]`},
	} {
		ours := outcome{data: c.data}
		if c.failures != "" {
			ours.paths = []string{c.failures}
		}
		_, theirs := twoServers(t, answers{"/leaf": good})
		if got := differ(ours, theirOutcome(t, theirs, request{query: `{ leafGet { shade size } }`})); got == "complete" || got == "cut" || got == "refused" {
			t.Errorf("%s: seen as %s", name, got)
		}
	}
}

// An outcome is what was answered: the data as they are, and where the errors
// are.
type outcome struct {
	data  string // empty for a request that was refused
	paths []string
	said  []string // what errors say, to be shown
}

// theirOutcome asks the other implementation.
func theirOutcome(t testing.TB, theirs *oracle.Schema, r request) outcome {
	t.Helper()
	var variables map[string]any
	if err := json.Unmarshal([]byte(textOf(r.variables)), &variables); err != nil {
		t.Fatal(err)
	}
	answer := theirs.Exec(t.Context(), r.query, r.operation, variables)
	out := outcome{data: compacted(t, answer.Data)}
	for _, e := range answer.Errors {
		out.paths = append(out.paths, textOf(e.Path))
		out.said = append(out.said, e.Message)
	}
	return out
}

// compare has both answer, and returns how their answers are alike.
func compare(t testing.TB, ours http.Handler, theirs *oracle.Schema, r request) string {
	t.Helper()
	w := post(t, ours, object{"query": r.query, "variables": r.variables, "operationName": r.operation})
	var answer struct {
		Data   json.RawMessage `json:"data"`
		Errors []struct {
			Path json.RawMessage `json:"path"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%v\n%s", err, w.Body)
	}
	if (w.Code == http.StatusOK) != (answer.Data != nil) {
		t.Fatalf("answered %d %s", w.Code, w.Body)
	}
	own := outcome{data: compacted(t, answer.Data)}
	for _, e := range answer.Errors {
		own.paths = append(own.paths, string(e.Path))
	}
	other := theirOutcome(t, theirs, r)
	verdict := differ(own, other)
	if verdict != "complete" && verdict != "cut" && verdict != "refused" {
		verdict += fmt.Sprintf("\nours:   %s\ntheirs: %q", w.Body, other.said)
	}
	return verdict
}

// differ returns how two outcomes are alike, or what is different.
//
// One error is enough for one null. When an error has made a field null and the
// field is one that cannot be, what holds it is null too, and section 6.4.4 of
// the specification (Handling Execution Errors) lets an executor leave undone,
// and untold, what else stood in it. We do; the other implementation goes on and
// tells of more. So each of our errors must be one of theirs, and each null that
// an error made must have an error with us.
func differ(ours, theirs outcome) string {
	switch {
	case ours.data != theirs.data:
		return fmt.Sprintf("the data differ:\nours:   %s\ntheirs: %s %v", ours.data, theirs.data, theirs.paths)
	case len(theirs.paths) == 0 && len(ours.paths) == 0:
		return "complete"
	case ours.data == "":
		return "refused"
	}
	var data any
	if err := json.Unmarshal([]byte(ours.data), &data); err != nil {
		return err.Error()
	}
	nulls := func(paths []string) (places []string) {
		for _, p := range paths {
			places = append(places, nullOf(data, p))
		}
		slices.Sort(places)
		return slices.Compact(places)
	}
	if own, other := nulls(ours.paths), nulls(theirs.paths); !slices.Equal(own, other) {
		return fmt.Sprintf("errors made other nulls: ours %v, theirs %v", own, other)
	}
	for _, p := range ours.paths {
		if !slices.Contains(theirs.paths, p) {
			return fmt.Sprintf("the error at %s is ours alone; theirs are at %v", p, theirs.paths)
		}
	}
	return "cut"
}

// nullOf returns where the null begins that an error has made.
func nullOf(data any, path string) string {
	var steps []any
	if err := json.Unmarshal([]byte(path), &steps); err != nil {
		return err.Error()
	}
	at := ""
	for _, step := range steps {
		switch inner := data.(type) {
		case nil:
			return at
		case map[string]any:
			name, _ := step.(string)
			data = inner[name]
		case []any:
			n, _ := step.(float64)
			data = inner[int(n)]
		}
		at += fmt.Sprint("/", step)
	}
	if data != nil {
		return at + " is not null"
	}
	return at
}

// compacted is JSON without spaces, or nothing for null.
func compacted(t testing.TB, b []byte) string {
	t.Helper()
	if len(b) == 0 || string(b) == "null" {
		return ""
	}
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func textOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
