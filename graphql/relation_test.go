package graphql_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
	"github.com/ashlar-go/ashlar/serve"
)

type (
	writer struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	novel struct {
		ISBN     string `json:"isbn"`
		WriterID int64  `json:"writer_id"`
		Mood     state  `json:"mood"`
		Sequel   *int64 `json:"sequel"`
	}
	novels struct {
		Items []*novel `json:"items"`
	}
	howMany struct {
		N int `json:"n"`
	}
)

// library is novels and their writers, and counts who is asked for how much.
type library struct {
	operations        []op.Operation
	relations         []op.Relation
	writers, novels   atomic.Int64 // calls
	writerIDs, failed atomic.Int64
}

const readWriters access.Permission = "writers:read"

func novelOf(n int64) *novel {
	novel := &novel{ISBN: fmt.Sprint("isbn ", n), WriterID: n % 7, Mood: open}
	if n == 13 {
		novel.Mood = "unheard-of" // which the schema does not promise
	}
	if n%2 == 0 {
		novel.Sequel = &n
	}
	return novel
}

func newLibrary() *library {
	l := &library{}
	l.operations = []op.Operation{
		op.Query("novels.all", "GET /novels", func(_ context.Context, in howMany) (novels, error) {
			var all novels
			for n := range in.N {
				all.Items = append(all.Items, novelOf(int64(n)))
			}
			return all, nil
		}, op.Public()),
		op.Query("novels.list", "GET /list", func(_ context.Context, in op.Paging) (op.Page[novel], error) {
			var rows []novel
			for n := range in.Size() + 1 {
				rows = append(rows, *novelOf(int64(n)))
			}
			return op.PageOf(rows, in.Size(), func(n novel) string { return n.ISBN }), nil
		}, op.Public(), op.Fails(op.ErrCursor)),
	}
	l.relations = []op.Relation{
		op.RelateOne[novel]("novels.novel.writer", "writer_id", l.writersOf, op.Public()),
		op.RelateMany[writer]("writers.writer.novels", "id", l.novelsOf, op.Public()),
		op.RelateOne[novel]("novels.novel.hidden", "writer_id", l.writersOf, op.Allow(readWriters)),
		op.RelateOne[novel]("novels.novel.next", "sequel", l.broken, op.Public()),
	}
	return l
}

func (l *library) writersOf(_ context.Context, ids []int64) (map[int64]writer, error) {
	l.writers.Add(1)
	l.writerIDs.Add(int64(len(ids)))
	found := map[int64]writer{}
	for _, id := range ids {
		if id != 3 { // who is not known
			found[id] = writer{id, fmt.Sprint("writer ", id)}
		}
	}
	return found, nil
}

func (l *library) novelsOf(_ context.Context, ids []int64, limit int) (map[int64][]novel, error) {
	l.novels.Add(1)
	found := map[int64][]novel{}
	for _, id := range ids {
		for n := range limit + 5 { // more than were wanted
			found[id] = append(found[id], *novelOf(id + 700*int64(n)))
		}
	}
	return found, nil
}

func (l *library) broken(context.Context, []int64) (map[int64]novel, error) {
	l.failed.Add(1)
	return nil, errors.New("the database at 10.0.0.7 is gone")
}

func handlerOf(t testing.TB, operations []op.Operation) http.Handler {
	t.Helper()
	mux := &serve.Mux{}
	for _, o := range operations {
		h, err := rest.New(o, rest.Config{Policy: &access.Policy{}, Authenticate: func(*http.Request) (access.Principal, error) {
			return access.Principal{ID: "somebody"}, nil // who may nothing
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := mux.Handle(o.Spec().Pattern(), h); err != nil {
			t.Fatal(err)
		}
	}
	return serve.Observe(mux, serve.Observer{})
}

func (l *library) endpoint(t testing.TB) *graphql.Handler {
	t.Helper()
	h, err := graphql.New(l.operations, handlerOf(t, l.operations), graphql.Config{
		Introspection: true, Relations: l.relations, Related: handlerOf(t, op.Relations(l.relations)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestARelationIsAskedOnceForAllParents(t *testing.T) {
	t.Parallel()
	for _, parents := range []int{1, 3, 12} {
		l := newLibrary()
		h := l.endpoint(t)
		const query = `query($n: Int64!) { novelsAll(n: $n) { items { isbn writer { name more: novels(first: 2) { isbn writer { id } } } } } }`
		got := ask(t, h, query, object{"n": parents})
		var answer struct {
			Data struct {
				All struct {
					Items []struct {
						ISBN   string
						Writer *struct {
							Name string
							More []struct{ Writer struct{ ID int64 } }
						}
					}
				} `json:"novelsAll"`
			}
			Errors []any
		}
		if err := json.Unmarshal([]byte(got), &answer); err != nil || answer.Errors != nil || len(answer.Data.All.Items) != parents {
			t.Fatalf("%d parents: %v %s", parents, err, got)
		}
		for n, item := range answer.Data.All.Items {
			if id := int64(n % 7); (item.Writer == nil) != (id == 3) || item.Writer != nil && (item.Writer.Name != fmt.Sprint("writer ", id) || len(item.Writer.More) != 2 || item.Writer.More[1].Writer.ID != id) {
				t.Errorf("%d parents: the novel %d has %+v in %s", parents, n, item, got)
			}
		}
		if writers, novels := l.writers.Load(), l.novels.Load(); writers != 2 || novels != 1 {
			t.Errorf("%d parents: writers were asked for %d times and novels %d times; want 2 levels and 1", parents, writers, novels)
		}
		if ids := l.writerIDs.Load(); ids > 7+6 {
			t.Errorf("%d keys were asked for; some were the same", ids)
		}
	}
}

func TestARelationOfVeryManyParentsIsAskedInParts(t *testing.T) {
	t.Parallel()
	l := newLibrary()
	l.relations = append(l.relations, op.RelateOne[novel]("novels.novel.self", "isbn", func(_ context.Context, keys []string) (map[string]writer, error) {
		l.novels.Add(1)
		found := map[string]writer{}
		for _, k := range keys {
			found[k] = writer{Name: k}
		}
		return found, nil
	}, op.Public()))
	h := l.endpoint(t)
	got := ask(t, h, `{ novelsAll(n: 1100) { items { isbn self { name } } } }`, nil)
	for _, n := range []int{0, 499, 500, 1099} {
		if part := fmt.Sprintf(`{"isbn":"isbn %d","self":{"name":"isbn %d"}}`, n, n); !strings.Contains(got, part) {
			t.Errorf("%s is missing", part)
		}
	}
	if calls := l.novels.Load(); calls != 3 {
		t.Errorf("1100 parents took %d calls, want 3", calls)
	}
}

func TestWhatARelationAnswers(t *testing.T) {
	t.Parallel()
	h := newLibrary().endpoint(t)
	for name, c := range map[string]struct {
		query     string
		variables object
		want      []string
	}{
		"in edges":         {`{ novelsList(first: 1) { edges { node { writer { id } } cursor } } }`, nil, []string{`{"edges":[{"node":{"writer":{"id":0}},"cursor":"`}},
		"twice":            {`{ novelsAll(n: 1) { items { a: writer { id } writer { name } b: writer { id } ... { writer { id } } } } }`, nil, []string{`{"a":{"id":0},"writer":{"name":"writer 0","id":0},"b":{"id":0}}`}},
		"a variable":       {`query($k: Int) { novelsAll(n: 1) { items { writer { novels(first: $k) { isbn } } } } }`, object{"k": 1}, []string{`{"novels":[{"isbn":"isbn 0"}]}`}},
		"left out":         {`{ novelsAll(n: 1) { items { writer @skip(if: true) { id } isbn } } }`, nil, []string{`{"items":[{"isbn":"isbn 0"}]}`}},
		"too many":         {`{ novelsAll(n: 1) { items { writer { novels(first: 101) { isbn } } } } }`, nil, []string{`"path":["novelsAll","items",0,"writer","novels"]`, `"novels":null`, `from 1 to 100`}},
		"too few":          {`{ novelsAll(n: 1) { items { writer { novels(first: 0) { isbn } } } } }`, nil, []string{`"code":"invalid"`}},
		"not allowed":      {`{ novelsAll(n: 2) { items { isbn hidden { id } } } }`, nil, []string{`"code":"permission_denied"`, `"path":["novelsAll","items",0,"hidden"]`, `"path":["novelsAll","items",1,"hidden"]`, `{"isbn":"isbn 1","hidden":null}`}},
		"a failure":        {`{ novelsAll(n: 2) { items { next { isbn } } } }`, nil, []string{`"code":"internal"`, `"path":["novelsAll","items",0,"next"]`, `[{"next":null},{"next":null}]`}},
		"a parent cut out": {`{ novelsAll(n: 14) { items { mood writer { id } } } }`, nil, []string{`"path":["novelsAll","items",13,"mood"]`, `{"mood":"open","writer":{"id":5}},null]`}},
		"in a fragment":    {`{ novelsAll(n: 1) { items { ...f } } } fragment f on Novel { writer { ...g } } fragment g on Writer { id __typename }`, nil, []string{`{"writer":{"id":0,"__typename":"Writer"}}`}},
	} {
		got := ask(t, h, c.query, c.variables)
		for _, part := range c.want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %s is missing in %s", name, part, got)
			}
		}
		if strings.Contains(got, "10.0.0.7") {
			t.Errorf("%s: shows the inside: %s", name, got)
		}
	}
}

func TestRelationsAreCounted(t *testing.T) {
	t.Parallel()
	l := newLibrary()
	h := l.endpoint(t)
	for name, query := range map[string]string{
		"too many values": `{ novelsList(first: 100) { nodes { writer { novels(first: 100) { isbn mood } } } } }`,
		"of a variable":   `query($n: Int = 100) { novelsList(first: 100) { nodes { writer { novels(first: $n) { isbn mood } } } } }`,
		"nested":          `{ novelsAll(n: 1) { items { writer { novels { writer { novels { writer { novels { writer { novels { isbn } } } } } } } } } } }`,
		"too many calls":  `{ novelsAll(n: 1) { items {` + manyWriters(20) + ` } } }`,
	} {
		if w := post(t, h, object{"query": query}); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `"code":"graphql_too_complex"`) {
			t.Errorf("%s: answered %d %.300s", name, w.Code, w.Body)
		}
	}
	if got := ask(t, h, `query($n: Int = 100) { novelsList(first: 100) { nodes { writer { novels(first: $n) { isbn mood } } } } }`, object{"n": 10}); strings.Contains(got, "errors") && !strings.Contains(got, `"mood"]`) {
		t.Errorf("with a smaller variable answered %.300s", got)
	}
	if calls := l.novels.Load(); calls != 1 {
		t.Errorf("%d calls were made, want that of the last document alone", calls)
	}
}

func manyWriters(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%d: writer { id }", i)
	}
	return b.String()
}

func TestRelationsAreInTheSchema(t *testing.T) {
	t.Parallel()
	l := newLibrary()
	sdl, err := graphql.SDL(l.operations, l.relations...)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"  writer: Writer\n", "    first: Int = 20\n  ): [Novel!]\n"} {
		if !strings.Contains(sdl, part) {
			t.Errorf("the schema lacks %q:\n%s", part, sdl)
		}
	}
	for want, r := range map[string]op.Relation{
		"no operation answers with graphql_test.bill": op.RelateOne[bill]("bills.bill.writer", "amount", l.writersOf, op.Public()),
		"has a relation \"writer\" already":           op.RelateOne[novel]("other.novel.writer", "writer_id", l.writersOf, op.Public()),
		"the name is already taken":                   op.RelateOne[novel]("novels.all", "writer_id", l.writersOf, op.Public()),
	} {
		if _, err := graphql.SDL(l.operations, append(l.relations[:2:2], r)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}
