package pact

import (
	"encoding/json"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A matcher is one rule for one value.
type matcher struct {
	name     string // as the file writes it: "type", "regex"
	detail   string // its argument, for people
	min, max int    // of a list; negative is no bound
	pattern  *regexp.Regexp
	text     string // of include, contentType
	layout   *layout
	status   func(int) bool
	nested   *rules    // of eachKey and eachValue
	variants []variant // of arrayContains
}

// A variant is one item that a list must contain, whatever its place.
type variant struct {
	index int // of its example
	rules bodyRules
}

// rules are what one path says: all of them, or one of them.
type rules struct {
	either bool
	all    []matcher
}

// bodyRules are the rules of a body, by their paths.
type bodyRules []bodyRule

type bodyRule struct {
	at path
	*rules
}

// best returns the rules that hold at p: those of the path that fits it most
// closely. Above says that the path is not p itself but above it.
func (r bodyRules) best(p path) (found *rules, above bool) {
	heaviest := 0
	for _, rule := range r {
		over := len(rule.at) < len(p)
		if over && !rule.reaches() {
			continue
		}
		if w := rule.at.weight(p) * (len(rule.at) + 1); w > heaviest {
			heaviest, found, above = w, rule.rules, over
		}
	}
	if above {
		found = found.below()
	}
	return found, above
}

// unreaching are the matchers that say nothing of what is inside their value.
var unreaching = []string{"values", "eachKey", "eachValue", "arrayContains"}

// reaches reports whether any of the rules holds for what is inside, too.
func (r *rules) reaches() bool {
	return slices.ContainsFunc(r.all, func(m matcher) bool { return !slices.Contains(unreaching, m.name) })
}

// below returns the rules that hold for what is inside, too.
func (r *rules) below() *rules {
	b := &rules{either: r.either}
	for _, m := range r.all {
		if !slices.Contains(unreaching, m.name) {
			b.all = append(b.all, m)
		}
	}
	return b
}

// String is the matcher as a failure names it.
func (m matcher) String() string {
	if m.detail == "" {
		return m.name
	}
	return m.name + " " + m.detail
}

// size says which size is allowed where n is not.
func (m matcher) size(n int) string {
	switch {
	case m.min >= 0 && n < m.min:
		return "at least " + items(m.min)
	case m.max >= 0 && n > m.max:
		return "at most " + items(m.max)
	}
	return ""
}

func items(n int) string {
	if n == 1 {
		return "1 item"
	}
	return strconv.Itoa(n) + " items"
}

// scalar compares a value that has nothing inside, or of which the matcher
// looks at nothing inside. It returns what was expected instead, or "".
// Written says that got comes from where everything is text: a header, a query.
func (m matcher) scalar(want, got any, written bool) string {
	switch m.name {
	case "type":
		if !written && kindOf(want) != kindOf(got) {
			return "a value of the type of " + show(want)
		}
	case "equality":
		if !equal(want, got) {
			return show(want)
		}
	case "regex":
		text, ok := textOf(got)
		if !ok || !m.pattern.MatchString(text) {
			return "a text that matches as a whole"
		}
	case "include":
		if text, ok := textOf(got); !ok || !strings.Contains(text, m.text) {
			return "a text with " + strconv.Quote(m.text) + " in it"
		}
	case "number":
		if _, ok := number(got, written); !ok {
			return "a number"
		}
	case "integer":
		if n, ok := number(got, written); !ok || strings.ContainsAny(n, ".eE") {
			return "a whole number"
		}
	case "decimal":
		if n, ok := number(got, written); !ok || !strings.ContainsAny(n, ".eE") {
			return "a number with a fraction"
		}
	case "boolean":
		if _, ok := got.(bool); !ok && (!written || got != "true" && got != "false") {
			return "true or false"
		}
	case "null":
		if got != nil {
			return "null"
		}
	case "date", "time", "timestamp":
		text, ok := got.(string)
		if !ok || !m.layout.matches(text) {
			return "a " + m.name + " of the form " + m.layout.pattern
		}
	case "semver":
		if text, ok := got.(string); !ok || !semver.MatchString(text) {
			return "a semantic version"
		}
	case "notEmpty":
		if empty(got) || !written && kindOf(want) != kindOf(got) {
			return "a value of the type of " + show(want) + " that is not empty"
		}
	default:
		return "something that this matcher can be asked about"
	}
	return ""
}

var semver = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
	`(-(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

// textOf returns a text, and what a number or truth value would be as one.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

func number(v any, written bool) (string, bool) {
	switch v := v.(type) {
	case json.Number:
		return v.String(), true
	case string:
		var n json.Number
		return v, written && json.Unmarshal([]byte(v), &n) == nil && !strings.HasPrefix(v, `"`)
	}
	return "", false
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// kindOf names the JSON type of v.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}

// equal compares two JSON values: numbers by what they are worth.
func equal(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && (a == b || sameNumber(a.String(), b.String()))
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name, v := range a {
			other, ok := b[name]
			if !ok || !equal(v, other) {
				return false
			}
		}
		return true
	}
	if _, list := b.([]any); list {
		return false
	}
	if _, object := b.(map[string]any); object {
		return false
	}
	return a == b
}

// sameNumber compares exactly, but for numbers whose exponents would make
// that costly.
func sameNumber(a, b string) bool {
	if strings.ContainsAny(a+b, "eE") || len(a)+len(b) > 1000 {
		x, errX := strconv.ParseFloat(a, 64)
		y, errY := strconv.ParseFloat(b, 64)
		return errX == nil && errY == nil && x == y
	}
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	return okX && okY && x.Cmp(y) == 0
}

// show writes v shortly.
func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return kindOf(v)
	}
	const most = 80
	if runes := []rune(string(text)); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(text)
}
