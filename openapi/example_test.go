package openapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/openapi"
	"github.com/ashlar-go/ashlar/rule"
)

type Greet struct {
	Name string `json:"name"`
}

func (in *Greet) Rules(r *rule.Set) { rule.Text(r, &in.Name).Len(1, 40).Match(`^[A-Za-z]+$`) }

type Greeting struct {
	Text string `json:"text"`
}

func greet(_ context.Context, in Greet) (Greeting, error) {
	return Greeting{"Hello, " + in.Name}, nil
}

// A document, its page and the meaning of each problem in a plain program.
func Example() {
	operations := []op.Operation{op.Query("greet", "GET /greet/{name}", greet, op.Public())}
	doc, err := openapi.Document(openapi.Info{Title: "Greeter", Version: "1.0.0"}, operations)
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /openapi.json", openapi.Serve(doc, "application/json"))
	mux.Handle("GET /docs", openapi.Docs())
	mux.Handle("GET /docs/{asset}", openapi.Docs())
	mux.Handle("GET /problems/{slug}", openapi.Problems(operations))

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	for line := range strings.Lines(answer.Body.String()) {
		if strings.Contains(line, "pattern") || strings.Contains(line, "maxLength") {
			fmt.Println(strings.TrimSpace(line))
		}
	}
	// Output:
	// "maxLength": 40,
	// "pattern": "^[A-Za-z]+$"
}
