package graphql

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/ask"
	"github.com/ashlar-go/ashlar/internal/input"
	"github.com/ashlar-go/ashlar/op"
)

// ask has an operation answer, as it answers a request of its own.
func (h *Handler) ask(ctx context.Context, x *exchange, st *step, t ask.Taker) *ask.Answer {
	r, err := h.request(ctx, x, st)
	if err != nil {
		return ask.Refusal(err)
	}
	answer, panicked := ask.Taken(h.operations, r, x.observed(), t)
	h.note(ctx, st.call.spec, panicked)
	return answer
}

// note notes a panic of who answers.
func (h *Handler) note(ctx context.Context, s *op.Spec, panicked any) {
	if panicked != nil && panicked != http.ErrAbortHandler && h.cfg.Log != nil { //nolint:errorlint // a panic's value, as net/http compares it
		h.cfg.Log.ErrorContext(ctx, "a GraphQL field panicked", slog.String("operation", s.Name), slog.Any("panic", panicked))
	}
}

// passedOn are the headers of a request that say who sent it and from where.
var passedOn = []string{"User-Agent", "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Origin", "Sec-Fetch-Site", "X-Request-Id", "Tracestate", "Accept-Language"}

// request is a field as a request: members that the route names in the path,
// the others in the query or the body.
func (h *Handler) request(ctx context.Context, x *exchange, st *step) (*http.Request, error) {
	header := make(http.Header, 8)
	if u, target, ok := h.plainTarget(st, x.vars); ok {
		return h.requestTo(ctx, x, st.call.spec, u, target, nil, header), nil
	}
	given, err := h.members(st, x, func(name, value string) {
		if value != "" {
			header[name] = []string{value}
		}
	})
	if err != nil {
		return nil, err
	}
	return h.requestOf(ctx, x, st.call.spec, given, header)
}

// requestOf is a request of an operation, by who sent the document.
func (h *Handler) requestOf(ctx context.Context, x *exchange, s *op.Spec, given map[string]json.RawMessage, header http.Header) (*http.Request, error) {
	target, body, err := input.Place(s.Path, s.PathFields, s.Kind == op.IsCommand, given)
	if err != nil {
		return nil, fmt.Errorf("%s: encode a call: %w", s.Name, err)
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, fault.ErrMalformed.Because("The arguments make no path of this operation.")
	}
	return h.requestTo(ctx, x, s, u, target, body, header), nil
}

// requestTo is a request of an operation to where its arguments say.
func (h *Handler) requestTo(ctx context.Context, x *exchange, s *op.Spec, u *url.URL, target string, body []byte, header http.Header) *http.Request {
	for name, values := range x.r.Header { // fewer than there are that may be passed on
		if len(values) > 0 && (slices.Contains(passedOn, name) || slices.Contains(h.credentials, name)) {
			header[name] = values
		}
	}
	if sc := x.observed(); sc != nil {
		if !h.continues {
			header["Traceparent"] = []string{sc.Trace.Traceparent()}
		}
	} else if values := x.r.Header["Traceparent"]; len(values) > 0 {
		header["Traceparent"] = values
	}
	r := x.r.WithContext(ctx) // a copy, of which the connection's part stays
	r.Method, r.URL, r.RequestURI, r.Pattern = s.Method, u, target, ""
	r.Header, r.Trailer, r.TransferEncoding, r.Close = header, nil, nil, false
	r.Form, r.PostForm, r.MultipartForm = nil, nil, nil
	r.Body, r.GetBody, r.ContentLength = http.NoBody, nil, 0
	if len(body) > 0 {
		header["Content-Type"] = []string{"application/json"}
		r.Body, r.ContentLength = unclosed{bytes.NewReader(body)}, int64(len(body))
	}
	return r
}

type unclosed struct{ *bytes.Reader }

func (unclosed) Close() error { return nil }

// members returns the input of an operation, and sets the headers that are
// arguments here.
func (h *Handler) members(st *step, x *exchange, set func(name, value string)) (map[string]json.RawMessage, error) {
	given := make(map[string]json.RawMessage, len(st.arguments))
	for _, a := range st.arguments {
		declared := st.given.ForName(a.Name)
		if declared == nil || missing(a.Value, x.vars) {
			continue
		}
		v := h.schema.place(declared.Type, a.Value, x.vars)
		wire := h.schema.wires[st.call.name][a.Name]
		if wire == "" {
			text, _ := v.(string)
			set(map[string]string{keyArgument: "Idempotency-Key", matchArgument: "If-Match"}[a.Name], text)
			continue
		}
		// Here null is how a variable says that it has nothing to say.
		if f := st.call.spec.In.Object.Field(wire); v == nil && (f == nil || !f.Nullable) {
			continue
		}
		encoded, err := encoded(v)
		if err != nil {
			return nil, fault.ErrMalformed.Because("An argument is no value of JSON.")
		}
		given[wire] = encoded
	}
	return given, nil
}

// encoded is a value of a document or a variable as JSON.
func encoded(v any) (json.RawMessage, error) {
	switch v := v.(type) {
	case json.Number:
		return json.RawMessage(v), nil // it was one in JSON or in the document already
	case string:
		return appendText(make([]byte, 0, len(v)+2), v), nil
	default:
		return json.Marshal(v)
	}
}

// problem is what an operation refused, as an entry of errors: all that its
// document says is in the extensions.
func problem(answer *ask.Answer, st *step, at *trail) failure {
	return failureOf(answer.Body.Bytes(), http.StatusText(answer.Status), st, at)
}

// failureOf makes an entry of a document with a code.
func failureOf(body []byte, message string, st *step, at *trail) failure {
	f := failure{message: message, code: fault.ErrInternal.Code(), at: st.at, path: at.list()}
	var doc struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Code   string `json:"code"`
	}
	if json.Unmarshal(body, &doc) != nil || doc.Code == "" {
		return f
	}
	f.code, f.extensions = doc.Code, bytes.TrimSpace(body)
	f.message = cmp.Or(doc.Detail, doc.Title, message)
	return f
}
