package ashlartest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/logs"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// An exchange is a request of a test and what became of it.
type exchange struct {
	app     *App
	spec    *op.Spec
	request *http.Request
	sent    string // the request's body
	answer  *httptest.ResponseRecorder
}

// fatalf ends the test, and prints all that is known of the exchange.
func (e exchange) fatalf(format string, args ...any) {
	e.app.t.Helper()
	e.app.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), e.report())
}

// report is what somebody needs to find out why an assertion failed: what was
// asked and answered, what the app logged and did meanwhile, and where the
// operation is declared. Secrets are not in it: the reports of tests are kept
// where many can read them.
func (e exchange) report() string {
	var out strings.Builder
	part := func(name, text string) {
		if text = strings.TrimRight(text, "\n"); text != "" {
			fmt.Fprintf(&out, "  %s\n    %s\n", name, strings.ReplaceAll(text, "\n", "\n    "))
		}
	}
	part("declared", fmt.Sprintf("%s, by %s of %s", e.spec.Source, e.spec.Handler, e.spec.Package))
	part("request", fmt.Sprintf("%s %s\n%s%s", e.request.Method, e.target(), headers(e.request.Header), redacted([]byte(e.sent), e.spec.In)))
	answer := e.spec.Out
	if e.answer.Code >= http.StatusBadRequest {
		answer = nil // it is a problem
	}
	part("response", fmt.Sprintf("%d %s\n%s%s", e.answer.Code, http.StatusText(e.answer.Code), headers(e.answer.Header()), redacted(e.answer.Body.Bytes(), answer)))
	part("log", strings.Join(e.log(), "\n"))
	part("trace", e.trace().String())
	return out.String()
}

// target is the request's URL without the values of secret members.
func (e exchange) target() string {
	query := e.request.URL.Query()
	if len(query) == 0 {
		return e.request.URL.EscapedPath()
	}
	for name := range query {
		if hides(name) || e.spec.In.Object != nil && isSecret(e.spec.In.Object.Field(name)) {
			query.Set(name, masked)
		}
	}
	return e.request.URL.EscapedPath() + "?" + query.Encode()
}

// log returns the lines that were logged for the request.
func (e exchange) log() []string {
	id := e.answer.Header().Get("X-Request-Id")
	var lines []string
	for line := range strings.Lines(e.app.Log()) {
		if id != "" && (strings.Contains(line, `"trace_id":"`+id+`"`) || strings.Contains(line, `"request_id":"`+id+`"`)) {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

// trace returns what the request did.
func (e exchange) trace() Trace {
	e.app.t.Helper()
	id := e.answer.Header().Get("X-Request-Id")
	for _, t := range e.app.Traces() {
		if t.ID == id || slices.ContainsFunc(t.Spans, func(s Span) bool { return s.Fact("ashlar.request_id") == id }) {
			return t
		}
	}
	return Trace{}
}

// masked stands for a secret.
const masked = "***"

// hides says which keys give a secret away.
var hides = logs.Hides(nil)

func headers(h http.Header) string {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			if hides(name) {
				value = masked
			}
			fmt.Fprintf(&out, "%s: %s\n", name, value)
		}
	}
	return out.String()
}

// redacted returns a JSON text without its secrets: the members that t or their
// own name call so. What is no JSON is not shown, since nobody knows what is in
// it.
func redacted(text []byte, t *rule.Type) string {
	if len(text) == 0 {
		return ""
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var value any
	if d.Decode(&value) != nil || d.More() {
		return fmt.Sprintf("(%d bytes that are no JSON)", len(text))
	}
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(withoutSecrets(value, t)); err != nil {
		return err.Error() // what was decoded can be encoded
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func withoutSecrets(value any, t *rule.Type) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			of := memberType(t, name)
			switch _, tree := member.(map[string]any); {
			case of != nil && of.Secret, hides(name) && !tree:
				value[name] = masked
			default:
				value[name] = withoutSecrets(member, of)
			}
		}
	case []any:
		var of *rule.Type
		if t != nil {
			of = t.Elem
		}
		for i := range value {
			value[i] = withoutSecrets(value[i], of)
		}
	}
	return value
}

func memberType(t *rule.Type, name string) *rule.Type {
	switch {
	case t == nil:
	case t.Kind == rule.Map:
		return t.Elem
	case t.Kind == rule.Object:
		if f := t.Object.Field(name); f != nil {
			return f.Type
		}
	}
	return nil
}

func isSecret(f *rule.Field) bool { return f != nil && f.Type.Secret }
