package pact

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A request is what a consumer sends, as a pact describes it.
type request struct {
	method string
	path   string
	query  url.Values
	asText string // the query, of version 1, which compares it as it is written
	header http.Header
	body   body
	rules  ruleSet
	makes  []generator
}

// A response is what a consumer expects.
type response struct {
	status int // zero where the pact does not say
	header http.Header
	body   body
	rules  ruleSet
}

// part is how requests and responses stand in a file.
type part struct {
	Method        string                     `json:"method"`
	Path          string                     `json:"path"`
	Query         json.RawMessage            `json:"query"`
	Headers       map[string]json.RawMessage `json:"headers"`
	Status        int                        `json:"status"`
	Body          json.RawMessage            `json:"body"`
	MatchingRules json.RawMessage            `json:"matchingRules"`
	Generators    json.RawMessage            `json:"generators"`
}

func parseRequest(raw json.RawMessage, version int) (request, error) {
	var in part
	if err := json.Unmarshal(raw, &in); err != nil {
		return request{}, fmt.Errorf("request: %w", err)
	}
	r := request{method: in.Method, path: in.Path}
	var errs [5]error
	r.query, errs[0] = parseQuery(in.Query)
	r.header, errs[1] = parseHeader(in.Headers)
	r.body, errs[2] = parseBody(in.Body, r.header.Get("Content-Type"), version)
	r.rules, errs[3] = parseRules(in.MatchingRules, version < 3)
	r.makes, errs[4] = parseGenerators(in.Generators, version)
	if err := errors.Join(errs[:]...); err != nil {
		return r, fmt.Errorf("request: %w", err)
	}
	var query string
	if version == 1 && json.Unmarshal(in.Query, &query) == nil {
		r.asText, _ = url.QueryUnescape(query) // it has been parsed
	}
	if err := r.body.check(r.rules.body); err != nil {
		return r, fmt.Errorf("request: %w", err)
	}
	return r, nil
}

func parseResponse(raw json.RawMessage, version int) (response, error) {
	var in part
	if err := json.Unmarshal(raw, &in); err != nil {
		return response{}, fmt.Errorf("response: %w", err)
	}
	r := response{status: in.Status}
	var errs [3]error
	r.header, errs[0] = parseHeader(in.Headers)
	r.body, errs[1] = parseBody(in.Body, r.header.Get("Content-Type"), version)
	r.rules, errs[2] = parseRules(in.MatchingRules, version < 3)
	if err := errors.Join(errs[:]...); err != nil {
		return r, fmt.Errorf("response: %w", err)
	}
	if err := r.body.check(r.rules.body); err != nil {
		return r, fmt.Errorf("response: %w", err)
	}
	return r, nil
}

func parseBody(raw json.RawMessage, media string, version int) (body, error) {
	if version >= 4 {
		return contentsOf(raw, media)
	}
	return bodyOf(raw, media)
}

// parseQuery reads a query: a text until version 2, lists by name after it.
func parseQuery(raw json.RawMessage) (url.Values, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return url.Values{}, nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return url.ParseQuery(text)
	}
	var lists map[string]json.RawMessage
	if err := json.Unmarshal(raw, &lists); err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	query := url.Values{}
	for name, raw := range lists {
		list, err := texts(raw)
		if err != nil {
			return nil, fmt.Errorf("query %s: %w", name, err)
		}
		query[name] = list
	}
	return query, nil
}

func parseHeader(raw map[string]json.RawMessage) (http.Header, error) {
	header := http.Header{}
	for name, value := range raw {
		list, err := texts(value)
		if err != nil {
			return nil, fmt.Errorf("header %s: %w", name, err)
		}
		for _, v := range list {
			header.Add(name, v)
		}
	}
	return header, nil
}

// texts reads one text or a list of them.
func texts(raw json.RawMessage) ([]string, error) {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}, nil
	}
	var many []string
	err := json.Unmarshal(raw, &many)
	return many, err
}

// compare holds an actual request against r. A request has nothing beyond what
// is described, but for its headers.
func (r *request) compare(got *request) []Mismatch {
	var found []Mismatch
	if !strings.EqualFold(r.method, got.method) {
		found = append(found, Mismatch{Part: "method", Want: r.method, Got: got.method})
	}
	at := comparison{part: "path", written: true}
	if r.rules.path != nil {
		at.apply(r.rules.path, false, nil, r.path, got.path)
	} else if r.path != got.path {
		at.miss(nil, nil, show(r.path), got.path)
	}
	found = append(found, at.found...)
	found = append(found, r.compareQuery(got)...)
	found = append(found, compareHeader(r.header, got.header, r.rules.header)...)
	inside := comparison{part: "body", rules: r.rules.body, exact: true}
	r.body.compare(&inside, got.body.bytes(), got.header.Get("Content-Type"))
	return append(found, inside.found...)
}

func (r *request) compareQuery(got *request) []Mismatch {
	if r.asText != "" {
		if r.asText != got.asText {
			return []Mismatch{{Part: "query", Want: show(r.asText), Got: "another"}}
		}
		return nil
	}
	var found []Mismatch
	for _, name := range sorted(r.query) {
		c := comparison{part: "query " + name, rules: r.rules.query[name], written: true, secret: hides(name)}
		values, ok := got.query[name]
		if !ok {
			c.miss(nil, nil, c.expected(nil, anyOf(r.query[name])), missing{})
		} else {
			c.value(nil, anyOf(r.query[name]), anyOf(values))
		}
		found = append(found, c.found...)
	}
	for _, name := range sorted(got.query) {
		if _, ok := r.query[name]; !ok {
			c := comparison{part: "query " + name, written: true, secret: hides(name)}
			c.miss(nil, nil, "no such parameter", anyOf(got.query[name]))
			found = append(found, c.found...)
		}
	}
	return found
}

func anyOf(list []string) any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// compare holds an actual response against r.
func (r *response) compare(status int, header http.Header, content []byte) []Mismatch {
	var found []Mismatch
	switch {
	case r.rules.status != nil:
		c := comparison{part: "status", written: true}
		for i := range r.rules.status.all {
			m := &r.rules.status.all[i]
			switch {
			case m.status == nil:
				c.one(r.rules.status, m, false, nil, json.Number(strconv.Itoa(r.status)), json.Number(strconv.Itoa(status)))
			case !m.status(status):
				c.miss(nil, m, "a status of "+m.detail, status)
			}
		}
		found = append(found, c.found...)
	case r.status != 0 && r.status != status:
		found = append(found, Mismatch{Part: "status", Want: strconv.Itoa(r.status), Got: strconv.Itoa(status)})
	}
	found = append(found, compareHeader(r.header, header, r.rules.header)...)
	inside := comparison{part: "body", rules: r.rules.body}
	r.body.compare(&inside, content, header.Get("Content-Type"))
	return append(found, inside.found...)
}

// compareHeader holds the headers that are described; there may be others.
func compareHeader(want, got http.Header, rules map[string]bodyRules) []Mismatch {
	var found []Mismatch
	for _, name := range sorted(want) {
		c := comparison{part: "header " + name, written: true, secret: hides(name)}
		values := got.Values(name)
		switch r := rules[strings.ToLower(name)]; {
		case len(values) == 0:
			c.miss(nil, nil, c.expected(nil, strings.Join(want[name], ", ")), missing{})
		case r != nil:
			c.rules = r
			for i, value := range values {
				example := want[name][min(i, len(want[name])-1)]
				at := path(nil)
				if len(want[name]) > 1 || len(r[0].at) > 0 {
					at = at.item(i)
				}
				c.value(at, example, value)
			}
		case !sameHeader(name, want[name], values):
			c.miss(nil, nil, c.expected(nil, strings.Join(want[name], ", ")), strings.Join(values, ", "))
		}
		found = append(found, c.found...)
	}
	return found
}

// sameHeader compares values as lists: white space after a comma is nothing,
// the order is something.
func sameHeader(name string, want, got []string) bool {
	if http.CanonicalHeaderKey(name) == "Content-Type" || http.CanonicalHeaderKey(name) == "Accept" {
		return slices.EqualFunc(elements(want), elements(got), sameParameterised)
	}
	return slices.Equal(elements(want), elements(got)) || slices.Equal(want, got)
}

func elements(values []string) []string {
	var all []string
	for _, v := range values {
		for one := range strings.SplitSeq(v, ",") {
			all = append(all, strings.TrimSpace(one))
		}
	}
	return all
}

// sameParameterised compares a media type: its parameters have no order, those
// that are not expected are let be, and the name of a charset has no case.
func sameParameterised(want, got string) bool {
	kind, parameters := parameterised(want)
	other, others := parameterised(got)
	if kind != other {
		return false
	}
	for name, value := range parameters {
		if v, ok := others[name]; !ok || v != value && (name != "charset" || !strings.EqualFold(v, value)) {
			return false
		}
	}
	return true
}

func parameterised(value string) (string, map[string]string) {
	kind, rest, _ := strings.Cut(value, ";")
	parameters := map[string]string{}
	for one := range strings.SplitSeq(rest, ";") {
		name, v, _ := strings.Cut(strings.TrimSpace(one), "=")
		if name != "" {
			parameters[strings.ToLower(strings.TrimSpace(name))] = strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return strings.TrimSpace(kind), parameters
}
