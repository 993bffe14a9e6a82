package fault

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"
)

// A Form is another body than a problem document, for an API whose contract has
// one of its own. Status, headers and what may be said stay those of the
// problem. Make it with [JSON]; whoever serves gives it to the response, see
// [Formed]. A caller that names [MediaType] in Accept gets the problem document
// all the same: clients that Ashlar generates do, and so they know the codes.
type Form struct {
	of     reflect.Type
	render func(Problem) any
}

// JSON has problems answered as application/json, as what render makes of them.
// It is called for every failure, those that come from no operation included,
// and must be safe for concurrent use. What render returns must always encode;
// otherwise the problem document is sent.
func JSON[T any](render func(Problem) T) *Form {
	return &Form{reflect.TypeFor[T](), func(p Problem) any { return render(p) }}
}

// Type is what the body is made of, for documents.
func (f *Form) Type() reflect.Type { return f.of }

// Media is the body's media type.
func (f *Form) Media() string { return formMedia }

const formMedia = "application/json"

// Formed is a response that answers failures in a form of its API. It may
// return nil, for this request.
type Formed interface{ Form() *Form }

// FormOf returns the form that a response answers failures in, or nil for
// problem documents. It looks through writers that offer Unwrap.
func FormOf(w http.ResponseWriter) *Form {
	for {
		switch t := w.(type) {
		case Formed:
			return t.Form()
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return nil
		}
	}
}

// NamesProblem reports whether an Accept header asks for problem documents by
// their name, so that a [Form] is not for this caller.
func NamesProblem(accept []string) bool {
	for _, line := range accept {
		for part := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(name), MediaType) {
				return true
			}
		}
	}
	return false
}

// write answers with the problem in this form.
func (f *Form) write(w http.ResponseWriter, p Problem) error {
	body, err := json.Marshal(f.render(p))
	if err != nil {
		return errors.Join(err, writeAs(w, p, contentType, nil))
	}
	return writeAs(w, p, formType, body)
}

var formType = []string{formMedia}[:1:1]

// writeAs answers with a body, or with the problem document if there is none.
func writeAs(w http.ResponseWriter, p Problem, media []string, body []byte) error {
	var err error
	if body == nil {
		if body, err = p.document(); body == nil {
			return err
		}
	}
	h := w.Header()
	h["Content-Type"] = media
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if seconds := p.retryAfter(); seconds > 0 {
		h["Retry-After"] = []string{strconv.FormatInt(seconds, 10)}
	}
	w.WriteHeader(p.Status)
	_, failed := w.Write(body)
	return errors.Join(err, failed)
}
