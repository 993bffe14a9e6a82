package tsclient

import (
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/op"
)

// runtime is what all clients have in common, written by hand and compiled by
// tests.
//
//go:embed runtime.ts
var runtime string

// Info says what the client is called.
type Info struct {
	// Name is the name of the API, such as "payments"; the client's class is
	// named after it. Empty means "api".
	Name string
	// Version is that of the API, for the head of the file. It may be empty.
	Version string
	// Scheme is the word before the token in an Authorization header. Empty
	// means Bearer.
	Scheme string
}

// Source returns the TypeScript of a client for the operations. The error is that
// of [op.Check].
func Source(info Info, operations []op.Operation) ([]byte, error) {
	if err := op.Check(operations); err != nil {
		return nil, err
	}
	specs := make([]*op.Spec, 0, len(operations))
	for _, o := range operations {
		specs = append(specs, o.Spec())
	}
	w := newWriter(info, specs)
	w.head(info)
	w.class()
	w.declarations()
	w.problems()
	w.brandings()
	w.line("")
	w.line("/** The word before a token. */\nconst scheme = %s;\n", quote(cmp.Or(info.Scheme, "Bearer")))
	return append([]byte(w.String()), runtime...), nil
}

// writer is a client while it is written.
type writer struct {
	strings.Builder

	specs    []*op.Spec
	explain  op.Docs
	names    names
	brands   brands
	resource string // the class
}

func newWriter(info Info, specs []*op.Spec) *writer {
	w := &writer{specs: specs, explain: op.Docs{}, brands: findBrands(specs)}
	for _, s := range specs {
		maps.Copy(w.explain, s.Docs)
	}
	w.names = findNames(specs, w.brands)
	name := info.Name
	if name == "" {
		name = "api"
	}
	w.resource = w.names.take(pascal(name))
	return w
}

func (w *writer) line(format string, args ...any) {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	w.WriteString(format)
	w.WriteByte('\n')
}

func (w *writer) head(info Info) {
	title := w.resource
	if info.Version != "" {
		title += " " + info.Version
	}
	w.line("// Client of %s, generated from its operations. DO NOT EDIT.", title)
	w.line("//")
	w.line("//     const api = new %s({ baseUrl: 'https://api.example.com' });", w.resource)
	w.line("//")
	w.line("// It needs nothing but fetch, and runs in browsers, Node.js 20, Deno and Bun.")
}

// comment writes a doc comment; nothing if there is no text.
func (w *writer) comment(indent, text string) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "*/", "*\\/"))
	if text == "" {
		return
	}
	lines := strings.Split(text, "\n")
	if len(lines) == 1 {
		w.line("%s/** %s */", indent, lines[0])
		return
	}
	w.line("%s/**", indent)
	for _, l := range lines {
		w.line("%s", strings.TrimRight(indent+" * "+l, " "))
	}
	w.line("%s */", indent)
}

// quote writes a text as a literal.
func quote(s string) string {
	q := strconv.QuoteToASCII(s)
	if q == `"`+s+`"` && !strings.Contains(s, "'") {
		return "'" + s + "'"
	}
	return jsEscapes.Replace(q)
}

// jsEscapes turns what only Go understands into what JavaScript does.
var jsEscapes = strings.NewReplacer(`\a`, `\x07`, `\\`, `\\`)

// words cuts a name such as "end_others" or "api-keys" at whatever is no letter
// or digit.
func words(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
}

func pascal(name string) string {
	var b strings.Builder
	for _, word := range words(name) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	s := b.String()
	if s == "" || s[0] <= '9' {
		return "Api" + s
	}
	return s
}

func camel(name string) string {
	s := pascal(name)
	return strings.ToLower(s[:1]) + s[1:]
}
