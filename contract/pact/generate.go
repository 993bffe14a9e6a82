package pact

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A generator makes a value of a request at the moment that it is sent.
type generator struct {
	part string // path, header, query, body or metadata
	at   path   // within it
	make func(states map[string]any, now time.Time) (any, error)
}

// examples are the generators whose value may be any: the example in the pact
// is as good, and the same each time.
var examples = []string{"RandomInt", "RandomDecimal", "RandomHexadecimal", "RandomString", "RandomBoolean", "Regex", "Uuid", "MockServerURL"}

// parseGenerators reads the generators of a request.
func parseGenerators(raw json.RawMessage, version int) ([]generator, error) {
	if len(raw) == 0 || version < 3 || string(raw) == "null" {
		return nil, nil
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return nil, fmt.Errorf("generators: %w", err)
	}
	var all []generator
	var errs []error
	for _, part := range sorted(parts) {
		byPath := map[string]json.RawMessage{"": parts[part]}
		if part != "path" && part != "method" && part != "status" {
			byPath = nil
			if err := json.Unmarshal(parts[part], &byPath); err != nil {
				errs = append(errs, fmt.Errorf("generators of %s: %w", part, err))
				continue
			}
		}
		for _, name := range sorted(byPath) {
			g := generator{part: part}
			var err error
			if name != "" {
				if g.at, err = pathOf(part, name); err != nil {
					errs = append(errs, err)
					continue
				}
			}
			if g.make, err = parseGenerator(byPath[name]); err != nil {
				errs = append(errs, fmt.Errorf("the generator of %s %s: %w", part, name, err))
				continue
			}
			if g.make != nil {
				all = append(all, g)
			}
		}
	}
	return all, errors.Join(errs...)
}

func parseGenerator(raw json.RawMessage) (func(map[string]any, time.Time) (any, error), error) {
	var in struct {
		Type       string `json:"type"`
		Format     string `json:"format"`
		Expression string `json:"expression"`
		DataType   string `json:"dataType"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, err
	}
	switch in.Type {
	case "ProviderState":
		return func(states map[string]any, _ time.Time) (any, error) { return expand(in.Expression, states) }, nil
	case "Date", "Time", "DateTime":
		if in.Expression != "" {
			return nil, fmt.Errorf("the expression %q: %w", in.Expression, ErrUnsupported)
		}
		l, err := parseLayout(first(in.Format, usual[strings.Replace(strings.ToLower(in.Type), "datetime", "timestamp", 1)]))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", err, ErrUnsupported)
		}
		if l.format == "" {
			return nil, fmt.Errorf("the format %q: %w", in.Format, ErrUnsupported)
		}
		return func(_ map[string]any, now time.Time) (any, error) { return now.UTC().Format(l.format), nil }, nil
	}
	if !slices.Contains(examples, in.Type) {
		return nil, fmt.Errorf("%q: %w", in.Type, ErrUnsupported)
	}
	return nil, nil //nolint:nilnil // nothing is to be made: the example will do
}

var hole = regexp.MustCompile(`\$\{([^}]*)\}`)

// expand fills what provider states returned into an expression: ${id}. One
// that is nothing else keeps its type.
func expand(expression string, states map[string]any) (any, error) {
	if at := hole.FindStringSubmatch(expression); len(at) == 2 && at[0] == expression {
		if v, ok := states[at[1]]; ok {
			return v, nil
		}
	}
	if v, ok := states[expression]; ok {
		return v, nil
	}
	var lacks []string
	text := hole.ReplaceAllStringFunc(expression, func(at string) string {
		v, ok := states[at[2:len(at)-1]]
		if !ok {
			lacks = append(lacks, at)
		}
		return fmt.Sprint(v)
	})
	if lacks != nil || !hole.MatchString(expression) {
		return nil, fmt.Errorf("no provider state returned a value for %q", expression)
	}
	return text, nil
}

// generate fills what is generated into a copy of r.
func (r request) generate(states map[string]any, now time.Time) (request, error) {
	for _, g := range r.makes {
		v, err := g.make(states, now)
		if err != nil {
			return r, fmt.Errorf("%s %s: %w", g.part, g.at, err)
		}
		text := fmt.Sprint(v)
		switch g.part {
		case "path":
			r.path = text
		case "header":
			r.header = r.header.Clone()
			r.header.Set(last(g.at[:1]), text)
		case "query":
			query := map[string][]string{}
			for name, values := range r.query {
				query[name] = slices.Clone(values)
			}
			name, at := g.at[0].name, 0
			if len(g.at) > 1 {
				at = g.at[1].index
			}
			if at >= len(query[name]) {
				return r, fmt.Errorf("query %s has no place %d for a generated value", name, at)
			}
			query[name][at] = text
			r.query = query
		case "body":
			if r.body.value, err = placed(r.body.value, g.at, v); err != nil {
				return r, fmt.Errorf("body at %s: %w", g.at, err)
			}
		default:
			return r, fmt.Errorf("a generator of %s: %w", g.part, ErrUnsupported)
		}
	}
	return r, nil
}

// placed is a copy of v with another value at a place.
func placed(v any, at path, value any) (any, error) {
	if len(at) == 0 {
		return value, nil
	}
	switch inside := v.(type) {
	case map[string]any:
		if _, ok := inside[at[0].name]; at[0].kind != member || !ok {
			break
		}
		out := maps.Clone(inside)
		below, err := placed(inside[at[0].name], at[1:], value)
		out[at[0].name] = below
		return out, err
	case []any:
		out := slices.Clone(inside)
		done := false
		for i := range out {
			if at[0].kind == anyItem || at[0].kind == anyChild || at[0].kind == item && at[0].index == i {
				below, err := placed(out[i], at[1:], value)
				if err != nil {
					return nil, err
				}
				out[i], done = below, true
			}
		}
		if done {
			return out, nil
		}
	}
	return nil, errors.New("the example has nothing there")
}
