package live

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/internal/input"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/internal/sse"
	"github.com/ashlar-go/ashlar/internal/talk"
	"github.com/ashlar-go/ashlar/op"
)

// MediaType is the content type of a stream.
const MediaType = sse.MediaType

// Handler serves one stream operation. Make it with [Server.Handler].
type Handler struct {
	server   *Server
	spec     *op.Spec
	gate     Room // nil for none
	places   Room // nil for any number
	needs    access.Set
	declared map[string]bool // codes of the contract
	quota    Quota           // nil for none
	input    *input.Input
	resumes  bool // the input has a member for Last-Event-ID
	encoder  *codec.Encoder
	whole    *codec.Decoder // of the input as one object, for sockets
	rest     *codec.Decoder // of the same without its member for Last-Event-ID
	after    *codec.Field   // that member
	once     once
	tally    tally
}

// Handler compiles the handler of a stream, for the route that its Spec names.
// The error joins the operation's own mistakes with what the server lacks to
// serve it.
func (s *Server) Handler(o op.Operation) (*Handler, error) {
	if err := op.Check([]op.Operation{o}); err != nil {
		return nil, err
	}
	spec := o.Spec()
	if spec.Kind != op.IsStream {
		return nil, o.Mistakef("a %s is not served by this package", spec.Kind)
	}
	h := &Handler{
		server: s, spec: spec, declared: map[string]bool{},
		gate: roomOf(s.cfg.Gate, spec), places: roomOf(s.cfg.Places, spec),
	}
	for _, f := range spec.Faults() {
		h.declared[f.Code()] = true
	}
	var (
		err  error
		errs []error
	)
	fail := func(err error) {
		if err != nil {
			errs = append(errs, o.Mistakef("%w", err))
		}
	}
	fail(h.compileAccess())
	h.input, err = input.Compile(spec.In, spec.PathFields, false)
	fail(err)
	h.encoder, err = codec.CompileEncoder(spec.Out)
	fail(err)
	h.resumes = spec.In.Object.Field(op.After) != nil && !slices.Contains(spec.PathFields, op.After)
	if spec.Concurrency > 0 && h.places == nil {
		fail(errors.New("bounds its concurrency, but there is nothing that does"))
	}
	if len(spec.Quotas) > 0 {
		if s.cfg.Quota == nil {
			fail(errors.New("has a limit, but nothing counts its calls"))
		} else {
			h.quota, err = s.cfg.Quota(spec)
			fail(err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return h, nil
}

func roomOf(find func(*op.Spec) Room, s *op.Spec) Room {
	if find == nil {
		return nil
	}
	return find(s)
}

func (h *Handler) compileAccess() error {
	cfg := h.server.cfg
	switch {
	case !h.spec.Asks():
		return nil
	case cfg.Authenticate == nil:
		return errors.New("needs a principal, but nothing authenticates requests")
	case h.spec.Access != op.ByPermission:
		return nil
	case cfg.Policy == nil:
		return errors.New("needs permissions, but there is no policy")
	}
	needs, err := cfg.Policy.Register(h.spec.Permissions...)
	h.needs = needs
	return err
}

// Stats returns a snapshot of the operation's streams.
func (h *Handler) Stats() Stats { return h.tally.stats() }

// ServeHTTP runs the steps that the package comment lists.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := scope.From(w)
	if s == nil {
		s = scope.New(r.Context())
		defer s.Close()
	}
	s.Operation = h.spec.Name
	ctx := context.Context(s)
	if scope.Context(r.Context()) == s {
		ctx = r.Context()
	}
	hold, err := h.serve(ctx, s, w, r)
	if err != nil {
		h.fail(s, w, r, err)
		return
	}
	if hold != nil {
		hold.wait(r.Context())
	}
}

// serve opens a stream, or returns why there is none. One that the connection
// was not given to must be held until it ends.
func (h *Handler) serve(ctx context.Context, s *scope.Scope, w http.ResponseWriter, r *http.Request) (*held, error) {
	if h.gate != nil {
		if err := h.gate.Enter(ctx); err != nil {
			return nil, err
		}
		defer h.gate.Leave() // what is left to do is only to be open
	}
	to := talk.From(w)
	socket := to == nil && upgrading(r)
	if socket {
		var err error
		if r, err = h.server.checkOrigin(r); err == nil {
			err = checkHandshake(w, r)
		}
		if err != nil {
			return nil, err
		}
	}
	base, outer := context.WithoutCancel(r.Context()), access.From(r.Context())
	err := h.admit(ctx, s, w.Header(), r)
	if socket && unknown(err) {
		return nil, h.await(base, s, w, r)
	}
	if err != nil {
		return nil, err
	}
	if !socket && to == nil && !input.Accepts(r.Header["Accept"], MediaType) {
		return nil, fault.ErrNotAcceptable.Because("The answer is %s; Accept must admit it.", MediaType)
	}
	last, items, err := h.take(ctx, w.Header(), r)
	if err != nil {
		return nil, err
	}
	if r.Method == http.MethodHead {
		h.dress(w.Header())
		w.WriteHeader(http.StatusOK)
		return nil, nil //nolint:nilnil // nothing has to be held
	}
	st := h.newStream(base, s, h.server.keep(base, r, outer), last)
	st.opening.Load().spans = &s.Spans // what happens until it is open is part of the request
	st.to = to
	if err := st.enter(ctx); err != nil {
		return nil, err
	}
	var hold *held
	err = st.begin(r.Context().Done(), items(st), func() (err error) {
		switch {
		case to != nil:
			hold, err = st.carry(s, w, r)
		case socket:
			err = st.upgrade(s, w, r)
		default:
			hold, err = st.listen(s, w, r)
		}
		return err
	})
	return hold, err
}

// unknown reports whether an error says that nobody has said who it is.
func unknown(err error) bool {
	f, ok := fault.Of(err)
	return ok && f.Code() == fault.ErrUnauthenticated.Code()
}

// take reads the request: what was seen last, and the function with its input.
func (h *Handler) take(ctx context.Context, header http.Header, r *http.Request) (last string, items func(context.Context) iter.Seq2[any, error], err error) {
	if last, err = lastEventID(r.Header); err != nil {
		return "", nil, err
	}
	in, items := h.spec.NewStream()
	if err := h.read(r, last, in); err != nil {
		return "", nil, err
	}
	if h.quota != nil && h.spec.CountsInput() {
		if err := h.quota.Take(ctx, header, in); err != nil {
			return "", nil, err
		}
	}
	return last, items, nil
}

// read fills the input. Whoever comes back says with Last-Event-ID where it
// was; its URL may still say where it began.
func (h *Handler) read(r *http.Request, last string, in any) error {
	if r.ContentLength != 0 && r.Body != nil {
		if err := input.RefuseBody(r); err != nil {
			return err
		}
	}
	query := r.URL.RawQuery
	if last != "" && h.resumes {
		query = replaced(query, op.After, last)
	}
	return h.input.Read(r, query, nil, in)
}

// replaced gives a parameter of a query another value.
func replaced(query, name, value string) string {
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(key); pair != "" && (err != nil || key != name) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(append(kept, name+"="+url.QueryEscape(value)), "&")
}

// lastEventID returns what the caller saw last, or "".
func lastEventID(header http.Header) (string, error) {
	given := header["Last-Event-Id"]
	switch {
	case len(given) == 0:
		return "", nil
	case len(given) > 1:
		return "", fault.ErrMalformed.Because("The request has more than one Last-Event-ID.")
	case len(given[0]) > maxID, !utf8.ValidString(given[0]), hasControl(given[0]):
		return "", fault.ErrMalformed.Because("Last-Event-ID is no id that an event could have: it has a control character or more than %d bytes.", maxID)
	}
	return given[0], nil
}

// dress gives an answer the headers of a stream. Proxies must pass on what
// comes when it comes.
func (h *Handler) dress(header http.Header) {
	header["Content-Type"] = mediaValue
	header["Cache-Control"] = noStore
	header["X-Accel-Buffering"] = notBuffered
	h.announce(header)
}

// announce says that the operation is going away, where it is.
func (h *Handler) announce(header http.Header) {
	if at := h.spec.Deprecated; !at.IsZero() {
		header["Deprecation"] = []string{"@" + strconv.FormatInt(at.Unix(), 10)}
	}
	if at := h.spec.Sunset; !at.IsZero() {
		header["Sunset"] = []string{at.UTC().Format(http.TimeFormat)}
	}
}

// Shared by all answers: each one's capacity equals its length.
var (
	mediaValue  = []string{MediaType}[:1:1]
	noStore     = []string{"no-store"}[:1:1]
	notBuffered = []string{"no"}[:1:1]
)
