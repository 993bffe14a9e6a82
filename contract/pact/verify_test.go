package pact_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/contract/pact"
)

// A file with an interaction of each kind, as libraries write version 4.
const orders = `{
	"consumer": {"name": "web"}, "provider": {"name": "orders"},
	"interactions": [
		{
			"type": "Synchronous/HTTP", "description": "a request for an order",
			"providerStates": [{"name": "an order", "params": {"total": 5}}],
			"request": {
				"method": "GET", "path": "/orders/ord_1", "query": {"full": ["yes"]}, "headers": {"Authorization": ["Bearer x"]},
				"generators": {"path": {"type": "ProviderState", "expression": "/orders/${id}"}}
			},
			"response": {
				"status": 200, "headers": {"Content-Type": ["application/json"]},
				"body": {"content": {"id": "ord_1", "total": 5, "made_at": "2024-01-01T00:00:00Z"}, "contentType": "application/json", "encoded": false},
				"matchingRules": {
					"body": {
						"$.id": {"combine": "AND", "matchers": [{"match": "regex", "regex": "ord_\\w+"}]},
						"$.total": {"combine": "AND", "matchers": [{"match": "integer"}]},
						"$.made_at": {"combine": "AND", "matchers": [{"match": "timestamp", "format": "yyyy-MM-dd'T'HH:mm:ssX"}]}
					},
					"status": {"matchers": [{"match": "statusCode", "status": "success"}]}
				}
			}
		},
		{
			"type": "Synchronous/HTTP", "description": "an order",
			"request": {"method": "POST", "path": "/orders", "headers": {"Content-Type": ["application/json"]}, "body": {"content": {"total": 5}, "contentType": "application/json", "encoded": false}},
			"response": {"status": 201, "headers": {"Location": ["/orders/ord_9"]}, "matchingRules": {"header": {"Location": {"matchers": [{"match": "regex", "regex": "/orders/ord_\\d"}]}}}}
		},
		{
			"type": "Asynchronous/Messages", "description": "an order was made",
			"metadata": {"contentType": "application/json", "topic": "orders"},
			"contents": {"content": {"id": "ord_1"}, "contentType": "application/json", "encoded": false},
			"matchingRules": {"body": {"$.id": {"matchers": [{"match": "type"}]}}, "metadata": {"topic": {"matchers": [{"match": "type"}]}}}
		}
	],
	"metadata": {"pactSpecification": {"version": "4.0"}}
}`

// shop is a provider that keeps the pact.
func shop() pact.Config {
	ids := map[string]bool{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer fresh":
			w.WriteHeader(http.StatusUnauthorized)
		case !ids[r.PathValue("id")] || r.URL.Query().Get("full") != "yes":
			w.WriteHeader(http.StatusNotFound)
		default:
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			fmt.Fprintf(w, `{"id": %q, "total": 7, "made_at": "2026-11-29T00:00:00Z", "more": 1}`, r.PathValue("id"))
		}
	})
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != `{"total":5}` || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Location", "/orders/ord_4")
		w.WriteHeader(http.StatusCreated)
	})
	return pact.Config{
		Provider: "orders",
		Handler:  mux,
		States: map[string]pact.Setup{"an order": func(_ context.Context, params map[string]any) (map[string]any, error) {
			if fmt.Sprint(params["total"]) != "5" {
				return nil, fmt.Errorf("a total of %v", params["total"])
			}
			ids["ord_7"] = true
			return map[string]any{"id": "ord_7"}, nil
		}},
		Messages: map[string]func(context.Context) (pact.Message, error){"an order was made": func(context.Context) (pact.Message, error) {
			return pact.Message{Contents: []byte(`{"id": "ord_2"}`), Metadata: map[string]any{"contentType": "application/json", "topic": "all"}}, nil
		}},
		Prepare: func(r *http.Request) error {
			r.Header.Set("Authorization", "Bearer fresh")
			return nil
		},
	}
}

func folder(t *testing.T, files ...string) pact.Folder {
	t.Helper()
	dir := t.TempDir()
	for i, text := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.json", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return pact.Folder(dir)
}

func TestProviderThatKeepsItsPact(t *testing.T) {
	t.Parallel()
	c := shop()
	c.Sources = []pact.Source{folder(t, orders)}
	pact.Test(t, c)

	server := httptest.NewServer(c.Handler)
	t.Cleanup(server.Close)
	c.URL, c.Handler = server.URL, nil
	pact.Test(t, c)
}

// TestProviderThatDoesNot breaks the provider, or the pact, in one place each.
func TestProviderThatDoesNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from, to string
		change   func(*pact.Config)
		want     string
	}{
		"a status": {`"status": "success"`, `"status": "redirect"`, nil, "web: a request for an order, given an order\n\tstatus: expected a status of redirect (matcher statusCode redirect), got 200"},
		"a header": {`"application/json"]},
				"body"`, `"text/html"]},
				"body"`, nil, `header Content-Type: expected "text/html", got "application/json; charset=utf-8"`},
		"a field":          {`"total": 5, "made_at"`, `"sum": 5, "made_at"`, nil, "web: a request for an order, given an order\n\tbody at $.sum: expected 5, got nothing"},
		"a matcher":        {`"match": "integer"`, `"match": "boolean"`, nil, "body at $.total: expected true or false (matcher boolean), got 7"},
		"a matched header": {`ord_\\d"`, `ord_\\d{4}"`, nil, `header Location: expected a text that matches as a whole (matcher regex /orders/ord_\d{4}), got "/orders/ord_4"`},
		"a message":        {`"content": {"id": "ord_1"}, "contentType"`, `"content": {"id": 1}, "contentType"`, nil, "web: an order was made\n\tcontents at $.id: expected a value of the type of 1 (matcher type), got \"ord_2\""},
		"metadata":         {`"topic": "orders"`, `"tropic": "orders"`, nil, `metadata tropic at $: expected "orders", got nothing`},
		"a state":          {`"name": "an order"`, `"name": "two orders"`, nil, "cannot be verified: no setup is given for the state \"two orders\""},
		"a state's value":  {`"total": 5}}]`, `"total": 6}}]`, nil, `the state "an order": a total of 6`},
		"a generator":      {`${id}`, `${name}`, nil, "no provider state returned a value for \"/orders/${name}\""},
		"an unknown rule":  {`"match": "integer"`, `"match": "telepathy"`, nil, "cannot be verified: response: the matcher of body $.total: the matcher \"telepathy\": not supported"},
		"XML":              {`"content": {"total": 5}, "contentType": "application/json"`, `"content": "<total>5</total>", "contentType": "application/xml"`, nil, "a body of XML: not supported"},
		"multipart":        {`"content": {"total": 5}, "contentType": "application/json"`, `"content": "--b", "contentType": "multipart/form-data; boundary=b"`, nil, "a body of multipart/form-data: not supported"},
		"a plugin":         {`"description": "an order was made",`, `"description": "an order was made", "pluginConfiguration": {"csv": {}},`, nil, "a plugin: not supported"},
		"another kind":     {`Asynchronous/Messages`, `Synchronous/Messages`, nil, `"Synchronous/Messages": not supported`},
		"another host":     {`"/orders", "headers"`, `"@evil.test/orders", "headers"`, nil, "does not start with a slash"},
		"a handler's panic": {"", "", func(c *pact.Config) {
			c.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh") })
		}, "the provider did not answer: its handler panicked: oh"},
		"no JSON":      {"", "", func(c *pact.Config) { c.Handler = answer(`<html>`) }, "body: expected a body of JSON, got 6 bytes that are not"},
		"no body":      {"", "", func(c *pact.Config) { c.Handler = answer(``) }, "body at $: expected a body of JSON, got nothing"},
		"no provider":  {"", "", func(c *pact.Config) { c.Handler = nil }, "a request needs a provider that answers: give its Handler or URL"},
		"no message":   {"", "", func(c *pact.Config) { c.Messages = nil }, `nothing makes the message "an order was made"`},
		"no signature": {"", "", func(c *pact.Config) { c.Prepare = func(*http.Request) error { return errors.New("no key") } }, "prepare the request: no key"},
		"no answer in time": {"", "", func(c *pact.Config) {
			c.Timeout = time.Millisecond
			c.States["an order"] = func(ctx context.Context, _ map[string]any) (map[string]any, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
		}, `the state "an order": context deadline exceeded`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := orders
			if c.from != "" {
				if strings.Count(orders, c.from) != 1 {
					t.Fatalf("%q is %d times in the pact", c.from, strings.Count(orders, c.from))
				}
				text = strings.Replace(orders, c.from, c.to, 1)
			}
			config := shop()
			config.Sources = []pact.Source{folder(t, text)}
			if c.change != nil {
				c.change(&config)
			}
			said := failures(t, config)
			if !strings.Contains(said, c.want) {
				t.Errorf("said\n%s\nand nothing of\n%s", said, c.want)
			}
		})
	}
}

func answer(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
}

// failures are the results that did not pass, as people read them.
func failures(t *testing.T, c pact.Config) string {
	t.Helper()
	results, err := pact.Verify(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range results {
		if !r.Passed() {
			fmt.Fprintln(&b, r)
		}
	}
	return b.String()
}

// TestPendingFailsNothing marks an interaction as one that the provider never
// had.
func TestPendingFailsNothing(t *testing.T) {
	t.Parallel()
	text := strings.Replace(orders, `"description": "an order was made",`, `"description": "an order was made", "pending": true,`, 1)
	c := shop()
	c.Messages = nil
	c.Sources = []pact.Source{folder(t, text)}
	pact.Test(t, c)
	if said := failures(t, c); !strings.Contains(said, "web: an order was made (pending)\n\tcannot be verified") {
		t.Error(said)
	}
}

func TestMistakesOfAVerification(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*pact.Config){
		"a provider is a Handler or a URL":            func(c *pact.Config) { c.URL = "http://127.0.0.1" },
		"no source of pacts":                          func(c *pact.Config) { c.Sources = nil },
		`has no pact with "sales", but with`:          func(c *pact.Config) { c.Provider = "sales" },
		`has no pact with "orders"`:                   func(c *pact.Config) { c.Sources = []pact.Source{folder(t)} },
		"unexpected end of JSON input":                func(c *pact.Config) { c.Sources = []pact.Source{folder(t, "{")} },
		"does not name its consumer and its provider": func(c *pact.Config) { c.Sources = []pact.Source{folder(t, "{}")} },
		`version "5.0" of the specification`: func(c *pact.Config) {
			c.Sources = []pact.Source{folder(t, strings.Replace(orders, `"4.0"`, `"5.0"`, 1))}
		},
		"no such file": func(c *pact.Config) { c.Sources = []pact.Source{pact.Folder("nowhere/pact.json")} },
	} {
		c := shop()
		c.Sources = []pact.Source{folder(t, orders)}
		change(&c)
		if _, err := pact.Verify(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestVersionsBefore verifies one exchange as each version writes it.
func TestVersionsBefore(t *testing.T) {
	t.Parallel()
	for name, metadata := range map[string]string{
		"nothing": `{}`, "1": `{"pactSpecificationVersion": "1.0.0"}`, "1.1": `{"pactSpecification": {"version": "1.1.0"}}`,
		"2": `{"pact-specification": {"version": "2.0.0"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := `, "matchingRules": {"$.body.id": {"match": "type"}, "$.headers.X-Page": {"match": "regex", "regex": "\\d"}}`
			want := `{"id": 1}`
			if strings.Contains(metadata, `"1.`) {
				rules, want = "", `{"id": 2}`
			}
			c := pact.Config{Provider: "orders", Sources: []pact.Source{folder(t, `{"consumer": {"name": "web"}, "provider": {"name": "orders"}, "interactions": [{
				"description": "a page", "provider_state": "orders", "request": {"method": "get", "path": "/orders", "query": "page=2&of=a+b"},
				"response": {"status": 200, "headers": {"X-Page": "2"}, "body": `+want+rules+`}}], "metadata": `+metadata+`}`)}}
			c.States = map[string]pact.Setup{"orders": func(context.Context, map[string]any) (map[string]any, error) { return map[string]any{}, nil }}
			c.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("of") != "a b" || r.URL.Query().Get("page") != "2" {
					t.Errorf("asked for %s", r.URL)
				}
				w.Header().Set("X-Page", "2")
				io.WriteString(w, `{"id": 2, "more": true}`)
			})
			pact.Test(t, c)
		})
	}
}

// TestGeneratedValues looks at what is sent where the pact says that values
// come from states or the clock.
func TestGeneratedValues(t *testing.T) {
	t.Parallel()
	sent := make(chan map[string]any, 1)
	c := pact.Config{Provider: "orders", Sources: []pact.Source{folder(t, `{"consumer": {"name": "web"}, "provider": {"name": "orders"}, "interactions": [{
		"description": "an order", "providerStates": [{"name": "stock"}],
		"request": {
			"method": "POST", "path": "/x", "query": {"q": ["a", "b"]}, "headers": {"X-Id": "1", "Content-Type": "application/json"},
			"body": {"items": [{"id": 1}, {"id": 2}], "day": "2000-01-01", "n": 7},
			"generators": {
				"path": {"type": "ProviderState", "expression": "${path}"},
				"query": {"q[1]": {"type": "ProviderState", "expression": "${id}"}},
				"header": {"X-Id": {"type": "ProviderState", "expression": "id-${id}"}},
				"body": {
					"$.items[*].id": {"type": "ProviderState", "expression": "${id}"},
					"$.day": {"type": "Date", "format": "yyyy-MM-dd"},
					"$.n": {"type": "RandomInt", "min": 1, "max": 9}
				}
			}
		},
		"response": {"status": 200}}], "metadata": {"pactSpecification": {"version": "3.0.0"}}}`)}}
	c.States = map[string]pact.Setup{"stock": func(context.Context, map[string]any) (map[string]any, error) {
		return map[string]any{"id": 42, "path": "/orders"}, nil
	}}
	c.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body map[string]any
		json.NewDecoder(r.Body).Decode(&body)
		body["uri"], body["header"] = r.URL.RequestURI(), r.Header.Get("X-Id")
		sent <- body
	})
	before := time.Now().UTC().Format(time.DateOnly)
	pact.Test(t, c)
	got := <-sent
	if day := got["day"]; day != before && day != time.Now().UTC().Format(time.DateOnly) {
		t.Errorf("the day is %v", day)
	}
	delete(got, "day")
	const want = "map[header:id-42 items:[map[id:42] map[id:42]] n:7 uri:/orders?q=a&q=42]"
	if fmt.Sprint(got) != want {
		t.Errorf("sent %v\nwant %s", got, want)
	}
}
