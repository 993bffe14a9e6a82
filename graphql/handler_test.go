package graphql_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/graphql"
	"github.com/ashlar-go/ashlar/serve"
)

func TestFieldsAreAnswered(t *testing.T) {
	t.Parallel()
	h := newShop(t).endpoint(t, graphql.Config{})

	for query, want := range map[string]string{
		`{ billsGet(id: "bill_1") { id amount } }`:                                                                                             `{"data":{"billsGet":{"id":"bill_1","amount":5000000001}}}`,
		`{ b: billsGet(id: "bill_2") { state n: note card { last4 brand } tags } }`:                                                            `{"data":{"b":{"state":"closed","n":"even ☃","card":{"last4":"4242","brand":"visa"},"tags":["a","b\"c"]}}}`,
		`{ billsGet(id: "bill_1") { note lines { brand } metadata made ratio __typename } }`:                                                   `{"data":{"billsGet":{"note":null,"lines":null,"metadata":{"k":"v"},"made":"2026-01-02T03:04:05.000Z","ratio":0.5,"__typename":"Bill"}}}`,
		`{ billsGet(id: "bill_2") { lines { b: brand brand } ...f } } fragment f on Bill { id card { brand } ... on Bill { card { last4 } } }`: `{"data":{"billsGet":{"lines":[{"b":"amex","brand":"amex"},{"b":"visa","brand":"visa"}],"id":"bill_2","card":{"brand":"visa","last4":"4242"}}}}`,
		`{ billsGet(id: "bill_1") { id @skip(if: true) amount @include(if: true) } }`:                                                          `{"data":{"billsGet":{"amount":5000000001}}}`,
		`{ __typename a: __typename }`:           `{"data":{"__typename":"Query","a":"Query"}}`,
		`mutation { billsDelete(id: "bill_1") }`: `{"data":{"billsDelete":true}}`,
		`mutation { billsCreate(amount: 5, tags: "one", card: {brand: "visa", last4: "1"}) { amount tags note } }`:                             `{"data":{"billsCreate":{"amount":5,"tags":["one"],"note":null}}}`,
		`{ billsList(first: 2) { edges { node { id } cursor } nodes { id } pageInfo { hasNextPage hasPreviousPage endCursor startCursor } } }`: `{"data":{"billsList":{"edges":[{"node":{"id":"bill_1"},"cursor":"g9zvtzE"},{"node":{"id":"bill_2"},"cursor":"GtW-DTI"}],"nodes":[{"id":"bill_1"},{"id":"bill_2"}],"pageInfo":{"hasNextPage":true,"hasPreviousPage":false,"endCursor":"GtW-DTI","startCursor":null}}}}`,
	} {
		if got := ask(t, h, query, nil); got != want {
			t.Errorf("%s\nis answered\n%s\nwant\n%s", query, got, want)
		}
	}
}

func TestAPageGoesOnAfterACursor(t *testing.T) {
	t.Parallel()
	h := newShop(t).endpoint(t, graphql.Config{})

	const query = `query($after: String) { billsList(first: 30, after: $after) { nodes { id } pageInfo { endCursor hasPreviousPage hasNextPage } } }`
	first := ask(t, h, query, nil)
	_, rest, _ := strings.Cut(first, `"endCursor":"`)
	cursor, _, _ := strings.Cut(rest, `"`)
	second := ask(t, h, query, object{"after": cursor})
	for _, part := range []string{`[{"id":"bill_31"}`, `{"id":"bill_50"}]`, `"hasPreviousPage":true`, `"hasNextPage":false`, `"endCursor":null`} {
		if !strings.Contains(second, part) {
			t.Errorf("the second page lacks %s: %s", part, second)
		}
	}
}

func TestVariablesAreHeldToTheirTypes(t *testing.T) {
	t.Parallel()
	h := newShop(t).endpoint(t, graphql.Config{})

	const create = `mutation($amount: Int64!, $card: CardInput!, $tags: [String!], $note: String, $state: State) {
		billsCreate(amount: $amount, card: $card, tags: $tags, note: $note, state: $state) { amount card { brand } tags note } }`
	good := object{"amount": 99_999_999_999, "card": object{"brand": "visa", "last4": "1"}, "tags": []string{"x"}, "note": "n"}
	if got, want := ask(t, h, create, good), `{"data":{"billsCreate":{"amount":99999999999,"card":{"brand":"visa"},"tags":["x"],"note":"n"}}}`; got != want {
		t.Errorf("answered %s, want %s", got, want)
	}
	for name, bad := range map[string]object{
		"amount": {"amount": "12"},
		"card":   {"card": object{"brand": "visa", "last4": "1", "extra": secret}},
		"tags":   {"tags": []any{"x", nil}},
		"state":  {"state": secret},
		"note":   {"note": 5},
	} {
		vars := object{}
		maps.Copy(vars, good)
		maps.Copy(vars, bad)
		w := post(t, h, object{"query": create, "variables": vars})
		if got := w.Body.String(); w.Code != http.StatusBadRequest || !strings.Contains(got, `"code":"graphql_variables_invalid"`) || !strings.Contains(got, "$"+name) || strings.Contains(got, secret) {
			t.Errorf("a bad $%s is answered %d %s", name, w.Code, got)
		}
	}
}

func TestRefusalsOfAnOperationKeepTheirCodes(t *testing.T) {
	t.Parallel()
	h := newShop(t).endpoint(t, graphql.Config{})

	for name, c := range map[string]struct {
		query string
		want  []string
	}{
		"a fault of its own":  {`{ a: billsGet(id: "missing") { id } b: billsGet(id: "bill_1") { id } }`, []string{`"code":"bill_not_found"`, `"path":["a"]`, `"data":{"a":null,"b":{"id":"bill_1"}}`, `"message":"There is no such bill."`}},
		"rules":               {`mutation { billsCreate(amount: 0, card: {brand: "v", last4: "1"}) { id } }`, []string{`"pointer":"/amount"`, `"pointer":"/card/brand"`, `"code":"invalid"`, `"status":422`}},
		"nobody":              {`{ billsPrivate { id } }`, []string{`"code":"unauthenticated"`, `"data":{"billsPrivate":null}`}},
		"a failure":           {`{ billsGet(id: "broken") { id } }`, []string{`"code":"internal"`, `"trace_id"`}},
		"a panic":             {`{ billsGet(id: "panics") { id } }`, []string{`"code":"internal"`}},
		"a bad cursor":        {`{ billsList(after: "x") { nodes { id } } }`, []string{`"code":"cursor_invalid"`}},
		"an answer that lies": {`{ billsGet(id: "wild") { id state } }`, []string{`"code":"internal"`, `"path":["billsGet","state"]`, `"data":{"billsGet":null}`}},
	} {
		w := post(t, h, object{"query": c.query})
		got := w.Body.String()
		for _, part := range c.want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %s is missing in %s", name, part, got)
			}
		}
		if w.Code != http.StatusOK || strings.Contains(got, "10.0.0.7") || strings.Contains(got, "inside") || strings.Contains(got, "unheard") {
			t.Errorf("%s: answered %d %s", name, w.Code, got)
		}
	}
	if got := ask(t, h, `{ billsPrivate { id } }`, nil, "Authorization", "Bearer x"); !strings.Contains(got, `"code":"permission_denied"`) {
		t.Errorf("somebody without permission is answered %s", got)
	}
}

func TestDocumentsAreRefusedBeforeAnythingIsAsked(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	h := s.endpoint(t, graphql.Config{})
	deep := strings.Repeat(`... on Query { `, 300) + "__typename" + strings.Repeat("}", 300)

	for name, c := range map[string]struct{ query, code string }{
		"no GraphQL":           {`{ billsGet(id: "` + secret + `" `, "graphql_syntax"},
		"an unknown field":     {`{ billsGett(id: "a") { id } }`, "graphql_invalid"},
		"a value of no type":   {`{ billsGet(id: ` + secret + `) { id } }`, "graphql_invalid"},
		"no argument":          {`{ billsGet { id } }`, "graphql_invalid"},
		"a file":               {`{ billsFile { id } }`, "graphql_invalid"},
		"introspection":        {`{ __schema { types { name } } }`, "graphql_introspection_off"},
		"one type":             {`{ a: __type(name: "Bill") { name } }`, "graphql_introspection_off"},
		"aliases":              {"{" + strings.Repeat(` a: billsGet(id: "1") { id }`, 60) + "}", "graphql_too_complex"},
		"many operations":      {"{" + manyAliases(21) + "}", "graphql_too_complex"},
		"a thousand aliases":   {"{" + manyAliases(1000) + "}", "graphql_too_complex"},
		"many tokens":          {"{" + strings.Repeat(" __typename", 6000) + "}", "graphql_too_complex"},
		"many fields":          {"{" + strings.Repeat(" __typename", 1100) + "}", "graphql_too_complex"},
		"fragments of a bomb":  {bomb(), "graphql_too_complex"},
		"depth":                {"{ __type(name: \"x\") { " + strings.Repeat("ofType { ", 30) + "name" + strings.Repeat("}", 32), "graphql_too_complex"},
		"cost":                 {`{ billsList(first: 100000) { nodes { id ` + manyNames(30) + ` } } }`, "graphql_too_complex"},
		"a circle":             {`{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }`, "graphql_invalid"},
		"two without names":    {`{ __typename } { __typename }`, "graphql_invalid"},
		"no operation":         {`fragment a on Query { __typename }`, "graphql_invalid"},
		"a subscription":       {`subscription { billsGet { id } }`, "graphql_invalid"},
		"directives":           {`{ __typename @nonsense }`, "graphql_invalid"},
		"parser's own nesting": {"{" + strings.Repeat("a{", 2400) + "b" + strings.Repeat("}", 2401), "graphql_"},
	} {
		w := post(t, h, object{"query": c.query})
		got := w.Body.String()
		if w.Code != http.StatusBadRequest || !strings.Contains(got, `"code":"`+c.code) || strings.Contains(got, `"data"`) {
			t.Errorf("%s: answered %d %.400s", name, w.Code, got)
		}
		if strings.Contains(got, secret) || strings.Contains(got, "Did you mean") {
			t.Errorf("%s: the answer repeats what was sent, or helps to guess: %s", name, got)
		}
		if w := post(t, h, object{"query": c.query}, "Accept", "application/json"); w.Code != http.StatusOK {
			t.Errorf("%s: as application/json answered %d, want 200", name, w.Code)
		}
	}
	if got := post(t, h, object{"query": "{" + deep + "}"}); got.Code != http.StatusOK {
		t.Errorf("fragments that nest no field are answered %d %s", got.Code, got.Body)
	}
	if n := s.calls.Load(); n != 0 {
		t.Errorf("%d operations ran", n)
	}
}

func manyAliases(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" a" + strings.Repeat("x", i%50) + string(rune('a'+i/50%26)) + `: billsGet(id: "1") { id }`)
	}
	return b.String()
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" a" + strings.Repeat("x", i) + ": id")
	}
	return b.String()
}

// bomb is a document whose fragments double eleven times.
func bomb() string {
	var b strings.Builder
	b.WriteString("{ ...f0 }")
	for i := range 11 {
		n := string(rune('0' + i%10))
		if i == 10 {
			n = "ten"
		}
		next := string(rune('0' + (i+1)%10))
		if i == 9 {
			next = "ten"
		}
		if i == 10 {
			b.WriteString(" fragment ften on Query { __typename }")
			continue
		}
		b.WriteString(" fragment f" + n + " on Query { ...f" + next + " ...f" + next + " }")
	}
	return b.String()
}

func TestRequestsThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	h := newShop(t).endpoint(t, graphql.Config{})

	for name, c := range map[string]struct {
		body    string
		headers []string
		status  int
		code    string
	}{
		"a list of requests": {`[{"query":"{__typename}"}]`, nil, 400, "malformed"},
		"no JSON":            {`{"query`, nil, 400, "malformed"},
		"bad UTF-8":          {"{\"query\":\"{__typename}\xff\"}", nil, 400, "malformed"},
		"a member twice":     {`{"query":"{__typename}","query":"{a}"}`, nil, 400, "malformed"},
		"an unknown member":  {`{"query":"{__typename}","id":1}`, nil, 400, "malformed"},
		"no query":           {`{}`, nil, 400, "malformed"},
		"a form":             {`query=x`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "media_type_unsupported"},
		"multipart":          {`x`, []string{"Content-Type", "multipart/form-data; boundary=x"}, 415, "media_type_unsupported"},
		"an upload": {
			"--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{\"query\":\"{__typename}\"}\r\n--x\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n{}\r\n--x--\r\n",
			[]string{"Content-Type", "multipart/form-data; boundary=x"},
			415, "media_type_unsupported",
		},
		"text":                {`{"query":"{__typename}"}`, []string{"Content-Type", "text/plain"}, 415, "media_type_unsupported"},
		"another charset":     {`{"query":"{__typename}"}`, []string{"Content-Type", "application/json; charset=latin1"}, 415, "media_type_unsupported"},
		"compressed":          {`x`, []string{"Content-Encoding", "gzip"}, 415, "media_type_unsupported"},
		"another answer":      {`{"query":"{__typename}"}`, []string{"Accept", "text/html"}, 406, "not_acceptable"},
		"too much":            {`{"query":"{__typename}` + strings.Repeat(" ", 300<<10) + `"}`, nil, 413, "body_too_large"},
		"a hash of the other": {`{"query":"{__typename}","extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + strings.Repeat("0", 64) + `"}}}`, nil, 400, "malformed"},
		"an odd hash":         {`{"extensions":{"persistedQuery":{"version":2,"sha256Hash":"00"}}}`, nil, 400, "malformed"},
	} {
		w := post(t, h, c.body, c.headers...)
		if got := w.Body.String(); w.Code != c.status || !strings.Contains(got, `"code":"`+c.code+`"`) || !strings.HasPrefix(got, `{"errors":[`) {
			t.Errorf("%s: answered %d %s, want %d %s", name, w.Code, got, c.status, c.code)
		}
	}
}

func get(t *testing.T, h http.Handler, parameters url.Values, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/graphql?"+parameters.Encode(), nil)
	r.Header.Set("Accept", own)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	serve.Observe(h, serve.Observer{}).ServeHTTP(w, r)
	return w
}

func TestQueriesByGetMayBeKept(t *testing.T) {
	t.Parallel()
	h := newShop(t).endpoint(t, graphql.Config{})

	asked := url.Values{"query": {`query($id: String!) { billsGet(id: $id) { id } }`}, "variables": {`{"id":"bill_1"}`}}
	w := get(t, h, asked)
	if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "private, max-age=5" || w.Header().Get("ETag") == "" {
		t.Fatalf("answered %d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := get(t, h, asked, "If-None-Match", w.Header().Get("ETag")); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("asked again: %d %s", w.Code, w.Body)
	}
	for name, query := range map[string]string{
		"what is not kept": `{ billsList { nodes { id } } }`,
		"a mixture":        `{ billsList { nodes { id } } billsGet(id: "bill_1") { id } }`,
		"a failure":        `{ billsGet(id: "missing") { id } }`,
	} {
		if w := get(t, h, url.Values{"query": {query}}); w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("ETag") != "" {
			t.Errorf("%s: answered %d %v", name, w.Code, w.Header())
		}
	}
	if w := get(t, h, url.Values{"query": {`mutation { billsDelete(id: "1") }`}}); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Errorf("a mutation by GET is answered %d %v", w.Code, w.Header())
	}
	for name, parameters := range map[string]url.Values{
		"twice":         {"query": {"{__typename}", "{__typename}"}},
		"bad variables": {"query": {"{__typename}"}, "variables": {"[1]"}},
		"unknown":       {"query": {"{__typename}"}, "other": {"1"}},
		"none":          {},
	} {
		if w := get(t, h, parameters); w.Code != http.StatusBadRequest {
			t.Errorf("%s: answered %d %s", name, w.Code, w.Body)
		}
	}
}

func TestATextIsRememberedByItsHash(t *testing.T) {
	t.Parallel()
	h := newShop(t).endpoint(t, graphql.Config{})

	const query = `{ billsGet(id: "bill_3") { id } }`
	sum := sha256.Sum256([]byte(query))
	extensions := object{"persistedQuery": object{"version": 1, "sha256Hash": hex.EncodeToString(sum[:])}}
	if w := post(t, h, object{"extensions": extensions}); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `"message":"PersistedQueryNotFound"`) || !strings.Contains(w.Body.String(), `"code":"persisted_query_not_found"`) {
		t.Errorf("before it is known: %d %s", w.Code, w.Body)
	}
	for _, body := range []object{{"query": query, "extensions": extensions}, {"extensions": extensions}} {
		if w := post(t, h, body); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"bill_3"`) {
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
	}
}

func TestWhatIsLeftOutMayDependOnVariables(t *testing.T) {
	t.Parallel()
	h := newShop(t).endpoint(t, graphql.Config{})

	const query = `query($a: Boolean!, $b: Boolean = true) { billsGet(id: "bill_1") { id @skip(if: $a) ...f @include(if: $b) } } fragment f on Bill { ratio @include(if: $a) amount }`
	for vars, want := range map[[2]any]string{
		{true, nil}:    `{"data":{"billsGet":{"ratio":0.5,"amount":5000000001}}}`,
		{false, nil}:   `{"data":{"billsGet":{"id":"bill_1","amount":5000000001}}}`,
		{true, false}:  `{"data":{"billsGet":{}}}`,
		{false, false}: `{"data":{"billsGet":{"id":"bill_1"}}}`,
	} {
		given := object{"a": vars[0]}
		if vars[1] != nil {
			given["b"] = vars[1]
		}
		for range 2 { // by the plan that is kept too
			if got := ask(t, h, query, given); got != want {
				t.Errorf("with %v answered %s, want %s", given, got, want)
			}
		}
	}
}

// A variable that may be null is admitted where null is not if it has a default;
// null itself is not the default.
func TestNullIsNoDefault(t *testing.T) {
	t.Parallel()
	h := newShop(t).endpoint(t, graphql.Config{})

	w := post(t, h, object{"query": `query($a: Boolean = true) { billsGet(id: "bill_1") { id @skip(if: $a) } }`, "variables": object{"a": nil}})
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `"code":"graphql_variables_invalid"`) {
		t.Errorf("a condition that is null is answered %d %s", w.Code, w.Body)
	}
	const create = `mutation($a: Int64 = 5) { billsCreate(amount: $a, card: {brand: "visa", last4: "1"}) { amount } }`
	for want, vars := range map[string]object{
		`{"data":{"billsCreate":{"amount":5}}}`: nil,
		`"path":["billsCreate"]`:                {"a": nil},
		`"pointer":"/amount"`:                   {"a": nil},
		`"data":{"billsCreate":null}`:           {"a": nil},
	} {
		if got := ask(t, h, create, vars); !strings.Contains(got, want) {
			t.Errorf("with %v answered %s, which lacks %s", vars, got, want)
		}
	}
}
