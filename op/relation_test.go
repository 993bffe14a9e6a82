package op_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/op"
)

type (
	author struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	novel struct {
		ISBN     string   `json:"isbn"`
		AuthorID int64    `json:"author_id"`
		Tags     []string `json:"tags"`
	}
)

func authorsOf(_ context.Context, ids []int64) (map[int64]author, error) {
	found := map[int64]author{}
	for _, id := range ids {
		if id > 0 {
			found[id] = author{id, fmt.Sprint("author ", id)}
		}
	}
	return found, nil
}

func novelsOf(_ context.Context, _ []int64, limit int) (map[int64][]novel, error) {
	if limit != 2 && limit != op.StandardRelated {
		return nil, errors.New("another limit")
	}
	return map[int64][]novel{7: {{ISBN: "a"}, {ISBN: "b"}, {ISBN: "c"}}, 9: {{ISBN: "d"}}}, nil
}

// related asks a relation as a transport does.
func related[V any](t *testing.T, l *op.Link, in op.Related[int64]) op.Found[V] {
	t.Helper()
	call := l.Operation.Spec().NewCall()
	defer call.Release()
	*call.In().(*op.Related[int64]) = in
	if err := call.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	return *call.Out().(*op.Found[V])
}

func TestARelationAnswersInTheOrderOfItsKeys(t *testing.T) {
	t.Parallel()
	one := op.RelateOne[novel]("novels.novel.author", "author_id", authorsOf, op.Public()).Link()
	many := op.RelateMany[author]("novels.author.novels", "id", novelsOf, op.Public()).Link()
	if one.Field != "author" || one.Member != "author_id" || one.Many || !many.Many || many.Target.Go.Name() != "novel" {
		t.Errorf("declared are %+v and %+v", one, many)
	}

	authors := related[author](t, one, op.Related[int64]{Keys: []int64{3, 0, 2}})
	if !slices.Equal(authors.Ends, []int32{1, 1, 2}) || len(authors.Values) != 2 || authors.Values[1].ID != 2 {
		t.Errorf("authors: %+v", authors)
	}
	novels := related[novel](t, many, op.Related[int64]{Keys: []int64{9, 8, 7}, Limit: 2})
	if !slices.Equal(novels.Ends, []int32{1, 1, 3}) || novels.Values[2].ISBN != "b" {
		t.Errorf("two novels of each: %+v", novels)
	}
	if novels = related[novel](t, many, op.Related[int64]{Keys: []int64{7}}); len(novels.Values) != 3 {
		t.Errorf("the usual number: %+v", novels)
	}
}

func TestMistakenRelationsAreRefused(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]op.Relation{
		"does not say who may call it":          op.RelateOne[novel]("novels.novel.author", "author_id", authorsOf),
		"does not say of what the relation is":  op.RelateOne[novel]("author", "author_id", authorsOf, op.Public()),
		`has no member "author"`:                op.RelateOne[novel]("novels.novel.author", "author", authorsOf, op.Public()),
		"a key is a text or a whole number":     op.RelateOne[novel]("novels.novel.author", "tags", authorsOf, op.Public()),
		"the function takes keys of type int64": op.RelateOne[novel]("novels.novel.author", "isbn", authorsOf, op.Public()),
		`has a member "tags" already`:           op.RelateOne[novel]("novels.novel.tags", "author_id", authorsOf, op.Public()),
		"has no function":                       op.RelateMany[author, int64, novel]("novels.author.novels", "id", nil, op.Public()),
		"has no members":                        op.RelateOne[string]("novels.novel.author", "id", authorsOf, op.Public()),
		"is the zero Operation":                 {},
		`of the form "payments.capture"`:        op.RelateOne[novel]("Novels.author", "author_id", authorsOf, op.Public()),
		"leaves no time":                        op.RelateOne[novel]("novels.novel.author", "author_id", authorsOf, op.Public(), op.Timeout(-1)),
		"Allow names no permission":             op.RelateOne[novel]("novels.novel.author", "author_id", authorsOf, op.Allow()),
	} {
		switch err := op.CheckRelations([]op.Relation{r}, nil); {
		case err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("refused with %v, want %q", err, want)
		case r.Link() != nil && !strings.Contains(err.Error(), "op/relation_test.go:"):
			t.Errorf("%v names no place", err)
		}
	}
	twice := []op.Relation{
		op.RelateOne[novel]("a.novel.author", "author_id", authorsOf, op.Public()),
		op.RelateOne[novel]("b.novel.author", "author_id", authorsOf, op.Public()),
	}
	if err := op.CheckRelations(twice, nil); err == nil || !strings.Contains(err.Error(), `has a relation "author" already, a.novel.author`) {
		t.Errorf("two of one name: %v", err)
	}
	if err := op.CheckRelations(twice[:1], nil); err != nil {
		t.Error(err)
	}
}

func ExampleRelateOne() {
	r := op.RelateOne[novel]("novels.novel.author", "author_id", authorsOf, op.Allow(ReadBooks))
	fmt.Println(op.CheckRelations([]op.Relation{r}, nil), r.Link().Field, r.Link().Operation.Spec().Permissions)
	// Output: <nil> author [books:read]
}
