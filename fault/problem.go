package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MediaType is the content type of a problem document.
const MediaType = "application/problem+json"

// TypePrefix is put before a code's slug to make a problem's type: a relative
// URI reference (RFC 9457, section 3.1.1) under which an app explains the
// code.
const TypePrefix = "/problems/"

// A Problem is the document that a fault becomes on the wire (RFC 9457).
type Problem struct {
	Status int
	Code   string
	// Detail is a sentence about this occurrence, or empty.
	Detail string
	// TraceID lets the caller name the request to whoever runs the service.
	TraceID string
	// Errors lists the violations of an invalid input.
	Errors []Violation
	// Members are extension members, in order.
	Members []Member
	// RetryAfter is how long to wait before the request is worth repeating.
	// It is no part of the document: [Write] makes it a header.
	RetryAfter time.Duration
}

// ProblemOf returns the document for err. An error that carries no fault
// becomes [ErrInternal], and nothing of its text is kept. Nothing of a cause
// is kept either, not even [Violations]: those of a call that the service made
// itself say nothing to its caller.
func ProblemOf(err error, traceID string) Problem {
	coded, ok := Of(err)
	if !ok {
		coded = ErrInternal
	}
	p := Problem{Status: coded.Status(), Code: coded.Code(), TraceID: traceID}
	switch c := coded.(type) {
	case *Error:
		p.Detail, p.Members, p.RetryAfter = c.detail, slices.Clip(c.members), c.after
	case Violations:
		p.Errors = c
	}
	if p.Detail == "" {
		p.Detail = standardDetail(p)
	}
	return p
}

func standardDetail(p Problem) string {
	switch {
	case len(p.Errors) == 1:
		return "The input breaks a rule."
	case len(p.Errors) > 1:
		return "The input breaks " + strconv.Itoa(len(p.Errors)) + " rules."
	case p.Code == ErrInternal.Code():
		return "Something failed on our side. Quote the trace id when you ask about it."
	}
	return ""
}

// Type returns the problem's type: [TypePrefix] and the code as a slug.
func (p Problem) Type() string { return TypePrefix + Slug(p.Code) }

// Slug returns a code as it stands in a problem type: "card-declined" for
// "card_declined".
func Slug(code string) string { return strings.ReplaceAll(code, "_", "-") }

// Title returns the code as words: the summary of the problem type, the same
// for every occurrence.
func (p Problem) Title() string {
	if p.Code == "" {
		return http.StatusText(p.Status)
	}
	s := []byte(strings.ReplaceAll(p.Code, "_", " "))
	if 'a' <= s[0] && s[0] <= 'z' {
		s[0] -= 'a' - 'A'
	}
	return string(s)
}

// MarshalJSON writes the document's members in a fixed order. It fails if an
// extension member takes a name that the document or another member has, or
// if its value cannot be encoded.
func (p Problem) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 256)
	b = appendMember(b, "type", p.Type())
	b = appendMember(b, "title", p.Title())
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(p.Status), 10)
	b = appendMember(b, "code", p.Code)
	if p.Detail != "" {
		b = appendMember(b, "detail", p.Detail)
	}
	if p.TraceID != "" {
		b = appendMember(b, "trace_id", p.TraceID)
	}
	if len(p.Errors) > 0 {
		list, err := json.Marshal(p.Errors)
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"errors":`...), list...)
	}
	for i, m := range p.Members {
		if slices.Contains(reserved, m.Name) {
			return nil, fmt.Errorf("fault: member %q of %s is reserved", m.Name, p.Code)
		}
		if slices.ContainsFunc(p.Members[:i], func(o Member) bool { return o.Name == m.Name }) {
			return nil, fmt.Errorf("fault: member %q of %s is given twice", m.Name, p.Code)
		}
		v, err := json.Marshal(m.Value)
		if err != nil {
			return nil, fmt.Errorf("fault: member %q of %s: %w", m.Name, p.Code, err)
		}
		name, err := json.Marshal(m.Name)
		if err != nil {
			return nil, err
		}
		b = append(append(append(append(b, ','), name...), ':'), v...)
	}
	return append(b, '}'), nil
}

// reserved are the names of the members that RFC 9457 and this package define.
var reserved = []string{"type", "title", "status", "detail", "instance", "code", "trace_id", "errors"}

func appendMember(b []byte, name, value string) []byte {
	if len(b) == 0 {
		b = append(b, '{')
	} else {
		b = append(b, ',')
	}
	b = append(append(append(b, '"'), name...), '"', ':')
	v, err := json.Marshal(value)
	if err != nil { // a string always encodes
		return append(b, `""`...)
	}
	return append(b, v...)
}

// Write answers with the problem, in the [Form] of the response if that has one.
// A problem that says when to come back, and every 429 and 503, has the header
// Retry-After. One that cannot be encoded, because of a bad extension member, is
// answered without its members, and the error is returned for the log.
func Write(w http.ResponseWriter, p Problem) error {
	if form := FormOf(w); form != nil {
		return form.write(w, p)
	}
	return writeAs(w, p, contentType, nil)
}

// document is the problem as it is sent, and what could not be encoded of it.
func (p Problem) document() ([]byte, error) {
	body, err := p.MarshalJSON()
	if err == nil {
		return body, nil
	}
	p.Members = nil
	body, again := p.MarshalJSON()
	return body, errors.Join(err, again)
}

// UnmarshalJSON reads a document that was written here. Members that are not
// known are kept as [json.RawMessage], in no certain order.
func (p *Problem) UnmarshalJSON(text []byte) error {
	members := map[string]json.RawMessage{}
	var known struct {
		Status  int         `json:"status"`
		Code    string      `json:"code"`
		Detail  string      `json:"detail"`
		TraceID string      `json:"trace_id"`
		Errors  []Violation `json:"errors"`
	}
	if err := errors.Join(json.Unmarshal(text, &known), json.Unmarshal(text, &members)); err != nil {
		return err
	}
	*p = Problem{Status: known.Status, Code: known.Code, Detail: known.Detail, TraceID: known.TraceID, Errors: known.Errors}
	for name, value := range members {
		if !slices.Contains(reserved, name) {
			p.Members = append(p.Members, Member{name, value})
		}
	}
	return nil
}

// retryAfter returns the seconds to wait, rounded up, or 0 if nothing says that
// waiting helps. Statuses that mean "later" promise at least a second.
func (p Problem) retryAfter() int64 {
	switch {
	case p.RetryAfter > 0:
		return int64((p.RetryAfter-1)/time.Second) + 1
	case p.Status == http.StatusTooManyRequests, p.Status == http.StatusServiceUnavailable:
		return 1
	}
	return 0
}

// contentType is shared by all responses: nothing may append to it in place,
// so its capacity equals its length.
var contentType = []string{MediaType}[:1:1]
