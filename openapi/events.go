package openapi

import (
	"slices"

	"github.com/ashlar-go/ashlar/op"
)

// events describes the answer of a stream: a text of events, and what each
// event is made of.
func (d *document) events(s *op.Spec) object {
	members := object{}
	if s.Identified {
		members.set("id", object{{"type", "string"}, {"description", "The place behind the item: send it as Last-Event-ID to go on there."}})
	}
	if s.Named {
		members.set("event", object{{"type", "string"}, {"description", "The kind of the item."}})
	}
	members.set("data", object{
		{"type", "string"}, {"contentMediaType", "application/json"}, {"contentSchema", d.schema(s.Out, output)},
	})
	return object{{"text/event-stream", object{
		{"schema", object{
			{"type", "string"},
			{"description", "Events as the HTML standard writes them, one for each item. The event \"end\" or \"error\" is the last; its data has a code, and with \"error\" is a problem."},
		}},
		{"x-itemSchema", object{{"type", "object"}, {"properties", members}, {"required", list{"data"}}}},
	}}}
}

// resumes reports whether a caller can go on where it was.
func resumes(s *op.Spec) bool {
	return s.Kind == op.IsStream && (s.Identified || s.In.Object.Field(op.After) != nil && !slices.Contains(s.PathFields, op.After))
}
