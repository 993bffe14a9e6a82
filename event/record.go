package event

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/ashlar-go/ashlar/db"
)

// A Record is an event as the log keeps it. Many readers may hold the same
// payload, so nobody changes it.
type Record struct {
	// Position is the event's place in the log. Positions start with 1, have
	// no gap, and every reader sees them in ascending order.
	Position int64 `json:"position"`
	// ID names the event, the same in each delivery and never again for
	// another: evt_ and 26 characters.
	ID      string `json:"id"`
	Topic   string `json:"topic"`
	Key     string `json:"key,omitzero"`
	Scope   string `json:"scope,omitzero"`
	Version int    `json:"version"`
	// At is when it was published, to the millisecond and in UTC, by the clock
	// of whoever did. Times need not ascend with positions.
	At time.Time `json:"at"`
	// Trace is the traceparent of the request that published it, or nothing.
	Trace string `json:"trace,omitzero"`
	// Payload is JSON.
	Payload json.RawMessage `json:"payload"`
}

// Of is an event whose payload was read.
type Of[T any] struct {
	Record

	Data T
	// Attempt counts the deliveries to one consumer, this one included.
	Attempt int

	origin *entry
}

// EventID is the event's id, by which a stream that was cut goes on.
func (r *Record) EventID() string { return r.ID }

// EventType is the event's topic, by which listeners to a stream tell events
// apart.
func (r *Record) EventType() string { return r.Topic }

// Same is the event itself, for all that are made of it alike: a stream that
// sends it to many encodes it once.
func (o Of[T]) Same() any {
	if o.origin == nil { // so that it is a nil any
		return nil
	}
	return o.origin
}

// Decode returns the payload of r. Members that T does not have are left out,
// so that an old consumer reads what a newer publisher adds to.
func Decode[T any](r *Record) (data T, err error) {
	if err := json.Unmarshal(r.Payload, &data); err != nil {
		return data, fmt.Errorf("event: %s %s: its payload is no %T: %w", r.Topic, r.ID, data, err)
	}
	return data, nil
}

// columns are those of a Record, in the order of scan.
const columns = `position, id, topic, key, scope, version, at, trace, payload`

// scan reads the current row, which may have more columns after those of a
// Record.
func (r *Record) scan(rows db.Rows, more ...any) error {
	var version, at int64
	into := [...]any{&r.Position, &r.ID, &r.Topic, &r.Key, &r.Scope, &version, &at, &r.Trace, (*[]byte)(&r.Payload)}
	if err := rows.Scan(append(into[:], more...)...); err != nil {
		return err
	}
	r.Version, r.At = int(version), time.UnixMilli(at).UTC()
	return nil
}

// A Filter says which events a reader wants; the zero Filter wants all.
type Filter struct {
	// Topics are names, or the beginnings of names with a * at their end:
	// payment.* is every topic of payments. None stands for all.
	Topics []string
	// Scope, if set, is the only one; see [Scoped].
	Scope string
	// Key, if set, is the only one; see [Keyed].
	Key string
}

// maxTopics bounds the topics of a Filter.
const maxTopics = 32

func (f *Filter) check() error {
	if len(f.Topics) > maxTopics {
		return fmt.Errorf("event: a filter of %d topics; %d are the most: name the beginning they share", len(f.Topics), maxTopics)
	}
	for _, t := range f.Topics {
		if _, err := pattern(t); err != nil {
			return err
		}
	}
	return nil
}

// pattern returns the beginning that t stands for, or nothing where t is the
// whole name.
func pattern(t string) (beginning string, err error) {
	last := len(t) - 1
	if last < 0 || t[last] != '*' {
		return "", checkTopic(t)
	}
	if t = t[:last]; t != "" {
		name := t
		if t[last-1] == '.' {
			name = t[:last-1]
		}
		err = checkTopic(name)
	}
	return t, err
}

// matches reports whether f wants r.
func (f *Filter) matches(r *Record) bool {
	if f.Scope != "" && f.Scope != r.Scope || f.Key != "" && f.Key != r.Key {
		return false
	}
	if len(f.Topics) == 0 {
		return true
	}
	for _, t := range f.Topics {
		last := len(t) - 1
		if t[last] == '*' && len(r.Topic) >= last && r.Topic[:last] == t[:last] || r.Topic == t {
			return true
		}
	}
	return false
}
