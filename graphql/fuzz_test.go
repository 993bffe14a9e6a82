package graphql_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/graphql"
)

// FuzzRequests sends whatever there is: the answer is always one JSON object of
// a status that says something, and never more of a failure than its code.
func FuzzRequests(f *testing.F) {
	for _, query := range []string{
		`{ billsGet(id: "bill_1") { id amount card { brand } ...f } } fragment f on Bill { note @skip(if: true) }`,
		`query($id: String!, $n: Int = 3) { billsGet(id: $id) { id } billsList(first: $n, after: null) { edges { cursor node { id } } pageInfo { endCursor } } }`,
		`mutation { billsCreate(amount: 5, card: {brand: "visa", last4: "1"}, tags: ["a"], state: open) { id } }`,
		`{ __schema { types { name fields { name type { kind ofType { name } } } } } __type(name: "Bill") { kind } }`,
		`subscription { x }`, `{ ...a } fragment a on Query { ...a }`, `{ billsGet(id: """b\"""x""") { id } }`, "{", "",
	} {
		f.Add(query, `{"id":"bill_2","n":2}`)
	}
	f.Add(`query($a: [CardInput!]) { __typename }`, `{"a":{"brand":null}}`)
	h := newShop(f).endpoint(f, graphql.Config{Introspection: true})

	f.Fuzz(func(t *testing.T, query, variables string) {
		body := object{"query": query}
		if json.Valid([]byte(variables)) {
			body["variables"] = json.RawMessage(variables)
		}
		w := post(t, h, body)
		var answer struct {
			Data   *map[string]any  `json:"data"`
			Errors []map[string]any `json:"errors"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("answered %d with what is no answer: %v\n%s", w.Code, err, w.Body)
		}
		switch {
		case w.Code == http.StatusOK && answer.Data == nil, w.Code != http.StatusOK && (answer.Data != nil || answer.Errors == nil):
			t.Errorf("answered %d with %s", w.Code, w.Body)
		case w.Code != http.StatusOK && w.Code != http.StatusBadRequest:
			t.Errorf("answered %d", w.Code)
		case strings.Contains(w.Body.String(), "10.0.0.7"):
			t.Errorf("shows the inside: %s", w.Body)
		}
	})
}
