// Package input reads an operation's one input from the three places of a
// request: the path, the query and the body. Whatever derives a handler from
// an operation reads it alike.
package input

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/rule"
)

// Input reads inputs of one type. Make it with [Compile]; it is safe for
// concurrent use.
type Input struct {
	decoder *codec.Decoder
	path    []pathField
	query   []queryField
	body    bool
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

// Compile prepares the reading of t, an object. Members that path names come
// from the path. The others come from the body if there may be one, else from
// the query.
func Compile(t *rule.Type, path []string, body bool) (*Input, error) {
	decoder, err := codec.CompileDecoder(t)
	if err != nil {
		return nil, err
	}
	elsewhere := slices.Clone(path)
	if !body {
		elsewhere = elsewhere[:0]
		for _, f := range t.Object.Fields {
			elsewhere = append(elsewhere, f.Name)
		}
	}
	if decoder, err = decoder.Elsewhere(elsewhere...); err != nil {
		return nil, err
	}
	in := &Input{decoder: decoder, body: body}
	var errs []error
	for _, name := range elsewhere {
		field, err := decoder.Field(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if slices.Contains(path, name) {
			in.path = append(in.path, pathField{name, field})
		} else {
			list := t.Object.Field(name).Type.Kind == rule.List
			in.query = append(in.query, queryField{name, field, list})
		}
	}
	return in, errors.Join(errs...)
}

// Read fills into, which points to the zero input, from the request's path
// values, a query as it stands in a URL, and a body. Its error is a fault: 400
// if the request cannot be read, else every violation of path, query and body.
func (in *Input) Read(r *http.Request, query string, body []byte, into any) error {
	reading := in.decoder.Begin(into)
	for _, p := range in.path {
		reading.Text(p.field, r.PathValue(p.name))
	}
	unknown, err := in.readQuery(query, &reading)
	if err != nil {
		return err
	}
	if in.body {
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
func (in *Input) readQuery(raw string, reading *codec.Reading) (unknown fault.Violations, err error) {
	if raw == "" {
		return nil, nil
	}
	var given [8]string
	for i, q := range in.query {
		values, err := parameter(raw, q.name, given[:0])
		if err != nil {
			return nil, err
		}
		if len(values) > 1 && !q.list {
			return nil, fault.ErrMalformed.Because("The query gives %s more than once.", q.name)
		}
		reading.Text(in.query[i].field, values...)
	}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := unescape(name)
		if err != nil {
			return nil, err
		}
		if pair == "" || slices.ContainsFunc(in.query, func(q queryField) bool { return q.name == name }) {
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
