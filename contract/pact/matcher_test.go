package pact //nolint:testpackage // one matcher is not to be had from outside

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestMatchers holds each matcher of versions 3 and 4 against what it takes
// and what it does not. An answer is what a mismatch says, or "".
func TestMatchers(t *testing.T) {
	t.Parallel()
	const (
		address = `{"$.v": {"matchers": [{"match": "regex", "regex": "\\d+"}, {"match": "type"}]}}`
	)
	one := func(matcher string) string { return `{"$.v": {"matchers": [` + matcher + `]}}` }
	for name, c := range map[string]struct {
		rules, want string
		takes       []string
		refuses     map[string]string // what comes, and what is said of it
	}{
		"type": {one(`{"match": "type"}`), `"a"`, []string{`"b"`, `""`}, map[string]string{
			`1`: `body at $.v: expected a value of the type of "a" (matcher type), got 1`, `null`: `got null`,
		}},
		"type goes on inside": {one(`{"match": "type"}`), `{"a": [{"b": 1}]}`, []string{`{"a": [{"b": 2}, {"b": 3}]}`, `{"a": []}`}, map[string]string{
			`{"a": [{"b": "x"}]}`: `body at $.v.a[0].b: expected a value of the type of 1 (matcher type), got "x"`,
			`{"a": [{}]}`:         `body at $.v.a[0].b: expected 1, got nothing`,
		}},
		"type with sizes": {one(`{"match": "type", "min": 1, "max": 2}`), `[1]`, []string{`[7]`, `[7, 8]`}, map[string]string{
			`[]`:        `expected at least 1 item (matcher type min 1 max 2), got []`,
			`[1, 2, 3]`: `expected at most 2 items`,
			`["x"]`:     `body at $.v[0]: expected a value of the type of 1`,
		}},
		"regex": {one(`{"match": "regex", "regex": "[a-z]+"}`), `"a"`, []string{`"abc"`}, map[string]string{
			`"a1"`: `expected a text that matches as a whole (matcher regex [a-z]+), got "a1"`, `["a"]`: `got ["a"]`,
		}},
		"both of two":  {address, `"1"`, []string{`"22"`}, map[string]string{`22`: `matcher type`, `"x"`: `matcher regex`}},
		"one of two":   {strings.Replace(address, `{"matchers"`, `{"combine": "OR", "matchers"`, 1), `"1"`, []string{`22`, `"x"`}, map[string]string{`null`: `matcher type`}},
		"equality":     {one(`{"match": "equality"}`), `{"a": 1}`, []string{`{"a": 1.0}`}, map[string]string{`{"a": 1, "b": 2}`: `expected {"a":1} (matcher equality)`}},
		"number":       {one(`{"match": "number"}`), `1`, []string{`2.5`, `-1e3`}, map[string]string{`"1"`: `a number`}},
		"integer":      {one(`{"match": "integer"}`), `1`, []string{`2`, `-7`}, map[string]string{`2.5`: `a whole number`, `"1"`: `a whole number`, `1e3`: `a whole number`}},
		"decimal":      {one(`{"match": "decimal"}`), `1.5`, []string{`2.5`, `1.0`}, map[string]string{`2`: `a number with a fraction`}},
		"boolean":      {one(`{"match": "boolean"}`), `true`, []string{`false`}, map[string]string{`"true"`: `true or false`, `0`: `true or false`}},
		"null":         {one(`{"match": "null"}`), `null`, []string{`null`}, map[string]string{`0`: `expected null (matcher null), got 0`}},
		"include":      {one(`{"match": "include", "value": "ell"}`), `"hello"`, []string{`"bell"`}, map[string]string{`"bel"`: `a text with "ell" in it`}},
		"semver":       {one(`{"match": "semver"}`), `"1.0.0"`, []string{`"2.1.0-rc.1+b7"`}, map[string]string{`"1.0"`: `a semantic version`, `"01.0.0"`: `a semantic version`}},
		"notEmpty":     {one(`{"match": "notEmpty"}`), `"x"`, []string{`"y"`}, map[string]string{`""`: `not empty`, `1`: `not empty`}},
		"date":         {one(`{"match": "date", "format": "yyyy-MM-dd"}`), `"2024-02-29"`, []string{`"2028-02-29"`}, map[string]string{`"2023-02-29"`: `a date of the form yyyy-MM-dd`, `"2023-2-1"`: `a date`}},
		"time":         {one(`{"match": "time", "format": "HH:mm:ss.SSS"}`), `"00:00:00.000"`, []string{`"23:59:59.999"`}, map[string]string{`"24:00:00.000"`: `a time`, `"23:00:00"`: `a time`}},
		"timestamp":    {one(`{"match": "timestamp", "format": "yyyy-MM-dd'T'HH:mm:ss.SSSX"}`), `"2024-01-01T00:00:00.000Z"`, []string{`"2024-12-31T23:59:59.123Z"`}, map[string]string{`"2024-13-31T23:59:59.123Z"`: `a timestamp`}},
		"ISO dates":    {one(`{"match": "timestamp"}`), `"2024-01-01T00:00:00Z"`, []string{`"2024-01-01T00:00:00+02:00"`}, map[string]string{`"2024-01-01"`: `a timestamp`}},
		"a month":      {one(`{"match": "date", "format": "EEE, d MMM yyyy h:mm a"}`), `"Mon, 1 Jan 2024 9:00 AM"`, []string{`"Thu, 29 Feb 2024 12:30 PM"`}, map[string]string{`"Thu, 30 Feb 2024 12:30 PM"`: `a date`, `"Thu, 29 Fob 2024 12:30 PM"`: `a date`, `"Thu, 29 Feb 2024 0:30 PM"`: `a date`}},
		"values":       {`{"$.v": {"matchers": [{"match": "values"}]}, "$.v.*": {"matchers": [{"match": "integer"}]}}`, `{"a": 1}`, []string{`{"b": 2, "c": 3}`, `{}`}, map[string]string{`{"b": "x"}`: `body at $.v.b: expected a whole number`, `[]`: `expected {"a":1}`}},
		"eachValue":    {one(`{"match": "eachValue", "rules": [{"match": "regex", "regex": "\\d"}]}`), `{"a": "1"}`, []string{`{"x": "2"}`}, map[string]string{`{"x": "22"}`: `body at $.v.x: expected a text that matches as a whole (matcher regex \d), got "22"`, `1`: `an object or list`}},
		"eachKey":      {one(`{"match": "eachKey", "rules": [{"match": "regex", "regex": "[a-z]"}]}`), `{"a": "1"}`, []string{`{"x": 2}`, `{"a": "1", "b": 3}`}, map[string]string{`{"X": 2}`: `matcher eachKey`, `[]`: `an object`, `{"a": "2"}`: `expected "1", got "2"`}},
		"keys, values": {one(`{"match": "eachKey", "rules": [{"match": "regex", "regex": "[a-z]"}]}, {"match": "eachValue", "rules": [{"match": "type"}]}`), `{"a": {"n": 1}}`, []string{`{"x": {"n": 3}}`}, map[string]string{`{"x": {"n": "3"}}`: `$.v.x.n`, `{"x": {}}`: `$.v.x.n: expected 1, got nothing`}},
		"arrayContains": {
			one(`{"match": "arrayContains", "variants": [{"index": 0, "rules": {"$.id": {"matchers": [{"match": "integer"}]}}}, {"index": 1}]}`), `[{"id": 1, "k": "a"}, {"k": "b"}]`,
			[]string{`[{"k": "b"}, 1, {"id": 9, "k": "a"}]`},
			map[string]string{`[{"k": "b"}]`: `an item like {"id":1,"k":"a"} (variant 0) (matcher arrayContains), got [{"k":"b"}]`, `{}`: `a list`},
		},
		"the closest path": {`{"$": {"matchers": [{"match": "type"}]}, "$.*": {"matchers": [{"match": "integer"}]}, "$.v": {"matchers": [{"match": "boolean"}]}}`, `true`, []string{`false`}, map[string]string{`1`: `boolean`}},
		"min of version 2": {one(`{"min": 2}`), `[1]`, []string{`[1, 2]`}, map[string]string{`[1]`: `at least 2 items`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var set ruleSet
			if err := set.part("body", []byte(c.rules)); err != nil {
				t.Fatal(err)
			}
			answer := func(got string) string {
				want := body{said: true, isSet: true, value: must(t, `{"v": `+c.want+`}`)}
				inside := comparison{part: "body", rules: set.body}
				want.compare(&inside, []byte(`{"v": `+got+`}`), "application/json")
				return strings.Trim(fmt.Sprint(inside.found), "[]")
			}
			for _, got := range c.takes {
				if said := answer(got); said != "" {
					t.Errorf("%s: %s", got, said)
				}
			}
			for got, words := range c.refuses {
				if said := answer(got); !strings.Contains(said, strings.Trim(words, "[]")) {
					t.Errorf("%s: %q, which says nothing of %s", got, said, words)
				}
			}
		})
	}
}

// TestWhatIsUnknownIsRefused tries rules that nobody would hold.
func TestWhatIsUnknownIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a matcher":       `{"body": {"$": {"matchers": [{"match": "telepathy"}]}}}`,
		"a lookahead":     `{"body": {"$": {"matchers": [{"match": "regex", "regex": "(?=x)x"}]}}}`,
		"a format":        `{"body": {"$": {"matchers": [{"match": "date", "format": "QQQ"}]}}}`,
		"a part":          `{"trailers": {"X": {"matchers": [{"match": "type"}]}}}`,
		"a combination":   `{"body": {"$": {"combine": "XOR", "matchers": [{"match": "type"}]}}}`,
		"a status":        `{"status": {"matchers": [{"match": "statusCode", "status": "nice"}]}}`,
		"a nested rule":   `{"body": {"$": {"matchers": [{"match": "eachKey", "rules": [{"match": "telepathy"}]}]}}}`,
		"a variant":       `{"body": {"$": {"matchers": [{"match": "arrayContains", "variants": [{"index": 0, "rules": {"$": {"matchers": [{"match": "telepathy"}]}}}]}]}}}`,
		"another variant": `{"query": {"q": {"matchers": [{"match": "protobuf"}]}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := parseRules([]byte(text), false); !errors.Is(err, ErrUnsupported) {
				t.Errorf("%v", err)
			}
		})
	}
	for _, text := range []string{
		`[]`, `{"body": 1}`, `{"body": {"x": {"matchers": [{"match": "type"}]}}}`, `{"body": {"$": {"matchers": []}}}`, `{"path": {}}`,
		`{"body": {"$": {"matchers": [{"match": "regex"}]}}}`, `{"body": {"$": {"matchers": [{"match": "include"}]}}}`, `{"header": {"$": {"matchers": [{"match": "type"}]}}}`,
	} {
		if _, err := parseRules([]byte(text), false); err == nil {
			t.Errorf("%s was read", text)
		}
	}
	for _, text := range []string{`{"body": {"match": "type"}}`, `{"$": {"match": "type"}}`, `{"$.x": {"match": "type"}}`, `{"$.body[": {"match": "type"}}`} {
		if _, err := parseRules([]byte(text), true); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

// TestSecretsAreNotShown looks for what a mismatch must not say.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	want := body{said: true, isSet: true, value: must(t, `{"password": "opensesame-1", "list": [{"card": {"cvc": 1}}], "n": 1}`)}
	c := comparison{part: "body"}
	want.compare(&c, []byte(`{"password": "opensesame-2", "list": {"password": "opensesame-3"}, "n": "x"}`), "")
	said := fmt.Sprint(c.found, compareHeader(map[string][]string{"Authorization": {"Bearer opensesame-4"}}, map[string][]string{"Authorization": {"Bearer opensesame-5"}}, nil))
	if strings.Contains(said, "opensesame") || !strings.Contains(said, "not shown") || !strings.Contains(said, `got "x"`) {
		t.Error(said)
	}
}

func must(t *testing.T, text string) any {
	t.Helper()
	v, err := decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func FuzzPath(f *testing.F) {
	for _, text := range []string{"$", "$.a[0]", "$['a b'].*", "$[*]", `$["x"]`, "$.", "$[", "$['", "$[-1]", "a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePath(text)
		if err != nil {
			return
		}
		if p.weight(nil) != 0 && len(p) > 0 {
			t.Errorf("%q fits the root", text)
		}
		again, err := parsePath(p.String())
		if strings.Contains(text, `'`) || strings.Contains(text, `"`) {
			return // a quote in a name cannot be written
		}
		if err != nil || again.String() != p.String() {
			t.Errorf("%q became %q, and that %q: %v", text, p, again, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"consumer": {"name": "a"}, "provider": {"name": "b"}, "interactions": [{"description": "x", "request": {"method": "GET", "path": "/"}, "response": {"status": 200, "body": [1], "matchingRules": {"$.body": {"match": "type"}}}}]}`))
	f.Add([]byte(`{"consumer": {"name": "a"}, "provider": {"name": "b"}, "metadata": {"pactSpecification": {"version": "4.0"}}, "interactions": [{"type": "Asynchronous/Messages", "description": "x", "contents": {"content": {"a": 1}, "contentType": "application/json"}}]}`))
	f.Add([]byte(`{"consumer": {"name": "a"}, "provider": {"name": "b"}, "metadata": {"pactSpecification": {"version": "3.0.0"}}, "messages": [{"description": "x", "contents": {"a": 1}, "metaData": {"contentType": "application/json"}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		for i := range p.Interactions { // whatever was read can be asked
			one := &p.Interactions[i]
			if one.refused != nil {
				continue
			}
			if one.message != nil {
				one.message.compare(Message{Contents: []byte(`{"a": 1}`)})
				continue
			}
			one.request.compare(&one.request)
			one.response.compare(200, nil, []byte(`{"a": [1]}`))
		}
	})
}
