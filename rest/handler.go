package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/internal/input"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/op"
)

// Handler returns the route and handler of a public operation, in the order
// that [http.ServeMux.Handle] takes them. It panics if the declaration is
// mistaken; use [New] to get the mistake as an error, or to serve operations
// that need a principal.
func Handler(o op.Operation) (pattern string, h http.Handler) {
	h, err := New(o, Config{})
	if err != nil {
		panic(err)
	}
	return o.Spec().Pattern(), h
}

// New compiles the handler of a Query or Command. The error joins the
// operation's own mistakes with what cfg lacks to serve it.
func New(o op.Operation, cfg Config) (http.Handler, error) {
	if err := op.Check([]op.Operation{o}); err != nil {
		return nil, err
	}
	s := o.Spec()
	if s.Kind == op.IsStream {
		return nil, o.Mistakef("a stream is not served by this package")
	}
	h := &handler{
		spec: s, cfg: cfg,
		timeout:  firstSet(s.Timeout, cfg.Timeout, DefaultTimeout),
		maxBody:  firstSet(s.MaxBody, cfg.MaxBody, DefaultMaxBody),
		declared: map[string]bool{},
		gate:     roomOf(cfg.Gate, s),
		places:   roomOf(cfg.Places, s),
	}
	for _, f := range s.Faults() {
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
	h.input, err = input.Compile(s.In, s.PathFields, s.Kind == op.IsCommand)
	fail(err)
	fail(h.compileAnswer())
	if s.Concurrency > 0 && h.places == nil {
		fail(errors.New("bounds its concurrency, but there is nothing that does"))
	}
	fail(h.compileLimits())
	fail(h.compileKeeping())
	if s.Idempotent > 0 && cfg.Idempotency == nil {
		fail(errors.New("is idempotent, but there is no store for keys"))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return h, nil
}

func firstSet[T int64 | time.Duration](values ...T) T {
	for _, v := range values {
		if v > 0 {
			return v
		}
	}
	return 0
}

type handler struct {
	spec    *op.Spec
	cfg     Config
	timeout time.Duration
	maxBody int64
	gate    Room // nil for none
	places  Room // nil for any number
	needs   access.Set
	// declared holds the codes of the contract.
	declared map[string]bool
	limits   Limits  // nil for none
	quota    Quota   // nil for none
	answers  Answers // nil where none are kept

	input   *input.Input
	encoder *codec.Encoder
	headers []headerValue
	// The same for an answer that is sent as a whole: see [scope.Answer].
	cacheControl string
	lines        []byte

	place location
}

func (h *handler) compileAccess() error {
	if !h.spec.Asks() {
		return nil
	}
	if h.cfg.Authenticate == nil {
		return errors.New("needs a principal, but nothing authenticates requests")
	}
	if h.spec.Access != op.ByPermission {
		return nil
	}
	if h.cfg.Policy == nil {
		return errors.New("needs permissions, but there is no policy")
	}
	needs, err := h.cfg.Policy.Register(h.spec.Permissions...)
	h.needs = needs
	return err
}

// ServeHTTP runs the steps that the package comment lists.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := scope.From(w)
	if s == nil {
		s = scope.New(r.Context())
		defer s.Close()
	}
	s.Operation = h.spec.Name
	s.SetTimeout(h.timeout)
	ctx, cancel := h.context(s, r)
	defer cancel()
	if err := h.serve(ctx, s, w, r); err != nil {
		h.fail(s, w, r, err)
	}
}

// context returns what the function runs with: the scope, and through it
// whatever handlers in front of this one have put into the request's context.
func (h *handler) context(s *scope.Scope, r *http.Request) (context.Context, context.CancelFunc) {
	ctx := r.Context()
	switch {
	case ctx == context.Context(s), r == s.Request:
	case scope.Context(ctx) == s:
		// Derived from the scope before the scope had its deadline.
		return context.WithTimeout(ctx, h.timeout)
	default:
		s.Init(ctx)
	}
	return s, func() {}
}

// serve and the functions below it have a deferred call each at most: a
// function with several, and many ways out, pays for keeping account of them.
func (h *handler) serve(ctx context.Context, s *scope.Scope, w http.ResponseWriter, r *http.Request) error {
	if h.gate == nil {
		return h.admitted(ctx, s, w, r)
	}
	if err := h.gate.Enter(ctx); err != nil {
		return err
	}
	defer h.gate.Leave()
	return h.admitted(ctx, s, w, r)
}

func (h *handler) admitted(ctx context.Context, s *scope.Scope, w http.ResponseWriter, r *http.Request) error {
	if err := h.admit(ctx, s, w, r); err != nil {
		return err
	}
	if h.spec.Returns == op.JSON && !input.Accepts(r.Header["Accept"], jsonType) {
		return fault.ErrNotAcceptable.Because("The answer is %s; Accept must admit it.", jsonType)
	}
	body, err := h.readBody(r)
	if err != nil {
		return err
	}
	var found look
	if h.asksByPath(r) {
		if found = h.look(s, r); found.answers() {
			h.sendKept(w, r, found.kept)
			return nil
		}
	}
	call := h.spec.NewCall()
	taken, err := h.take(ctx, s, w, r, call, body, found)
	if !taken { // nor after a panic: who knows who has it then
		call.Release()
	}
	return err
}

// take reads the input and answers, from what is kept or by the call. It
// reports whether somebody else has the call now.
func (h *handler) take(ctx context.Context, s *scope.Scope, w http.ResponseWriter, r *http.Request, call op.Call, body []byte, found look) (taken bool, err error) {
	if err := h.input.Read(r, r.URL.RawQuery, body, call.In()); err != nil {
		return false, err
	}
	if h.quota != nil && h.spec.CountsInput() {
		if err := h.quota.Take(ctx, scope.Fields(w), call.In()); err != nil {
			return false, err
		}
	}
	if h.answers != nil {
		if !found.tried {
			found = h.look(s, r)
		}
		return h.serveKept(ctx, s, w, r, call, found)
	}
	ctx, err = h.precondition(ctx, r)
	if err != nil {
		return false, err
	}
	if h.places == nil {
		return false, h.run(ctx, s, w, r, call, body)
	}
	if err := h.places.Enter(ctx); err != nil {
		return false, err
	}
	defer h.places.Leave()
	return false, h.run(ctx, s, w, r, call, body)
}

func (h *handler) run(ctx context.Context, s *scope.Scope, w http.ResponseWriter, r *http.Request, call op.Call, body []byte) error {
	if len(h.spec.Invalidates) > 0 {
		call = invalidating{call, h}
	}
	if h.spec.Idempotent > 0 && (!h.spec.KeyOptional || len(r.Header["Idempotency-Key"]) > 0) {
		return h.serveOnce(ctx, s, w, r, call, body)
	}
	if h.spec.Stale > 0 && h.cfg.Stale != nil {
		ctx = h.cfg.Stale(ctx, h.spec.Stale)
	}
	if err := call.Do(ctx); err != nil {
		h.holdContract(err)
		return err
	}
	return h.respond(w, r, call.Out())
}

// admit finds out who is asking, whether they may, and whether they do not ask
// too often.
func (h *handler) admit(ctx context.Context, s *scope.Scope, w http.ResponseWriter, r *http.Request) error {
	err := h.identify(ctx, s, w, r)
	if h.limits != nil {
		err = h.limits.Enter(ctx, w, err)
	}
	switch {
	case err != nil:
		return err
	case h.spec.Access != op.ByEveryone && !s.Principal.Granted.Has(h.needs):
		return fault.ErrDenied.Because("This needs the permission %s.", list(h.spec.Permissions))
	case h.quota != nil: // those who may not must not spend what others may
		return h.quota.Take(ctx, scope.Fields(w), nil)
	}
	return nil
}

// identify finds out who is asking, where that matters.
func (h *handler) identify(ctx context.Context, s *scope.Scope, w http.ResponseWriter, r *http.Request) error {
	if !h.spec.Asks() {
		return nil
	}
	if h.limits != nil {
		if err := h.limits.Knock(ctx, w); err != nil {
			return err
		}
	}
	who, err := h.cfg.Authenticate(r)
	if h.spec.Access == op.ByEveryone && unasked(who, err) {
		return nil
	}
	if err != nil {
		return err
	}
	if who.Anonymous() {
		return fault.ErrUnauthenticated
	}
	s.Principal = who
	return nil
}

// unasked reports whether the caller did not say who it is.
func unasked(who access.Principal, err error) bool {
	f, refused := fault.Of(err)
	return err == nil && who.Anonymous() || refused && f.Code() == fault.ErrUnauthenticated.Code()
}

func list(permissions []access.Permission) string {
	names := make([]string, len(permissions))
	for i, p := range permissions {
		names[i] = string(p)
	}
	return strings.Join(names, " and ")
}

// internalError marks a failure of the derivation itself, so that its text
// names the operation in the log.
func (h *handler) internalError(what string, err error) error {
	return fmt.Errorf("%s: %s: %w", h.spec.Name, what, err)
}
