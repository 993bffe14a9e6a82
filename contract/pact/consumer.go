package pact

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// R is what of a test a [Recorder] uses: *testing.T is one.
type R interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
	Failed() bool
}

// A Recorder stands in for a provider in the tests of a consumer, and records
// what they expect of it: a pact of version 4.
type Recorder struct {
	t        R
	consumer string
	provider string
	folder   string
	url      string

	mu    sync.Mutex
	all   []*recorded
	noted bool
}

type recorded struct {
	Interaction

	raw  json.RawMessage
	seen bool
}

// Consumer records requests and messages. It starts a server on the loopback interface that answers as the
// interactions say which are given to it. When the test ends, each must have
// been asked for. If the test has not failed, they are written to the pact of
// the two in the folder, in the place of those with the same description and
// states; others in the file are kept.
func Consumer(t R, consumer, provider, folder string) *Recorder {
	t.Helper()
	r := &Recorder{t: t, consumer: consumer, provider: provider, folder: folder}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is there at once
	if err != nil {
		t.Fatalf("pact: %v", err)
	}
	r.url = "http://" + listener.Addr().String()
	server := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // until it is closed
	t.Cleanup(func() {
		_ = server.Close() // its connections are the test's own
		r.end()
	})
	return r
}

// URL is where the consumer under test finds the provider.
func (r *Recorder) URL() string { return r.url }

// An Expectation is an interaction while it is put together.
type Expectation struct {
	to          *Recorder
	states      []State
	description string
	request     Request
}

// A Request is what the consumer sends. In Path, Header, Query and Body a
// value may be an example, as [Like] makes one.
type Request struct {
	Method string // GET if empty
	Path   any
	Query  map[string]any
	Header map[string]any
	Body   any // JSON, of the type application/json unless Header says another; nil is none
}

// A Response is what the consumer needs of the answer.
type Response struct {
	Status int // 200 if zero
	Header map[string]any
	Body   any
}

// Given names a state that the provider must be in. Params may be nil.
func (r *Recorder) Given(state string, params map[string]any) *Expectation {
	return (&Expectation{to: r}).Given(state, params)
}

// UponReceiving begins an interaction that needs no state.
func (r *Recorder) UponReceiving(description string) *Expectation {
	return (&Expectation{to: r}).UponReceiving(description)
}

// Given names another state.
func (e *Expectation) Given(state string, params map[string]any) *Expectation {
	e.states = append(e.states, State{state, params})
	return e
}

// UponReceiving says what the interaction is, as people will read it.
func (e *Expectation) UponReceiving(description string) *Expectation {
	e.description = description
	return e
}

// WithRequest says what the consumer sends.
func (e *Expectation) WithRequest(request Request) *Expectation {
	e.request = request
	return e
}

// WillRespond ends the interaction: the server answers so from now on.
func (e *Expectation) WillRespond(response Response) {
	e.to.t.Helper()
	in := e.interaction("Synchronous/HTTP")
	asks, rules := map[string]any{"method": cmp.Or(e.request.Method, http.MethodGet)}, map[string]any{}
	at := map[string]any{}
	asks["path"] = example(e.request.Path, "$", at)
	if at["$"] != nil {
		rules["path"] = at["$"]
	}
	lists(asks, rules, "query", "query", e.request.Query)
	lists(asks, rules, "headers", "header", e.request.headers())
	content(asks, "body", rules, e.request.Body)
	in["request"] = withRules(asks, rules)
	answers, rules := map[string]any{"status": cmp.Or(response.Status, http.StatusOK)}, map[string]any{}
	lists(answers, rules, "headers", "header", response.Header)
	content(answers, "body", rules, response.Body)
	in["response"] = withRules(answers, rules)
	e.add(in)
}

func (e *Expectation) interaction(kind string) map[string]any {
	in := map[string]any{"type": kind, "description": e.description, "pending": false}
	if len(e.states) > 0 {
		in["providerStates"] = e.states
	}
	return in
}

// add has the interaction expected from now on.
func (e *Expectation) add(in map[string]any) *recorded {
	e.to.t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		e.to.t.Fatalf("pact: %s: %v", e.description, err)
	}
	i, err := parseInteraction(raw, 4, false)
	if err = errors.Join(err, i.refused); err != nil {
		e.to.t.Fatalf("pact: %s: %v", e.description, err)
	}
	one := &recorded{Interaction: i, raw: raw}
	e.to.mu.Lock()
	defer e.to.mu.Unlock()
	e.to.all = append(e.to.all, one)
	return one
}

// headers are those that are expected. A body says what it is: other verifiers
// send no type that stands nowhere but with the body.
func (r *Request) headers() map[string]any {
	for name := range r.Header {
		if http.CanonicalHeaderKey(name) == "Content-Type" {
			return r.Header
		}
	}
	if r.Body == nil {
		return r.Header
	}
	typed := map[string]any{"Content-Type": "application/json"}
	maps.Copy(typed, r.Header)
	return typed
}

func withRules(part, rules map[string]any) map[string]any {
	if len(rules) > 0 {
		part["matchingRules"] = rules
	}
	return part
}

// lists writes a query or headers.
func lists(part, rules map[string]any, name, category string, values map[string]any) {
	if len(values) == 0 {
		return
	}
	out, found := map[string]any{}, map[string]any{}
	for key, v := range values {
		at := map[string]any{}
		out[key] = []any{example(v, "$", at)}
		if at["$"] != nil {
			found[key] = at["$"]
		}
	}
	part[name] = out
	if len(found) > 0 {
		rules[category] = found
	}
}

func content(part map[string]any, name string, rules map[string]any, value any) {
	if value == nil {
		return
	}
	at := map[string]any{}
	part[name] = map[string]any{"content": example(value, "$", at), "contentType": "application/json", "encoded": false}
	if len(at) > 0 {
		rules["body"] = at
	}
}

// An Example is a value of which the pact says what may differ.
type Example struct {
	value any
	rule  map[string]any
}

// Like takes any value of the same type, and of the same form inside.
func Like(value any) Example { return Example{value, map[string]any{"match": "type"}} }

// EachLike takes a list of values like one, as many as least or more.
func EachLike(value any, least int) Example {
	list := make([]any, max(least, 1))
	for i := range list {
		list[i] = value
	}
	return Example{list, map[string]any{"match": "type", "min": least}}
}

// Regex takes texts that match a regular expression as a whole.
func Regex(pattern, value string) Example {
	return Example{value, map[string]any{"match": "regex", "regex": pattern}}
}

// Integer takes whole numbers.
func Integer(value int64) Example { return Example{value, map[string]any{"match": "integer"}} }

// DateTime takes times of a form such as yyyy-MM-dd'T'HH:mm:ss.SSSX.
func DateTime(format, value string) Example {
	return Example{value, map[string]any{"match": "timestamp", "format": format}}
}

// example takes the examples out of a value, and notes their rules by path.
func example(v any, at string, rules map[string]any) any {
	switch v := v.(type) {
	case Example:
		rules[at] = map[string]any{"combine": "AND", "matchers": []any{v.rule}}
		if list, ok := v.value.([]any); ok && v.rule["min"] != nil {
			out := make([]any, len(list))
			for i := range list {
				out[i] = example(list[i], at+"[*]", rules)
			}
			return out
		}
		return example(v.value, at, rules)
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, inside := range v {
			below := "['" + name + "']"
			if plain(name) {
				below = "." + name
			}
			out[name] = example(inside, at+below, rules)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inside := range v {
			out[i] = example(inside, fmt.Sprintf("%s[%d]", at, i), rules)
		}
		return out
	}
	return v
}

// ServeHTTP answers as the interaction says that fits the request. Where none
// does, the test fails with what is wrong with the closest.
func (r *Recorder) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, q.Body, mostBytes))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	got := request{method: q.Method, path: q.URL.Path, query: q.URL.Query(), header: q.Header, body: body{said: true, text: text}}
	r.mu.Lock()
	defer r.mu.Unlock()
	var closest []Mismatch
	name := ""
	for _, one := range r.all {
		if one.message != nil {
			continue
		}
		found := one.request.compare(&got)
		if len(found) == 0 {
			one.seen = true
			one.answer(w)
			return
		}
		if name == "" || len(found) < len(closest) {
			closest, name = found, one.String()
		}
	}
	r.noted = true
	var said bytes.Buffer
	fmt.Fprintf(&said, "no interaction fits %s %s", q.Method, (&url.URL{Path: q.URL.Path}).EscapedPath())
	if name != "" {
		fmt.Fprintf(&said, "; the closest is %q:", name)
		for _, m := range closest {
			said.WriteString("\n\t" + m.String())
		}
	}
	r.t.Errorf("pact: %s", &said)
	http.Error(w, said.String(), http.StatusInternalServerError)
}

func (one *recorded) answer(w http.ResponseWriter) {
	for name, values := range one.response.header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	if one.response.body.said && w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", one.response.body.kind())
	}
	w.WriteHeader(one.response.status)
	_, _ = w.Write(one.response.body.bytes()) //nolint:gosec // what the test itself said; whoever asked may have gone
}

// end looks for interactions that nobody asked for, and writes the file.
func (r *Recorder) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.all {
		if !one.seen {
			r.noted = true
			r.t.Errorf("pact: nobody %s %q", map[bool]string{true: "took", false: "sent"}[one.message != nil], one.String())
		}
	}
	if r.noted || r.t.Failed() {
		return
	}
	if err := r.write(); err != nil {
		r.t.Errorf("pact: %v", err)
	}
}

// writing keeps tests of one process from writing a file at once.
var writing sync.Mutex

func (r *Recorder) write() error {
	writing.Lock()
	defer writing.Unlock()
	file := filepath.Join(r.folder, r.consumer+"-"+r.provider+".json")
	byName := map[string]json.RawMessage{}
	switch text, err := os.ReadFile(file); { //nolint:gosec // the folder is the caller's
	case err == nil:
		p, err := Parse(text)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if p.version != 4 {
			return fmt.Errorf("%s is of version %d: a pact of version 4 cannot be added to it", file, p.version)
		}
		var in struct {
			Interactions []json.RawMessage `json:"interactions"`
		}
		if err := json.Unmarshal(text, &in); err != nil {
			return err
		}
		for i := range p.Interactions {
			byName[p.Interactions[i].String()] = in.Interactions[i]
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	for _, one := range r.all {
		byName[one.String()] = one.raw
	}
	var all []json.RawMessage
	for _, name := range sorted(byName) {
		all = append(all, byName[name])
	}
	text, err := json.MarshalIndent(map[string]any{
		"consumer": party{r.consumer}, "provider": party{r.provider}, "interactions": all,
		"metadata": map[string]any{"pactSpecification": map[string]any{"version": "4.0"}},
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(r.folder, 0o755); err != nil { //nolint:gosec // a folder of the repository
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644) //nolint:gosec // a file of the repository
}
