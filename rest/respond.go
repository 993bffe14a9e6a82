package rest

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/op"
)

const jsonType = "application/json"

// jsonValue is shared by all responses: its capacity equals its length, so
// that appending to it copies.
var jsonValue = []string{jsonType}[:1:1]

// headerValue is a header that every answer of an operation carries.
type headerValue struct {
	name  string
	value []string
}

// compileAnswer prepares everything about the answer that the declaration
// settles.
func (h *handler) compileAnswer() error {
	s := h.spec
	add := func(name, value string) {
		h.headers = append(h.headers, headerValue{name, []string{value}[:1:1]})
	}
	if s.Cached {
		add("Cache-Control", cacheControl(s.CacheFor))
		add("Vary", "Authorization")
	}
	if !s.Deprecated.IsZero() {
		add("Deprecation", "@"+strconv.FormatInt(s.Deprecated.Unix(), 10))
	}
	if !s.Sunset.IsZero() {
		add("Sunset", s.Sunset.UTC().Format(http.TimeFormat))
	}
	if s.Returns != op.JSON {
		return nil
	}
	var err error
	if h.encoder, err = codec.CompileEncoder(s.Out); err != nil {
		return err
	}
	h.place = compileLocation(s)
	return nil
}

func cacheControl(d time.Duration) string {
	if d == 0 {
		return "private, no-cache"
	}
	return "private, max-age=" + strconv.FormatInt(int64(d/time.Second), 10)
}

// answer encodes an operation's answer, given as a pointer to it, into buf.
func (h *handler) answer(buf []byte, out any) (Answer, error) {
	a := Answer{Status: h.spec.Status}
	if h.spec.Returns == op.Nothing {
		return a, nil
	}
	body, err := h.encoder.Append(buf, out)
	if err != nil {
		return Answer{}, h.internalError("encode the answer", err)
	}
	a.ContentType, a.Body = jsonType, body
	switch {
	case h.spec.Tagged:
		a.ETag = `"` + out.(op.Tagged).ETag() + `"`
	case h.spec.Cached:
		a.ETag = hashTag(body)
	}
	if h.spec.Location != "" {
		a.Location = h.place.of(reflect.ValueOf(out).Elem())
	}
	return a, nil
}

// hashTag makes an ETag from the content: enough of a hash that two answers
// never share one by accident.
func hashTag(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
}

// buffers hold answers while they are written.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// maxPooled is the size above which a buffer is left to the collector: one
// large answer must not pin its memory for ever.
const maxPooled = 64 << 10

func (h *handler) respond(w http.ResponseWriter, r *http.Request, out any) error {
	if h.spec.Returns == op.FileBytes {
		return h.sendFile(w, out.(*op.File))
	}
	buf := buffers.Get().(*[]byte)
	a, err := h.answer((*buf)[:0], out)
	if err != nil {
		return err
	}
	if h.spec.Kind == op.IsQuery && a.ETag != "" && noneMatch(r, a.ETag) {
		a = Answer{Status: http.StatusNotModified, ETag: a.ETag}
	}
	err = h.send(w, a)
	if cap(a.Body) > cap(*buf) && cap(a.Body) <= maxPooled {
		*buf = a.Body[:0]
	}
	buffers.Put(buf)
	return err
}

func noneMatch(r *http.Request, etag string) bool {
	header := r.Header.Get("If-None-Match")
	return header != "" && op.MatchesTag(header, strings.Trim(etag, `"`), true)
}

func (h *handler) send(w http.ResponseWriter, a Answer) error {
	header := w.Header()
	for _, fixed := range h.headers {
		header[fixed.name] = fixed.value
	}
	if a.Replayed {
		header["Idempotency-Replayed"] = replayed
	}
	switch a.ContentType {
	case "":
	case jsonType:
		header["Content-Type"] = jsonValue
	default:
		header["Content-Type"] = []string{a.ContentType}
	}
	if a.ETag != "" {
		header["Etag"] = []string{a.ETag}
	}
	if a.Location != "" {
		header["Location"] = []string{a.Location}
	}
	if len(a.Body) > sniffed {
		// net/http counts short answers itself, and would chunk longer ones.
		header["Content-Length"] = []string{strconv.Itoa(len(a.Body))}
	}
	w.WriteHeader(a.Status)
	if len(a.Body) == 0 {
		return nil
	}
	// A client that is gone is no failure of ours, and the status is sent.
	_, _ = w.Write(a.Body)
	return nil
}

// sniffed is the size below which net/http knows the whole answer before it
// writes the header.
const sniffed = 2048

// sendFile streams a file. What fails after the first byte cannot be told to
// the client but by cutting the connection, which the length gives away.
func (h *handler) sendFile(w http.ResponseWriter, f *op.File) error {
	if c, ok := f.Body.(io.Closer); ok {
		defer func() { _ = c.Close() }() // it was only read
	}
	header := w.Header()
	for _, fixed := range h.headers {
		header[fixed.name] = fixed.value
	}
	media := f.Type
	if media == "" {
		media = "application/octet-stream"
	}
	header["Content-Type"] = []string{media}
	if f.Name != "" {
		header["Content-Disposition"] = []string{mime.FormatMediaType("attachment", map[string]string{"filename": f.Name})}
	}
	if f.Size > 0 {
		header["Content-Length"] = []string{strconv.FormatInt(f.Size, 10)}
	}
	w.WriteHeader(h.spec.Status)
	if f.Body == nil {
		return nil
	}
	if _, err := io.Copy(w, f.Body); err != nil {
		h.log().Error("a file broke off while it was sent", "op", h.spec.Name, "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// location is a compiled Location template: text, and between the pieces the
// fields that fill the gaps.
type location struct {
	pieces []string
	fields [][]int
}

func compileLocation(s *op.Spec) (l location) {
	rest := s.Location
	for {
		before, after, found := strings.Cut(rest, "{")
		l.pieces = append(l.pieces, before)
		if !found {
			return l
		}
		name, behind, _ := strings.Cut(after, "}")
		l.fields = append(l.fields, s.Out.Object.Field(name).Index)
		rest = behind
	}
}

func (l location) of(out reflect.Value) string {
	var b strings.Builder
	for i, piece := range l.pieces {
		b.WriteString(piece)
		if i == len(l.fields) {
			break
		}
		switch v := out.FieldByIndex(l.fields[i]); {
		case v.Kind() == reflect.String:
			b.WriteString(url.PathEscape(v.String()))
		case v.CanInt():
			b.WriteString(strconv.FormatInt(v.Int(), 10))
		case v.CanUint():
			b.WriteString(strconv.FormatUint(v.Uint(), 10))
		}
	}
	return b.String()
}
