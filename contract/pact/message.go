package pact

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A Message is what a provider would put on a topic.
type Message struct {
	Contents []byte
	Metadata map[string]any // such as "contentType"
}

// A message is what a consumer of a topic expects.
type message struct {
	body     body
	metadata map[string]any
	rules    ruleSet
}

func parseMessage(raw json.RawMessage, version int) (message, error) {
	var in struct {
		Contents      json.RawMessage `json:"contents"`
		Metadata      map[string]any  `json:"metadata"` // metaData in version 3: names have no case
		MatchingRules json.RawMessage `json:"matchingRules"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return message{}, fmt.Errorf("message: %w", err)
	}
	m := message{metadata: in.Metadata}
	media := ""
	for name, v := range in.Metadata {
		if text, ok := v.(string); ok && strings.EqualFold(strings.ReplaceAll(name, "-", ""), "contentType") {
			media = text
		}
	}
	var errs [2]error
	m.body, errs[0] = parseBody(in.Contents, media, version)
	m.rules, errs[1] = parseRules(in.MatchingRules, version < 3)
	if err := errors.Join(errs[:]...); err != nil {
		return m, fmt.Errorf("message: %w", err)
	}
	if err := m.body.check(m.rules.body); err != nil {
		return m, fmt.Errorf("message: %w", err)
	}
	return m, nil
}

// compare holds an actual message against m. Members and metadata beyond what
// is described are let be, as in a response.
func (m *message) compare(got Message) []Mismatch {
	var found []Mismatch
	for _, name := range sorted(m.metadata) {
		c := comparison{part: "metadata " + name, rules: m.rules.metadata[name], secret: hides(name)}
		want := plainValue(m.metadata[name])
		value, ok := got.Metadata[name]
		switch text, isText := want.(string); {
		case !ok:
			c.miss(nil, nil, c.expected(nil, want), missing{})
		case isText && len(c.rules) == 0 && strings.EqualFold(strings.ReplaceAll(name, "-", ""), "contentType"):
			if other, ok := value.(string); !ok || !sameParameterised(text, other) {
				c.miss(nil, nil, show(text), plainValue(value))
			}
		default:
			c.value(nil, want, plainValue(value))
		}
		found = append(found, c.found...)
	}
	inside := comparison{part: "contents", rules: m.rules.body}
	m.body.compare(&inside, got.Contents, m.body.media)
	return append(found, inside.found...)
}

// plainValue is v as it would be read from JSON.
func plainValue(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	out, err := decode(text)
	if err != nil {
		return fmt.Sprint(v)
	}
	return out
}
