package rest

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rule"
)

// input reads an operation's one input from the three places of a request.
type input struct {
	decoder *codec.Decoder
	path    []pathField
	query   []queryField
	// body says that members may come in a body.
	body bool
}

type pathField struct {
	name  string
	field *codec.Field
}

type queryField struct {
	name  string
	field *codec.Field
	list  bool
}

func (h *handler) compileInput() error {
	s := h.spec
	decoder, err := codec.CompileDecoder(s.In)
	if err != nil {
		return err
	}
	elsewhere := slices.Clone(s.PathFields)
	if s.Kind != op.IsCommand {
		elsewhere = elsewhere[:0]
		for _, f := range s.In.Object.Fields {
			elsewhere = append(elsewhere, f.Name)
		}
	}
	if decoder, err = decoder.Elsewhere(elsewhere...); err != nil {
		return err
	}
	h.input = input{decoder: decoder, body: s.Kind == op.IsCommand}
	var errs []error
	for _, name := range elsewhere {
		field, err := decoder.Field(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if slices.Contains(s.PathFields, name) {
			h.input.path = append(h.input.path, pathField{name, field})
		} else {
			list := s.In.Object.Field(name).Type.Kind == rule.List
			h.input.query = append(h.input.query, queryField{name, field, list})
		}
	}
	return errors.Join(errs...)
}

// read fills in, which points to the zero input. Its error is a fault: 400 if
// the request cannot be read, else every violation of path, query and body.
func (h *handler) read(r *http.Request, body []byte, in any) error {
	reading := h.input.decoder.Begin(in)
	for _, p := range h.input.path {
		reading.Text(p.field, r.PathValue(p.name))
	}
	unknown, err := h.readQuery(r.URL.RawQuery, &reading)
	if err != nil {
		return err
	}
	if h.input.body {
		if len(body) == 0 {
			body = noMembers
		}
		if err := reading.Body(body); err != nil {
			return malformedBody(err)
		}
	}
	err = reading.Finish()
	if len(unknown) == 0 {
		return err
	}
	broken, _ := errors.AsType[fault.Violations](err)
	all := slices.Concat(broken, unknown)
	return all[:min(len(all), codec.MaxViolations)]
}

// noMembers is what an absent body stands for: a command whose members are
// all optional needs none.
var noMembers = []byte("{}")

func malformedBody(err error) error {
	if syntax, ok := errors.AsType[*codec.Syntax](err); ok {
		return fault.ErrMalformed.Because("The body is not one valid JSON text: %s.", syntax.Error())
	}
	return err
}

// readQuery hands the query's parameters to their fields. It is stricter than
// [url.ParseQuery], which drops what it cannot read.
func (h *handler) readQuery(raw string, reading *codec.Reading) (unknown fault.Violations, err error) {
	if raw == "" {
		return nil, nil
	}
	var given [8]string
	for i, q := range h.input.query {
		values, err := parameter(raw, q.name, given[:0])
		if err != nil {
			return nil, err
		}
		if len(values) > 1 && !q.list {
			return nil, fault.ErrMalformed.Because("The query gives %s more than once.", q.name)
		}
		reading.Text(h.input.query[i].field, values...)
	}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := unescape(name)
		if err != nil {
			return nil, err
		}
		if pair == "" || slices.ContainsFunc(h.input.query, func(q queryField) bool { return q.name == name }) {
			continue
		}
		if _, err := unescape(value); err != nil {
			return nil, err
		}
		if len(unknown) < codec.MaxViolations {
			unknown = unknown.And(codec.Segment(strings.ToValidUTF8(name, "")), "unknown", "is not a parameter of this operation")
		}
	}
	return unknown, nil
}

// parameter appends the values of one parameter to into.
func parameter(raw, name string, into []string) ([]string, error) {
	for pair := range strings.SplitSeq(raw, "&") {
		key, value, _ := strings.Cut(pair, "=")
		key, err := unescape(key)
		if err != nil {
			return nil, err
		}
		if key != name {
			continue
		}
		if value, err = unescape(value); err != nil {
			return nil, err
		}
		into = append(into, value)
	}
	return into, nil
}

func unescape(s string) (string, error) {
	if strings.IndexByte(s, ';') >= 0 {
		return "", fault.ErrMalformed.Because("The query has a semicolon that is not escaped; parameters are separated by &.")
	}
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, nil
	}
	out, err := url.QueryUnescape(s)
	if err != nil {
		return "", fault.ErrMalformed.Because("The query has a %% that starts no escape.")
	}
	return out, nil
}
