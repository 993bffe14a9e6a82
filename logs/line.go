package logs

import (
	"encoding/hex"
	"log/slog"
	"strconv"
	"time"
)

// Line is a record being written. [Options.Context] appends to it during its
// call and must not keep it.
type Line struct {
	buf    []byte
	text   bool
	redact *redactor
	prefix []byte // Text: the open groups, each with its dot
	depth  int    // of groups within groups
}

// maxDepth bounds groups within groups: a LogValuer may return itself in one.
const maxDepth = 32

// Text appends a text.
func (l *Line) Text(key, value string) {
	if l.hides(key) {
		return
	}
	l.key(key)
	l.string(value)
}

// Hex appends bytes as lower-case hexadecimal digits.
func (l *Line) Hex(key string, value []byte) {
	if l.hides(key) {
		return
	}
	l.key(key)
	if l.text {
		l.buf = hex.AppendEncode(l.buf, value)
		return
	}
	l.buf = append(l.buf, '"')
	l.buf = hex.AppendEncode(l.buf, value)
	l.buf = append(l.buf, '"')
}

// Attr appends an attribute as slog's handlers do: an empty one is skipped, a
// group without a key is taken apart, an empty group is left out.
func (l *Line) Attr(a slog.Attr) {
	if l.hides(a.Key) { // before the value is resolved: LogValue of a secret may not run
		return
	}
	v := a.Value
	if v.Kind() == slog.KindLogValuer {
		v = v.Resolve()
	}
	switch v.Kind() {
	case slog.KindGroup:
		l.group(a.Key, v.Group())
	case slog.KindAny:
		if a.Key == "" && v.Any() == nil {
			return
		}
		l.key(a.Key)
		l.any(v.Any())
	default:
		l.key(a.Key)
		l.value(v)
	}
}

// hides writes *** in place of a value that must not be shown.
func (l *Line) hides(key string) bool {
	if !l.redact.hides(key) {
		return false
	}
	l.key(key)
	l.string(masked)
	return true
}

func (l *Line) group(key string, attrs []slog.Attr) {
	if l.depth == maxDepth {
		l.key(key)
		l.string("!DEPTH")
		return
	}
	l.depth++
	defer func() { l.depth-- }()
	members := func() {
		for _, a := range attrs {
			l.Attr(a)
		}
	}
	if key == "" {
		members()
		return
	}
	outer := len(l.prefix)
	if l.within([]string{key}, members) {
		l.leave(1)
	}
	l.prefix = l.prefix[:outer]
}

// within opens groups and calls members. If they write nothing the groups are
// taken back and within returns false.
func (l *Line) within(groups []string, members func()) bool {
	start := len(l.buf)
	for _, g := range groups {
		if !l.text {
			l.key(g)
			l.buf = append(l.buf, '{')
		}
	}
	l.enter(groups)
	inner := len(l.buf)
	members()
	if len(l.buf) > inner {
		return true
	}
	l.buf = l.buf[:start]
	return false
}

// enter makes groups the place of what follows; only Text has to remember it.
func (l *Line) enter(groups []string) {
	if !l.text {
		return
	}
	for _, g := range groups {
		l.prefix = append(append(l.prefix, g...), '.')
	}
}

// leave closes n groups.
func (l *Line) leave(n int) {
	if l.text {
		return
	}
	for range n {
		l.buf = append(l.buf, '}')
	}
}

// paste appends attributes that are formatted already.
func (l *Line) paste(made []byte) {
	if len(made) > 0 && !l.text {
		l.comma()
	}
	l.buf = append(l.buf, made...)
}

// begin writes what every line starts with.
func (l *Line) begin(at time.Time, level slog.Level, message string) {
	l.date(at, level)
	l.message(message)
}

// date writes time and level. A zero time is left out.
func (l *Line) date(at time.Time, level slog.Level) {
	if l.text {
		if !at.IsZero() {
			l.buf = at.AppendFormat(l.buf, "15:04:05.000 ")
		}
		name := level.String()
		l.buf = append(l.buf, name...)
		for range max(1, 6-len(name)) {
			l.buf = append(l.buf, ' ')
		}
		return
	}
	l.buf = append(l.buf, '{')
	if !at.IsZero() {
		l.buf = append(l.buf, `"time":"`...)
		l.buf = appendTime(l.buf, at)
		l.buf = append(l.buf, `",`...)
	}
	l.level(level)
}

func (l *Line) level(level slog.Level) {
	l.buf = append(l.buf, `"level":"`...)
	l.buf = append(l.buf, level.String()...)
}

func (l *Line) message(message string) {
	if l.text {
		l.buf = appendEscaped(l.buf, message, false)
		return
	}
	l.buf = append(l.buf, `","msg":"`...)
	l.buf = appendEscaped(l.buf, message, true)
	l.buf = append(l.buf, '"')
}

// end closes the groups that are still open, and the line.
func (l *Line) end(opened int) {
	l.leave(opened)
	if !l.text {
		l.buf = append(l.buf, '}')
	}
	l.buf = append(l.buf, '\n')
}

func (l *Line) comma() {
	if n := len(l.buf); n > 0 && l.buf[n-1] != '{' {
		l.buf = append(l.buf, ',')
	}
}

func (l *Line) key(key string) {
	if l.text {
		l.buf = append(l.buf, ' ')
		l.buf = appendWord(l.buf, string(l.prefix)+key)
		l.buf = append(l.buf, '=')
		return
	}
	l.comma()
	l.buf = append(l.buf, '"')
	l.buf = appendEscaped(l.buf, key, true)
	l.buf = append(l.buf, '"', ':')
}

func (l *Line) string(s string) {
	if l.text {
		l.buf = appendWord(l.buf, s)
		return
	}
	l.buf = append(l.buf, '"')
	l.buf = appendEscaped(l.buf, s, true)
	l.buf = append(l.buf, '"')
}

func (l *Line) value(v slog.Value) {
	switch v.Kind() {
	case slog.KindString:
		l.string(v.String())
	case slog.KindInt64:
		l.buf = strconv.AppendInt(l.buf, v.Int64(), 10)
	case slog.KindUint64:
		l.buf = strconv.AppendUint(l.buf, v.Uint64(), 10)
	case slog.KindBool:
		l.buf = strconv.AppendBool(l.buf, v.Bool())
	case slog.KindFloat64:
		l.float(v.Float64())
	case slog.KindDuration:
		l.buf = appendMillis(l.buf, v.Duration())
	case slog.KindTime:
		if l.text {
			l.buf = appendTime(l.buf, v.Time())
			return
		}
		l.buf = append(l.buf, '"')
		l.buf = appendTime(l.buf, v.Time())
		l.buf = append(l.buf, '"')
	}
}

// float writes a JSON number, or the name of what is none as a string.
func (l *Line) float(f float64) {
	if f-f != 0 {
		l.string(strconv.FormatFloat(f, 'g', -1, 64))
		return
	}
	l.buf = strconv.AppendFloat(l.buf, f, 'g', -1, 64)
}
