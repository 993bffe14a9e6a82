package supervise

import (
	"encoding/json"
	"log/slog"
	"strings"
)

// Filter says which lines are wanted; the zero Filter takes all. A line that is
// neither JSON nor made of key=value is taken unless Level, Operation or Trace is
// set.
type Filter struct {
	Worker    int    `json:"worker,omitempty"`    // from 1; 0 for all
	Level     string `json:"level,omitempty"`     // debug, info, warn, error: that and above
	Operation string `json:"operation,omitempty"` // the whole name, or its beginning up to a dot
	Trace     string `json:"trace,omitempty"`     // a trace id
}

// Check says what of f cannot be.
func (f Filter) Check() error {
	var l slog.Level
	return l.UnmarshalText([]byte(orInfo(f.Level)))
}

func orInfo(level string) string {
	if level == "" {
		return "info"
	}
	return level
}

// fields are what the filter looks at.
type fields struct {
	Level     string `json:"level"`
	Operation string `json:"op"`
	Trace     string `json:"trace_id"`
}

func (f Filter) fits(l Line) bool {
	if f.Worker != 0 && f.Worker != l.Worker {
		return false
	}
	if f.Level == "" && f.Operation == "" && f.Trace == "" {
		return true
	}
	var at fields
	if !strings.HasPrefix(l.Text, "{") || json.Unmarshal([]byte(l.Text), &at) != nil {
		at = textFields(l.Text)
	}
	return levelFits(f.Level, at.Level) &&
		(f.Operation == "" || at.Operation == f.Operation || strings.HasPrefix(at.Operation, strings.TrimSuffix(f.Operation, ".")+".")) &&
		(f.Trace == "" || at.Trace == f.Trace)
}

func levelFits(least, level string) bool {
	if least == "" {
		return true
	}
	var want, is slog.Level
	return want.UnmarshalText([]byte(least)) == nil && is.UnmarshalText([]byte(level)) == nil && is >= want
}

// textFields reads a line for people: the level is a word of its own or
// level=, the others are key=value.
func textFields(text string) fields {
	var at fields
	for part := range strings.FieldsSeq(text) {
		key, value, ok := strings.Cut(part, "=")
		switch {
		case !ok:
			var l slog.Level
			if at.Level == "" && l.UnmarshalText([]byte(part)) == nil {
				at.Level = part
			}
		case key == "level":
			at.Level = value
		case key == "op":
			at.Operation = value
		case key == "trace_id":
			at.Trace = value
		}
	}
	return at
}
