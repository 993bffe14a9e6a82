package openapi

import (
	"strconv"
	"unicode/utf8"
)

// An object is a JSON object whose members stay in order. Its values are
// objects, lists, strings, booleans, numbers and nil.
type object []member

type member struct {
	name  string
	value any
}

// list is a JSON array.
type list []any

func (o *object) set(name string, value any) { *o = append(*o, member{name, value}) }

// setText sets a member unless the text is empty.
func (o *object) setText(name, text string) {
	if text != "" {
		o.set(name, text)
	}
}

func texts[S ~string](all []S) list {
	out := make(list, len(all))
	for i, s := range all {
		out[i] = string(s)
	}
	return out
}

// appendJSON appends the indented text of v.
func appendJSON(b []byte, v any, indent string) []byte {
	switch v := v.(type) {
	case object:
		return appendBlock(b, '{', '}', indent, len(v), func(b []byte, i int, indent string) []byte {
			b = append(appendString(b, v[i].name), ": "...)
			return appendJSON(b, v[i].value, indent)
		})
	case list:
		return appendBlock(b, '[', ']', indent, len(v), func(b []byte, i int, indent string) []byte {
			return appendJSON(b, v[i], indent)
		})
	case string:
		return appendString(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case uint64:
		return strconv.AppendUint(b, v, 10)
	case float64:
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	}
	return append(b, "null"...)
}

func appendBlock(b []byte, open, end byte, indent string, n int, item func([]byte, int, string) []byte) []byte {
	if n == 0 {
		return append(b, open, end)
	}
	b = append(b, open)
	inner := indent + "  "
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, '\n'), inner...)
		b = item(b, i, inner)
	}
	b = append(append(b, '\n'), indent...)
	return append(b, end)
}

const hexDigits = "0123456789abcdef"

// appendString escapes what a reader of the document could not see: a pattern
// holds control characters and bidirectional overrides literally.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\t':
			b = append(b, '\\', 't')
		case invisible(r):
			b = append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

func invisible(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e ||
		r >= 0x2060 && r <= 0x206f || r == 0xfeff
}
