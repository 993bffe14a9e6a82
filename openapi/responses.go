package openapi

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/typename"
	"github.com/ashlar-go/ashlar/op"
)

func (d *document) operationResponses(s *op.Spec) object {
	byStatus := map[int]object{s.Status: d.success(s)}
	if answersNotModified(s) {
		byStatus[304] = object{{"description", "The answer that the caller keeps still holds"}}
	}
	for status, codes := range codesByStatus(s) {
		byStatus[status] = d.problem(s, status, codes)
	}
	order := make([]int, 0, len(byStatus))
	for status := range byStatus {
		order = append(order, status)
	}
	slices.Sort(order)
	out := object{}
	for _, status := range order {
		out.set(strconv.Itoa(status), byStatus[status])
	}
	return out
}

func (d *document) success(s *op.Spec) object {
	r := object{{"description", statusText(s.Status)}}
	if h := successHeaders(s); len(h) > 0 {
		r.set("headers", h)
	}
	if s.Kind == op.IsStream {
		r.set("content", d.events(s))
		return r
	}
	switch s.Returns {
	case op.JSON:
		r.set("content", content("application/json", d.schema(s.Out, output)))
	case op.FileBytes:
		r.set("content", filesOf(s))
	case op.Nothing:
	}
	return r
}

// filesOf describes the bytes of a file by its media types alone: to say more
// of them than that they are bytes takes no schema (section 4.8.14.3).
func filesOf(s *op.Spec) object {
	if len(s.Media) == 0 {
		return object{{"*/*", object{}}}
	}
	types := object{}
	for _, t := range s.Media {
		types.set(t, object{})
	}
	return types
}

func successHeaders(s *op.Spec) object {
	h := object{}
	add := func(when bool, name, description string) {
		if when {
			h.set(name, object{{"description", description}, {"schema", object{{"type", "string"}}}})
		}
	}
	add(s.Kind != op.IsStream && s.Returns == op.JSON && (s.Tagged || s.Cached), "ETag", "Names this version of the answer.")
	add(s.Returns == op.FileBytes, "Content-Disposition", "Names the file, where it is one to be saved.")
	add(s.Location != "", "Location", "The path under which the thing can be read.")
	add(s.SetsCookies, "Set-Cookie", "The cookies of the answer.")
	add(s.Cached, "Cache-Control", "How long the caller may keep the answer.")
	add(s.Idempotent > 0, "Idempotency-Replayed", "Is true if an earlier request with the same key had this answer.")
	if len(s.Quotas) > 0 {
		h = append(h, rateLimitHeaders()...)
	}
	add(!s.Deprecated.IsZero(), "Deprecation", "When the operation was deprecated (RFC 9745).")
	add(!s.Sunset.IsZero(), "Sunset", "When the operation will be gone (RFC 8594).")
	return h
}

func codesByStatus(s *op.Spec) map[int][]string {
	out := map[int][]string{}
	for _, f := range s.Faults() {
		if f.Code() == op.ErrChanged.Code() {
			continue // it ends what is open, and is never the answer
		}
		out[f.Status()] = append(out[f.Status()], f.Code())
	}
	return out
}

// problem describes what the operation answers with one status. Answers that
// come from the framework alone are components, as most operations share
// them.
func (d *document) problem(s *op.Spec, status int, codes []string) object {
	r := object{{"description", statusText(status) + ": " + strings.Join(codes, ", ")}}
	if h := problemHeaders(status, codes); len(h) > 0 {
		r.set("headers", h)
	}
	var body object
	if d.form != nil {
		body = content(d.formMedia, d.schema(d.form, output))
	}
	r.set("content", append(body, content(fault.MediaType, object{{"allOf", list{
		object{{"$ref", "#/components/schemas/Problem"}},
		object{{"properties", object{{"code", object{{"enum", texts(codes)}}}}}},
	}}})...))
	own := slices.ContainsFunc(s.Fails, func(f fault.Coded) bool { return f.Status() == status })
	if own {
		return r
	}
	var name strings.Builder
	for word := range strings.SplitSeq(strings.Join(codes, "_"), "_") {
		name.WriteString(typename.Upper(word))
	}
	d.responses[name.String()] = r
	return object{{"$ref", "#/components/responses/" + name.String()}}
}

func problemHeaders(status int, codes []string) object {
	seconds := object{{"type", "integer"}, {"minimum", 1}}
	switch {
	case status == fault.ErrUnauthenticated.Status():
		return object{{"WWW-Authenticate", object{
			{"description", "How to authenticate (RFC 6750)."},
			{"schema", object{{"type", "string"}}},
		}}}
	case status == fault.ErrLimited.Status(), status == fault.ErrUnavailable.Status():
		h := object{{"Retry-After", object{
			{"description", "How many seconds to wait before the request is worth repeating."},
			{"schema", seconds},
		}}}
		if slices.Contains(codes, fault.ErrLimited.Code()) {
			h = append(h, rateLimitHeaders()...)
		}
		return h
	case slices.Contains(codes, fault.ErrKeyInFlight.Code()):
		return object{{"Retry-After", object{
			{"description", "With " + fault.ErrKeyInFlight.Code() + ": how many seconds the earlier request may still take."},
			{"schema", seconds},
		}}}
	}
	return nil
}

// rateLimitHeaders are the fields of draft-ietf-httpapi-ratelimit-headers.
func rateLimitHeaders() object {
	field := func(description string) object {
		return object{{"description", description}, {"schema", object{{"type", "string"}}}}
	}
	return object{
		{"RateLimit-Policy", field("The limits that hold, a list of names: q is how many requests may come at once, w the seconds in which so many recover.")},
		{"RateLimit", field("What is left of each limit: r requests; t is the seconds until all of them are there again or, with 429, until the request is worth repeating.")},
	}
}

// problemSchema describes [fault.Problem].
func problemSchema() object {
	return object{
		{"type", "object"},
		{"description", "What went wrong, as RFC 9457 says. A code may bring further members."},
		{"properties", object{
			{"type", object{{"type", "string"}, {"format", "uri-reference"}, {"description", "Where the code is explained."}}},
			{"title", object{{"type", "string"}, {"description", "The code in words."}}},
			{"status", object{{"type", "integer"}, {"minimum", 400}, {"maximum", 599}, {"description", "The HTTP status."}}},
			{"code", object{{"type", "string"}, {"description", "The stable name of what went wrong. Branch on it, not on the texts."}}},
			{"detail", object{{"type", "string"}, {"description", "What went wrong this time, for people."}}},
			{"trace_id", object{{"type", "string"}, {"description", "Names the request to whoever runs the service."}}},
			{"errors", object{
				{"type", "array"},
				{"items", object{{"$ref", "#/components/schemas/Violation"}}},
				{"description", "Every rule that the input breaks."},
			}},
		}},
		{"required", list{"type", "title", "status", "code"}},
	}
}

// violationSchema describes [fault.Violation].
func violationSchema() object {
	return object{
		{"type", "object"},
		{"description", "A rule that the input breaks."},
		{"properties", object{
			{"pointer", object{{"type", "string"}, {"format", "json-pointer"}, {"description", "The member at fault; empty for the whole input."}}},
			{"code", object{{"type", "string"}, {"description", "The stable name of the rule."}}},
			{"detail", object{{"type", "string"}, {"description", "The rule, for people."}}},
		}},
		{"required", list{"pointer", "code", "detail"}},
	}
}
