package graphql_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
)

type (
	edge struct {
		Cursor *string `json:"cursor"`
		Node   struct {
			ID     string `json:"id"`
			ISBN   string `json:"isbn"`
			Writer *struct {
				Name string `json:"name"`
			} `json:"writer"`
		} `json:"node"`
	}
	connection struct {
		Edges    []edge `json:"edges"`
		PageInfo struct {
			EndCursor *string `json:"endCursor"`
		} `json:"pageInfo"`
	}
)

// edgesOf asks for a connection.
func edgesOf(t testing.TB, h http.Handler, query string, variables object) connection {
	t.Helper()
	var answer struct {
		Data map[string]connection `json:"data"`
	}
	text := ask(t, h, query, variables)
	if err := json.Unmarshal([]byte(text), &answer); err != nil || len(answer.Data) != 1 {
		t.Fatalf("%s: %v", text, err)
	}
	for _, c := range answer.Data {
		return c
	}
	panic("unreachable")
}

// TestEachEdgeHasACursor goes on after each item of each page.
func TestEachEdgeHasACursor(t *testing.T) {
	t.Parallel()
	h := newShop(t).endpoint(t, graphql.Config{})
	const list = `query($n: Int, $at: String) { billsList(first: $n, after: $at) { edges { cursor node { id } } pageInfo { endCursor } } }`
	for _, size := range []int{7, 50, 60} {
		all := edgesOf(t, h, list, object{"n": size})
		for i, e := range all.Edges {
			if e.Cursor == nil {
				t.Fatalf("%d of %d has no cursor", i, size)
			}
			next := edgesOf(t, h, list, object{"n": 1, "at": *e.Cursor})
			switch last := i == len(all.Edges)-1; {
			case last && size < 50:
				if *all.PageInfo.EndCursor != *e.Cursor {
					t.Errorf("the page ends with %s, its last edge is %s", *all.PageInfo.EndCursor, *e.Cursor)
				}
			case last:
				if len(next.Edges) != 0 {
					t.Errorf("after all come %v", next.Edges)
				}
			case next.Edges[0].Node.ID != all.Edges[i+1].Node.ID:
				t.Errorf("after %s comes %s", e.Node.ID, next.Edges[0].Node.ID)
			}
		}
	}
}

// TestCursorsBesideRelations has answers that are written as JSON first.
func TestCursorsBesideRelations(t *testing.T) {
	t.Parallel()
	all := edgesOf(t, newLibrary().endpoint(t), `{ novelsList(first: 5) { edges { node { isbn writer { name } } cursor } pageInfo { endCursor } } }`, nil)
	for i, e := range all.Edges {
		if want := string(op.NewCursor(e.Node.ISBN)); e.Cursor == nil || *e.Cursor != want {
			t.Errorf("%d: %v, want %s", i, e.Cursor, want)
		}
	}
	if len(all.Edges) != 5 || all.Edges[1].Node.Writer == nil {
		t.Errorf("%+v", all)
	}
}

// TestAPageThatDoesNotKnowItsKeys has a cursor where it ends, as in REST.
func TestAPageThatDoesNotKnowItsKeys(t *testing.T) {
	t.Parallel()
	next := op.NewCursor("b")
	operations := []op.Operation{op.Query("list", "GET /list", func(context.Context, op.Paging) (op.Page[byID], error) {
		return op.Page[byID]{Data: []byID{{"a"}, {"b"}}, NextCursor: &next, HasMore: true}, nil
	}, op.Public())}
	mux := http.NewServeMux()
	mux.Handle(rest.Handler(operations[0]))
	h, err := graphql.New(operations, mux, graphql.Config{})
	if err != nil {
		t.Fatal(err)
	}
	got := ask(t, h, `{ list { edges { cursor node { id } } } }`, nil)
	if want := `{"data":{"list":{"edges":[{"cursor":null,"node":{"id":"a"}},{"cursor":"` + string(next) + `","node":{"id":"b"}}]}}}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
