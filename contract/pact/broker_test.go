package pact_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ashlar-go/ashlar/contract/pact"
)

// A broker answers as the documentation of the Pact Broker says, and as the
// official verifier wants: TestBrokerLikeTheOfficialVerifier holds it to that.
type broker struct {
	*httptest.Server

	pending bool
	pact    string
	mu      sync.Mutex
	asked   map[string]any
	results []map[string]any
	branch  string
	changes []string // requests that are no GET
}

func openBroker(t *testing.T, text string) *broker {
	t.Helper()
	b := &broker{pact: text}
	mux := http.NewServeMux()
	write := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/hal+json")
		json.NewEncoder(w).Encode(v)
	}
	href := func(to string) map[string]any { return map[string]any{"href": to} }
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		write(w, map[string]any{"_links": map[string]any{
			"pb:provider-pacts-for-verification": map[string]any{"href": b.URL + "/pacts/provider/{provider}/for-verification", "templated": true},
			"pb:pacticipant-branch-version":      map[string]any{"href": b.URL + "/pacticipants/{pacticipant}/branches/{branch}/versions/{version}", "templated": true},
		}})
	})
	listed := func(w http.ResponseWriter, r *http.Request) {
		write(w, map[string]any{
			"_links": map[string]any{"self": href(b.URL + r.URL.Path)},
			"_embedded": map[string]any{"pacts": []any{map[string]any{
				"shortDescription": "latest", "verificationProperties": map[string]any{"pending": b.pending, "notices": []any{}},
				"_links": map[string]any{"self": map[string]any{
					"name": "a pact between web and orders", "href": b.URL + "/pacts/provider/orders/consumer/web/pact-version/1",
				}},
			}}},
		})
	}
	mux.HandleFunc("GET /pacts/provider/orders/for-verification", listed)
	mux.HandleFunc("GET /pacticipants/orders", func(w http.ResponseWriter, _ *http.Request) {
		write(w, map[string]any{"_links": map[string]any{
			"pb:branch-version": map[string]any{"href": b.URL + "/pacticipants/orders/branches/{branch}/versions/{version}", "templated": true},
		}})
	})
	mux.HandleFunc("POST /pacts/provider/orders/for-verification", func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		json.NewDecoder(r.Body).Decode(&b.asked)
		listed(w, r)
	})
	mux.HandleFunc("POST /pacts/provider/nobody/for-verification", func(w http.ResponseWriter, _ *http.Request) {
		write(w, map[string]any{"_embedded": map[string]any{"pacts": []any{}}})
	})
	mux.HandleFunc("GET /pacts/provider/orders/consumer/web/pact-version/1", func(w http.ResponseWriter, _ *http.Request) {
		var p map[string]any
		json.Unmarshal([]byte(b.pact), &p)
		p["_links"] = map[string]any{"pb:publish-verification-results": href(b.URL + "/results"), "pb:provider": href(b.URL + "/pacticipants/orders")}
		p["interactions"].([]any)[0].(map[string]any)["_id"] = "abc"
		write(w, p)
	})
	mux.HandleFunc("PUT /pacticipants/orders/branches/{branch}/versions/{version}", func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.branch = r.PathValue("branch") + " " + r.PathValue("version")
		write(w, map[string]any{})
	})
	mux.HandleFunc("POST /results", func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		var in map[string]any
		json.NewDecoder(r.Body).Decode(&in)
		b.results = append(b.results, in)
		w.WriteHeader(http.StatusCreated)
	})
	b.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer let-me-in" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method != http.MethodGet {
			b.mu.Lock()
			b.changes = append(b.changes, r.Method+" "+r.URL.EscapedPath()+" "+r.Header.Get("Content-Type"))
			b.mu.Unlock()
		}
		mux.ServeHTTP(w, r)
	}))
	b.Start() // what a process of its own asks of b must have been written before
	t.Cleanup(b.Close)
	return b
}

func TestBroker(t *testing.T) {
	t.Parallel()
	b := openBroker(t, orders)
	c := shop()
	c.Sources = []pact.Source{pact.Broker{
		URL: b.URL, Token: "let-me-in", Version: "1.2.3", Branch: "feat/x", Results: true, Pending: true, BuildURL: "https://ci.example.com/7",
		Selectors: []pact.Selector{{Branch: "main"}, {DeployedOrReleased: true, Environment: "production"}},
	}}
	pact.Test(t, c)
	const asked = `{"consumerVersionSelectors":[{"branch":"main"},{"deployedOrReleased":true,"environment":"production"}],"includePendingStatus":true,"providerVersionBranch":"feat/x"}`
	if text, _ := json.Marshal(b.asked); string(text) != asked {
		t.Errorf("asked %s", text)
	}
	if b.branch != "feat/x 1.2.3" {
		t.Errorf("told of the branch %q", b.branch)
	}
	if len(b.results) != 1 {
		t.Fatalf("%d results", len(b.results))
	}
	r := b.results[0]
	if r["success"] != true || r["providerApplicationVersion"] != "1.2.3" || r["buildUrl"] != "https://ci.example.com/7" || len(r["testResults"].([]any)) != 3 {
		t.Errorf("published %v", r)
	}
	if first := r["testResults"].([]any)[0].(map[string]any); first["interactionId"] != "abc" || first["success"] != true {
		t.Errorf("published %v", first)
	}
}

// TestBrokerHearsOfFailures breaks the pact, which is pending too.
func TestBrokerHearsOfFailures(t *testing.T) {
	t.Parallel()
	b := openBroker(t, strings.Replace(orders, `"match": "integer"`, `"match": "boolean"`, 1))
	b.pending = true
	c := shop()
	c.Messages = nil
	c.Sources = []pact.Source{pact.Broker{URL: b.URL, Token: "let-me-in", Version: "1.2.3", Results: true, Pending: true}}
	pact.Test(t, c) // logs it
	if len(b.results) != 1 || b.results[0]["success"] != false {
		t.Fatalf("published %v", b.results)
	}
	said := fmt.Sprint(b.results[0]["testResults"])
	for _, want := range []string{"attribute:body", "identifier:$.total", "expected true or false (matcher boolean), got 7", "message:nothing makes the message"} {
		if !strings.Contains(said, want) {
			t.Errorf("published %s, without %s", said, want)
		}
	}
	b.pending = false
	if said := failures(t, c); !strings.Contains(said, "matcher boolean") || strings.Contains(said, "pending") {
		t.Error(said)
	}
}

func TestBrokerThatRefuses(t *testing.T) {
	t.Parallel()
	b := openBroker(t, orders)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the token was sent to another host")
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(elsewhere.Close)
	lures := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"_links": {"pb:provider-pacts-for-verification": {"href": "%s/{provider}"}}}`, elsewhere.URL)
	}))
	t.Cleanup(lures.Close)
	for want, c := range map[string]struct {
		provider string
		broker   pact.Broker
	}{
		"answered 401 to GET":            {"orders", pact.Broker{URL: b.URL, Token: "let-me-out"}},
		"the broker has no pact with":    {"nobody", pact.Broker{URL: b.URL, Token: "let-me-in"}},
		"answered 404 to POST":           {"unheard", pact.Broker{URL: b.URL, Token: "let-me-in"}},
		"no address of the web":          {"orders", pact.Broker{URL: "broker"}},
		"a Version, which is not given":  {"orders", pact.Broker{URL: b.URL, Token: "let-me-in", Results: true}},
		"answered 418 to POST":           {"orders", pact.Broker{URL: lures.URL, Token: "let-me-in"}},
		"the broker did not answer: Get": {"orders", pact.Broker{URL: "http://127.0.0.1:1"}},
	} {
		_, err := pact.Verify(t.Context(), pact.Config{Provider: c.provider, Handler: http.NotFoundHandler(), Sources: []pact.Source{c.broker}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "let-me") {
			t.Errorf("%v tells the token", err)
		}
	}
}
