package graphql

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/codec"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/op"
)

// Handler serves an endpoint. Make it with [New].
type Handler struct {
	schema        *schema
	operations    http.Handler
	cfg           Config
	limits        Limits
	credentials   []string
	introspection bool
	initWait      time.Duration
	continues     bool // who answers finds the trace without a header
	documents     *cache[*document]
	texts         *cache[string] // as JSON, by their hash
}

// New derives an endpoint from operations. Each field is answered by handler,
// which serves the operations' routes: the app's whole public handler, with all
// that stands before it. Files and what sets cookies have no field.
func New(operations []op.Operation, handler http.Handler, cfg Config) (*Handler, error) {
	s, err := build(operations, cfg.Relations)
	if err != nil {
		return nil, err
	}
	h := &Handler{
		schema: s, operations: handler, cfg: cfg, limits: cfg.Limits.orStandard(), introspection: cfg.Introspection,
		initWait: cmp.Or(max(cfg.InitWait, 0), standardInitWait),
	}
	h.continues = continues(handler) && (cfg.Related == nil || continues(cfg.Related))
	for _, name := range cfg.Credentials {
		h.credentials = append(h.credentials, http.CanonicalHeaderKey(name))
	}
	if len(h.credentials) == 0 {
		h.credentials = []string{"Authorization"}
	}
	h.documents, h.texts = newCache[*document](h.limits.Plans), newCache[string](h.limits.Plans)
	return h, nil
}

// continues reports whether a handler observes, and so finds the trace of who asks
// by asking.
func continues(h http.Handler) bool {
	_, does := h.(interface{ Continues() })
	return does
}

// standardInitWait is how long a socket waits for connection_init.
const standardInitWait = 10 * time.Second

// SDL returns the schema in the schema definition language.
func (h *Handler) SDL() string { return h.schema.sdl }

// An exchange is one request.
type exchange struct {
	r *http.Request
	// events says that the caller takes server-sent events.
	events bool
	scope  *scope.Scope    // nil where nobody observes
	within context.Context // is the scope, or derived from it
	asked  asked
	// document is what is asked, where the request was recognised, and room that
	// in which its body lies.
	document *document
	room     *[]byte
	plan     *plan
	vars     variables
	one      [1]result // of most documents
}

// context is what the operations are asked with.
func (x *exchange) context() context.Context {
	if x.scope != nil {
		return x.within
	}
	return x.r.Context()
}

// ServeHTTP answers GET and POST as GraphQL over HTTP says.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.cfg.Sockets != nil && upgrading(r) {
		h.cfg.Sockets.Talk(w, r.WithContext(scope.Outside(r.Context())), protocol{h})
		return
	}
	x := &exchange{r: r, scope: scope.From(w), events: takesEvents(r)}
	defer x.release()
	x.observe()
	media, err := negotiate(r)
	if err != nil {
		h.refuse(w, x, jsonType, err)
		return
	}
	if err := h.prepare(w, x); err != nil {
		h.refuse(w, x, media, err)
		return
	}
	if x.plan.operation.Operation != ast.Subscription {
		h.answer(w, x, media)
		return
	}
	if !x.events {
		h.refuse(w, x, jsonType, noEvents)
		return
	}
	h.stream(w, x)
}

// observed is the scope of the request, if it has a place in a trace.
func (x *exchange) observed() *scope.Scope {
	if x.scope == nil || !x.scope.Trace.Valid() {
		return nil
	}
	return x.scope
}

// observe has the operations find what was observed of the request, where that
// is not in its context yet.
func (x *exchange) observe() {
	if x.scope == nil {
		return
	}
	if x.within = x.r.Context(); scope.Context(x.within) != x.scope {
		x.scope.Init(x.within)
		x.within = x.scope
	}
}

// prepare reads a request up to the plan that answers it.
func (h *Handler) prepare(w http.ResponseWriter, x *exchange) error {
	if err := h.read(w, x); err != nil {
		return err
	}
	return h.compile(x)
}

// compile finds the plan for what is asked.
func (h *Handler) compile(x *exchange) error {
	var err error
	d := x.document
	if d == nil {
		if d, err = h.find(&x.asked); err != nil {
			return err
		}
	}
	if x.r.Method == http.MethodGet && d.operation.Operation == ast.Mutation {
		return mutationByGet
	}
	if x.vars, err = h.schema.coerce(d.operation, x.asked.variables); err != nil {
		return err
	}
	for _, name := range d.conditions {
		// Fragments that this operation does not use have variables of others.
		on, _ := x.vars.of(name)
		if _, decided := on.(bool); !decided && d.operation.VariableDefinitions.ForName(name) != nil {
			return refused(ErrVariables, d.operation.Position, "The variable $"+name+" decides what is left out, and cannot be null.")
		}
	}
	if x.plan, err = h.plan(d, x.vars); err != nil {
		return err
	}
	return h.refuseCost(x.plan, x.vars)
}

// find returns the document of a request.
func (h *Handler) find(a *asked) (*document, error) {
	if err := h.recall(a); err != nil {
		return nil, err
	}
	var room [512]byte
	key := a.appendKey(room[:0])
	if d, known := h.documents.get(key); known {
		return d, nil
	}
	text, unread := textOf(a.query)
	name, unnamed := textOf(a.operation)
	if err := errors.Join(unread, unnamed); err != nil {
		return nil, fault.ErrMalformed.Because("A text of the request cannot be read.").Wrap(err)
	}
	d, err := h.parse(text, name)
	if err == nil && len(key) <= largestKept {
		h.documents.put(string(key), d)
	}
	return d, err
}

// appendKey appends what a document is kept by: its texts as JSON, in which
// there is no NUL.
func (a *asked) appendKey(b []byte) []byte {
	return append(append(append(b, a.operation...), 0), a.query...)
}

// largestKept is the length of a document above which it is not kept.
const largestKept = 16 << 10

// A result is what a field of the root answered.
type result struct {
	data     []byte
	failures failures
	header   http.Header
	room     *[]byte // in which data lies, if it is a buffer's

	step    *step
	picker  *codec.Picker // what writes data from the operation's value, or nil
	picked  bool          // it did
	cursors []string      // behind the items of the value, if they are asked for
}

// Take implements [ask.Taker].
func (r *result) Take(answer any) (n int, taken bool) {
	if r.step.cursors {
		r.cursors = cursorsOf(answer)
	}
	if r.picker == nil {
		return 0, false
	}
	room := buffers.Get().(*[]byte)
	data, ok := r.picker.Append((*room)[:0], answer, r.cursors)
	if !ok {
		buffers.Put(room)
		return 0, false
	}
	*room = data[:0] // it may have grown
	r.data, r.room, r.picked = data, room, true
	return len(data), true
}

// answer runs a plan and sends what came of it.
func (h *Handler) answer(w http.ResponseWriter, x *exchange, media string) {
	buf := buffers.Get().(*[]byte)
	b, found, results := h.execute(x, (*buf)[:0])
	switch {
	case media == eventType:
		sendEvents(w, x.r, b)
	case x.r.Method == http.MethodGet:
		h.sendKept(w, x, media, b, found, results)
	default:
		send(w, x.r, media, http.StatusOK, b)
	}
	if cap(b) <= maxPooled {
		*buf = b[:0]
		buffers.Put(buf)
	}
}

// execute runs a plan and appends what came of it.
func (h *Handler) execute(x *exchange, b []byte) ([]byte, failures, []result) {
	results := x.one[:]
	if len(x.plan.root) != 1 {
		results = make([]result, len(x.plan.root))
	}
	if x.plan.operation.Operation == ast.Query && x.plan.asked > 1 {
		h.together(x, results)
	} else {
		for i, st := range x.plan.root { // commands are done one after the other
			h.resolve(x, st, &results[i])
		}
	}
	var found failures
	for _, res := range results {
		found = append(found, res.failures...)
	}
	b = append(b, '{')
	if len(found) > 0 {
		b = append(found.append(append(b, `"errors":`...)), ',')
	}
	b = append(b, `"data":{`...)
	for i, st := range x.plan.root {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, st.key...), results[i].data...)
		results[i].release()
	}
	return append(b, '}', '}'), found, results
}

// release gives the room of the data back, which has been sent or copied.
func (r *result) release() {
	if r.room != nil && cap(*r.room) <= maxPooled {
		buffers.Put(r.room)
	}
	r.data, r.room = nil, nil
}

// maxTogether is how many fields of one document are answered at once.
const maxTogether = 4

// together asks several operations at once.
func (h *Handler) together(x *exchange, results []result) {
	var asking sync.WaitGroup
	places := make(chan struct{}, maxTogether)
	for i, st := range x.plan.root {
		places <- struct{}{}
		asking.Go(func() {
			defer func() { <-places }()
			h.resolve(x, st, &results[i])
		})
	}
	asking.Wait()
}

// resolve answers one field of the root.
func (h *Handler) resolve(x *exchange, st *step, res *result) {
	switch st.kind {
	case isTypename:
		res.data = st.text
		return
	case introspection:
		res.data = h.introspect(x, st.asks)
		return
	default:
	}
	if res.step = st; !st.call.empty {
		res.picker = st.picker(st.resumed(x.vars))
	}
	answer := h.ask(x.context(), x, st, res)
	if x.r.Method != http.MethodPost {
		res.header = answer.Header()
	}
	switch {
	case answer.Status >= http.StatusMultipleChoices:
		res.release() // what was taken before it broke
		res.data, res.failures = null, failures{problem(answer, st, &trail{name: st.name})}
	case st.call.empty:
		res.data = []byte("true")
	case !res.picked:
		res.room = buffers.Get().(*[]byte)
		res.data, res.failures = h.projected(x.context(), x, st, res.room, answer.Body.Bytes(), res.cursors, &trail{name: st.name})
		answer.Release()
	}
}

// projected is what is sent of a value of a field of the root. It lies in room,
// or anywhere but in the body.
func (h *Handler) projected(ctx context.Context, x *exchange, st *step, room *[]byte, body []byte, cursors []string, at *trail) (data []byte, found failures) {
	p := projection{resumed: st.resumed(x.vars), cursors: cursors}
	data, ok := p.value((*room)[:0], st, st.typ, body, at)
	*room = data[:0] // it may have grown
	if !ok {
		data = null
	}
	found = p.failures
	if len(p.holes) > 0 {
		found = append(found, h.fill(ctx, x, p.holes)...)
		data = filled(data, p.holes)
	}
	return data, found
}

// resumed reports whether a page was asked for by a cursor.
func (st *step) resumed(vars variables) bool {
	a := st.arguments.ForName(after)
	return st.call.paged && a != nil && literal(a.Value, vars) != nil
}

// sendKept sends an answer to a GET, which may be kept as long as all of those
// that it is made of.
func (*Handler) sendKept(w http.ResponseWriter, x *exchange, media string, b []byte, found failures, results []result) {
	header := scope.Fields(w)
	header["Vary"] = []string{"Accept, Authorization, Cookie"}
	if len(found) == 0 {
		if age, ok := keptFor(x.plan, results); ok {
			header["Cache-Control"] = []string{age}
			tag := hashTag(b)
			header["Etag"] = []string{tag}
			if noneMatch(x.r, tag) {
				w.WriteHeader(http.StatusNotModified)
				return
			}
		}
	}
	send(w, x.r, media, http.StatusOK, b)
}

// keptFor returns the Cache-Control of an answer: the shortest of its parts.
func keptFor(p *plan, results []result) (control string, ok bool) {
	least := -1
	if p.related > 0 {
		return "", false // what they answer has no such time
	}
	for i, st := range p.root {
		if st.call == nil {
			continue
		}
		if !st.call.spec.Cached || len(results[i].header["Cache-Control"]) == 0 {
			return "", false
		}
		if seconds := int(st.call.spec.CacheFor.Seconds()); least < 0 || seconds < least {
			least = seconds
		}
	}
	switch {
	case least < 0:
		return "", false
	case least == 0:
		return "private, no-cache", true
	}
	return "private, max-age=" + strconv.Itoa(least), true
}

func noneMatch(r *http.Request, tag string) bool {
	for _, line := range r.Header["If-None-Match"] {
		for part := range strings.SplitSeq(line, ",") {
			if part = strings.TrimSpace(part); part == "*" || strings.TrimPrefix(part, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// refuse answers a request that no operation was asked for.
func (h *Handler) refuse(w http.ResponseWriter, x *exchange, media string, err error) {
	status, found := statusOf(err)
	if x.scope != nil {
		x.scope.Code = found[0].code
	}
	if media == eventType { // errors of documents are told in the way that was asked for
		if slices.Contains(lenient, found[0].code) {
			sendEvents(w, x.r, found.alone())
			return
		}
		media = jsonType
	}
	if media == jsonType && slices.Contains(lenient, found[0].code) {
		status = http.StatusOK // as the older way of GraphQL over HTTP has it
	}
	if allow, ok := errors.AsType[*wrongMethod](err); ok {
		w.Header().Set("Allow", allow.allow)
	}
	send(w, x.r, media, status, found.alone())
}

// lenient are the codes of requests that were read well and hold a document
// that is wrong: application/json says so with 200.
var lenient = []string{
	ErrSyntax.Code(), ErrDocument.Code(), ErrVariables.Code(), ErrTooMuch.Code(), ErrIntrospection.Code(), ErrPersisted.Code(),
}
