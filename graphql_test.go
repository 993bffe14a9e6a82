package ashlar_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/graphql"
)

// P15.7: the schema is shown in development, and in production to nobody unless
// the app is told to. So is the page that sends documents.
func TestTheGraphQLSchemaIsNotShownInProduction(t *testing.T) {
	t.Parallel()
	production := []string{"ASHLAR_ENV", "production", "ASHLAR_SIGNING_KEYS", auth.GenerateKey().Secret().Reveal()}
	for name, c := range map[string]struct {
		env   []string
		shown bool
	}{
		"development":                {nil, true},
		"production":                 {production, false},
		"production that was told":   {append(slices.Clip(production), "ASHLAR_PUBLIC_DOCS", "true"), true},
		"production that was denied": {append(slices.Clip(production), "ASHLAR_PUBLIC_DOCS", "false"), false},
	} {
		app := ashlartest.Open(t, c.env...)
		app.GraphQL(graphql.Limits{})
		furnish(t, app)
		for _, query := range []string{
			`{ __schema { types { name } } }`,
			`{ __type(name: "Query") { name } }`,
			`{ a: __schema { queryType { name } } }`,
			`query($on: Boolean!) { ...f @include(if: $on) } fragment f on Query { __type(name: "Query") { name } }`,
		} {
			body, err := json.Marshal(map[string]any{"query": query, "variables": map[string]any{"on": true}})
			if err != nil {
				t.Fatal(err)
			}
			answer := app.Anonymous().Do(http.MethodPost, "/graphql", string(body))
			text := answer.Body.String()
			if shown := strings.Contains(text, `"Query"`); shown != c.shown || !shown && !strings.Contains(text, `"code":"graphql_introspection_off"`) {
				t.Errorf("%s: %s is answered %d %s", name, query, answer.Code, text)
			}
		}
		answer := app.Anonymous().Do(http.MethodPost, "/graphql", `{"query":"{ __typename nothing }"}`).Body.String()
		if strings.Contains(answer, "Did you mean") {
			t.Errorf("%s: a name is suggested: %s", name, answer)
		}
		for _, path := range []string{"/graphql/try", "/graphql/try/app.js", "/graphql/try/style.css"} {
			if page := app.Anonymous().Do(http.MethodGet, path, ""); (page.Code == http.StatusOK) != c.shown {
				t.Errorf("%s: %s is answered %d", name, path, page.Code)
			}
		}
	}
}
