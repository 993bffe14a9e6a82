package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
	"github.com/ashlar-go/ashlar/rule"
)

type Greet struct {
	Name string `json:"name"`
}

func (g *Greet) Rules(r *rule.Set) { rule.Text(r, &g.Name).Len(1, 20) }

type Greeting struct {
	Text string `json:"text"`
}

// An operation is served by any mux.
func Example() {
	greet := op.Command("greetings.make", "POST /greetings", func(_ context.Context, in Greet) (Greeting, error) {
		return Greeting{"Hello, " + in.Name + "!"}, nil
	}, op.Public())

	mux := http.NewServeMux()
	mux.Handle(rest.Handler(greet))

	for _, body := range []string{`{"name":"Ada"}`, `{"Name":"Ada"}`} {
		r := httptest.NewRequest("POST", "/greetings", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 {"text":"Hello, Ada!"}
	// 422 {"type":"/problems/invalid","title":"Invalid","status":422,"code":"invalid","detail":"The input breaks 2 rules.","errors":[{"pointer":"/Name","code":"unknown","detail":"is not a member that is known here"},{"pointer":"/name","code":"required","detail":"must be present"}]}
}
