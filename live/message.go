package live

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/rule"
)

// The types of messages that a caller sends.
const (
	toAuthenticate = "token"
	toSubscribe    = "subscribe"
	toUnsubscribe  = "unsubscribe"
	toCall         = "call"
)

// message is what a caller sends. Which members it has depends on its type.
type message struct {
	Type string `json:"type"`
	// ID is the caller's own name for a subscription or call.
	ID        string          `json:"id,omitzero"`
	Operation string          `json:"op,omitzero"`
	Input     json.RawMessage `json:"input,omitzero"`
	// After is what Last-Event-ID is elsewhere.
	After string `json:"after,omitzero"`
	// Key and Match are Idempotency-Key and If-Match of a call.
	Key   string `json:"key,omitzero"`
	Match string `json:"match,omitzero"`
	Token string `json:"token,omitzero"`
}

// Rules bounds a message.
func (m *message) Rules(r *rule.Set) {
	rule.OneOf(r, &m.Type, toAuthenticate, toSubscribe, toUnsubscribe, toCall)
	rule.Text(r, &m.ID).Len(1, 64)
	rule.Text(r, &m.Operation).Len(1, 200)
	rule.Text(r, &m.After).Len(0, maxID)
	rule.Text(r, &m.Key).Len(1, 255)
	rule.Text(r, &m.Match).Len(1, 255)
	rule.Text(r, &m.Token).Len(1, 8<<10).Secret()
}

// Validate finds members that are missing, and those that say nothing here.
func (m *message) Validate() error {
	var broken fault.Violations
	check := func(pointer string, given, wanted, allowed bool) {
		switch {
		case wanted && !given:
			broken = broken.And(pointer, "required", "is required in a message of this type")
		case given && !wanted && !allowed:
			broken = broken.And(pointer, "unknown", "says nothing in a message of this type")
		}
	}
	t := m.Type
	check("/id", m.ID != "", t != toAuthenticate, false)
	check("/op", m.Operation != "", t == toSubscribe || t == toCall, false)
	check("/input", m.Input != nil, false, t == toSubscribe || t == toCall)
	check("/after", m.After != "", false, t == toSubscribe)
	check("/key", m.Key != "", false, t == toCall)
	check("/match", m.Match != "", false, t == toCall)
	check("/token", m.Token != "", t == toAuthenticate, false)
	return broken.Err()
}

// messages reads messages.
var messages = sync.OnceValue(codec.OwnDecoder[message])

// parse reads a message. Its error is a fault: malformed or invalid.
func parse(text []byte) (m message, err error) {
	if err := messages().Decode(text, &m); err != nil {
		return message{}, err
	}
	if hasControl(m.After) || hasControl(m.ID) {
		return message{}, fault.ErrMalformed.Because("An id has a control character.")
	}
	if string(m.Input) == "null" {
		m.Input = nil
	}
	return m, nil
}

// The messages that a socket sends, beside items.

// appendOpen says that a subscription is in place.
func appendOpen(b []byte, id string) []byte {
	return append(appendText(append(b, `{"type":"open","id":`...), id), '}')
}

// appendItem wraps an item, which is a message of its own where there is but one
// stream, for a subscription.
func appendItem(b []byte, id string, item []byte) []byte {
	b = append(appendText(append(b, `{"type":"item","id":`...), id), `,"item":`...)
	return append(append(b, item...), '}')
}

// final says how a subscription ended, or the whole socket if id is
// empty.
func final(id, kind string, data []byte) []byte {
	b := append([]byte(`{"type":"`), kind...)
	b = append(b, `",`...)
	if id != "" {
		b = append(appendText(append(b, `"id":`...), id), ',')
	}
	return append(append(append(b, `"data":`...), data...), '}')
}

// appendAnswer is the answer to a call. The data may be empty.
func appendAnswer(b []byte, id string, status int, headers map[string]string, data []byte) []byte {
	b = append(appendText(append(b, `{"type":"answer","id":`...), id), `,"status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	for i, name := range slices.Sorted(maps.Keys(headers)) {
		open := `,`
		if i == 0 {
			open = `,"headers":{`
		}
		b = append(appendText(append(b, open...), name), ':')
		b = appendText(b, headers[name])
	}
	if len(headers) > 0 {
		b = append(b, '}')
	}
	if len(data) > 0 {
		b = append(append(b, `,"data":`...), data...)
	}
	return append(b, '}')
}
