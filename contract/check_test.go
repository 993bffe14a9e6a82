package contract_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/contract"
)

type node = map[string]any

// now is before the Sunset of the one operation that has one, 2027-01-01.
var now = time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)

// shop is the document that package openapi writes of a shop.
func shop(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("../openapi/testdata/shop.json")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func read(t testing.TB, text []byte) node {
	t.Helper()
	var doc node
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// at walks to an object below doc.
func at(doc node, path ...string) node {
	for _, name := range path {
		doc = doc[name].(node)
	}
	return doc
}

func schema(doc node, name string) node { return at(doc, "components", "schemas", name) }

func field(doc node, of, name string) node { return at(schema(doc, of), "properties", name) }

func operation(doc node, method, path string) node { return at(doc, "paths", path, method) }

// compare returns the changes that change makes in the document of a shop.
func compare(t testing.TB, change func(node)) []contract.Change {
	t.Helper()
	before := shop(t)
	doc := read(t, before)
	change(doc)
	after, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := contract.Compare(before, after, now)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// TestEachChangeIsNamed makes one change each, in each direction, and looks
// for its name, its words and whether it breaks anybody.
func TestEachChangeIsNamed(t *testing.T) {
	t.Parallel()
	const breaking, fine = true, false
	authorize := func(doc node) node { return operation(doc, "post", "/v1/payments") }
	list := func(doc node) []any { return operation(doc, "get", "/v1/payments")["parameters"].([]any) }
	for _, c := range []struct {
		name     string
		change   func(node)
		breaking bool
		id       string // of one of the changes
		says     string // in what it says
	}{
		{"an operation goes", func(d node) { delete(at(d, "paths"), "/v1/health") }, breaking, "health operation-removed", "health: GET /v1/health is gone\n\tits callers get 404 or 405"},
		{"an operation goes before its Sunset", func(d node) { delete(at(d, "paths"), "/v1/reports/{id}/file") }, breaking, "reports.download operation-removed", "is gone before its Sunset on 2027-01-01"},
		{"an operation comes", func(d node) { at(d, "paths")["/v1/new"] = node{"get": node{"operationId": "new"}} }, fine, "new operation-added", "is new"},
		{"an operation moves", func(d node) {
			at(d, "paths")["/v2/health"] = at(d, "paths")["/v1/health"]
			delete(at(d, "paths"), "/v1/health")
		}, breaking, "health operation-moved", "it has moved from GET /v1/health to GET /v2/health"},
		{"an operation is renamed", func(d node) { operation(d, "get", "/v1/health")["operationId"] = "alive" }, breaking, "health operation-renamed", `it is called "alive" now`},
		{"a path parameter is renamed", func(d node) {
			o := at(d, "paths", "/v1/reports/{id}/file")
			at(d, "paths")["/v1/reports/{report}/file"] = o
			delete(at(d, "paths"), "/v1/reports/{id}/file")
			at(o, "get")["parameters"].([]any)[0].(node)["name"] = "report"
		}, fine, "reports.download path-parameter-renamed", "another name"},
		{"a permission comes", func(d node) { authorize(d)["x-permissions"] = []any{"payments:write", "cards:use"} }, breaking, "payments.authorize permission-added cards:use", "it needs the permission cards:use now\n\tcallers that have not been granted it get 403"},
		{"a permission goes", func(d node) { delete(authorize(d), "x-permissions") }, fine, "payments.authorize permission-removed payments:write", "more callers may"},
		{"what was public is not", func(d node) { operation(d, "get", "/v1/health")["security"] = []any{node{"bearer": []any{}}} }, breaking, "health access-closed", "callers without any get 401"},
		{"what was not public is", func(d node) { authorize(d)["security"] = []any{} }, fine, "payments.authorize access-opened", "everybody"},
		{"a limit is tightened", func(d node) { authorize(d)["x-limits"].([]any)[0].(node)["requests"] = 5 }, breaking, "payments.authorize limit-tightened principal", "it takes 5 requests in 1 s, 50 at once per principal, no longer 50 requests in 1 s, 50 at once\n\tcallers that are quicker get 429"},
		{"a limit's burst is", func(d node) { authorize(d)["x-limits"].([]any)[0].(node)["burst"] = 1 }, breaking, "payments.authorize limit-tightened principal", "1 at once"},
		{"a limit is loosened", func(d node) { authorize(d)["x-limits"].([]any)[0].(node)["requests"] = 500 }, fine, "payments.authorize limit-loosened principal", "quicker"},
		{"a limit goes", func(d node) { delete(authorize(d), "x-limits") }, fine, "payments.authorize limit-removed principal", "no limit"},
		{"a limit comes", func(d node) {
			operation(d, "get", "/v1/health")["x-limits"] = []any{node{"by": "address", "requests": 1, "seconds": 60}}
		}, breaking, "health limit-added address", "it takes no more than 1 requests in 60 s per address now"},
		{"a Sunset comes sooner", func(d node) { operation(d, "get", "/v1/reports/{id}/file")["x-sunset"] = "2026-12-01T00:00:00Z" }, breaking, "reports.download sunset-sooner", "its Sunset is 2026-12-01, no longer 2027-01-01"},
		{"a Sunset comes later", func(d node) { operation(d, "get", "/v1/reports/{id}/file")["x-sunset"] = "2028-01-01T00:00:00Z" }, fine, "", ""},
		{"a Sunset is announced", func(d node) { authorize(d)["x-sunset"] = "2028-01-01T00:00:00Z" }, fine, "payments.authorize sunset-announced", "2028-01-01"},
		{"it is deprecated", func(d node) { authorize(d)["deprecated"] = true }, fine, "payments.authorize deprecated", "move on"},

		{"a parameter goes", func(d node) { operation(d, "get", "/v1/payments")["parameters"] = list(d)[1:] }, breaking, "payments.list parameter-removed query/status", "the query parameter status is not read any more"},
		{"a parameter comes", func(d node) {
			operation(d, "get", "/v1/payments")["parameters"] = append(list(d), node{"name": "q", "in": "query"})
		}, fine, "payments.list parameter-added query/q", "is new"},
		{"a required parameter comes", func(d node) {
			operation(d, "get", "/v1/payments")["parameters"] = append(list(d), node{"name": "q", "in": "query", "required": true})
		}, breaking, "payments.list parameter-required query/q", "the query parameter q is new, and required"},
		{"a parameter is required", func(d node) { list(d)[0].(node)["required"] = true }, breaking, "payments.list parameter-required query/status", "is required now"},
		{"the key is not read", func(d node) { delete(authorize(d), "parameters") }, breaking, "payments.authorize parameter-removed header/Idempotency-Key", "has its effect a second time"},
		{"a path's rule is tightened", func(d node) {
			operation(d, "get", "/v1/payments/{id}")["parameters"].([]any)[0].(node)["schema"].(node)["maxLength"] = 5
		}, breaking, "payments.get rule-tightened path/id maxLength", "the path parameter id has at most 5 characters now"},

		{"a field that was sent goes", func(d node) { delete(at(schema(d, "Authorize"), "properties"), "email") }, breaking, "payments.authorize field-removed request/email", "the field /email of the request is gone\n\trequests that send it are refused with 422"},
		{"a field that may be sent comes", func(d node) { at(schema(d, "Authorize"), "properties")["new"] = node{"type": "string"} }, fine, "payments.authorize field-added request/new", "is new"},
		{"a field that must be sent comes", func(d node) {
			at(schema(d, "Authorize"), "properties")["new"] = node{"type": "string"}
			schema(d, "Authorize")["required"] = append(schema(d, "Authorize")["required"].([]any), "new")
		}, breaking, "payments.authorize field-required request/new", "the field /new of the request is new, and required"},
		{"a field must be sent", func(d node) {
			schema(d, "Authorize")["required"] = append(schema(d, "Authorize")["required"].([]any), "email")
		}, breaking, "payments.authorize field-required request/email", "is required now\n\trequests without it are refused with 422"},
		{"a field need not be sent", func(d node) { schema(d, "Authorize")["required"] = []any{} }, fine, "", ""},
		{"a maximum is lowered", func(d node) { field(d, "Authorize", "amount")["maximum"] = 10 }, breaking, "payments.authorize rule-tightened request/amount maximum", "the field /amount of the request has at most 10 now (maximum)\n\trequests with more are refused with 422"},
		{"a maximum is raised", func(d node) { field(d, "Authorize", "amount")["maximum"] = 1e12 }, fine, "", ""},
		{"a minimum is raised", func(d node) { field(d, "Authorize", "amount")["minimum"] = 10 }, breaking, "payments.authorize rule-tightened request/amount minimum", "at least 10 now"},
		{"a text may be shorter only", func(d node) { field(d, "Authorize", "reference")["maxLength"] = 10 }, breaking, "payments.authorize rule-tightened request/reference maxLength", "at most 10 characters"},
		{"a list may be shorter only", func(d node) { field(d, "Authorize", "tags")["maxItems"] = 1 }, breaking, "payments.authorize rule-tightened request/tags maxItems", "at most 1 items"},
		{"an item's rule is tightened", func(d node) { at(field(d, "Authorize", "tags"), "items")["maxLength"] = 1 }, breaking, "payments.authorize rule-tightened request/tags/* maxLength", "/tags/*"},
		{"a map may be smaller only", func(d node) { field(d, "Authorize", "metadata")["maxProperties"] = 1 }, breaking, "payments.authorize rule-tightened request/metadata maxProperties", "members"},
		{"a pattern changes", func(d node) { field(d, "Authorize", "reference")["pattern"] = "^[a-z]+$" }, breaking, "payments.authorize rule-tightened request/reference pattern", "must match ^[a-z]+$ now"},
		{"a pattern goes", func(d node) { delete(field(d, "Authorize", "reference"), "pattern") }, fine, "", ""},
		{"a format comes", func(d node) { field(d, "Authorize", "reference")["format"] = "uuid" }, breaking, "payments.authorize rule-tightened request/reference format", "must be written as uuid now"},
		{"a field may not be null", func(d node) { field(d, "Authorize", "note")["type"] = "string" }, breaking, "payments.authorize null-refused request/note", "may not be null any more"},
		{"a field within is required", func(d node) { field(d, "Card", "exp_month")["maximum"] = 6 }, breaking, "payments.authorize rule-tightened request/card/exp_month maximum", "/card/exp_month"},
		{"a type that is sent changes", func(d node) { field(d, "Authorize", "amount")["type"] = "string" }, breaking, "payments.authorize type-changed request/amount", "is string, no longer integer\n\trequests that send it as before are refused"},
		{"a type that is sent is widened", func(d node) { field(d, "Authorize", "amount")["type"] = "number" }, fine, "", ""},
		{"a body is required", func(d node) { at(operation(d, "patch", "/v1/payments/{id}"), "requestBody")["required"] = true }, breaking, "payments.annotate body-required request", "its body is required now"},
		{"a body goes", func(d node) { delete(authorize(d), "requestBody") }, breaking, "payments.authorize body-removed request", "takes no body any more"},
		{"a body's type changes", func(d node) {
			b := at(authorize(d), "requestBody")
			b["content"] = node{"application/xml": node{}}
		}, breaking, "payments.authorize media-removed request/application/json", "requests of that type get 415"},

		{"a field of the answer goes", func(d node) { delete(at(schema(d, "Payment"), "properties"), "amount") }, breaking, "payments.get field-removed 200/amount", "payments.get: the answer 200 has no field /amount any more\n\tconsumers that read it find nothing"},
		{"a field of a list's items goes", func(d node) { delete(at(schema(d, "Payment"), "properties"), "amount") }, breaking, "payments.list field-removed 200/data/*/amount", "/data/*/amount"},
		{"a field of events goes", func(d node) { delete(at(schema(d, "Payment"), "properties"), "amount") }, breaking, "payments.watch field-removed 200/event/data/amount", "an event has no field /data/amount"},
		{"a field of the answer comes", func(d node) { at(schema(d, "Payment"), "properties")["new"] = node{"type": "string"} }, fine, "payments.get field-added 200/new", "is new"},
		{"a field of the answer may be missing", func(d node) { schema(d, "Payment")["required"] = []any{} }, breaking, "payments.get field-optional 200/amount", "may be missing now"},
		{"a field of the answer may be null", func(d node) { field(d, "Payment", "amount")["type"] = []any{"integer", "null"} }, breaking, "payments.get null-answered 200/amount", "may be null now"},
		{"a field of the answer is not null", func(d node) { field(d, "Payment", "note")["type"] = "string" }, fine, "", ""},
		{"a type of the answer changes", func(d node) { field(d, "Payment", "amount")["type"] = "number" }, breaking, "payments.get type-changed 200/amount", "is number, no longer integer\n\tconsumers cannot read it as what it was"},
		{"an answer is written otherwise", func(d node) { delete(field(d, "Payment", "created_at"), "format") }, breaking, "payments.get rule-loosened 200/created_at format", "is not written as date-time any more"},
		{"a failure's header is loosened", func(d node) {
			r := at(d, "components", "responses", "RateLimited", "headers", "Retry-After", "schema")
			r["minimum"] = 0
		}, breaking, "payments.authorize rule-loosened 429/headers/Retry-After minimum", "the header Retry-After of the answer 429"},
		{"a failure's header is tightened", func(d node) {
			r := at(d, "components", "responses", "RateLimited", "headers", "Retry-After", "schema")
			r["minimum"] = 2
		}, fine, "", ""},
		{"a header of the answer has another type", func(d node) {
			at(authorize(d), "responses", "201", "headers", "Idempotency-Replayed")["schema"] = node{"type": "boolean"}
		}, breaking, "payments.authorize type-changed 201/headers/Idempotency-Replayed", "is boolean, no longer string\n\tconsumers cannot read it"},
		{"a header comes", func(d node) {
			at(authorize(d), "responses", "201", "headers")["X-New"] = node{"schema": node{"type": "string"}}
		}, fine, "", ""},
		{"headers of limits go", func(d node) {
			at(d, "components", "responses", "RateLimited")["headers"] = node{}
		}, fine, "", ""}, // the limits are compared
		{"a value of both comes", func(d node) { schema(d, "Currency")["enum"] = []any{"EUR", "GBP", "USD", "CHF"} }, breaking, "payments.get value-added 200/currency=CHF", "may be CHF now\n\tconsumers that know the values until now meet one that they do not know"},
		{"and is fine where it is sent", func(d node) { schema(d, "Currency")["enum"] = []any{"EUR", "GBP", "USD", "CHF"} }, fine, "payments.authorize value-added request/currency=CHF", "nobody sends it yet"},
		{"a value of both goes", func(d node) { schema(d, "Currency")["enum"] = []any{"EUR", "GBP"} }, breaking, "payments.authorize value-removed request/currency=USD", "may not be USD any more\n\trequests that send it are refused with 422"},
		{"and is fine where it is answered", func(d node) { schema(d, "Currency")["enum"] = []any{"EUR", "GBP"} }, fine, "payments.get value-removed 200/currency=USD", "in vain"},
		{"a status changes", func(d node) {
			r := at(authorize(d), "responses")
			r["200"] = r["201"]
			delete(r, "201")
		}, breaking, "payments.authorize status-removed 201", "it does not answer with 201 any more, but with 200"},
		{"a status comes", func(d node) { r := at(authorize(d), "responses"); r["202"] = node{"description": "Accepted"} }, breaking, "payments.authorize status-added 202", "it may answer with 202 now"},
		{"a header goes", func(d node) { delete(at(authorize(d), "responses", "201", "headers"), "ETag") }, breaking, "payments.authorize header-removed 201/ETag", "has no header ETag any more"},
		{"a type of file goes", func(d node) {
			delete(at(operation(d, "get", "/v1/reports/{id}/file"), "responses", "200", "content"), "text/csv")
		}, breaking, "reports.download media-removed 200/text/csv", "is not of text/csv any more"},
		{"a failure has another status", func(d node) {
			r := at(authorize(d), "responses")
			r["418"] = r["402"]
			delete(r, "402")
		}, breaking, "payments.authorize failure-status card_declined", "has the status 418, no longer 402"},
		{"a failure comes", func(d node) {
			all := at(authorize(d), "responses", "402", "content", "application/problem+json", "schema")["allOf"].([]any)
			at(all[1].(node), "properties", "code")["enum"] = []any{"card_declined", "card_stolen"}
		}, fine, "payments.authorize failure-added card_stolen", "it may fail with card_stolen (402)"},
		{"a failure goes", func(d node) { delete(at(authorize(d), "responses"), "402") }, fine, "payments.authorize failure-removed card_declined", ""},
		{"a word that is unknown", func(d node) { schema(d, "Payment")["dependentRequired"] = node{} }, breaking, "payments.get schema-changed 200", "another dependentRequired, which is not understood"},
		{"words for people", func(d node) {
			schema(d, "Payment")["description"], authorize(d)["summary"] = "other", "other"
			at(d, "info")["title"] = "other"
		}, fine, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			changes := compare(t, c.change)
			if c.id == "" {
				for _, found := range changes {
					if found.Breaking {
						t.Errorf("%s breaks", found.ID())
					}
				}
				return
			}
			i := slices.IndexFunc(changes, func(f contract.Change) bool { return f.ID() == c.id })
			if i < 0 {
				t.Fatalf("no %s among %v", c.id, changes)
			}
			if found := changes[i]; found.Breaking != c.breaking || !strings.Contains(found.String(), c.says) {
				t.Errorf("breaking: %t, %s\nwant %t, %s", found.Breaking, found, c.breaking, c.says)
			}
			if !c.breaking && !strings.HasPrefix(c.name, "and is") {
				for _, found := range changes {
					if found.Breaking {
						t.Errorf("%s breaks", found.ID())
					}
				}
			}
		})
	}
}

// TestAHeaderMayBeMissing that had to be there.
func TestAHeaderMayBeMissing(t *testing.T) {
	t.Parallel()
	document := func(required bool) []byte {
		return fmt.Appendf(nil, `{"openapi": "3.1.0", "paths": {"/a": {"get": {"operationId": "a.get", "responses": {"302": {
			"description": "Found", "headers": {"Location": {"required": %t, "schema": {"type": "string"}}}}}}}}}`, required)
	}
	for _, c := range []struct {
		before, after bool
		want          string
	}{
		{true, false, "a.get header-optional 302/Location"},
		{false, true, ""},
		{true, true, ""},
	} {
		changes, err := contract.Compare(document(c.before), document(c.after), now)
		if err != nil || len(changes) > 1 || len(changes) == 1 != (c.want != "") {
			t.Fatalf("from %t to %t: %v, %v", c.before, c.after, changes, err)
		}
		if len(changes) == 1 && (changes[0].ID() != c.want || !changes[0].Breaking) {
			t.Errorf("found %+v, want %s", changes[0], c.want)
		}
	}
}

// TestASunsetThatHasPassed lets an operation go, and one whose end was not
// announced stay.
func TestASunsetThatHasPassed(t *testing.T) {
	t.Parallel()
	before := shop(t)
	doc := read(t, before)
	delete(at(doc, "paths"), "/v1/reports/{id}/file")
	after, _ := json.Marshal(doc)
	for at, breaks := range map[string]bool{"2026-12-31T23:59:59Z": true, "2027-01-01T00:00:00Z": false} {
		clock, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		report, err := contract.Check(before, after, nil, clock)
		if err != nil || len(report.Findings) != 1 || (len(report.Broken()) > 0) != breaks {
			t.Errorf("%s: %s (%v)", at, report, err)
		}
	}
	doc = read(t, before)
	delete(operation(doc, "get", "/v1/reports/{id}/file"), "x-sunset")
	without, _ := json.Marshal(doc)
	report, err := contract.Check(without, after, nil, now)
	if err != nil || len(report.Broken()) != 1 || !strings.Contains(report.String(), "it was deprecated, but no Sunset was announced") {
		t.Errorf("%s (%v)", report, err)
	}
}

// TestNothingChanged compares documents with themselves, however they are
// written.
func TestNothingChanged(t *testing.T) {
	t.Parallel()
	if changes := compare(t, func(node) {}); len(changes) > 0 {
		t.Error(changes)
	}
}

// TestEveryFieldIsSeen takes any one member away from any schema, request or
// answer: whatever it was, somebody is told.
func TestEveryFieldIsSeen(t *testing.T) {
	t.Parallel()
	before := shop(t)
	var places [][]string // of every property of every schema in use
	walk(read(t, before), nil, func(path []string, n node) {
		if properties, ok := n["properties"].(node); ok && !slices.Contains(path, "Problem") && !slices.Contains(path, "Violation") && !slices.Contains(path, "responses") && !slices.Contains(path, "x-itemSchema") {
			for name := range properties {
				places = append(places, append(slices.Clone(path), "properties", name))
			}
		}
	})
	slices.SortFunc(places, slices.Compare)
	if len(places) < 20 {
		t.Fatalf("only %d fields", len(places))
	}
	rapid.Check(t, func(r *rapid.T) {
		path := rapid.SampledFrom(places).Draw(r, "field")
		doc := read(t, before)
		delete(at(doc, path[:len(path)-1]...), path[len(path)-1])
		after, _ := json.Marshal(doc)
		changes, err := contract.Compare(before, after, now)
		if err != nil {
			r.Fatal(err)
		}
		name := path[len(path)-1]
		if !slices.ContainsFunc(changes, func(c contract.Change) bool {
			return c.Breaking && c.Kind == "field-removed" && strings.HasSuffix(c.Place, "/"+name)
		}) {
			r.Fatalf("nobody is told of %s: %v", strings.Join(path, "/"), changes)
		}
		back, err := contract.Compare(after, before, now)
		if err != nil {
			r.Fatal(err)
		}
		if !slices.ContainsFunc(back, func(c contract.Change) bool { return strings.HasSuffix(c.Place, "/"+name) }) {
			r.Fatalf("nobody is told that %s is back: %v", name, back)
		}
	})
}

// TestAnyDamage takes anything at all out of a document, which must never end
// in a panic, and finds nothing where nothing was taken.
func TestAnyDamage(t *testing.T) {
	t.Parallel()
	before := shop(t)
	var places [][]string
	walk(read(t, before), nil, func(path []string, n node) {
		for name := range n {
			places = append(places, append(slices.Clone(path), name))
		}
	})
	slices.SortFunc(places, slices.Compare)
	rapid.Check(t, func(r *rapid.T) {
		path := rapid.SampledFrom(places).Draw(r, "member")
		doc := read(t, before)
		parent := at(doc, path[:len(path)-1]...)
		if rapid.Bool().Draw(r, "spoilt") {
			parent[path[len(path)-1]] = rapid.SampledFrom([]any{nil, 1.0, "x", []any{}, node{}}).Draw(r, "by")
		} else {
			delete(parent, path[len(path)-1])
		}
		after, _ := json.Marshal(doc)
		if rapid.Bool().Draw(r, "forth") {
			_, _ = contract.Compare(before, after, now)
		} else {
			_, _ = contract.Compare(after, before, now)
		}
		if same, err := contract.Compare(after, after, now); err == nil && len(same) > 0 {
			r.Fatalf("nothing changed, and %v", same)
		}
	})
}

// walk visits every object that only objects lead to.
func walk(n node, path []string, visit func([]string, node)) {
	visit(path, n)
	for name, v := range n {
		if inside, ok := v.(node); ok {
			walk(inside, append(slices.Clone(path), name), visit)
		}
	}
}

func TestAcknowledgements(t *testing.T) {
	t.Parallel()
	before := shop(t)
	doc := read(t, before)
	delete(at(schema(doc, "Payment"), "properties"), "amount")
	after, _ := json.Marshal(doc)
	check := func(text string, at time.Time) contract.Report {
		acknowledged, err := contract.ReadAcknowledgements([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		report, err := contract.Check(before, after, acknowledged, at)
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	none := check(`{"acknowledged": []}`, now)
	if len(none.Broken()) < 4 || !strings.Contains(none.String(), "BREAKING payments.get: the answer 200 has no field /amount any more\n\tconsumers that read it find nothing\n\tacknowledge as: payments.get field-removed 200/amount\n") {
		t.Errorf("%s", none)
	}
	one := check(`{"acknowledged": [{"id": "payments.get field-removed 200/amount", "reason": "nobody reads it", "date": "2026-11-29"}]}`, now)
	if len(one.Broken()) != len(none.Broken())-1 || !strings.Contains(one.String(), "acknowledged payments.get: the answer") || !strings.Contains(one.String(), "since 2026-11-29: nobody reads it") {
		t.Errorf("%s", one)
	}
	every := check(`{"acknowledged": [{"id": "* field-removed 200/amount", "reason": "nobody reads it", "date": "2026-11-29", "until": "2026-11-30"}, {"id": "gone", "reason": "r", "date": "2026-11-29"}]}`, now)
	if n := len(one.Broken()); len(every.Broken()) >= n || len(every.Stale) != 1 || !strings.Contains(every.String(), "stale acknowledgement: there is no gone any more") {
		t.Errorf("%s", every)
	}
	over := check(`{"acknowledged": [{"id": "* field-removed 200/amount", "reason": "nobody reads it", "date": "2026-11-29", "until": "2026-11-30"}]}`, now.AddDate(0, 0, 3))
	if len(over.Broken()) != len(none.Broken()) || !strings.Contains(over.String(), "acknowledged until 2026-11-30, which is over: nobody reads it") {
		t.Errorf("%s", over)
	}
}

func TestMistakesOfAcknowledgements(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                                 "EOF",
		`{"acknowledged": []} x`:           "something follows",
		`{"acknowledged": [{"ids": "x"}]}`: "unknown field",
		`{"acknowledged": [{}]}`:           "acknowledgement 1 (): it has no id, it has no reason, its date is no day such as 2026-11-29",
		`{"acknowledged": [{"id": "a", "reason": " ", "date": "29.11.2026", "until": "never"}]}`:                                 "(a): it has no reason, its date is no day such as 2026-11-29, its until is no day such as 2026-11-29",
		`{"acknowledged": [{"id": "a", "reason": "r", "date": "2026-11-29"}, {"id": "a", "reason": "r", "date": "2026-11-29"}]}`: "acknowledgement 2 (a): its id is there twice",
	} {
		if _, err := contract.ReadAcknowledgements([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	all := []contract.Acknowledgement{{ID: "b", Reason: "r", Date: "2026-11-29"}, {ID: "a", Reason: "r", Date: "2026-11-29", Until: "2026-12-01"}}
	text, err := contract.WriteAcknowledgements(all)
	if err != nil {
		t.Fatal(err)
	}
	again, err := contract.ReadAcknowledgements(text)
	if err != nil || fmt.Sprint(again) != fmt.Sprint([]contract.Acknowledgement{all[1], all[0]}) {
		t.Errorf("%v (%v)", again, err)
	}
}

func TestMistakenDocuments(t *testing.T) {
	t.Parallel()
	good := shop(t)
	for _, text := range []string{``, `[]`, `{}`, `{"openapi": "2.0"}`, `{"openapi": 3}`} {
		if _, err := contract.Compare(good, []byte(text), now); err == nil || !strings.Contains(err.Error(), "the document after") {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := contract.Check([]byte(text), good, nil, now); err == nil || !strings.Contains(err.Error(), "the document before") {
			t.Errorf("%s: %v", text, err)
		}
	}
	circle := bytes.Replace(good, []byte(`"#/components/schemas/Currency"`), []byte(`"#/components/schemas/Status"`), 1)
	circle = bytes.Replace(circle, []byte(`"Status": {`), []byte(`"Status": {"$ref": "#/components/schemas/Status",`), 1)
	if _, err := contract.Compare(circle, good, now); err != nil {
		t.Error(err)
	}
}
