package input_test

import (
	"net/http"
	"net/url"
	"reflect"
	"testing"

	"github.com/ashlar-go/ashlar/internal/input"
	"github.com/ashlar-go/ashlar/rule"
)

type filter struct {
	ID     string   `json:"id"`
	Author string   `json:"author,omitzero"`
	Tags   []string `json:"tags,omitzero"`
	Limit  *int     `json:"limit,omitzero"`
}

// FuzzAppendKey holds that two requests with one key have one input, however
// they are written, and that a request has one key.
func FuzzAppendKey(f *testing.F) {
	described, err := rule.Describe(reflect.TypeFor[filter]())
	if err != nil {
		f.Fatal(err)
	}
	in, err := input.Compile(described, []string{"id"}, false)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("a", "", "a", "")
	f.Add("a", "author=b&limit=3", "a", "limit=3&author=b")
	f.Add("a", "tags=b&tags=c", "a", "tags=bc")
	f.Add("a", "author=%62", "a", "author=b")
	f.Add("a", "author=", "a", "")
	f.Add("ab", "author=c", "a", "author=bc")
	f.Fuzz(func(t *testing.T, id1, query1, id2, query2 string) {
		one, key1, ok1 := read(in, id1, query1)
		two, key2, ok2 := read(in, id2, query2)
		if !ok1 || !ok2 {
			return
		}
		if key1 == key2 && !reflect.DeepEqual(one, two) {
			t.Errorf("%q?%q and %q?%q share the key %q", id1, query1, id2, query2, key1)
		}
		if _, again, _ := read(in, id1, query1); again != key1 {
			t.Errorf("%q?%q has two keys", id1, query1)
		}
	})
}

func read(in *input.Input, id, query string) (f filter, key string, ok bool) {
	r := &http.Request{Method: "GET", URL: &url.URL{Path: "/"}}
	r.SetPathValue("id", id)
	err := in.Read(r, query, nil, &f)
	return f, string(in.AppendKey(nil, r, query)), err == nil
}

func TestOneInputHasOneKey(t *testing.T) {
	t.Parallel()
	described, err := rule.Describe(reflect.TypeFor[filter]())
	if err != nil {
		t.Fatal(err)
	}
	in, err := input.Compile(described, []string{"id"}, false)
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := read(in, "a", "author=b+c&tags=x&tags=y&limit=3")
	for _, query := range []string{"limit=3&tags=x&author=b%20c&tags=y", "tags=%78&&tags=y&limit=3&author=b+c&"} {
		if _, got, ok := read(in, "a", query); got != want || !ok {
			t.Errorf("%s has a key of its own", query)
		}
	}
	if _, got, _ := read(in, "a", "author=b+c&tags=y&tags=x&limit=3"); got == want {
		t.Error("the order of a list does not count")
	}
}
