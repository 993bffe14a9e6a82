package logs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Handler is the slog.Handler behind [New]. Make one with [NewHandler].
type Handler struct {
	out     *output
	level   slog.Leveler
	format  Format
	redact  *redactor
	context func(context.Context, *Line)

	made   []byte   // what WithAttrs added, formatted
	opened []string // groups open at the end of made
	wanted []string // groups to open before the next attribute
	muted  bool     // inside a hidden group
}

// output is shared by a handler and all that derive from it.
type output struct {
	mu    sync.Mutex
	w     io.Writer
	ahead *Buffer      // w, if it is one
	flush func() error // nil if w holds nothing back
	lines sync.Pool
}

// NewHandler returns the handler that [New] wraps.
func NewHandler(w io.Writer, o Options) *Handler {
	h := &Handler{
		out: &output{w: w}, level: o.Level, format: o.Format, redact: newRedactor(o.Redact), context: o.Context,
	}
	if o.Level == nil {
		h.level = slog.LevelInfo
	}
	switch b := w.(type) {
	case *Buffer:
		h.out.ahead = b
		b.mu.Lock()
		defer b.mu.Unlock()
		b.announce = h.missing
	case interface{ Flush() error }:
		h.out.flush = b.Flush
	}
	return h
}

// To returns a handler that writes to w what h was made to write, in a format
// and from a level of its own: how a test reads the log of a program. What
// WithAttrs has added to h is not in it.
func (h *Handler) To(w io.Writer, format Format, level slog.Leveler) *Handler {
	to := &Handler{out: &output{w: w}, level: level, format: format, redact: h.redact, context: h.context}
	if f, ok := w.(interface{ Flush() error }); ok {
		to.out.flush = f.Flush
	}
	return to
}

// missing is the line that says that others are not there.
func (h *Handler) missing(lines uint64) []byte {
	line := h.line()
	defer h.release(line)
	line.begin(time.Now(), slog.LevelWarn, "log lines dropped")
	line.Attr(slog.Uint64("lines", lines))
	line.end(0)
	return bytes.Clone(line.buf)
}

// Enabled reports whether level is written.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level.Level() }

// WithAttrs returns a handler whose every line has attrs. They are formatted
// here, once.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	line := h.line()
	defer h.release(line)
	line.buf = append(line.buf, h.made...)
	line.enter(h.opened)
	empty := h.muted || !line.within(h.wanted, func() {
		for _, a := range attrs {
			line.Attr(a)
		}
	})
	if empty {
		return h
	}
	next := *h
	next.made = slices.Clone(line.buf)
	next.opened = slices.Concat(h.opened, h.wanted)
	next.wanted = nil
	return &next
}

// WithGroup returns a handler that puts all later attributes in a group. One
// with a hidden name shows *** and nothing else.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" || h.muted {
		return h
	}
	next := *h
	if h.redact.hides(name) {
		next = *h.WithAttrs([]slog.Attr{slog.String(name, masked)}).(*Handler)
		next.muted = true
		return &next
	}
	next.wanted = append(slices.Clip(h.wanted), name)
	return &next
}

// Handle writes r as one line.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	line := h.line()
	defer h.release(line)

	line.begin(r.Time, r.Level, r.Message)
	if h.context != nil {
		h.context(ctx, line)
	}
	line.paste(h.made)
	line.enter(h.opened)
	open := len(h.opened)
	if !h.muted && r.NumAttrs() > 0 {
		if line.within(h.wanted, func() {
			r.Attrs(func(a slog.Attr) bool {
				line.Attr(a)
				return true
			})
		}) {
			open += len(h.wanted)
		}
	}
	line.end(open)
	return h.out.put(line.buf, r.Level)
}

// put writes a whole line.
func (o *output) put(line []byte, level slog.Level) error {
	if b := o.ahead; b != nil {
		_, err := b.take(line, level)
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	_, err := o.w.Write(line)
	if level >= slog.LevelWarn && o.flush != nil {
		err = errors.Join(err, o.flush())
	}
	return err
}

// line returns an empty line to write on.
func (h *Handler) line() *Line {
	line, ok := h.out.lines.Get().(*Line)
	if !ok {
		line = &Line{buf: make([]byte, 0, 1024)}
	}
	line.text, line.redact = h.format == Text, h.redact
	return line
}

// release takes a line back, unless a rare long one would pin its memory.
func (h *Handler) release(line *Line) {
	const most = 16 << 10
	if cap(line.buf) > most {
		return
	}
	*line = Line{buf: line.buf[:0], prefix: line.prefix[:0]}
	h.out.lines.Put(line)
}
