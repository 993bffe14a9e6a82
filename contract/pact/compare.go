package pact

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/logs"
)

// A Mismatch is one way in which what happened is not what the pact says.
type Mismatch struct {
	Part    string // such as "status", "header Content-Type", "query limit" or "body"
	Path    string // within a body: $.items[0].name
	Matcher string // that was not met, or "" where the value itself is expected
	Want    string // in words
	Got     string // shortly, and hidden where its name says that it is secret
}

// String is one line for people.
func (m Mismatch) String() string {
	var b strings.Builder
	b.WriteString(m.Part)
	if m.Path != "" {
		b.WriteString(" at " + m.Path)
	}
	fmt.Fprintf(&b, ": expected %s", m.Want)
	if m.Matcher != "" {
		fmt.Fprintf(&b, " (matcher %s)", m.Matcher)
	}
	return b.String() + ", got " + m.Got
}

// hides says of which names the values are secret.
var hides = logs.Hides(logs.DefaultRedact())

// A comparison collects the mismatches of one part.
type comparison struct {
	part    string
	rules   bodyRules
	exact   bool // members that are not expected are mismatches
	written bool // everything is text: a header, a query
	secret  bool // by the name of the part
	found   []Mismatch
}

// miss notes a mismatch.
func (c *comparison) miss(at path, m *matcher, want string, got any) {
	one := Mismatch{Part: c.part, Want: want, Got: c.shown(at, got)}
	if !c.written {
		one.Path = at.String()
	}
	if m != nil {
		one.Matcher = m.String()
	}
	c.found = append(c.found, one)
}

// missing is what is shown where there is nothing.
type missing struct{}

// shown writes what came, but for secrets.
func (c *comparison) shown(at path, got any) string {
	if _, nothing := got.(missing); nothing {
		return "nothing"
	}
	secret := c.secret
	for _, s := range at {
		secret = secret || s.kind == member && hides(s.name)
	}
	if secret {
		return "a " + kindOf(got) + " that is not shown"
	}
	return show(veiled(got))
}

// veiled is v without the members whose names say that they are secret.
func veiled(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, inside := range v {
			if out[name] = veiled(inside); hides(name) {
				out[name] = "***"
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inside := range v {
			out[i] = veiled(inside)
		}
		return out
	}
	return v
}

// value compares what stands at one place.
func (c *comparison) value(at path, want, got any) {
	r, above := c.rules.best(at)
	if r == nil {
		c.same(at, want, got)
		return
	}
	c.apply(r, above, at, want, got)
}

// same compares where no rule holds: what is expected must be there.
func (c *comparison) same(at path, want, got any) {
	if kindOf(want) != kindOf(got) {
		c.miss(at, nil, c.expected(at, want), got)
		return
	}
	switch want := want.(type) {
	case map[string]any:
		c.members(at, want, got.(map[string]any))
	case []any:
		got := got.([]any)
		if len(want) != len(got) {
			c.miss(at, nil, items(len(want)), got)
			return
		}
		c.items(at, want, got)
	default:
		if !equal(want, got) {
			c.miss(at, nil, c.expected(at, want), got)
		}
	}
}

// expected writes an example, which may hold a secret of its own.
func (c *comparison) expected(at path, want any) string { return c.shown(at, want) }

// members compares the members of an object.
func (c *comparison) members(at path, want, got map[string]any) {
	for _, name := range sorted(want) {
		value, ok := got[name]
		if !ok {
			c.miss(at.member(name), nil, c.expected(at.member(name), want[name]), missing{})
			continue
		}
		c.value(at.member(name), want[name], value)
	}
	if !c.exact {
		return
	}
	for _, name := range sorted(got) {
		if _, ok := want[name]; !ok {
			c.miss(at.member(name), nil, "nothing of that name", got[name])
		}
	}
}

// items compares each item of a list with the example at its place, and those
// for which there is none with the first.
func (c *comparison) items(at path, want, got []any) {
	if len(want) == 0 {
		return
	}
	for i, value := range got {
		example := want[0]
		if i < len(want) {
			example = want[i]
		}
		c.value(at.item(i), example, value)
	}
}

// apply holds rules against a value. Above says that they stand above it.
func (c *comparison) apply(r *rules, above bool, at path, want, got any) {
	before := len(c.found)
	for i := range r.all {
		start := len(c.found)
		c.one(r, &r.all[i], above, at, want, got)
		if r.either && len(c.found) == start {
			c.found = c.found[:before] // one is enough
			return
		}
	}
}

// one holds one matcher against a value and what is inside it.
func (c *comparison) one(r *rules, m *matcher, above bool, at path, want, got any) {
	switch m.name {
	case "values":
		c.values(m, at, want, got, func(at path, want, got any) { c.value(at, want, got) })
	case "eachValue":
		outside := c.rules
		c.values(m, at, want, got, func(at path, want, got any) {
			c.rules = append(slices.Clip(outside), bodyRule{at, m.nested})
			c.value(at, want, got)
		})
		c.rules = outside
	case "eachKey":
		c.keys(r, m, at, want, got)
	case "arrayContains":
		c.contains(m, at, want, got)
	case "equality":
		if !equal(want, got) {
			c.miss(at, m, c.expected(at, want), got)
		}
	case "type", "notEmpty":
		c.alike(m, above, at, want, got)
	case "number", "integer", "decimal", "boolean", "null", "regex", "include", "date", "time", "timestamp", "semver":
		if list, ok := got.([]any); ok && c.written { // each value of a parameter
			for _, value := range list {
				c.one(r, m, above, at, nil, value)
			}
			return
		}
		if expected := m.scalar(want, got, c.written); expected != "" {
			c.miss(at, m, expected, got)
		}
	default: // statusCode and contentType have places of their own
		c.miss(at, m, "a place where this matcher can be used", got)
	}
}

// alike compares the type, and goes on inside.
func (c *comparison) alike(m *matcher, above bool, at path, want, got any) {
	if expected := m.scalar(want, got, c.written); expected != "" && (!above || m.name == "type" || kindOf(want) != kindOf(got)) {
		if hides(last(at)) || c.secret {
			expected = "another value"
		}
		c.miss(at, m, expected, got)
		return
	}
	switch got := got.(type) {
	case map[string]any:
		if want, ok := want.(map[string]any); ok {
			c.members(at, want, got)
		}
	case []any:
		if !above {
			if size := m.size(len(got)); size != "" {
				c.miss(at, m, size, got)
				return
			}
		}
		if want, ok := want.([]any); ok {
			c.items(at, want, got)
		}
	}
}

func last(at path) string {
	if len(at) == 0 {
		return ""
	}
	return at[len(at)-1].name
}

// values compares every value of an object with the example of its name, or
// the first there is: names are free.
func (c *comparison) values(m *matcher, at path, want, got any, each func(at path, want, got any)) {
	switch got := got.(type) {
	case map[string]any:
		examples, ok := want.(map[string]any)
		if !ok {
			c.miss(at, m, c.expected(at, want), got)
			return
		}
		var example any
		if names := sorted(examples); len(names) > 0 {
			example = examples[names[0]]
		}
		for _, name := range sorted(got) {
			if own, ok := examples[name]; ok {
				each(at.member(name), own, got[name])
			} else {
				each(at.member(name), example, got[name])
			}
		}
	case []any:
		examples, _ := want.([]any)
		if len(examples) == 0 {
			c.miss(at, m, c.expected(at, want), got)
			return
		}
		for i, value := range got {
			each(at.item(i), examples[min(i, len(examples)-1)], value)
		}
	default:
		c.miss(at, m, "an object or list", got)
	}
}

// keys holds the rules of eachKey against the names of an object, and compares
// the values of those in the example, unless another matcher does.
func (c *comparison) keys(r *rules, m *matcher, at path, want, got any) {
	object, ok := got.(map[string]any)
	if !ok {
		c.miss(at, m, "an object", got)
		return
	}
	for _, name := range sorted(object) {
		for i := range m.nested.all {
			if expected := m.nested.all[i].scalar(name, name, false); expected != "" {
				c.miss(at.member(name), m, "a name that is "+expected+" ("+m.nested.all[i].String()+")", name)
			}
		}
	}
	if slices.ContainsFunc(r.all, func(m matcher) bool { return m.name == "eachValue" || m.name == "values" }) {
		return
	}
	examples, _ := want.(map[string]any)
	for _, name := range sorted(examples) {
		if value, ok := object[name]; ok {
			c.value(at.member(name), examples[name], value)
		}
	}
}

// contains looks for an item for each variant.
func (c *comparison) contains(m *matcher, at path, want, got any) {
	list, ok := got.([]any)
	if !ok {
		c.miss(at, m, "a list", got)
		return
	}
	examples, _ := want.([]any)
	for _, v := range m.variants {
		if v.index < 0 || v.index >= len(examples) {
			c.miss(at, m, fmt.Sprintf("an example for variant %d, which the pact lacks", v.index), got)
			continue
		}
		if !slices.ContainsFunc(list, func(item any) bool {
			inside := comparison{part: c.part, rules: v.rules, exact: c.exact}
			inside.value(nil, examples[v.index], item)
			return len(inside.found) == 0
		}) {
			c.miss(at, m, fmt.Sprintf("an item like %s (variant %d)", c.expected(at, examples[v.index]), v.index), got)
		}
	}
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
