package goclient

import (
	"cmp"
	_ "embed"
	"fmt"
	"go/format"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// runtime is what all clients have in common, written by hand. It is compiled
// and used as a part of the payments example's client.
//
//go:embed runtime.go.txt
var runtime string

// Info says what the client is called.
type Info struct {
	// Package is the name of its package.
	Package string
	// Scheme is the word before the token in an Authorization header. Empty
	// means Bearer.
	Scheme string
}

// Source returns the Go source of a client for the operations. The error is that
// of [op.Check], or says that the package's name is none.
func Source(info Info, operations []op.Operation) ([]byte, error) {
	if err := op.Check(operations); err != nil {
		return nil, err
	}
	w := &writer{explain: op.Docs{}}
	for _, o := range operations {
		w.specs = append(w.specs, o.Spec())
		maps.Copy(w.explain, o.Spec().Docs)
	}
	w.findNames()
	w.line("// Code generated from the operations of %s; DO NOT EDIT.\n", info.Package)
	w.line("package %s\n", info.Package)
	w.line("%s", runtime)
	w.line("// scheme is the word before a token.\nconst scheme = %q\n", cmp.Or(info.Scheme, "Bearer"))
	w.refreshing()
	for _, s := range w.specs {
		w.operation(s)
	}
	w.declarations()
	w.codes()
	source, err := format.Source([]byte(w.String()))
	if err != nil {
		return nil, fmt.Errorf("goclient: package %q: %w", info.Package, err)
	}
	return source, nil
}

// writer is a client while it is written.
type writer struct {
	strings.Builder

	specs   []*op.Spec
	explain op.Docs
	names   map[declared]string
	types   map[declared]*rule.Type
	order   []declared
}

func (w *writer) line(text string, args ...any) {
	_, _ = fmt.Fprintf(w, text+"\n", args...) // a Builder does not fail
}

func (w *writer) comment(text string) {
	if text = strings.TrimSpace(text); text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		w.line("// %s", line)
	}
}

// operation writes the method of an operation, and its input.
func (w *writer) operation(s *op.Spec) {
	name := pascal(s.Name)
	takes, given := "", "struct{}{}"
	if len(s.In.Object.Fields) > 0 {
		takes, given = ", in "+name+"Input", "in"
		w.line("\n// %sInput is what %s takes.", name, s.Name)
		w.line("type %sInput struct {", name)
		for _, f := range s.In.Object.Fields {
			w.input(s, f)
		}
		w.line("}")
	}
	route := fmt.Sprintf("route{name: %q, method: %q, path: %q, keyed: %t, open: %t}",
		s.Name, s.Method, s.Path, s.Idempotent > 0, !s.Asks())
	w.line("")
	w.comment(name + " calls " + s.Name + ".\n\n" + strings.TrimSpace(s.Summary+".\n"+s.Description))
	if !s.Deprecated.IsZero() {
		w.comment("\nDeprecated: since " + s.Deprecated.Format("2006-01-02") + ".")
	}
	switch {
	case s.Kind == op.IsStream:
		w.line("func (c *Client) %s(ctx context.Context%s) iter.Seq2[%s, error] {", name, takes, w.typed(s.Out, output))
		w.line("return follow[%s](ctx, c, %s, %s)\n}", w.typed(s.Out, output), route, given)
	case s.Returns == op.FileBytes:
		w.line("func (c *Client) %s(ctx context.Context%s, calls ...Call) (File, error) {", name, takes)
		w.line("return download(ctx, c, %s, %s, calls)\n}", route, given)
	case s.Returns == op.Nothing:
		w.line("func (c *Client) %s(ctx context.Context%s, calls ...Call) error {", name, takes)
		w.line("_, _, err := c.send(ctx, %s, %s, calls)\nreturn err\n}", route, given)
	default:
		w.line("func (c *Client) %s(ctx context.Context%s, calls ...Call) (%s, error) {", name, takes, w.typed(s.Out, output))
		w.line("return invoke[%s](ctx, c, %s, %s, calls)\n}", w.typed(s.Out, output), route, given)
	}
	cursor := s.In.Object.Field("cursor")
	if item := op.ItemOf(s.Out); item != nil && s.Kind == op.IsQuery && cursor != nil && cursor.Wrap == rule.Plain {
		of := w.typed(item, output)
		w.line("\n// %sAll calls %s for page after page, as they are needed.", name, s.Name)
		w.line("func (c *Client) %sAll(ctx context.Context, in %[1]sInput, calls ...Call) iter.Seq2[%s, error] {", name, of)
		w.line("return all(in, func(in %sInput) (Page[%s], error) { return c.%[1]s(ctx, in, calls...) }, func(in *%[1]sInput, next string) { in.Cursor = next })\n}", name, of)
	}
}

// input writes a member of an input, with a tag that says where it travels.
func (w *writer) input(s *op.Spec, f *rule.Field) {
	w.comment(w.explain.Field(s.In.Go, f))
	kind := w.typed(f.Type, input)
	if f.Wrap != rule.Plain {
		kind = "*" + kind
	}
	tag := "json:" + strconv.Quote(f.Name+omit(!f.Required))
	switch {
	case slices.Contains(s.PathFields, f.Name):
		tag = "path:" + strconv.Quote(f.Name) + ` json:"-"`
	case s.Kind != op.IsCommand:
		tag = "query:" + strconv.Quote(f.Name)
	}
	w.line("%s %s `%s`", pascal(f.Name), kind, tag)
}

func omit(optional bool) string {
	if optional {
		return ",omitzero"
	}
	return ""
}

// refreshing says which operation exchanges refresh tokens, if one does.
func (w *writer) refreshing() {
	for _, s := range w.specs {
		if s.Kind == op.IsCommand && s.Access == op.ByEveryone && s.In.Object.Field("refresh_token") != nil && s.In.Object.Field("retry_key") != nil {
			w.line("var refreshing = route{name: %q, method: %q, path: %q, open: true}", s.Name, s.Method, s.Path)
			return
		}
	}
	w.line("var refreshing route // nothing exchanges refresh tokens")
}

// declarations writes the types that operations share.
func (w *writer) declarations() {
	for _, d := range w.order {
		t, name := w.types[d], w.names[d]
		w.line("")
		if text := w.explain.Type(t.Go); text != "" {
			w.comment(text)
		} else {
			w.line("// %s is a type of the service.", name)
		}
		if t.Kind != rule.Object {
			w.line("type %s %s\n", name, t.Go.Kind())
			w.line("// The values of %s.\nconst (", name)
			for _, v := range t.Enum {
				value := fmt.Sprint(v)
				literal := value
				if t.Kind == rule.String {
					literal = strconv.Quote(value)
				}
				w.line("%s%s %[1]s = %[3]s", name, pascal(value), literal)
			}
			w.line(")")
			continue
		}
		w.line("type %s struct {", name)
		for _, f := range t.Object.Fields {
			w.comment(w.explain.Field(t.Go, f))
			kind := w.typed(f.Type, d.role)
			if f.Wrap != rule.Plain {
				kind = "*" + kind
			}
			w.line("%s %s `json:%q`", pascal(f.Name), kind, f.Name+omit(d.role == input && !f.Required || f.OmitZero || f.OmitEmpty))
		}
		w.line("}")
	}
}

// codes writes the codes of problems.
func (w *writer) codes() {
	known := map[string]bool{}
	for _, s := range w.specs {
		for _, f := range s.Faults() {
			known[f.Code()] = true
		}
	}
	w.line("\n// The codes of problems, for [HasCode].\nconst (")
	for _, code := range slices.Sorted(maps.Keys(known)) {
		w.line("Code%s = %q", pascal(code), code)
	}
	w.line(")")
}

// typed is the type of a value.
func (w *writer) typed(t *rule.Type, as role) string {
	if name, ok := w.names[declaredOf(t, as)]; ok {
		return name
	}
	if item := op.ItemOf(t); item != nil {
		return "Page[" + w.typed(item, as) + "]"
	}
	switch t.Kind {
	case rule.Bool, rule.Int, rule.Uint, rule.Float, rule.String:
		return t.Go.Kind().String()
	case rule.Bytes:
		return "[]byte"
	case rule.Time:
		return "time.Time"
	case rule.List:
		return "[]" + w.typed(t.Elem, as)
	case rule.Map:
		return "map[string]" + w.typed(t.Elem, as)
	case rule.Object, rule.Any:
	}
	if t.Kind == rule.Any && t.Go.Kind() == reflect.Pointer && t.Elem != nil {
		return "*" + w.typed(t.Elem, as)
	}
	return "json.RawMessage"
}
