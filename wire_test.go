package ashlar_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/db"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/op"
)

const errTaken fault.Conflict = "name_taken"

// refusal is the form of failures of a contract that has one of its own.
type refusal struct {
	Errors map[string][]string `json:"errors"`
}

// wire gives an app a contract with words of its own.
func wire(app *ashlar.App) {
	app.TokenScheme("Token")
	app.Faults(fault.JSON(func(p fault.Problem) refusal {
		r := refusal{map[string][]string{}}
		for _, v := range p.Errors {
			r.Errors[v.Pointer] = append(r.Errors[v.Pointer], v.Code)
		}
		if len(p.Errors) == 0 {
			r.Errors["code"] = []string{p.Code}
		}
		return r
	}))
	who := func(ctx context.Context, _ struct{}) (greeting, error) {
		return greeting{"Hello " + access.From(ctx).ID}, nil
	}
	app.Mount(ashlar.Module{
		Name: "wired",
		Operations: []op.Operation{
			op.Query("wired.see", "GET /see", who, op.Public(), op.Recognized()),
			op.Query("wired.me", "GET /me", who, op.Authenticated()),
			op.Stream("wired.hail", "GET /hail/{name}", watch, op.Public(), op.Recognized()),
			op.Command("wired.poke", "POST /poke/{name}", greet, op.Authenticated(), op.IgnoreBody()),
			op.Command("wired.take", "POST /take", func(ctx context.Context, _ name) (greeting, error) {
				return db.InTx(ctx, app.DB, func(*db.Tx) (greeting, error) {
					return greeting{}, db.Keep(errTaken.With("by", "ann"))
				})
			}, op.Authenticated(), op.Idempotent(time.Hour), op.Fails(errTaken)),
		},
	})
}

func wired(t *testing.T) *ashlartest.App {
	app := ashlartest.Open(t)
	app.Grant("clerk", "greetings:read")
	wire(app.App)
	return app
}

// TestFailuresInAFormOfTheirOwn holds that every failure has the form, wherever
// it comes from, and that who asks for problem documents gets those.
func TestFailuresInAFormOfTheirOwn(t *testing.T) {
	t.Parallel()
	app := wired(t)
	ann := app.AsRole("ann", "", "clerk").With("Accept", "application/json")
	nobody := app.Anonymous().With("Accept", "application/json")
	for name, c := range map[string]struct {
		client               *ashlartest.Client
		method, target, body string
		status               int
		want                 string
	}{
		"a violation":             {ann.Key("k1"), "POST", "/take", `{}`, 422, `{"errors":{"/name":["required"]}}`},
		"a fault":                 {ann.Key("k2"), "POST", "/take", `{"name":"a"}`, 409, `{"errors":{"code":["name_taken"]}}`},
		"a body that is no JSON":  {ann.Key("k3"), "POST", "/take", `{`, 400, `{"errors":{"code":["malformed"]}}`},
		"nobody who signed in":    {nobody, "GET", "/me", "", 401, `{"errors":{"code":["unauthenticated"]}}`},
		"a path that is not":      {nobody, "GET", "/nowhere", "", 404, `{"errors":{"code":["not_found"]}}`},
		"a method that is not":    {nobody, "PUT", "/me", "", 405, `{"errors":{"code":["method_not_allowed"]}}`},
		"a panic":                 {ann, "POST", "/poke/panic", "", 500, `{"errors":{"code":["internal"]}}`},
		"a type not to be had":    {ann.With("Accept", "text/html"), "GET", "/me", "", 406, `{"errors":{"code":["not_acceptable"]}}`},
		"a token that is no good": {nobody.With("Authorization", "Token x.y.z"), "GET", "/see", "", 401, `{"errors":{"code":["token_invalid"]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := c.client.Do(c.method, c.target, c.body)
			if w.Code != c.status || strings.TrimSpace(w.Body.String()) != c.want || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%d %s %s, want %d %s", w.Code, w.Header().Get("Content-Type"), w.Body, c.status, c.want)
			}
			w = c.client.With("Accept", "application/problem+json, */*;q=0.1").Do(c.method, c.target, c.body)
			if c.status != 406 && (w.Code != c.status || w.Header().Get("Content-Type") != fault.MediaType) {
				t.Errorf("asked for a problem document: %d %s %s", w.Code, w.Header().Get("Content-Type"), w.Body)
			}
		})
	}
}

// TestGraphQLKeepsItsFormOfFailures where the API has one of its own.
func TestGraphQLKeepsItsFormOfFailures(t *testing.T) {
	t.Parallel()
	app := wired(t)
	app.GraphQL(graphql.Limits{})
	for query, want := range map[string]string{
		`{"query":"{ wiredMe { text } }"}`:  `"code":"unauthenticated"`,
		`{"query":"{ wiredSee { text } }"}`: `"text":"Hello "`,
	} {
		w := app.Anonymous().With("Accept", "application/json").Do("POST", "/graphql", query)
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s, want %s", query, w.Code, w.Body, want)
		}
	}
}

// TestAStoredRefusalHasTheForm of whoever gets it again.
func TestAStoredRefusalHasTheForm(t *testing.T) {
	t.Parallel()
	ann := wired(t).AsRole("ann", "", "clerk").Key("once")
	form, document := ann.With("Accept", "application/json"), ann
	take := func(c *ashlartest.Client) *httptest.ResponseRecorder { return c.Do("POST", "/take", `{"name":"a"}`) }
	for n, c := range []struct {
		client      *ashlartest.Client
		media, want string
	}{
		{form, "application/json", `{"errors":{"code":["name_taken"]}}`},
		{document, fault.MediaType, `"by":"ann"`},
		{form, "application/json", `{"errors":{"code":["name_taken"]}}`},
	} {
		w := take(c.client)
		if w.Code != 409 || w.Header().Get("Content-Type") != c.media || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%d: %d %s %s", n, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		if replayed := w.Header().Get("Idempotency-Replayed") == "true"; replayed != (n > 0) {
			t.Errorf("%d: replayed is %t", n, replayed)
		}
	}
}

func TestTokensAfterAWordOfTheirOwn(t *testing.T) {
	t.Parallel()
	app := wired(t)
	app.Migrate()
	account, err := app.Accounts.Create(t.Context(), auth.NewAccount{Email: "ann@wired.test", Password: "square-and-true", Role: "clerk"})
	if err != nil {
		t.Fatal(err)
	}
	grant, err := app.Accounts.OpenSession(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	ann := "Hello " + account.ID
	for name, c := range map[string]struct {
		header, me, see string
		status          int
	}{
		"its own word":  {"Token " + grant.AccessToken, ann, ann, 200},
		"in lower case": {"token " + grant.AccessToken, ann, ann, 200},
		"Bearer":        {"Bearer " + grant.AccessToken, ann, ann, 200},
		"another":       {"Basic YTpi", "", "Hello ", 401},
		"none":          {"", "", "Hello ", 401},
	} {
		client := app.Anonymous()
		if c.header != "" {
			client = client.With("Authorization", c.header)
		}
		for range 2 { // the second time it is remembered
			me, see := client.Do("GET", "/me", ""), client.Do("GET", "/see", "")
			if me.Code != c.status || !strings.Contains(me.Body.String(), c.me) {
				t.Errorf("%s: %d %s", name, me.Code, me.Body)
			}
			if challenge := me.Header().Get("WWW-Authenticate"); c.status == 401 && challenge != `Token realm="api"` {
				t.Errorf("%s: the challenge is %s", name, challenge)
			}
			if see.Code != 200 || see.Body.String() != `{"text":"`+c.see+`"}` {
				t.Errorf("%s: recognized: %d %s, want %q", name, see.Code, see.Body, c.see)
			}
		}
	}
}

// TestARecognizedStreamEndsWithItsSession, as others do, and goes on for those who
// never said who they are.
func TestARecognizedStreamEndsWithItsSession(t *testing.T) {
	t.Parallel()
	app := wired(t)
	app.Migrate()
	account, err := app.Accounts.Create(t.Context(), auth.NewAccount{Email: "ann@wired.test", Password: "square-and-true", Role: "clerk"})
	if err != nil {
		t.Fatal(err)
	}
	grant, err := app.Accounts.OpenSession(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(app.Handler())
	defer server.Close()
	open, _ := stream(t, server.URL+"/hail/ann", "")
	_, in := stream(t, server.URL+"/hail/ann", grant.AccessToken)
	if err := app.Accounts.Disable(t.Context(), account.ID); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(in)
	if err != nil || !strings.Contains(string(rest), `"code":"token_invalid"`) {
		t.Errorf("the stream of who may no more sign in ended with %q, %v", rest, err)
	}
	if err := open.Body.Close(); err != nil {
		t.Error(err)
	}
}

func TestAnIgnoredBodyIsIgnored(t *testing.T) {
	t.Parallel()
	ann := wired(t).AsRole("ann", "", "clerk")
	for _, body := range []string{"", `{"user":{"email":"a@b.test"}}`, "no JSON", strings.Repeat("x", 3<<20)} {
		if w := ann.Do("POST", "/poke/bob", body); w.Code != 200 {
			t.Errorf("%.20q: %d %s", body, w.Code, w.Body)
		}
	}
}

// TestTheDocumentSaysTheWords of a contract of its own.
func TestTheDocumentSaysTheWords(t *testing.T) {
	t.Parallel()
	w := wired(t).Anonymous().Do("GET", "/openapi.json", "")
	var doc struct {
		Paths map[string]map[string]struct {
			Security    []map[string][]string
			RequestBody any
			Responses   map[string]struct {
				Content map[string]any
				Ref     string `json:"$ref"`
			}
		}
		Components struct {
			SecuritySchemes map[string]map[string]string
			Schemas         map[string]any
			Responses       map[string]struct{ Content map[string]any }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	see, take := doc.Paths["/see"]["get"], doc.Paths["/take"]["post"]
	if len(see.Security) != 2 || len(see.Security[0]) != 0 || see.Security[1]["token"] == nil {
		t.Errorf("who may see: %v", see.Security)
	}
	if scheme := doc.Components.SecuritySchemes["token"]; scheme["type"] != "apiKey" || scheme["name"] != "Authorization" || !strings.Contains(scheme["description"], "Token") {
		t.Errorf("the scheme is %v", scheme)
	}
	contents := []map[string]any{take.Responses["409"].Content, doc.Components.Responses[strings.TrimPrefix(see.Responses["401"].Ref, "#/components/responses/")].Content}
	for _, content := range contents {
		if content["application/json"] == nil || content[fault.MediaType] == nil {
			t.Errorf("a failure is %v", content)
		}
	}
	if doc.Components.Schemas["Refusal"] == nil {
		t.Error("the form has no schema")
	}
	if doc.Paths["/poke/{name}"]["post"].RequestBody != nil {
		t.Error("a body that is ignored is asked for")
	}
}

func TestWordsThatCannotBe(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	wire(app.App)
	for _, scheme := range []auth.Scheme{"", "Basic", "two words", "T\u00f6ken"} {
		app.TokenScheme(scheme)
	}
	app.Faults(fault.JSON(func(fault.Problem) refusal { return refusal{} }))
	app.Mount(ashlar.Module{Name: "odd", Operations: []op.Operation{
		op.Query("odd.known", "GET /odd", func(context.Context, struct{}) (greeting, error) { return greeting{}, nil }, op.Authenticated(), op.Recognized()),
		op.Command("odd.body", "POST /odd", greet, op.Public(), op.IgnoreBody()),
	}})
	_, err := app.App.Handler()
	for _, want := range []string{`TokenScheme("")`, `TokenScheme("Basic")`, `TokenScheme("two words")`, "Faults is called twice", "Recognized is for Public", "IgnoreBody leaves out"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}
