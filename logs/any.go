package logs

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
)

// any writes a value that slog has no kind for: an error as its text, a
// TextMarshaler as its text, anything else as JSON. A value that panics or
// cannot be encoded says so instead, and the line goes on.
func (l *Line) any(value any) {
	start := len(l.buf)
	defer func() {
		if r := recover(); r != nil {
			l.buf = l.buf[:start]
			l.string(fmt.Sprintf("!PANIC: %v", r))
		}
	}()
	switch v := value.(type) {
	case error:
		l.string(v.Error())
		return
	case json.Marshaler:
	case encoding.TextMarshaler:
		if text, err := v.MarshalText(); err == nil {
			l.string(string(text))
			return
		}
	}
	var text bytes.Buffer
	encode := json.NewEncoder(&text)
	encode.SetEscapeHTML(false)
	if err := encode.Encode(value); err != nil {
		l.string("!ERROR: " + err.Error())
		return
	}
	l.json(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
}

// json appends compact valid JSON with the same redaction and escaping as the
// rest of the line.
func (l *Line) json(src []byte) {
	for len(src) > 0 {
		if src[0] != '"' {
			l.buf = append(l.buf, src[0])
			src = src[1:]
			continue
		}
		n := stringEnd(src)
		text := src[:n]
		src = src[n:]
		l.buf = appendPrintable(l.buf, text)
		if len(src) == 0 || src[0] != ':' {
			continue
		}
		var key string
		if json.Unmarshal(text, &key) == nil && l.redact.hides(key) {
			l.buf = append(l.buf, `:"`+masked+`"`...)
			src = src[1+valueEnd(src[1:]):]
		}
	}
}

// stringEnd returns the length of the JSON string that src starts with.
func stringEnd(src []byte) int {
	for i := 1; i < len(src); i++ {
		switch src[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(src)
}

// valueEnd returns the length of the JSON value that src starts with.
func valueEnd(src []byte) int {
	depth := 0
	for i := 0; i < len(src); i++ {
		switch src[i] {
		case '"':
			i += stringEnd(src[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return len(src)
}
