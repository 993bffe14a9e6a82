package openapi

import (
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/op"
)

// An explanation says what a fault's code means, at the address that is the
// type of its problems.
type explanation struct {
	Type    string `json:"type"`
	Code    string `json:"code"`
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Meaning string `json:"meaning"`
	// Operations are the names of those that may answer so; empty if any may.
	Operations []string `json:"operations,omitempty"`
}

// Problems explains the types of problems: which status a code has, what that
// means, and which operations answer it. Serve it under
// "GET /problems/{slug}". Browsers get a page, other clients JSON.
func Problems(operations []op.Operation) http.Handler {
	all := explanations(operations)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, ok := all[strings.TrimPrefix(r.URL.Path, fault.TypePrefix)]
		if !ok {
			scope.Refuse(w, fault.ErrNotFound)
			return
		}
		h := w.Header()
		h.Set("Cache-Control", "no-cache")
		h.Set("Vary", "Accept")
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			h.Set("Content-Type", "text/html; charset=utf-8")
			h.Set("Content-Security-Policy", explanationPolicy)
			_ = explanationPage.Execute(w, e) // the template is known to fit; the client may have gone
			return
		}
		h.Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(e)
	})
}

// explanations are by slug.
func explanations(operations []op.Operation) map[string]*explanation {
	all := map[string]*explanation{}
	add := func(f fault.Coded) *explanation {
		slug := fault.Slug(f.Code())
		if all[slug] == nil {
			p := fault.Problem{Status: f.Status(), Code: f.Code()}
			all[slug] = &explanation{Type: p.Type(), Code: p.Code, Title: p.Title(), Status: p.Status, Meaning: meanings[p.Status]}
		}
		return all[slug]
	}
	for _, o := range operations {
		for _, f := range o.Spec().Faults() {
			e := add(f)
			e.Operations = append(e.Operations, o.Spec().Name)
		}
	}
	for _, f := range everywhere {
		add(f).Operations = nil
	}
	for _, p := range beforehand {
		all[fault.Slug(p.Code)] = &explanation{Type: p.Type(), Code: p.Code, Title: p.Title(), Status: p.Status, Meaning: meanings[p.Status]}
	}
	for _, e := range all {
		slices.Sort(e.Operations)
	}
	return all
}

// everywhere are the faults that come from before any operation is chosen.
var everywhere = []fault.Coded{
	fault.ErrNotFound, fault.ErrNotAllowed, fault.ErrTooLong, fault.ErrMisdirected,
	fault.ErrMalformed, fault.ErrInternal, fault.ErrUnavailable, fault.ErrTimeout,
}

// beforehand are what package serve answers where there is no request to speak
// of. No operation can answer so, and no kind of fault does.
var beforehand = []fault.Problem{
	{Status: 431, Code: "head_too_large"},
	{Status: 505, Code: "version_unsupported"},
}

// meanings say what a caller can do about a status.
var meanings = map[int]string{
	400: "The request could not be read. Repeating it unchanged will not help.",
	401: "Nobody, or nobody known, is asking. Sign in, or send a valid token, and repeat the request.",
	402: "The request was valid and was turned down by the business. The detail and the further members say why.",
	403: "You are known and may not do this.",
	404: "There is no such thing, or none that you may know of.",
	405: "The resource does not know the method. The Allow header lists those that it knows.",
	406: "The answer has no form that the Accept header admits.",
	408: "The request did not arrive in time. Repeat it over a new connection.",
	409: "The present state forbids the change. Read the state, then decide.",
	410: "It was here and will not come back.",
	412: "It was changed since you read it. Read it again, and repeat the change if it still applies.",
	413: "The body is larger than the operation reads.",
	414: "The request target is longer than the server reads.",
	415: "The body's media type, or its encoding, is not read here.",
	421: "This server does not answer for that host.",
	422: "The request was read and breaks a rule. The errors member lists every broken rule.",
	428: "The request must be conditional: send If-Match with the ETag that you read.",
	429: "You ask too often. The Retry-After header says when to come back.",
	431: "The request line and header fields together are larger than the server reads.",
	500: "Something failed on our side. Quote the trace id when you ask about it.",
	502: "A service behind this one answered badly. Trying again later may help.",
	503: "The service cannot answer now. The Retry-After header says when to come back.",
	504: "The work did not end in time. What it changed, if anything, is not known: read the state, or repeat the request with the same Idempotency-Key.",
	505: "The protocol version of the request is not spoken here. Use HTTP/1.1.",
}

// explanationPolicy allows the empty icon that keeps browsers from asking for
// one.
const explanationPolicy = "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var explanationPage = template.Must(template.New("problem").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{.Title}}</title>
<link rel="icon" href="data:,">
<main>
<h1>{{.Title}}</h1>
<p>Code <code>{{.Code}}</code>, HTTP status {{.Status}}.</p>
<p>{{.Meaning}}</p>
{{- with .Operations}}
<p>Operations that may answer so:</p>
<ul>
{{- range .}}
<li><code>{{.}}</code></li>
{{- end}}
</ul>
{{- else}}
<p>Any request may be answered so.</p>
{{- end}}
</main>
</html>
`))
