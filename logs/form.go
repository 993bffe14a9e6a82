package logs

import (
	"bytes"
	"log/slog"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// A Form is a line that is written again and again with the same message and
// keys, as an access line is. What can be known of it beforehand is done once:
// keys are escaped, and looked up among those to hide. Make it with
// [Handler.Form]. It is safe for concurrent use.
//
//	form := handler.Form("request", "method", "path", "status")
//	...
//	line := form.Fill(time.Now(), slog.LevelInfo)
//	line.Text(r.Method)
//	line.Text(r.URL.Path)
//	line.Int(200)
//	err := line.Write()
type Form struct {
	handler *Handler
	start   []byte      // between the level and the first key
	fields  []formField // none inside a hidden group
	opened  int         // groups to close at the end
	second  atomic.Pointer[second]
}

// second is how a line begins that is written within it: as far as the point
// before the milliseconds.
type second struct {
	unix int64
	text []byte
}

const beforeTime = `{"time":"`

// begin appends how a line begins, of a time that has four digits for its year.
func (f *Form) begin(buf []byte, at time.Time) []byte {
	now := f.second.Load()
	if unix := at.Unix(); now == nil || now.unix != unix {
		text := appendTime([]byte(beforeTime), at)
		now = &second{unix, text[:len(text)-len("000Z")]}
		f.second.Store(now)
	}
	milli := at.Nanosecond() / int(time.Millisecond)
	buf = append(buf, now.text...)
	buf = append(buf, byte('0'+milli/100))
	return append(appendTwo(buf, milli%100), `Z",`...)
}

type formField struct {
	key    []byte // with all that stands between it and the value before
	quoted []byte // the same with the quote that begins a text
	hidden bool
}

// Form returns the form of a line with that message and those keys, beside
// what WithAttrs and WithGroup have added. [Options.Context] has no part in it.
func (h *Handler) Form(message string, keys ...string) *Form {
	f := &Form{handler: h, opened: len(h.opened)}
	line := &Line{text: h.format == Text, redact: h.redact}
	line.message(message)
	line.paste(h.made)
	line.enter(h.opened)
	if !h.muted && len(keys) > 0 {
		f.opened += len(h.wanted)
		for _, group := range h.wanted {
			if !line.text {
				line.key(group)
				line.buf = append(line.buf, '{')
			}
		}
		line.enter(h.wanted)
	}
	f.start = bytes.Clone(line.buf)
	if h.muted {
		return f
	}
	for _, key := range keys {
		before := len(line.buf)
		line.key(key)
		name := bytes.Clone(line.buf[before:])
		f.fields = append(f.fields, formField{name, append(slices.Clip(name), '"'), h.redact.hides(key)})
		line.buf = append(line.buf, '0') // a value, for the comma after it
	}
	f.fields = slices.Clip(f.fields)
	return f
}

// Filled is a line of a [Form] while it is filled. Each method takes the value
// of the next key, of which there must be one; a value that is hidden is not
// looked at. It belongs to one goroutine, until Write.
type Filled struct {
	form  *Form
	line  *Line
	level slog.Level
	next  int
}

// Fill begins a line. A zero time is left out. Whether the handler writes the
// level is the caller's to ask.
func (f *Form) Fill(at time.Time, level slog.Level) Filled {
	line := f.handler.line()
	if unix := at.Unix(); line.text || unix < firstSecond || unix > lastSecond {
		line.date(at, level)
	} else {
		line.buf = f.begin(line.buf, at)
		line.level(level)
	}
	line.buf = append(line.buf, f.start...)
	return Filled{form: f, line: line, level: level}
}

// A time between these has four digits for its year, and is not zero.
const firstSecond, lastSecond = -62_135_596_799, 253_402_300_799

// field returns what the next key is, or nil if none is to be written.
func (f *Filled) field() *formField {
	if f.form.fields == nil {
		return nil
	}
	field := &f.form.fields[f.next]
	f.next++
	return field
}

// key writes the next key, and reports whether its value may follow.
func (f *Filled) key() bool {
	field := f.field()
	if field == nil {
		return false
	}
	f.line.buf = append(f.line.buf, field.key...)
	if field.hidden {
		f.line.string(masked)
	}
	return !field.hidden
}

// Text takes a text, and escapes it.
func (f *Filled) Text(value string) {
	field := f.field()
	switch {
	case field == nil:
	case field.hidden:
		f.line.buf = append(f.line.buf, field.key...)
		f.line.string(masked)
	case f.line.text:
		f.line.buf = append(f.line.buf, field.key...)
		f.line.string(value)
	default:
		buf := f.line.buf
		buf = append(buf, field.quoted...)
		if plainStart(value) == len(value) {
			buf = append(buf, value...)
		} else {
			buf = appendEscaped(buf, value, true)
		}
		buf = append(buf, '"')
		f.line.buf = buf
	}
}

// Int takes a number.
func (f *Filled) Int(value int64) {
	if f.key() {
		f.line.buf = strconv.AppendInt(f.line.buf, value, 10)
	}
}

// Millis takes a duration, and writes it as a number of milliseconds.
func (f *Filled) Millis(value time.Duration) {
	if f.key() {
		f.line.buf = appendMillis(f.line.buf, value)
	}
}

// Write ends the line and hands it on. Nothing of f may be used afterwards.
func (f *Filled) Write() error {
	h := f.form.handler
	defer h.release(f.line)
	f.line.end(f.form.opened)
	return h.out.put(f.line.buf, f.level)
}
