package sse

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// MaxLine is the longest line that is read, in bytes. It is also the most data
// of an event.
const MaxLine = 16 << 20

// An Event is one that was read.
type Event struct {
	// ID is the id of the last event that had one: it holds on.
	ID string
	// Type is the kind, "message" if the event has none.
	Type string
	// Data are its lines, with a line break between each two.
	Data string
}

// Reader reads a stream.
type Reader struct {
	in    *bufio.Scanner
	id    string
	retry time.Duration
	begun bool
}

// NewReader returns a reader of a stream.
func NewReader(from io.Reader) *Reader {
	r := &Reader{in: bufio.NewScanner(from)}
	r.in.Buffer(nil, MaxLine)
	r.in.Split((&lines{}).split)
	return r
}

// Retry is how long to wait before coming back, or 0 while nothing was said.
func (r *Reader) Retry() time.Duration { return r.retry }

// Next returns the next event that has data. Its error is [io.EOF] at the end,
// where an event that was not ended by an empty line is none.
func (r *Reader) Next() (Event, error) {
	e := Event{}
	var data strings.Builder
	given := false
	for r.in.Scan() {
		line := r.in.Text()
		if !r.begun {
			line, r.begun = strings.TrimPrefix(line, "\ufeff"), true
		}
		if line == "" {
			if given {
				e.ID, e.Data = r.id, data.String()
				if e.Type == "" {
					e.Type = "message"
				}
				return e, nil
			}
			e = Event{} // a kind alone is forgotten
			continue
		}
		switch name, value := field(line); name {
		case "data":
			if given {
				data.WriteByte('\n')
			}
			if given = true; data.Len()+len(value) > MaxLine {
				return Event{}, errTooLong
			}
			data.WriteString(value)
		case "event":
			e.Type = value
		case "id":
			if !strings.Contains(value, "\x00") {
				r.id = value
			}
		case "retry":
			if n, err := strconv.ParseUint(value, 10, 40); err == nil && digits(value) {
				r.retry = time.Duration(n) * time.Millisecond
			}
		}
	}
	if err := r.in.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = errTooLong
		}
		return Event{}, err
	}
	return Event{}, io.EOF
}

var errTooLong = fmt.Errorf("sse: an event of more than %d bytes", MaxLine)

// field splits a line; a comment has no name.
func field(line string) (name, value string) {
	name, value, _ = strings.Cut(line, ":")
	return name, strings.TrimPrefix(value, " ")
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// lines splits at each of the three line ends. A CR at the end of what has
// arrived ends its line at once: the LF that may follow is skipped when it
// comes, or else an event would wait for the next one's first byte.
type lines struct{ skip bool }

func (l *lines) split(data []byte, atEOF bool) (advance int, line []byte, err error) {
	if l.skip && len(data) > 0 {
		if l.skip = false; data[0] == '\n' {
			advance, data = 1, data[1:]
		}
	}
	i := bytes.IndexAny(data, "\r\n")
	switch {
	case i < 0 && atEOF && len(data) > 0:
		return advance + len(data), data, nil
	case i < 0:
		return advance, nil, nil
	}
	l.skip = data[i] == '\r'
	return advance + i + 1, data[:i], nil
}
