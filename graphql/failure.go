package graphql

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/ashlar-go/ashlar/fault"
)

// What is refused before an operation is asked. What an operation refuses has
// its own code.
const (
	// ErrSyntax refuses a document that is not GraphQL.
	ErrSyntax fault.Malformed = "graphql_syntax"
	// ErrDocument refuses a document that asks for what there is not.
	ErrDocument fault.Malformed = "graphql_invalid"
	// ErrVariables refuses variables that do not fit the document.
	ErrVariables fault.Malformed = "graphql_variables_invalid"
	// ErrTooMuch refuses a document that asks for too much at once.
	ErrTooMuch fault.Malformed = "graphql_too_complex"
	// ErrIntrospection refuses to show the schema.
	ErrIntrospection fault.Malformed = "graphql_introspection_off"
	// ErrPersisted says that the text of a hash is not known: send it along
	// once.
	ErrPersisted fault.Malformed = "persisted_query_not_found"
)

// A failure is one entry of a response's errors.
type failure struct {
	message    string
	code       string
	at         *ast.Position
	path       []byte // a JSON list, or nil
	extensions []byte // a JSON object that holds the code, or nil for one of the code alone
}

// failures are what refuses a whole request.
type failures []failure

func (f failures) Error() string { return f[0].message }

func refused(code fault.Coded, at *ast.Position, message string) failures {
	return failures{{message: message, code: code.Code(), at: at}}
}

// append writes an entry.
func (f *failure) append(b []byte) []byte {
	b = append(b, `{"message":`...)
	b = appendText(b, f.message)
	if f.at != nil && f.at.Line > 0 {
		b = append(b, `,"locations":[{"line":`...)
		b = strconv.AppendInt(b, int64(f.at.Line), 10)
		b = append(b, `,"column":`...)
		b = strconv.AppendInt(b, int64(max(f.at.Column, 1)), 10)
		b = append(b, `}]`...)
	}
	if f.path != nil {
		b = append(append(b, `,"path":`...), f.path...)
	}
	b = append(b, `,"extensions":`...)
	if f.extensions != nil {
		b = append(b, f.extensions...)
	} else {
		b = append(appendText(append(b, `{"code":`...), f.code), '}')
	}
	return append(b, '}')
}

func (f failures) append(b []byte) []byte {
	b = append(b, '[')
	for i := range f {
		if i > 0 {
			b = append(b, ',')
		}
		b = f[i].append(b)
	}
	return append(b, ']')
}

// alone is an answer of nothing else.
func (f failures) alone() []byte { return append(f.append([]byte(`{"errors":`)), '}') }

// appendText appends a text as JSON.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			text, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // a text always encodes
			}
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// A trail leads to a place in the answer, from its end to its root.
type trail struct {
	up    *trail
	name  string // or, if it is empty:
	index int
	above []byte // of a root: the list that leads to it
}

// list returns the trail as errors have it. A trail is kept by nobody, so that
// those of an answer without errors cost nothing.
func (p *trail) list() []byte { return append(p.append(nil), ']') }

func (p *trail) append(b []byte) []byte {
	switch {
	case p.up != nil:
		b = p.up.append(b)
	case p.above != nil:
		return append(b, p.above[:len(p.above)-1]...)
	default:
		b = append(b, '[')
	}
	if len(b) > 1 {
		b = append(b, ',')
	}
	if p.name != "" {
		return appendText(b, strings.Clone(p.name)) // else the compiler takes the trail to be kept
	}
	return strconv.AppendInt(b, int64(p.index), 10)
}
