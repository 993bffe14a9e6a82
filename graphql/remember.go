package graphql

import (
	"bytes"
	"encoding/json"
)

// Most requests are for a document that is known, with a few plain variables. A
// text that is known is JSON, since it was when it was kept; only the rest has to
// be looked at.

// remembered reads such a request and returns its document. It is nil for every
// other, of which nothing is known then, not even that it is JSON.
func (h *Handler) remembered(body []byte, into *asked) *document {
	var a asked
	if !a.recognise(body) {
		return nil
	}
	var room [512]byte
	d, known := h.documents.get(a.appendKey(room[:0]))
	if !known {
		return nil
	}
	*into = a
	return d
}

// recognise reads a request of the usual form. It takes query and operationName
// as they are: whether they are JSON is not known yet.
func (a *asked) recognise(body []byte) bool {
	var seen [3]bool
	i, ok := skipByte(body, 0, '{')
	for ok {
		var name []byte
		if name, i, ok = plainText(body, i); !ok {
			return false
		}
		if i, ok = skipByte(body, i, ':'); !ok || i >= len(body) {
			return false
		}
		var member int
		switch from := i; string(name) {
		case "query":
			i, ok = skipText(body, i)
			if ok {
				a.query = json.RawMessage(body[from:i])
			}
		case "operationName":
			member = 1
			if i, ok = skipText(body, i); ok {
				a.operation = json.RawMessage(body[from:i])
			}
		case "variables":
			member = 2
			a.variables, i, ok = plainVariables(body, i)
		default:
			return false
		}
		if !ok || seen[member] {
			return false
		}
		seen[member] = true
		if i = skipSpace(body, i); i >= len(body) {
			return false
		}
		if body[i] == '}' {
			return skipSpace(body, i+1) == len(body) && len(a.query) > 2 && (!seen[1] || len(a.operation) > 2)
		}
		i, ok = skipByte(body, i, ',')
	}
	return false
}

// skipByte returns the place of what follows one character and the spaces
// around it.
func skipByte(b []byte, i int, c byte) (int, bool) {
	i = skipSpace(b, i)
	if i >= len(b) || b[i] != c {
		return 0, false
	}
	return skipSpace(b, i+1), true
}

// plainText returns a text of ASCII in which nothing is escaped.
func plainText(b []byte, i int) (text []byte, end int, ok bool) {
	if i >= len(b) || b[i] != '"' {
		return nil, 0, false
	}
	n := bytes.IndexByte(b[i+1:], '"')
	if n < 0 {
		return nil, 0, false
	}
	text = b[i+1:][:n]
	for _, c := range text {
		if c < ' ' || c > '~' || c == '\\' {
			return nil, 0, false
		}
	}
	return text, i + n + 2, true
}

// plainVariables reads an object of a few variables that are plain texts,
// numbers, true, false and null.
func plainVariables(b []byte, i int) (vars variables, end int, ok bool) {
	if i, ok = skipByte(b, i, '{'); !ok {
		return nil, 0, false
	}
	for i < len(b) && len(vars) < manyVariables {
		if b[i] == '}' && len(vars) == 0 {
			return nil, i + 1, true
		}
		var v variable
		name, at, ok := plainText(b, i)
		if !ok {
			return nil, 0, false
		}
		if at, ok = skipByte(b, at, ':'); !ok {
			return nil, 0, false
		}
		if v.value, i, ok = plainValue(b, at); !ok {
			return nil, 0, false
		}
		v.name = string(name)
		if vars == nil {
			vars = make(variables, 0, 2)
		}
		vars = append(vars, v)
		if i = skipSpace(b, i); i >= len(b) {
			return nil, 0, false
		}
		if b[i] == '}' {
			return vars, i + 1, true
		}
		if i, ok = skipByte(b, i, ','); !ok {
			return nil, 0, false
		}
	}
	return nil, 0, false
}

func plainValue(b []byte, i int) (v any, end int, ok bool) {
	if i >= len(b) {
		return nil, 0, false
	}
	if b[i] == '"' {
		text, end, ok := plainText(b, i)
		return string(text), end, ok
	}
	if end, ok = skipValue(b, i); !ok || b[i] == '{' || b[i] == '[' {
		return nil, 0, false
	}
	switch text := string(b[i:end]); text {
	case "null":
		return nil, end, true
	case "true", "false":
		return text == "true", end, true
	default:
		return json.Number(text), end, isNumber(text)
	}
}

// isNumber reports whether a text is a number of JSON.
func isNumber(s string) bool {
	i := 0
	digits := func() bool {
		from := i
		for i < len(s) && '0' <= s[i] && s[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	if i < len(s) && s[i] == '0' {
		i++
	} else if !digits() {
		return false
	}
	if i < len(s) && s[i] == '.' {
		i++
		if !digits() {
			return false
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		if i++; i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(s)
}
