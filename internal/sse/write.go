// Package sse writes and reads event streams as the HTML standard has them
// (section 9.2, text/event-stream).
package sse

import (
	"bytes"
	"strconv"
	"time"
)

// MediaType is the content type of an event stream.
const MediaType = "text/event-stream"

// Beat is a comment: what nobody is told of, and keeps a connection alive.
const Beat = ":\n\n"

// AppendHead begins an event whose data is still to come. Neither id nor kind
// may have a line break; both may be empty.
func AppendHead(dst []byte, id, kind string) []byte {
	if id != "" {
		dst = append(append(append(dst, "id: "...), id...), '\n')
	}
	if kind != "" {
		dst = append(append(append(dst, "event: "...), kind...), '\n')
	}
	return append(dst, "data: "...)
}

// AppendTail ends the event whose data begins at from. The data is JSON: its
// texts have no line break, so that one that is there stands between two of its
// parts, where a space says the same.
func AppendTail(dst []byte, from int) []byte {
	if bytes.ContainsAny(dst[from:], "\r\n") {
		for i := from; i < len(dst); i++ {
			if dst[i] == '\n' || dst[i] == '\r' {
				dst[i] = ' '
			}
		}
	}
	return append(dst, "\n\n"...)
}

// Append appends a whole event; data is JSON.
func Append(dst []byte, id, kind string, data []byte) []byte {
	dst = AppendHead(dst, id, kind)
	from := len(dst)
	return AppendTail(append(dst, data...), from)
}

// AppendRetry appends the line that says when to come back after the
// connection has ended. It belongs to the event that follows, or stands alone
// if an empty line does.
func AppendRetry(dst []byte, after time.Duration) []byte {
	return append(strconv.AppendInt(append(dst, "retry: "...), after.Milliseconds(), 10), '\n')
}
