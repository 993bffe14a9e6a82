package live

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// The events that end a stream.
const (
	eventEnd   = "end"
	eventError = "error"
)

// beat is a comment: an event that nobody is told of.
var beat = []byte(":\n\n")

// Bounds of what an item says of itself.
const (
	maxID   = 256
	maxType = 64
)

// appendHead begins an event whose data is still to come.
func appendHead(dst []byte, id, kind string) []byte {
	if id != "" {
		dst = append(append(append(dst, "id: "...), id...), '\n')
	}
	if kind != "" {
		dst = append(append(append(dst, "event: "...), kind...), '\n')
	}
	return append(dst, "data: "...)
}

// appendTail ends the event whose data begins at from. JSON needs no line
// break, and its strings have none, so that one that is there stands between
// two of its parts, where a space says the same.
func appendTail(dst []byte, from int) []byte {
	if bytes.ContainsAny(dst[from:], "\r\n") {
		for i := from; i < len(dst); i++ {
			if dst[i] == '\n' || dst[i] == '\r' {
				dst[i] = ' '
			}
		}
	}
	return append(dst, "\n\n"...)
}

// appendEvent appends an event that is no item.
func appendEvent(dst []byte, kind string, data []byte) []byte {
	dst = appendHead(dst, "", kind)
	from := len(dst)
	return appendTail(append(dst, data...), from)
}

func appendRetry(dst []byte, after time.Duration) []byte {
	return append(strconv.AppendInt(append(dst, "retry: "...), after.Milliseconds(), 10), '\n')
}

// checkID returns an error for an id that would not come back as it was sent.
func checkID(id string) error {
	if len(id) > maxID || !utf8.ValidString(id) || hasControl(id) {
		return fmt.Errorf("EventID returns an id that has a control character or more than %d bytes", maxID)
	}
	return nil
}

func checkType(kind string) error {
	switch {
	case kind == eventEnd, kind == eventError:
		return fmt.Errorf("EventType returns %q, which says how a stream ends", kind)
	case len(kind) > maxType || !utf8.ValidString(kind) || hasControl(kind):
		return fmt.Errorf("EventType returns a name that has a control character or more than %d bytes", maxType)
	}
	return nil
}

func hasControl(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) {
			return true
		}
	}
	return false
}
