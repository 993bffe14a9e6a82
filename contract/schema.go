package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
)

// A side is where a value stands, and which way it travels: in a request what
// is refused breaks, in an answer what is new does.
type side struct {
	place   string // "200/card/number"
	words   string // "the answer 200"
	at      string // "/card/number", below words
	request bool
	seen    []string // pairs of references that are being compared
}

func (s side) below(name string) side {
	s.place += "/" + name
	s.at += "/" + name
	return s
}

// String is the place in words.
func (s side) String() string {
	if s.at == "" {
		return s.words
	}
	return "the field " + s.at + " of " + s.words
}

// annotations say nothing of which values there are.
var annotations = []string{"description", "title", "examples", "example", "writeOnly", "readOnly", "deprecated", "$comment", "contentMediaType", "default"}

// compared are the keywords that the functions below look at.
var compared = []string{
	"$ref", "type", "enum", "format", "pattern", "allOf", "anyOf", "items", "properties", "required", "additionalProperties", "propertyNames",
	"minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "uniqueItems", "contentEncoding", "contentSchema",
}

// schema compares what values there are.
func (c *comparison) schema(at side, before, after any) {
	old, refOld := c.before.follow(before)
	now, refNow := c.after.follow(after)
	if refOld != "" || refNow != "" {
		pair := refOld + " " + refNow
		if slices.Contains(at.seen, pair) {
			return // a type that holds itself
		}
		at.seen = append(slices.Clip(at.seen), pair)
	}
	old, was := c.before.nullable(old)
	now, is := c.after.nullable(now)
	c.null(at, was, is)
	if !c.types(at, old, now) {
		return // what is inside cannot be compared
	}
	c.enum(at, old, now)
	c.bounds(at, old, now)
	c.patterns(at, old, now)
	c.format(at, old, now)
	if was, is := old["items"], now["items"]; was != nil && is != nil {
		c.schema(at.below("*"), was, is)
	}
	if was, is := old["contentSchema"], now["contentSchema"]; was != nil && is != nil {
		c.schema(at, was, is)
	}
	c.properties(at, old, now)
	c.names(at, old, now)
	for _, keyword := range sorted(union(old, now)) {
		if slices.Contains(compared, keyword) || slices.Contains(annotations, keyword) {
			continue
		}
		if !reflect.DeepEqual(old[keyword], now[keyword]) {
			c.breaks("schema-changed", at.place, fmt.Sprintf("%s has another %s, which is not understood here", at, keyword), "nobody can say what consumers will see")
		}
	}
}

func union(a, b node) node {
	out := node{}
	for name := range a {
		out[name] = true
	}
	for name := range b {
		out[name] = true
	}
	return out
}

// nullable takes null out of a schema, and says whether it was in.
func (o *operation) nullable(s node) (node, bool) {
	if either, ok := s["anyOf"].([]any); ok && len(either) == 2 {
		if second, _ := either[1].(node); second["type"] == "null" {
			inside, _ := o.follow(either[0])
			return inside, true
		}
	}
	types, ok := s["type"].([]any)
	if !ok || !slices.Contains(types, any("null")) {
		return s, false
	}
	out := node{}
	maps.Copy(out, s)
	var kept []any
	for _, t := range types {
		if t != "null" {
			kept = append(kept, t)
		}
	}
	out["type"] = kept
	if enum, ok := s["enum"].([]any); ok {
		out["enum"] = slices.DeleteFunc(slices.Clone(enum), func(v any) bool { return v == nil })
	}
	return out, true
}

func (c *comparison) null(at side, was, is bool) {
	switch {
	case at.request && was && !is:
		c.breaks("null-refused", at.place, at.String()+" may not be null any more", "requests that send null are refused with 422")
	case !at.request && is && !was:
		c.breaks("null-answered", at.place, at.String()+" may be null now", "consumers that always found a value find none")
	}
}

// types compares the kinds of value. False means that they are too different
// to go on.
func (c *comparison) types(at side, old, now node) bool {
	was, is := typesOf(old), typesOf(now)
	wider, narrower := was, is
	if at.request {
		wider, narrower = is, was
	}
	if len(wider) == 0 || len(narrower) > 0 && !slices.ContainsFunc(narrower, func(t string) bool { return !covers(wider, t) }) {
		return len(was) > 0 && len(is) > 0 || len(was) == len(is)
	}
	effect := "consumers cannot read it as what it was"
	if at.request {
		effect = "requests that send it as before are refused with 422"
	}
	c.breaks("type-changed", at.place, fmt.Sprintf("%s is %s, no longer %s", at, anyOf(is), anyOf(was)), effect)
	return false
}

func typesOf(s node) []string {
	if one, ok := s["type"].(string); ok {
		return []string{one}
	}
	return list(s["type"])
}

func covers(types []string, t string) bool {
	return slices.Contains(types, t) || t == "integer" && slices.Contains(types, "number")
}

func anyOf(types []string) string {
	if len(types) == 0 {
		return "anything"
	}
	return strings.Join(types, " or ")
}

func (c *comparison) enum(at side, old, now node) {
	was, hadList := old["enum"].([]any)
	is, hasList := now["enum"].([]any)
	added, removed := without(is, was), without(was, is)
	switch {
	case !hadList && !hasList:
	case !hadList && at.request:
		c.breaks("values-listed", at.place, fmt.Sprintf("%s must be one of %s now", at, strings.Join(list(now["enum"]), ", ")), "requests with any other value are refused with 422")
	case !hasList && !at.request:
		c.breaks("values-opened", at.place, at.String()+" may have any value now", "consumers meet values that they do not know")
	case !hadList || !hasList: // narrower where it is read, wider where it is written
	case at.request:
		for _, v := range removed {
			c.breaks("value-removed", at.place+"="+v, fmt.Sprintf("%s may not be %s any more", at, v), "requests that send it are refused with 422")
		}
		for _, v := range added {
			c.tells("value-added", at.place+"="+v, fmt.Sprintf("%s may be %s", at, v), "nobody sends it yet")
		}
	default:
		for _, v := range added {
			c.breaks("value-added", at.place+"="+v, fmt.Sprintf("%s may be %s now", at, v), "consumers that know the values until now meet one that they do not know")
		}
		for _, v := range removed {
			c.tells("value-removed", at.place+"="+v, fmt.Sprintf("%s is not %s any more", at, v), "consumers wait for it in vain")
		}
	}
}

func without(all, known []any) []string {
	var out []string
	for _, v := range all {
		if !slices.ContainsFunc(known, func(k any) bool { return reflect.DeepEqual(k, v) }) {
			out = append(out, words(v))
		}
	}
	return out
}

// limits are the pairs of keywords that bound a value.
var limits = []struct{ low, high, unit string }{
	{"minimum", "maximum", ""},
	{"minLength", "maxLength", " characters"},
	{"minItems", "maxItems", " items"},
	{"minProperties", "maxProperties", " members"},
}

func (c *comparison) bounds(at side, old, now node) {
	for _, l := range limits {
		oldLow, newLow := low(old[l.low]), low(now[l.low])
		oldHigh, newHigh := high(old[l.high]), high(now[l.high])
		if at.request {
			if newLow > oldLow {
				c.breaks("rule-tightened", at.place+" "+l.low, fmt.Sprintf("%s has at least %v%s now (%s)", at, now[l.low], l.unit, l.low), "requests with less are refused with 422")
			}
			if newHigh < oldHigh {
				c.breaks("rule-tightened", at.place+" "+l.high, fmt.Sprintf("%s has at most %v%s now (%s)", at, now[l.high], l.unit, l.high), "requests with more are refused with 422")
			}
			continue
		}
		if newLow < oldLow {
			c.breaks("rule-loosened", at.place+" "+l.low, fmt.Sprintf("%s may have less than %v%s now (%s)", at, old[l.low], l.unit, l.low), "consumers meet values that were ruled out")
		}
		if newHigh > oldHigh {
			c.breaks("rule-loosened", at.place+" "+l.high, fmt.Sprintf("%s may have more than %v%s now (%s)", at, old[l.high], l.unit, l.high), "consumers meet values that were ruled out")
		}
	}
	if was, is := old["uniqueItems"] == true, now["uniqueItems"] == true; at.request && is && !was {
		c.breaks("rule-tightened", at.place+" uniqueItems", at.String()+" may not have an item twice any more (uniqueItems)", "requests that do are refused with 422")
	} else if !at.request && was && !is {
		c.breaks("rule-loosened", at.place+" uniqueItems", at.String()+" may have an item twice now (uniqueItems)", "consumers meet values that were ruled out")
	}
}

func low(v any) float64 {
	if v == nil {
		return math.Inf(-1)
	}
	return figure(v)
}

func high(v any) float64 {
	if v == nil {
		return math.Inf(1)
	}
	return figure(v)
}

func figure(v any) float64 {
	n, _ := v.(json.Number)
	f, _ := n.Float64()
	return f
}

// patterns compares the texts that are let through. Of two patterns nobody can
// say which lets more through, so another is one more and one less.
func (c *comparison) patterns(at side, old, now node) {
	was, is := patternsOf(old), patternsOf(now)
	for _, p := range is {
		if at.request && !slices.Contains(was, p) {
			c.breaks("rule-tightened", at.place+" pattern", fmt.Sprintf("%s must match %s now", at, p), "requests that do not are refused with 422")
		}
	}
	for _, p := range was {
		if !at.request && !slices.Contains(is, p) {
			c.breaks("rule-loosened", at.place+" pattern", fmt.Sprintf("%s need not match %s any more", at, p), "consumers meet values that were ruled out")
		}
	}
	if others(old) != others(now) {
		c.breaks("schema-changed", at.place, at.String()+" is put together in another way", "nobody can say what consumers will see")
	}
}

func patternsOf(s node) []string {
	var out []string
	if p, ok := s["pattern"].(string); ok {
		out = append(out, p)
	}
	all, _ := s["allOf"].([]any)
	for _, v := range all {
		n, _ := v.(node)
		if p, ok := n["pattern"].(string); ok {
			out = append(out, p)
		}
	}
	return out
}

// others are the parts of allOf and anyOf that are no patterns.
func others(s node) string {
	var out []string
	for _, keyword := range []string{"allOf", "anyOf"} {
		all, _ := s[keyword].([]any)
		for _, v := range all {
			if n, _ := v.(node); len(n) != 1 || n["pattern"] == nil {
				out = append(out, words(v))
			}
		}
	}
	return strings.Join(out, " ")
}

func (c *comparison) format(at side, old, now node) {
	for _, keyword := range []string{"format", "contentEncoding"} {
		was, _ := old[keyword].(string)
		is, _ := now[keyword].(string)
		switch {
		case was == is, was == "password" && is == "", is == "password" && was == "":
		case slices.Contains([]string{"int32", "int64", "float", "double", ""}, was) && slices.Contains([]string{"int32", "int64", "float", "double", ""}, is):
			// of numbers in requests, the bounds say it
			if !at.request && (was == "int32" || was == "float") {
				c.breaks("rule-loosened", at.place+" format", fmt.Sprintf("%s may be greater than %s holds now", at, was), "consumers that keep it in "+was+" lose a part of it")
			}
		case at.request && is != "":
			c.breaks("rule-tightened", at.place+" "+keyword, fmt.Sprintf("%s must be written as %s now (%s)", at, is, keyword), "requests that write it otherwise are refused with 422")
		case !at.request && was != "":
			c.breaks("rule-loosened", at.place+" "+keyword, fmt.Sprintf("%s is not written as %s any more (%s)", at, was, keyword), "consumers that read it so fail")
		}
	}
}

// properties compares the members of objects.
func (c *comparison) properties(at side, old, now node) {
	was, _ := old["properties"].(node)
	is, _ := now["properties"].(node)
	needed, needs := list(old["required"]), list(now["required"])
	for _, name := range sorted(was) {
		here := at.below(name)
		member, has := is[name]
		switch {
		case !has && at.request && now["additionalProperties"] != false:
			c.tells("field-removed", here.place, here.String()+" is not read any more", "it has no effect")
		case !has && at.request:
			c.breaks("field-removed", here.place, here.String()+" is gone", "requests that send it are refused with 422")
		case !has:
			c.breaks("field-removed", here.place, fmt.Sprintf("%s has no field %s any more", at.words, here.at), "consumers that read it find nothing")
		default:
			if is, was := slices.Contains(needs, name), slices.Contains(needed, name); at.request && is && !was {
				c.breaks("field-required", here.place, here.String()+" is required now", "requests without it are refused with 422")
			} else if !at.request && was && !is {
				c.breaks("field-optional", here.place, here.String()+" may be missing now", "consumers that always found it find nothing")
			}
			c.schema(here, was[name], member)
		}
	}
	for _, name := range sorted(is) {
		if _, had := was[name]; had {
			continue
		}
		here := at.below(name)
		if at.request && slices.Contains(needs, name) {
			c.breaks("field-required", here.place, here.String()+" is new, and required", "requests without it are refused with 422")
		} else {
			c.tells("field-added", here.place, here.String()+" is new", "consumers may let it be")
		}
	}
}

// names compares what else may be in an object, and under which names.
func (c *comparison) names(at side, old, now node) {
	was, wasSchema := old["additionalProperties"].(node)
	is, isSchema := now["additionalProperties"].(node)
	switch {
	case wasSchema && isSchema:
		c.schema(at.below("*"), was, is)
	case at.request && now["additionalProperties"] == false && old["additionalProperties"] != false:
		c.breaks("rule-tightened", at.place+" additionalProperties", at.String()+" may have no other members any more", "requests that send others are refused with 422")
	case wasSchema != isSchema && !reflect.DeepEqual(old["additionalProperties"], now["additionalProperties"]):
		c.breaks("schema-changed", at.place+" additionalProperties", at.String()+" may have other members than before", "nobody can say what consumers will see")
	}
	if keys, more := old["propertyNames"], now["propertyNames"]; keys != nil || more != nil {
		c.schema(at.below("{name}"), orEmpty(keys), orEmpty(more))
	}
}

func orEmpty(v any) any {
	if v == nil {
		return node{}
	}
	return v
}
