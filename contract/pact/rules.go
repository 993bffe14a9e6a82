package pact

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ruleSet are the matching rules of one request, response or message, by the
// part that they are about.
type ruleSet struct {
	path, status *rules
	header       map[string]bodyRules // by the name in lower case
	query        map[string]bodyRules
	metadata     map[string]bodyRules
	body         bodyRules
}

// ErrUnsupported is within the error of what a pact asks for and this package
// cannot do. Such an interaction is not verified, and fails.
var ErrUnsupported = errors.New("not supported")

// parseRules reads matchingRules as version 2 of the specification has them,
// or as those after it do.
func parseRules(raw json.RawMessage, flat bool) (ruleSet, error) {
	set := ruleSet{header: map[string]bodyRules{}, query: map[string]bodyRules{}, metadata: map[string]bodyRules{}}
	if len(raw) == 0 || string(raw) == "null" {
		return set, nil
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return set, fmt.Errorf("matchingRules: %w", err)
	}
	var errs []error
	for _, name := range sorted(parts) {
		if flat {
			errs = append(errs, set.flat(name, parts[name]))
		} else {
			errs = append(errs, set.part(name, parts[name]))
		}
	}
	return set, errors.Join(errs...)
}

// flat adds a rule of version 2, whose path begins with the part: $.body.name.
func (set *ruleSet) flat(name string, raw json.RawMessage) error {
	at, err := parsePath(name)
	if err != nil {
		return fmt.Errorf("matchingRules: %w", err)
	}
	m, err := parseMatcher(raw)
	if err != nil {
		return fmt.Errorf("the matcher of %s: %w", name, err)
	}
	if len(at) == 0 || at[0].kind != member {
		return fmt.Errorf("matchingRules: %s is about no part of a request or response", name)
	}
	return set.add(strings.TrimSuffix(at[0].name, "s"), name, at[1:], &rules{all: []matcher{m}})
}

// part adds the rules of one part, as versions 3 and 4 have them.
func (set *ruleSet) part(part string, raw json.RawMessage) error {
	if part == "path" || part == "status" {
		var rooted map[string]json.RawMessage // some libraries put the list below $
		if json.Unmarshal(raw, &rooted) == nil && len(rooted) == 1 && rooted["$"] != nil {
			raw = rooted["$"]
		}
		r, err := parseList(raw)
		if err != nil {
			return fmt.Errorf("the matcher of the %s: %w", part, err)
		}
		return set.add(part, part, nil, r)
	}
	var byPath map[string]json.RawMessage
	if err := json.Unmarshal(raw, &byPath); err != nil {
		return fmt.Errorf("matchingRules of %s: %w", part, err)
	}
	var errs []error
	for _, name := range sorted(byPath) {
		r, err := parseList(byPath[name])
		if err != nil {
			errs = append(errs, fmt.Errorf("the matcher of %s %s: %w", part, name, err))
			continue
		}
		at, err := pathOf(part, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("matchingRules of %s: %w", part, err))
			continue
		}
		errs = append(errs, set.add(part, name, at, r))
	}
	return errors.Join(errs...)
}

// pathOf reads what stands for the place of a rule: an expression in a body, a
// name with or without an index elsewhere.
func pathOf(part, name string) (path, error) {
	if strings.HasPrefix(name, "$") {
		return parsePath(name)
	}
	if part == "body" || part == "content" || part == "contents" {
		return nil, fmt.Errorf("the path %q does not start with $", name)
	}
	if plain, index, found := strings.Cut(name, "["); found && strings.HasSuffix(index, "]") {
		below, err := parsePath("$[" + index)
		return append(path{{name: plain}}, below...), err
	}
	return path{{name: name}}, nil
}

func (set *ruleSet) add(part, name string, at path, r *rules) error {
	named := func(into map[string]bodyRules, key func(string) string) error {
		if len(at) == 0 || at[0].kind != member {
			return fmt.Errorf("matchingRules: %s names nothing", name)
		}
		k := key(at[0].name)
		into[k] = append(into[k], bodyRule{at[1:], r})
		return nil
	}
	same := func(s string) string { return s }
	switch part {
	case "path":
		set.path = r
	case "statu", "status": // flat has taken an s away
		set.status = r
	case "header":
		return named(set.header, strings.ToLower)
	case "query":
		return named(set.query, same)
	case "metadata", "metaData":
		return named(set.metadata, same)
	case "body", "content", "contents":
		set.body = append(set.body, bodyRule{at, r})
	default:
		return fmt.Errorf("matchingRules of %s: %w", part, ErrUnsupported)
	}
	return nil
}

// parseList reads {"combine": "AND", "matchers": […]}.
func parseList(raw json.RawMessage) (*rules, error) {
	var list struct {
		Combine  string            `json:"combine"`
		Matchers []json.RawMessage `json:"matchers"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	if list.Combine != "" && list.Combine != "AND" && list.Combine != "OR" {
		return nil, fmt.Errorf("combine %q: %w", list.Combine, ErrUnsupported)
	}
	if len(list.Matchers) == 0 {
		return nil, errors.New("no matcher is given")
	}
	return parseMatchers(list.Matchers, list.Combine == "OR")
}

func parseMatchers(raw []json.RawMessage, either bool) (*rules, error) {
	r := &rules{either: either}
	for _, one := range raw {
		m, err := parseMatcher(one)
		if err != nil {
			return nil, err
		}
		r.all = append(r.all, m)
	}
	return r, nil
}

// parseMatcher reads one matcher. What it does not know it refuses: a rule
// that nobody holds must not look as if it were.
func parseMatcher(raw json.RawMessage) (matcher, error) {
	var in struct {
		Match     string            `json:"match"`
		Regex     *string           `json:"regex"`
		Min       *int              `json:"min"`
		Max       *int              `json:"max"`
		Value     json.RawMessage   `json:"value"`
		Format    string            `json:"format"`
		Date      string            `json:"date"`
		Time      string            `json:"time"`
		Timestamp string            `json:"timestamp"`
		Datetime  string            `json:"datetime"`
		Status    json.RawMessage   `json:"status"`
		Rules     []json.RawMessage `json:"rules"`
		Variants  []struct {
			Index int             `json:"index"`
			Rules json.RawMessage `json:"rules"`
		} `json:"variants"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return matcher{}, err
	}
	m := matcher{name: in.Match, min: -1, max: -1}
	switch {
	case in.Match != "":
	case in.Regex != nil: // version 2 leaves the name away
		m.name = "regex"
	case in.Min != nil || in.Max != nil:
		m.name = "type"
	case in.Date != "":
		m.name = "date"
	case in.Time != "":
		m.name = "time"
	case in.Timestamp != "":
		m.name = "timestamp"
	}
	switch m.name {
	case "min", "max", "minmax", "min-type", "max-type", "min-max-type":
		m.name = "type"
	case "datetime":
		m.name = "timestamp"
	case "values-match":
		m.name = "values"
	case "each-key", "each-value", "array-contains", "content-type", "status-code", "not-empty":
		at := strings.IndexByte(m.name, '-')
		m.name = m.name[:at] + strings.ToUpper(m.name[at+1:at+2]) + m.name[at+2:]
	}
	var err error
	switch m.name {
	case "type":
		m.sized(in.Min, in.Max)
	case "equality", "number", "integer", "decimal", "boolean", "null", "semver", "notEmpty", "values":
	case "regex":
		if in.Regex == nil {
			return m, errors.New("a regex matcher without a regex")
		}
		m.detail = *in.Regex
		if m.pattern, err = regexp.Compile(`^(?:` + *in.Regex + `)$`); err != nil {
			return m, fmt.Errorf("the regex %q, of which RE2 says %w: %w", *in.Regex, err, ErrUnsupported)
		}
	case "include", "contentType":
		if err = json.Unmarshal(in.Value, &m.text); err != nil {
			return m, fmt.Errorf("the %s matcher has no text as its value", m.name)
		}
		m.detail = m.text
	case "date", "time", "timestamp":
		format := first(in.Format, in.Date, in.Time, in.Timestamp, in.Datetime, usual[m.name])
		if m.layout, err = parseLayout(format); err != nil {
			return m, fmt.Errorf("%w: %w", err, ErrUnsupported)
		}
		m.detail = format
	case "statusCode":
		m.status, m.detail, err = parseStatus(in.Status)
	case "eachKey", "eachValue":
		m.nested, err = parseMatchers(in.Rules, false)
	case "arrayContains":
		for _, v := range in.Variants {
			one := variant{index: v.Index}
			set := ruleSet{}
			if len(v.Rules) > 0 {
				if err := set.part("body", v.Rules); err != nil {
					return m, err
				}
			}
			one.rules = set.body
			m.variants = append(m.variants, one)
		}
	default:
		return m, fmt.Errorf("the matcher %q: %w", m.name, ErrUnsupported)
	}
	return m, err
}

func (m *matcher) sized(low, high *int) {
	var said []string
	if low != nil {
		m.min = *low
		said = append(said, "min "+strconv.Itoa(*low))
	}
	if high != nil {
		m.max = *high
		said = append(said, "max "+strconv.Itoa(*high))
	}
	m.detail = strings.Join(said, " ")
}

// parseStatus reads what a status code may be: a class, or a list.
func parseStatus(raw json.RawMessage) (ok func(int) bool, detail string, err error) {
	var list []int
	if json.Unmarshal(raw, &list) == nil {
		return func(code int) bool { return slices.Contains(list, code) }, fmt.Sprint(list), nil
	}
	var class string
	if err := json.Unmarshal(raw, &class); err != nil {
		return nil, "", errors.New("the statusCode matcher names no status")
	}
	between := func(from, to int) func(int) bool {
		return func(code int) bool { return code >= from && code <= to }
	}
	switch class {
	case "info":
		ok = between(100, 199)
	case "success":
		ok = between(200, 299)
	case "redirect":
		ok = between(300, 399)
	case "clientError":
		ok = between(400, 499)
	case "serverError":
		ok = between(500, 599)
	case "nonError":
		ok = between(100, 399)
	case "error":
		ok = between(400, 599)
	default:
		return nil, "", fmt.Errorf("the status %q: %w", class, ErrUnsupported)
	}
	return ok, class, nil
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
