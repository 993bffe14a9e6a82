package graphql

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/input"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/internal/sse"
)

// The media types of answers.
const (
	jsonType = "application/json"
	ownType  = "application/graphql-response+json"

	eventType = sse.MediaType
)

// asked is what a request asks.
type asked struct {
	// What names the plan is kept as it was sent, as JSON: texts that are known
	// need not be read again. Nil is for what was not sent.
	query, operation json.RawMessage
	variables        variables
	hash             string // of a text that was sent before
	after            string // the id of the item after which a subscription goes on
}

// wrongMethod is the fault of a request whose method does not fit.
type wrongMethod struct {
	error
	allow string
}

func (e *wrongMethod) Unwrap() error { return e.error }

var (
	notAcceptable = fault.ErrNotAcceptable.Because("The answer is %s, %s or %s; Accept must admit one.", ownType, jsonType, eventType)
	noEvents      = fault.ErrNotAcceptable.Because("A subscription is answered with %s, which Accept must name, or on a WebSocket.", eventType)
	mutationByGet = error(&wrongMethod{fault.ErrNotAllowed.Because("A mutation is sent by POST."), http.MethodPost})
)

// negotiate chooses the media type of the answer: the specification's own where
// it is named.
func negotiate(r *http.Request) (string, error) {
	accept := r.Header["Accept"]
	switch {
	case names(accept, ownType) && input.Accepts(accept, ownType):
		return ownType, nil
	case input.Accepts(accept, jsonType):
		return jsonType, nil
	case input.Accepts(accept, ownType):
		return ownType, nil
	case takesEvents(r):
		return eventType, nil
	}
	return "", notAcceptable
}

// names reports whether an Accept has a media type, and no range in its place.
func names(accept []string, media string) bool {
	return slices.ContainsFunc(accept, func(line string) bool { return strings.Contains(strings.ToLower(line), media) })
}

// takesEvents reports whether a caller takes server-sent events: those who do not
// name them would not know what to do with them.
func takesEvents(r *http.Request) bool {
	return names(r.Header["Accept"], eventType) && input.Accepts(r.Header["Accept"], eventType)
}

// read finds out what is asked.
func (h *Handler) read(w http.ResponseWriter, x *exchange) error {
	var err error
	switch x.r.Method {
	case http.MethodGet, http.MethodHead:
		if x.r.ContentLength != 0 {
			err = input.RefuseBody(x.r)
		}
		if err == nil {
			err = x.readQuery()
		}
	case http.MethodPost:
		err = h.readBody(w, x)
	default:
		err = &wrongMethod{fault.ErrNotAllowed.Because("Use GET or POST."), "GET, POST"}
	}
	return err
}

func (x *exchange) readQuery() error {
	query, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return fault.ErrMalformed.Because("The query string cannot be read.")
	}
	for name, values := range query {
		value := json.RawMessage(values[0])
		switch {
		case len(values) > 1:
			return fault.ErrMalformed.Because("A parameter is given more than once.")
		case name == "query" || name == "operationName":
			value = appendText(nil, values[0])
		case name != "variables" && name != "extensions":
			return unknownMember
		case len(value) == 0:
			value = null
		case !utf8.Valid(value) || !json.Valid(value):
			return misfit(name)
		default:
			value = bytes.TrimSpace(value)
		}
		if err := x.asked.take(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (h *Handler) readBody(w http.ResponseWriter, x *exchange) error {
	if !isJSON(x.r.Header["Content-Type"]) {
		return fault.ErrUnsupported.Because("A request is %s in UTF-8; uploads by multipart are not taken.", jsonType)
	}
	if x.r.Header.Get("Content-Encoding") != "" {
		return fault.ErrUnsupported.Because("A request has no Content-Encoding.")
	}
	body, err := x.bodyOf(w, h.limits.Body)
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return fault.ErrTooLarge.Because("A request has at most %d bytes.", h.limits.Body)
		}
		return fault.ErrMalformed.Because("The body could not be read.").Wrap(err)
	}
	if x.document = h.remembered(body, &x.asked); x.document != nil {
		return nil
	}
	return x.asked.read(body)
}

func isJSON(types []string) bool {
	if len(types) == 0 {
		return false
	}
	if types[0] == jsonType {
		return true
	}
	kind, parameters, err := mime.ParseMediaType(types[0])
	charset := parameters["charset"]
	return err == nil && kind == jsonType && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

// bodyOf reads the body, into room of its size where that was said.
func (x *exchange) bodyOf(w http.ResponseWriter, most int64) ([]byte, error) {
	length := x.r.ContentLength
	if length < 0 || length > most {
		return io.ReadAll(http.MaxBytesReader(w, x.r.Body, most))
	}
	x.room = buffers.Get().(*[]byte)
	if int64(cap(*x.room)) < length {
		*x.room = make([]byte, length)
	}
	body := (*x.room)[:length]
	_, err := io.ReadFull(x.r.Body, body)
	return body, err
}

// release gives the room of the body back, in which the question lies.
func (x *exchange) release() {
	if x.room != nil && cap(*x.room) <= maxPooled {
		buffers.Put(x.room)
	}
	x.room, x.asked.query, x.asked.operation = nil, nil, nil
}

// read reads a request as JSON.
func (a *asked) read(body []byte) error {
	if !utf8.Valid(body) || !json.Valid(body) {
		return fault.ErrMalformed.Because("The body is not one valid JSON text.")
	}
	var room [4][]byte // as many as there may be
	names := room[:0]
	var refused error
	if !members(body, func(name, value []byte) bool {
		if slices.ContainsFunc(names, func(earlier []byte) bool { return bytes.Equal(earlier, name) }) {
			refused = fault.ErrMalformed.Because("The body has a member twice.")
			return false
		}
		refused = a.take(string(name), value)
		names = append(names, name)
		return refused == nil
	}) {
		return fault.ErrMalformed.Because("The body must be one object; a list of requests is not taken.")
	}
	return refused
}

// take takes a member of a request.
func (a *asked) take(name string, value json.RawMessage) error {
	var err error
	switch name {
	case "query":
		a.query, err = textOrNil(value)
	case "operationName":
		a.operation, err = textOrNil(value)
	case "variables":
		err = readObject(value, &a.variables)
	case "extensions":
		err = a.readExtensions(value)
	default:
		return unknownMember
	}
	if err != nil {
		return misfit(name)
	}
	return nil
}

var unknownMember = fault.ErrMalformed.Because("A request has query, operationName, variables and extensions, and nothing else.")

// misfit refuses a member of a request by its name, which is one of the four.
func misfit(name string) error {
	return fault.ErrMalformed.Because("The member %s is not of its type.", name)
}

var errType = errors.New("not of its type")

// textOrNil returns a text as it is written, and nil for an empty one.
func textOrNil(value json.RawMessage) (json.RawMessage, error) {
	switch {
	case isNull(value) || string(value) == `""`:
		return nil, nil
	case value[0] != '"':
		return nil, errType
	}
	return value, nil
}

// textOf returns the text of a value that is one.
func textOf(value json.RawMessage) (text string, err error) {
	if len(value) > 0 {
		err = json.Unmarshal(value, &text)
	}
	return text, err
}

// readObject reads an object, its numbers as they are written. It is valid JSON.
func readObject(value json.RawMessage, into *variables) error {
	switch {
	case isNull(value):
		return nil
	case value[0] != '{':
		return errType
	}
	var all variables
	var err error
	members(value, func(name, v []byte) bool {
		key := string(name)
		if bytes.IndexByte(name, '\\') >= 0 {
			key, err = textOf(slices.Concat([]byte(`"`), name, []byte(`"`)))
		}
		if err == nil {
			all = append(all, variable{name: key})
			all[len(all)-1].value, err = valueOf(v)
		}
		return err == nil
	})
	*into = all
	return err
}

// valueOf reads one value of an object.
func valueOf(value json.RawMessage) (v any, err error) {
	switch value[0] {
	case 'n':
		return nil, nil
	case 't', 'f':
		return value[0] == 't', nil
	case '"':
		if bytes.IndexByte(value, '\\') < 0 {
			return string(value[1 : len(value)-1]), nil
		}
		return textOf(value)
	case '{', '[':
		d := json.NewDecoder(bytes.NewReader(value))
		d.UseNumber()
		err = d.Decode(&v)
		return v, err
	default:
		return json.Number(value), nil
	}
}

// readExtensions finds the hash of a text that is kept, and where a subscription
// goes on.
func (a *asked) readExtensions(value json.RawMessage) error {
	var all variables
	if err := readObject(value, &all); err != nil {
		return err
	}
	if after, given := all.of("after"); given {
		text, is := after.(string)
		if !is {
			return errType
		}
		a.after = text
	}
	said, _ := all.of("persistedQuery")
	persisted, _ := said.(map[string]any)
	if persisted == nil {
		return nil
	}
	hash, _ := persisted["sha256Hash"].(string)
	if persisted["version"] != json.Number("1") || len(hash) != 2*sha256.Size {
		return errType
	}
	a.hash = strings.ToLower(hash)
	return nil
}

// recall finds the text of a hash, or keeps it under the hash that it has.
func (h *Handler) recall(a *asked) error {
	switch {
	case a.hash == "" && a.query == nil:
		return fault.ErrMalformed.Because("The request has no query.")
	case a.hash == "":
		return nil
	case a.query == nil:
		text, known := h.texts.get([]byte(a.hash))
		if !known {
			return failures{{message: "PersistedQueryNotFound", code: ErrPersisted.Code()}} // the words that clients look for
		}
		a.query = json.RawMessage(text)
		return nil
	}
	text, err := textOf(a.query)
	if sum := sha256.Sum256([]byte(text)); err != nil || hex.EncodeToString(sum[:]) != a.hash {
		return fault.ErrMalformed.Because("The hash is not that of the query.")
	}
	if len(a.query) <= largestKept {
		h.texts.put(a.hash, string(a.query))
	}
	return nil
}

// statusOf returns how an error is answered.
func statusOf(err error) (status int, found failures) {
	if found, ok := errors.AsType[failures](err); ok {
		return http.StatusBadRequest, found
	}
	p := fault.ProblemOf(err, "")
	message := p.Detail
	if message == "" {
		message = p.Title()
	}
	return p.Status, failures{{message: message, code: p.Code}}
}

// hashTag makes an ETag from the content.
func hashTag(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
}

// send writes an answer whole.
func send(w http.ResponseWriter, r *http.Request, media string, status int, body []byte) {
	said := saidJSON
	if media == ownType {
		said = saidOwn
	}
	sendRaw(w, r, said, status, body)
}

// What answers say of themselves, shared by all: the capacities equal the
// lengths, so that appending copies.
var (
	saidJSON   = []string{jsonType + "; charset=utf-8"}[:1:1]
	saidOwn    = []string{ownType + "; charset=utf-8"}[:1:1]
	saidEvents = []string{eventType}[:1:1]
)

func sendRaw(w http.ResponseWriter, r *http.Request, contentType []string, status int, body []byte) {
	if scope.Send(w, r, scope.Answer{Status: status, ContentType: contentType[0], Body: body}) {
		return
	}
	header := scope.Fields(w)
	header["Content-Type"] = contentType
	if len(body) > sniffed {
		// net/http counts short answers itself, and would chunk longer ones.
		header["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec,nolintlint // JSON or events, and it says so; the linter sees it at times
}

// sniffed is the size below which net/http knows the whole answer before it
// writes the header.
const sniffed = 2048

// buffers hold answers while they are written.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// maxPooled is the size above which a buffer is left to the collector.
const maxPooled = 64 << 10
