package pact

import "maps"

// An Event is a message of a topic, as the consumer needs it. In both a value
// may be an example, as [Like] makes one.
type Event struct {
	Contents any // JSON
	Metadata map[string]any
}

// WillTake ends the interaction, in which nobody answers: consume, the code
// under test, is given such a message, once and now. An error of it fails the
// test, and then the pact is not written.
func (e *Expectation) WillTake(event Event, consume func(Message) error) {
	e.to.t.Helper()
	if event.Contents == nil {
		e.to.t.Fatalf("pact: %s: a message needs Contents", e.description)
	}
	in, rules := e.interaction("Asynchronous/Messages"), map[string]any{}
	content(in, "contents", rules, event.Contents)
	metadata, found := map[string]any{"contentType": "application/json"}, map[string]any{}
	for name, v := range event.Metadata {
		at := map[string]any{}
		metadata[name] = example(v, "$", at)
		if at["$"] != nil {
			found[name] = at["$"]
		}
	}
	in["metadata"] = metadata
	if len(found) > 0 {
		rules["metadata"] = found
	}
	one := e.add(withRules(in, rules))
	err := consume(Message{Contents: one.message.body.bytes(), Metadata: maps.Clone(metadata)})
	e.to.mu.Lock()
	defer e.to.mu.Unlock()
	one.seen = true
	if err != nil {
		e.to.noted = true
		e.to.t.Errorf("pact: %s: the consumer does not take it: %v", one.String(), err)
	}
}
