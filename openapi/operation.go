package openapi

import (
	"net/http"
	"slices"
	"time"

	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

func (d *document) operation(s *op.Spec) object {
	o := object{}
	o.set("operationId", s.Name)
	o.set("tags", list{tag(s)})
	o.setText("summary", s.Summary)
	o.setText("description", s.Description)
	if !s.Deprecated.IsZero() {
		o.set("deprecated", true)
	}
	if !s.Sunset.IsZero() {
		o.set("x-sunset", s.Sunset.UTC().Format(time.RFC3339))
	}
	security := list{}
	if s.Recognizes {
		security = append(security, object{}) // to say who asks is optional
	}
	if s.Asks() {
		d.secured = true
		security = append(security, object{{d.security(), list{}}})
	}
	o.set("security", security)
	if len(s.Permissions) > 0 {
		o.set("x-permissions", texts(s.Permissions))
	}
	if limits := limitsOf(s); limits != nil {
		o.set("x-limits", limits)
	}
	if p := d.operationParameters(s); len(p) > 0 {
		o.set("parameters", p)
	}
	if body := d.requestBody(s); body != nil {
		o.set("requestBody", body)
	}
	o.set("responses", d.operationResponses(s))
	return o
}

// limitsOf says how often the operation may be called, as RateLimit-Policy does
// in an answer: so many requests recover in so many seconds.
func limitsOf(s *op.Spec) list {
	var all list
	for _, q := range s.Quotas {
		limit := object{{"name", q.Name}, {"by", q.By.String()}, {"requests", q.N}, {"seconds", q.Per.Seconds()}}
		if q.Burst > 0 {
			limit.set("burst", q.Burst)
		}
		all = append(all, limit)
	}
	return all
}

func (d *document) operationParameters(s *op.Spec) list {
	var all list
	for _, name := range s.PathFields {
		all = append(all, d.inputParameter(s, s.In.Object.Field(name), "path"))
	}
	if s.Kind != op.IsCommand {
		for _, f := range s.In.Object.Fields {
			if !slices.Contains(s.PathFields, f.Name) {
				all = append(all, d.inputParameter(s, f, "query"))
			}
		}
	}
	if s.Idempotent > 0 {
		name := "IdempotencyKey"
		if s.KeyOptional {
			name = "OptionalIdempotencyKey"
		}
		all = append(all, d.header(name, "Idempotency-Key", !s.KeyOptional,
			"Makes a retry safe: a second request with the same key gets the first one's answer, and has no effect. Use a new random key for each thing that is to happen once.",
			object{{"type", "string"}, {"minLength", 1}, {"maxLength", 255}, {"pattern", "^[!-~]+$"}}))
	}
	if s.Match != op.NoMatch {
		name := "IfMatch"
		if s.Match == op.DemandMatch {
			name = "RequiredIfMatch"
		}
		all = append(all, d.header(name, "If-Match", s.Match == op.DemandMatch,
			"The ETag that was read. If the thing has changed since, nothing happens and the answer is 412.",
			object{{"type", "string"}}))
	}
	if answersNotModified(s) {
		all = append(all, d.header("IfNoneMatch", "If-None-Match", false,
			"The ETag of the answer that the caller keeps. If it still holds, the answer is 304 without a body.",
			object{{"type", "string"}}))
	}
	if resumes(s) {
		all = append(all, d.header("LastEventID", "Last-Event-ID", false,
			"The id of the last event that was seen, of an earlier connection. It comes before a parameter that says the same.",
			object{{"type", "string"}, {"maxLength", 256}}))
	}
	return all
}

func (d *document) inputParameter(s *op.Spec, f *rule.Field, in string) object {
	p := object{{"name", f.Name}, {"in", in}}
	p.setText("description", d.explain.Field(s.In.Go, f))
	if in == "path" || f.Required {
		p.set("required", true)
	}
	p.set("schema", d.schema(f.Type, input))
	return p
}

// header returns a reference to a header parameter, which all operations
// share.
func (d *document) header(component, name string, required bool, description string, schema object) object {
	p := object{{"name", name}, {"in", "header"}, {"description", description}}
	if required {
		p.set("required", true)
	}
	p.set("schema", schema)
	d.parameters[component] = p
	return object{{"$ref", "#/components/parameters/" + component}}
}

// requestBody describes what a command reads from the body: everything but
// what is in the path.
func (d *document) requestBody(s *op.Spec) object {
	if s.Kind != op.IsCommand || len(s.In.Object.Fields) == len(s.PathFields) {
		return nil
	}
	body := object{}
	if slices.ContainsFunc(s.In.Object.Fields, func(f *rule.Field) bool {
		return f.Required && !slices.Contains(s.PathFields, f.Name)
	}) {
		body.set("required", true)
	}
	body.set("content", content("application/json", d.schema(s.In, input, s.PathFields...)))
	return body
}

func content(media string, schema object) object {
	return object{{media, object{{"schema", schema}}}}
}

func answersNotModified(s *op.Spec) bool {
	return s.Kind == op.IsQuery && s.Returns == op.JSON && (s.Cached || s.Tagged)
}

func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return text
	}
	return "Status"
}
