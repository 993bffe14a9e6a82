package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

type place struct {
	Name string `json:"name"`
	N    int    `json:"n"`
}

func (p *place) Rules(r *rule.Set) {
	rule.Text(r, &p.Name).Len(1, 8)
	rule.Number(r, &p.N).Min(-5)
}

func TestPathValues(t *testing.T) {
	t.Parallel()
	h := api(t, nil, op.Query("places.get", "GET /places/{name}/{n}", func(_ context.Context, in place) (place, error) { return in, nil }, op.Public()))
	for target, want := range map[string]string{
		"/places/a/1":                   `200 {"name":"a","n":1}`,
		"/places/a%20b/-5":              `200 {"name":"a b","n":-5}`,
		"/places/a+b/1":                 `200 {"name":"a+b","n":1}`, // a plus is a plus in a path
		"/places/a%2Fb/1":               `200 {"name":"a/b","n":1}`,
		"/places/%C3%A9%E6%97%A5/1":     `200 {"name":"é日","n":1}`,
		"/places/%F0%9F%A7%B1/1":        `200 {"name":"🧱","n":1}`,
		"/places/%22%5C/1":              `200 {"name":"\"\\","n":1}`,
		"/places/..%2Fx/1":              `200 {"name":"../x","n":1}`,
		"/places/%25/1":                 `200 {"name":"%","n":1}`,
		"/places/null/1":                `200 {"name":"null","n":1}`,
		"/places/a/1?name=b":            `422 /name`,
		"/places/a/1?n=2":               `422 /n`,
		"/places/123456789/1":           `422 /name`,
		"/places/a/-6":                  `422 /n`,
		"/places/a/x":                   `422 /n`,
		"/places/a/1.0":                 `422 /n`,
		"/places/a/1e3":                 `422 /n`,
		"/places/a/01":                  `422 /n`,
		"/places/a/+1":                  `422 /n`,
		"/places/a/%201":                `422 /n`,
		"/places/a/9223372036854775808": `422 /n`,
		"/places/%FF/1":                 `422 /name`,
		"/places/%00/1":                 `422 /name`,
		"/places/123456789/x?y=":        `422 /n /name /y`,
	} {
		if got := outcome(send(t, h, "GET", target, "")); got != want {
			t.Errorf("%s: got %s, want %s", target, got, want)
		}
	}
	for _, target := range []string{"/places/a/", "/places//1", "/places/a", "/places/a/1/"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := newRecorder()
		if h.ServeHTTP(w, r); w.Code == 200 {
			t.Errorf("%s: an empty value was read: %s", target, w.Body)
		}
	}
}

// outcome is a status with the body of a success or the pointers of a failure.
func outcome(a answer) string {
	if a.Code < 400 {
		return strings.TrimSpace(fmt.Sprint(a.Code, " ", a.Body.String()))
	}
	var parts []string
	for _, v := range a.problem.Errors {
		parts = append(parts, v.Pointer)
	}
	slices.Sort(parts)
	if len(a.problem.Errors) == 0 {
		parts = append(parts, a.problem.Code)
	}
	return fmt.Sprint(a.Code, " ", strings.Join(parts, " "))
}

func TestACommandsInputComesFromPathAndBodyAlone(t *testing.T) {
	t.Parallel()
	h := api(t, nil, op.Command("places.put", "PUT /places/{name}", func(_ context.Context, in place) (place, error) { return in, nil }, op.Public()))
	for _, c := range []struct{ target, body, want string }{
		{"/places/a", `{"n":1}`, `200 {"name":"a","n":1}`},
		{"/places/a", ``, `422 /n`},
		{"/places/a", `{"n":1,"name":"b"}`, `422 /name`}, // the path has said it
		{"/places/a?n=1", ``, `422 /n /n`},               // unknown there and missing here
		{"/places/a?n=1", `{"n":1}`, `422 /n`},
		{"/places/a?", `{"n":1}`, `200 {"name":"a","n":1}`},
		{"/places/a?&&", `{"n":1}`, `200 {"name":"a","n":1}`},
		{"/places/a?=", `{"n":1}`, `422 /`},
		{"/places/a?x=%zz", `{"n":1}`, `400 malformed`},
		{"/places/a?%zz", `{"n":1}`, `400 malformed`},
		{"/places/123456789?x", `{"n":-6,"y":0}`, `422 /n /name /x /y`},
		{"/places/123456789", `{"n":-6`, `400 malformed`},
	} {
		if got := outcome(send(t, h, "PUT", c.target, c.body)); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.target, c.body, got, c.want)
		}
	}
}

func TestManyUnknownParametersAreBounded(t *testing.T) {
	t.Parallel()
	h := api(t, nil, create(), get())
	var query strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&query, "p%d=%s&", i, strings.Repeat("v", 3))
	}
	long := strings.Repeat("%C3%A9~/", 1000) + "=secret"
	for _, target := range []string{"/notes?", "/notes/n1?"} {
		method := map[string]string{"/notes?": "POST", "/notes/n1?": "GET"}[target]
		body := map[string]string{"POST": `{"text":"123456","tags":["a","b","c"]}`}[method]
		a := send(t, h, method, target+query.String(), body)
		if a.Code != 422 || len(a.problem.Errors) != 64 || a.Body.Len() > 16<<10 {
			t.Errorf("%s: got %d with %d violations in %d bytes", target, a.Code, len(a.problem.Errors), a.Body.Len())
		}
		a = send(t, h, method, target+long, body)
		var pointer string
		for _, v := range a.problem.Errors {
			if v.Code == "unknown" {
				pointer = v.Pointer
			}
		}
		if a.Code != 422 || len(pointer) > 100 || !utf8.ValidString(pointer) || !strings.HasPrefix(pointer, "/é~0~1é~0~1") || strings.Contains(a.Body.String(), "secret") {
			t.Errorf("%s: got %d %q", target, a.Code, pointer)
		}
	}
}

func TestAQuerysTextsAreRead(t *testing.T) {
	t.Parallel()
	type asked struct {
		Name string   `json:"name,omitzero"`
		On   *bool    `json:"on,omitzero"`
		List []string `json:"list,omitzero"`
	}
	h := api(t, nil, op.Query("asked", "GET /", func(_ context.Context, in asked) (asked, error) { return in, nil }, op.Public()))
	for target, want := range map[string]string{
		"/?name=a+b":        `200 {"name":"a b"}`,
		"/?name=%C3%A9":     `200 {"name":"é"}`,
		"/?name=é":          `200 {"name":"é"}`,
		"/?name=a=b":        `200 {"name":"a=b"}`,
		"/?name":            `200 {}`,
		"/?n%61me=a":        `200 {"name":"a"}`,
		"/?on=false":        `200 {"on":false}`,
		"/?list=a,b&list=":  `200 {"list":["a,b",""]}`,
		"/?name=%FF":        `422 /name`,
		"/?name=%00":        `422 /name`,
		"/?on=1":            `422 /on`,
		"/?on=TRUE":         `422 /on`,
		"/?on=":             `422 /on`,
		"/?list[]=a":        `422 /list[]`,
		"/?name=a&n%61me=b": `400 malformed`,
		"/?name=%C3%A":      `400 malformed`,
		"/?name=a;on=true":  `400 malformed`,
		"/?other=a;name=b":  `400 malformed`,
	} {
		if got := outcome(send(t, h, "GET", target, "")); got != want {
			t.Errorf("%s: got %s, want %s", target, got, want)
		}
	}
}

// TestRequestsDoNotMix sends many at once, good and bad: each answer is that of
// its own request. Under the race detector it also says that nothing is shared.
func TestRequestsDoNotMix(t *testing.T) {
	t.Parallel()
	h := api(t, nil, op.Command("places.put", "POST /places", func(_ context.Context, in place) (place, error) { return in, nil }, op.Public()), get())
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 200 {
				name := fmt.Sprintf("%d-%d", worker, i)
				if a := send(t, h, "POST", "/places", fmt.Sprintf(`{"name":%q,"n":%d}`, name, i)); outcome(a) != fmt.Sprintf(`200 {"name":%q,"n":%d}`, name, i) {
					t.Errorf("%s got %s", name, a.Body)
				}
				if got := outcome(send(t, h, "POST", "/places", `{"n":1}`)); got != "422 /name" {
					t.Errorf("a missing name was found in another request: %s", got)
				}
				if a := send(t, h, "GET", "/notes/n1", ""); a.Code != 200 {
					t.Errorf("got %d", a.Code)
				}
			}
		})
	}
	all.Wait()
}
