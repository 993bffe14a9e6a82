package rest

import (
	"crypto/sha256"
	"encoding"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/internal/scope"
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
		if name == "Cache-Control" {
			h.cacheControl = value
		} else {
			h.lines = append(append(append(append(h.lines, name...), ": "...), value...), "\r\n"...)
		}
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
	if err := h.label(&a, out); err != nil {
		return Answer{}, err
	}
	if h.spec.Cached && !h.spec.Tagged {
		a.ETag = hashTag(body)
	}
	return a, nil
}

// label says what the answer itself knows of its version and its place.
func (h *handler) label(a *Answer, out any) (err error) {
	if h.spec.Tagged {
		tag := out.(op.Tagged).ETag()
		if !validTag(tag) {
			return h.internalError("tag the answer", errors.New("its ETag holds a quote, a space or a control character"))
		}
		a.ETag = `"` + tag + `"`
	}
	if h.spec.Location != "" {
		if a.Location, err = h.place.of(reflect.ValueOf(out).Elem()); err != nil {
			return h.internalError("locate the answer", err)
		}
	}
	return nil
}

// give offers an answer, as the value that it is, to who asks within the
// process: see [scope.Take]. What it says besides is made, and checked, alike.
func (h *handler) give(w http.ResponseWriter, r *http.Request, out any) (given bool, err error) {
	if h.spec.Returns != op.JSON || h.spec.SetsCookies || len(r.Header["If-None-Match"]) > 0 || !scope.Takes(w) {
		return false, nil
	}
	a := Answer{Status: h.spec.Status}
	if err := h.label(&a, out); err != nil {
		return false, err
	}
	if !scope.Take(w, out) {
		return false, nil
	}
	if len(h.headers) == 0 && a.ETag == "" && a.Location == "" {
		w.WriteHeader(a.Status)
		return true, nil
	}
	return true, h.send(w, r, a)
}

// validTag reports whether a tag can stand between quotes (RFC 9110, section
// 8.8.3). One that cannot would never match, or split the header.
func validTag(tag string) bool {
	for i := range len(tag) {
		if c := tag[i]; c <= ' ' || c == '"' || c == 0x7f {
			return false
		}
	}
	return true
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
		return h.sendFile(w, r, out.(*op.File))
	}
	if given, err := h.give(w, r, out); given || err != nil {
		return err
	}
	buf := buffers.Get().(*[]byte)
	a, err := h.answer((*buf)[:0], out)
	if err != nil {
		return err
	}
	if h.spec.Kind == op.IsQuery && a.ETag != "" && noneMatch(r, a.ETag) {
		a = Answer{Status: http.StatusNotModified, ETag: a.ETag}
	}
	if h.spec.SetsCookies {
		for _, c := range out.(op.CookieSetter).Cookies() {
			http.SetCookie(w, c)
		}
	}
	err = h.send(w, r, a)
	if cap(a.Body) > cap(*buf) && cap(a.Body) <= maxPooled {
		*buf = a.Body[:0]
	}
	buffers.Put(buf)
	return err
}

func noneMatch(r *http.Request, etag string) bool {
	header := listed(r.Header["If-None-Match"])
	return header != "" && op.MatchesTag(header, strings.Trim(etag, `"`), true)
}

// setHeaders gives the answer the headers that the declaration settles, but
// one. Vary is a list that others in front of us add to as well.
func (h *handler) setHeaders(header http.Header, but string) {
	for _, fixed := range h.headers {
		if fixed.name == but {
			continue
		}
		if earlier := header[fixed.name]; fixed.name == "Vary" && len(earlier) > 0 {
			header[fixed.name] = append(slices.Clip(earlier), fixed.value...)
			continue
		}
		header[fixed.name] = fixed.value
	}
}

func (h *handler) send(w http.ResponseWriter, r *http.Request, a Answer) error {
	if !a.Replayed && scope.Send(w, r, scope.Answer{
		Status: a.Status, ContentType: a.ContentType, ETag: a.ETag, Location: a.Location,
		CacheControl: h.cacheControl, Lines: h.lines, Body: a.Body,
	}) {
		return nil
	}
	header := scope.Fields(w)
	h.setHeaders(header, "")
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
func (h *handler) sendFile(w http.ResponseWriter, r *http.Request, f *op.File) error {
	if c, ok := f.Body.(io.Closer); ok {
		defer func() { _ = c.Close() }() // it was only read
	}
	media := f.Type
	if media == "" || strings.ContainsFunc(media, unicode.IsControl) { // it may be what somebody uploaded
		media = "application/octet-stream"
	}
	if err := h.declares(media); err != nil {
		return h.internalError("send the file", err)
	}
	header := w.Header()
	h.setHeaders(header, "")
	header["Content-Type"] = []string{media}
	if f.Name != "" {
		header["Content-Disposition"] = []string{mime.FormatMediaType("attachment", map[string]string{"filename": f.Name})}
	}
	if f.Size > 0 {
		header["Content-Length"] = []string{strconv.FormatInt(f.Size, 10)}
	}
	if h.spec.Timeout > 0 { // the declared time is for the bytes too; who has no deadlines needs none set
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(h.spec.Timeout))
	}
	w.WriteHeader(h.spec.Status)
	if f.Body == nil || r.Method == http.MethodHead {
		return nil
	}
	if _, err := io.Copy(w, f.Body); err != nil {
		h.log().Error("a file broke off while it was sent", "op", h.spec.Name, "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// declares returns an error for a media type that is not in the contract.
func (h *handler) declares(media string) error {
	if len(h.spec.Media) == 0 {
		return nil
	}
	plain, _, err := mime.ParseMediaType(media)
	if err == nil && !slices.Contains(h.spec.Media, plain) {
		err = fmt.Errorf("it is %s, and op.Media lists %s", plain, strings.Join(h.spec.Media, ", "))
	}
	return err
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

func (l location) of(out reflect.Value) (string, error) {
	var b strings.Builder
	for i, piece := range l.pieces {
		b.WriteString(piece)
		if i == len(l.fields) {
			break
		}
		name, err := nameIn(out.FieldByIndex(l.fields[i]))
		if err != nil {
			return "", err
		}
		b.WriteString(url.PathEscape(name))
	}
	return b.String(), nil
}

// nameIn returns the text of a field that names a thing; op.Check has seen to
// it that the field has one.
func nameIn(v reflect.Value) (string, error) {
	if m, ok := reflect.TypeAssert[encoding.TextMarshaler](v.Addr()); ok {
		text, err := m.MarshalText()
		return string(text), err
	}
	switch {
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10), nil
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10), nil
	default:
		return v.String(), nil
	}
}
