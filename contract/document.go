package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A node is an object of a document, decoded.
type node = map[string]any

// A document is an OpenAPI document.
type document struct{ root node }

func parse(text []byte) (document, error) {
	var root node
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&root); err != nil {
		return document{}, err
	}
	version, _ := root["openapi"].(string)
	if !strings.HasPrefix(version, "3.1") {
		return document{}, errors.New("it is no OpenAPI document of version 3.1")
	}
	return document{root}, nil
}

// follow returns what v refers to, and the reference.
func (d document) follow(v any) (target node, ref string) {
	target, _ = v.(node)
	for range 32 { // a circle of references leads nowhere
		next, ok := target["$ref"].(string)
		if !ok {
			break
		}
		ref = next
		target = d.at(ref)
	}
	return target, ref
}

// at returns the object that a local reference leads to.
func (d document) at(ref string) node {
	path, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	here := d.root
	for name := range strings.SplitSeq(path, "/") {
		here, _ = here[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)].(node)
	}
	return here
}

// An operation is one method of one path.
type operation struct {
	document

	method, path, name string
	node               node
	shared             []any // parameters of the whole path
}

// String is how the operation is called: its name and its route.
func (o *operation) String() string { return o.method + " " + o.path }

func (d document) operations() []*operation {
	var all []*operation
	paths, _ := d.root["paths"].(node)
	for _, path := range sorted(paths) {
		methods, _ := d.follow(paths[path])
		shared, _ := methods["parameters"].([]any)
		for _, method := range sorted(methods) {
			o, ok := methods[method].(node)
			if !ok || !slices.Contains([]string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}, method) {
				continue
			}
			name, _ := o["operationId"].(string)
			all = append(all, &operation{d, strings.ToUpper(method), path, name, o, shared})
		}
	}
	return all
}

// label is the name of the operation, or its route where it has none.
func (o *operation) label() string {
	if o.name != "" {
		return o.name
	}
	return o.String()
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// list reads a list of texts.
func list(v any) []string {
	var out []string
	all, _ := v.([]any)
	for _, one := range all {
		out = append(out, words(one))
	}
	return out
}

// words writes a value as a person would read it.
func words(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
