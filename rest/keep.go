package rest

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/trace"
)

// Cache keeps the answers of queries declared with [op.Keep], and drops those
// that commands with [op.Invalidates] say. It is safe for concurrent use.
type Cache interface {
	// Answers returns what keeps the answers of an operation, which takes no
	// longer than timeout to make one. It is called once, when the handler is
	// made; its error is a mistake in the declaration.
	Answers(s *op.Spec, timeout time.Duration) (Answers, error)
	// Writing returns the context for a command that invalidates tags: its
	// transactions do so. The function is called once the command has
	// succeeded, and invalidates them if there was no transaction.
	Writing(ctx context.Context, tags []string) (context.Context, func() error)
}

// Answers are the kept ones of one operation.
type Answers interface {
	// Look returns what is kept under a key and may be given now, or nil. If
	// due is true the caller has it made anew, with Renew. The error is the
	// fault that is kept instead of an answer. The key is the caller's again
	// when Look has returned.
	Look(key []byte) (a *Kept, due bool, err error)
	// Load makes an answer, one for all who ask for the key meanwhile, and
	// keeps it. ctx ends the wait.
	Load(ctx context.Context, m Making) (*Kept, error)
	// Renew makes an answer in the background.
	Renew(m Making)
}

// A Making is how an answer is made.
type Making struct {
	Key  string
	Tags []string
	// Run is the context of Make, or one above it.
	Run  context.Context //nolint:containedctx // it is one of the arguments
	Make func(ctx context.Context) (*Kept, error)
}

// Kept is an answer as it is kept: encoded, with its fields made. It must not
// be changed.
type Kept struct {
	etag, length []string
	tail         []byte // as JSON goes out with it, if no field is in the way
	body         []byte // the end of tail
}

func keep(a Answer) *Kept {
	k := &Kept{body: a.Body}
	if a.ETag != "" {
		k.etag = []string{a.ETag}[:1:1]
	}
	if len(a.Body) > sniffed {
		k.length = []string{strconv.Itoa(len(a.Body))}[:1:1]
	}
	if whole := (scope.Answer{ContentType: jsonType, ETag: a.ETag, Body: a.Body}); len(a.Body) > 0 && whole.InOrder() {
		k.tail = whole.AppendTail(make([]byte, 0, len(a.Body)+len(a.ETag)+mostTail))
		k.body = k.tail[len(k.tail)-len(a.Body):]
	}
	return k
}

// mostTail is what the fields of a tail take beside their values, with a length
// of up to 20 digits.
const mostTail = len("Etag: \r\nContent-Type: application/json\r\nContent-Length: \r\n\r\n") + 20

// Size returns about how many bytes k takes.
func (k *Kept) Size() int { return 184 + max(cap(k.tail), cap(k.body)) }

// Bytes returns k as [ReadKept] takes it.
func (k *Kept) Bytes() []byte {
	var etag string
	if k.etag != nil {
		etag = k.etag[0]
	}
	data := binary.AppendUvarint(make([]byte, 0, len(etag)+len(k.body)+4), uint64(len(etag)))
	return append(append(data, etag...), k.body...)
}

// ReadKept returns the answer that data was made of.
func ReadKept(data []byte) (*Kept, error) {
	n, at := binary.Uvarint(data)
	if at <= 0 || n > uint64(len(data)-at) {
		return nil, errors.New("rest: these are not the bytes of a kept answer")
	}
	end := at + int(n)
	return keep(Answer{ETag: string(data[at:end]), Body: data[end:]}), nil
}

func (h *handler) compileKeeping() (err error) {
	if h.spec.Keep == nil && len(h.spec.Invalidates) == 0 {
		return nil
	}
	if h.cfg.Cache == nil {
		return errors.New("keeps or invalidates answers, but there is no cache")
	}
	if h.spec.Keep != nil {
		h.answers, err = h.cfg.Cache.Answers(h.spec, h.timeout)
	}
	return err
}

// look is what was found of a kept answer.
type look struct {
	kept  *Kept
	err   error  // that is kept in its place
	key   string // if the answer is to be made
	due   bool
	tried bool
}

// answers reports whether there is an answer that need not be made anew.
func (l look) answers() bool { return l.kept != nil && !l.due && l.err == nil }

// asksByPath reports whether a request may be answered from what is kept before
// its input is read: its path alone is in the key then, and the input. What is
// kept under it was made of the same input, which was in order.
func (h *handler) asksByPath(r *http.Request) bool {
	return h.answers != nil && r.URL.RawQuery == "" && (h.quota == nil || !h.spec.CountsInput())
}

func (h *handler) look(s *scope.Scope, r *http.Request) look {
	buf := buffers.Get().(*[]byte)
	key := h.appendKey((*buf)[:0], &s.Principal, r)
	l := look{tried: true}
	l.kept, l.due, l.err = h.answers.Look(key)
	if l.err == nil && !l.answers() {
		l.key = string(key)
	}
	*buf = key[:0]
	buffers.Put(buf)
	return l
}

// serveKept answers from what is kept, or makes it. The call goes over to
// whoever makes an answer; then it is not to be released, because that may take
// longer than this request.
func (h *handler) serveKept(ctx context.Context, s *scope.Scope, w http.ResponseWriter, r *http.Request, call op.Call, found look) (taken bool, err error) {
	if found.err != nil {
		return false, found.err
	}
	k := found.kept
	if !found.answers() {
		taken = true
		m := Making{Key: found.key, Run: h.apart(s), Make: func(ctx context.Context) (*Kept, error) { return h.make(ctx, call) }}
		if m.Tags, err = h.spec.Keep.Tags.Of(call.In()); err == nil {
			k, err = h.made(ctx, m, k)
		}
		if err != nil {
			return taken, err
		}
	}
	h.sendKept(w, r, k)
	return taken, nil
}

func (h *handler) made(ctx context.Context, m Making, old *Kept) (*Kept, error) {
	if old == nil {
		return h.answers.Load(ctx, m)
	}
	h.answers.Renew(m)
	return old, nil
}

// make runs the operation's function for all who wait for its answer.
func (h *handler) make(ctx context.Context, call op.Call) (*Kept, error) {
	if h.places != nil {
		if err := h.places.Enter(ctx); err != nil {
			return nil, err
		}
		defer h.places.Leave()
	}
	if err := call.Do(ctx); err != nil {
		h.holdContract(err)
		return nil, err
	}
	a, err := h.answer(nil, call.Out())
	if err != nil {
		return nil, err
	}
	return keep(a), nil
}

// appendKey appends what an answer depends on: who asks, as far as the function
// is told, and the input.
func (h *handler) appendKey(key []byte, who *access.Principal, r *http.Request) []byte {
	text := func(s string) {
		key = binary.AppendUvarint(key, uint64(len(s)))
		key = append(key, s...)
	}
	if h.spec.Keep.For == op.ForPrincipal {
		text(who.ID)
	}
	if h.spec.Keep.For != op.ForEveryone {
		text(who.Account)
		text(who.Role)
		for _, bits := range who.Granted {
			key = binary.LittleEndian.AppendUint64(key, bits)
		}
	}
	return h.input.AppendKey(key, r, r.URL.RawQuery)
}

// apart returns a context for a function whose answer others will get too. It
// knows of this request what stands in the key, and its trace.
func (h *handler) apart(s *scope.Scope) context.Context {
	run := scope.New(traced{context.Background(), s})
	run.TraceID, run.Operation = s.TraceID, s.Operation
	switch who := s.Principal; h.spec.Keep.For {
	case op.ForPrincipal:
		who.Credential = ""
		run.Principal = who
	case op.ForAccount:
		who.ID, who.Credential = "", ""
		return access.With(run, who) // a scope does not give out who is nobody
	case op.ForEveryone:
	}
	return run
}

// traced is a context that knows the trace of a request and nothing else.
type traced struct {
	context.Context //nolint:containedctx // it is one

	of *scope.Scope
}

// Value answers for the trace.
func (t traced) Value(key any) any {
	switch key.(type) {
	case trace.Key, trace.RecordingKey:
		return t.of.Value(key)
	}
	return nil
}

func (h *handler) sendKept(w http.ResponseWriter, r *http.Request, k *Kept) {
	etag := ""
	if k.etag != nil {
		etag = k.etag[0]
	}
	known := etag != "" && noneMatch(r, etag)
	if !known && h.spec.Returns == op.JSON && scope.Send(w, r, scope.Answer{
		Status: h.spec.Status, ContentType: jsonType, ETag: etag,
		CacheControl: h.cacheControl, Lines: h.lines, Body: k.body, Tail: k.tail,
	}) {
		return
	}
	header := scope.Fields(w)
	h.setHeaders(header, "")
	if k.etag != nil {
		header["Etag"] = k.etag
	}
	if known {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if h.spec.Returns == op.JSON {
		header["Content-Type"] = jsonValue
	}
	if k.length != nil {
		header["Content-Length"] = k.length
	}
	w.WriteHeader(h.spec.Status)
	if len(k.body) > 0 {
		_, _ = w.Write(k.body) //nolint:gosec,nolintlint // what was encoded as JSON, and says so
	}
}

// invalidating is a call of a command that drops what is kept.
type invalidating struct {
	op.Call

	h *handler
}

// Do runs the function, whose transactions invalidate.
func (c invalidating) Do(ctx context.Context) error {
	tags, err := c.h.spec.Invalidates.Of(c.In())
	if err != nil {
		return c.h.internalError("name what it invalidates", err)
	}
	ctx, done := c.h.cfg.Cache.Writing(ctx, tags)
	if err := c.Call.Do(ctx); err != nil {
		return err
	}
	return done()
}
