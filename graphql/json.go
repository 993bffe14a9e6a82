package graphql

import "bytes"

// What follows walks JSON that the framework's own encoder has written. It
// checks no more than that it stays inside; anything that is no JSON ends in
// false, never in a panic.

// skipSpace returns the place of the next character that is no space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipText returns the place behind the text that begins at i.
func skipText(b []byte, i int) (int, bool) {
	if i >= len(b) || b[i] != '"' {
		return 0, false
	}
	for i++; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return 0, false
		}
		i += n
		escapes := 0
		for b[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1, true
		}
	}
}

// skipValue returns the place behind the value that begins at i.
func skipValue(b []byte, i int) (int, bool) {
	if i >= len(b) {
		return 0, false
	}
	switch b[i] {
	case '"':
		return skipText(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	start := i
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ' ', '\n', '\t', '\r':
			return i, i > start
		}
		i++
	}
	return i, i > start
}

// skipNested returns the place behind an object or a list.
func skipNested(b []byte, i int) (int, bool) { return skipOut(b, i, 0) }

// skipOut returns the place behind what is open, so many objects and lists.
func skipOut(b []byte, i, depth int) (int, bool) {
	for i < len(b) {
		switch b[i] {
		case '"':
			end, ok := skipText(b, i)
			if !ok {
				return 0, false
			}
			i = end
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1, true
			}
		}
		i++
	}
	return 0, false
}

// members calls visit with the members of an object in their order, until it
// returns false. Names are as they are written: those of the framework have no
// escapes, and others are not asked for.
func members(b []byte, visit func(name, value []byte) bool) bool {
	_, _, ok := walk(b, visit)
	return ok
}

// walk is members, and returns the place that it came to: behind the object,
// if it is over.
func walk(b []byte, visit func(name, value []byte) bool) (i int, over, ok bool) {
	i = skipSpace(b, 0)
	if i >= len(b) || b[i] != '{' {
		return 0, false, false
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1, true, true
	}
	for {
		end, ok := skipText(b, i)
		if !ok {
			return 0, false, false
		}
		name := b[i+1 : end-1]
		if i = skipSpace(b, end); i >= len(b) || b[i] != ':' {
			return 0, false, false
		}
		i = skipSpace(b, i+1)
		if end, ok = skipValue(b, i); !ok {
			return 0, false, false
		}
		if !visit(name, b[i:end]) {
			return end, false, true
		}
		if i = skipSpace(b, end); i >= len(b) {
			return 0, false, false
		}
		switch b[i] {
		case '}':
			return i + 1, true, true
		case ',':
			i = skipSpace(b, i+1)
		default:
			return 0, false, false
		}
	}
}

// next returns the first item of what is left of a list, and the rest. A list
// begins as it is, with its bracket.
func next(b []byte) (item, rest []byte, more, ok bool) {
	i, more, ok := begin(b)
	if !more || !ok {
		return nil, nil, false, ok
	}
	end, ok := skipValue(b, i)
	if !ok {
		return nil, nil, false, false
	}
	return b[i:end], b[end:], true, true
}

// begin returns the place of the first item of what is left of a list.
func begin(b []byte) (i int, more, ok bool) {
	i = skipSpace(b, 0)
	if i >= len(b) || b[i] != '[' && b[i] != ',' && b[i] != ']' {
		return 0, false, false
	}
	if b[i] == ']' {
		return 0, false, true
	}
	opening := b[i] == '['
	i = skipSpace(b, i+1)
	if opening && i < len(b) && b[i] == ']' {
		return 0, false, true
	}
	return i, true, true
}

// null is what is not there.
var null = []byte("null")

func isNull(b []byte) bool { return len(b) == 0 || bytes.Equal(b, null) }

// member returns the value of one member, or nil.
func member(b []byte, wanted string) (value []byte) {
	members(b, func(name, v []byte) bool {
		if string(name) != wanted {
			return true
		}
		value = v
		return false
	})
	return value
}
