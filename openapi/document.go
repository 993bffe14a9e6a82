package openapi

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// Info says what the document is about.
type Info struct {
	// Title names the API.
	Title string
	// Version is that of the API, not of OpenAPI. Empty means "0".
	Version string
	// Description introduces the API, in CommonMark. It may be empty.
	Description string
	// Scheme is the word before the token in an Authorization header. Empty
	// means Bearer.
	Scheme string
	// Form is what failures are answered in, unless a caller asks for problem
	// documents. Nil means those.
	Form *fault.Form
}

// Document returns the OpenAPI 3.1.1 document of the operations as indented
// JSON. Equal operations give equal bytes. The error is that of [op.Check].
//
// The items of a Stream are described under x-itemSchema, as OpenAPI 3.2
// describes them under itemSchema, for which 3.1 has no word.
//
// Components are named after Go types, and after their packages too where two
// types share a name; a type that is both sent and received has a second
// component whose name ends in Input.
func Document(info Info, operations []op.Operation) ([]byte, error) {
	if err := op.Check(operations); err != nil {
		return nil, err
	}
	specs := make([]*op.Spec, 0, len(operations))
	for _, o := range operations {
		specs = append(specs, o.Spec())
	}
	d, err := newDocument(info, specs)
	if err != nil {
		return nil, err
	}
	paths := d.paths(specs)

	about := object{}
	about.set("title", info.Title)
	about.setText("description", info.Description)
	if info.Version == "" {
		info.Version = "0"
	}
	about.set("version", info.Version)

	root := object{}
	root.set("openapi", "3.1.1")
	root.set("info", about)
	root.set("servers", list{object{{"url", "/"}}})
	root.set("tags", tags(specs))
	root.set("paths", paths)
	root.set("components", d.components())
	return append(appendJSON(nil, root, ""), '\n'), nil
}

// document is a document while it is written.
type document struct {
	names map[component]string
	// explain holds the doc comments that came with the operations.
	explain    op.Docs
	schemas    map[string]object
	responses  map[string]object
	parameters map[string]object
	secured    bool
	scheme     string     // before a token
	form       *rule.Type // of failures; nil for problem documents alone
	formMedia  string
}

func newDocument(info Info, specs []*op.Spec) (*document, error) {
	d := &document{
		explain: op.Docs{}, schemas: map[string]object{}, responses: map[string]object{}, parameters: map[string]object{},
		scheme: cmp.Or(info.Scheme, "Bearer"),
	}
	for _, s := range specs {
		maps.Copy(d.explain, s.Docs)
	}
	if info.Form != nil {
		var err error
		if d.form, err = rule.Describe(info.Form.Type()); err != nil {
			return nil, fmt.Errorf("the form of failures: %w", err)
		}
		d.formMedia = info.Form.Media()
	}
	d.names = nameComponents(specs, d.form)
	return d, nil
}

func tags(specs []*op.Spec) list {
	var all list
	var seen []string
	for _, s := range specs {
		if t := tag(s); !slices.Contains(seen, t) {
			seen = append(seen, t)
			all = append(all, object{{"name", t}})
		}
	}
	return all
}

// tag groups operations by the first part of their name.
func tag(s *op.Spec) string {
	first, _, _ := strings.Cut(s.Name, ".")
	return first
}

func (d *document) paths(specs []*op.Spec) object {
	var order []string
	items := map[string]*object{}
	for _, s := range specs {
		item := items[s.Path]
		if item == nil {
			item = &object{}
			items[s.Path] = item
			order = append(order, s.Path)
		}
		item.set(strings.ToLower(s.Method), d.operation(s))
	}
	paths := object{}
	for _, path := range order {
		paths.set(path, *items[path])
	}
	return paths
}

func (d *document) components() object {
	out := object{}
	d.schemas["Problem"], d.schemas["Violation"] = problemSchema(), violationSchema()
	out.set("schemas", sorted(d.schemas))
	if len(d.responses) > 0 {
		out.set("responses", sorted(d.responses))
	}
	if len(d.parameters) > 0 {
		out.set("parameters", sorted(d.parameters))
	}
	if d.secured {
		out.set("securitySchemes", object{{d.security(), d.securityScheme()}})
	}
	return out
}

// security is the name of the security scheme.
func (d *document) security() string { return strings.ToLower(d.scheme) }

// securityScheme describes how tokens are sent. OpenAPI has a word for those of
// RFC 6750; for others it has that of a key in a header.
func (d *document) securityScheme() object {
	const what = "An access token or API key"
	if strings.EqualFold(d.scheme, "Bearer") {
		return object{{"type", "http"}, {"scheme", "bearer"}, {"description", what + "."}}
	}
	return object{
		{"type", "apiKey"},
		{"in", "header"},
		{"name", "Authorization"},
		{"description", what + " after the word " + d.scheme + " and a space. The word Bearer is understood too."},
	}
}

func sorted(all map[string]object) object {
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	out := object{}
	for _, name := range names {
		out.set(name, all[name])
	}
	return out
}
