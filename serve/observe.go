package serve

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
	"github.com/ashlar-go/ashlar/logs"
	"github.com/ashlar-go/ashlar/trace"
)

// Observer says how requests are observed. The zero Observer trusts no proxy,
// accepts any host and logs nothing.
type Observer struct {
	// Log receives one access line per request: ERROR for a 5xx, except that
	// a 503 is WARN because shedding load is no defect, and INFO for the rest.
	// A panic adds one ERROR line with its stack. Nil logs neither.
	Log *slog.Logger

	// TrustedProxies are the networks whose X-Forwarded-For is believed. Nil
	// trusts nobody, and the client address is the peer's: right when nothing
	// stands in front. A network that is too wide lets callers choose the
	// address that they are limited and logged by.
	TrustedProxies []netip.Prefix

	// Hosts are the names that this service answers to, without ports. Any
	// other Host gets 421. Empty accepts every host; set it wherever the
	// names are known.
	Hosts []string

	// HSTS sends Strict-Transport-Security for two years, subdomains
	// included. Set it only where the public side is HTTPS: it cannot be
	// taken back before it expires.
	HSTS bool

	// CORS lets pages of other origins in. Nil lets none, and costs nothing.
	CORS *CORS

	// Tracer decides which requests are sampled and exports their spans. Nil
	// records nothing; trace contexts are passed on all the same.
	Tracer *trace.Tracer

	// TracePeers are the networks of those peers whose decision to sample a
	// trace is followed: a gateway that decides itself, a service of one's
	// own. It is the peer of the connection that counts. Nil follows nobody,
	// because everybody can set the flag, and it would make us record all that
	// he sends.
	TracePeers []netip.Prefix

	// Form has failures answered in a body of the API's own. Nil answers with
	// problem documents.
	Form *fault.Form

	// Done, if set, is told of each request after it was answered, on the
	// request's goroutine: the place for metrics. It must not keep the
	// Exchange's context beyond the call.
	Done func(ctx context.Context, e Exchange)
}

// Exchange is one request and how it was answered.
type Exchange struct {
	Operation string        // declared name, else the route's pattern, else empty
	Method    string        // as sent: bound it before it labels anything
	Path      string        // escaped as sent, without the query; at most 1 KiB
	Status    int           // 499 when the client left before anything was answered
	Bytes     int64         // body bytes written
	Received  int64         // length of the request's body as declared, -1 if it was not
	Duration  time.Duration // from here to the end of the handler
	Code      string        // of the fault that was answered, or empty
	RequestID string
	TraceID   string
	Principal string // id of who asked, or empty
	ClientIP  string
}

// Observe returns a handler that observes next. For each request it
//
//   - continues the caller's trace with a span of its own, or starts one, and
//     answers X-Request-Id: the caller's own if that is 8 to 64 characters of
//     [A-Za-z0-9._-], else the trace id;
//   - sets the security headers nosniff, a closed Content-Security-Policy,
//     no-referrer and no-store, which a handler may replace with Set, and the
//     headers of CORS; answers preflights itself;
//   - turns a panic into a 500 problem on a connection that lives on, or, when
//     the response had begun, aborts the connection so that nobody takes half
//     an answer for a whole one; http.ErrAbortHandler keeps its meaning;
//   - writes the access line, whatever happened.
//
// Trace context and principal travel in a context that costs the request no
// copy: the framework's own handlers take it from the writer. Wrap a raw
// handler in [WithScope] to find it in r.Context(). The writer offers Flush,
// Hijack and ReadFrom, and Unwrap for http.ResponseController.
func Observe(next http.Handler, o Observer) http.Handler {
	obs := &observer{
		next:     next,
		trusted:  o.TrustedProxies,
		hosts:    hostSet(o.Hosts),
		headers:  securityHeaders(o.HSTS),
		cors:     o.CORS,
		done:     o.Done,
		tracer:   o.Tracer,
		peers:    o.TracePeers,
		refusals: o.Form,
	}
	for i := range obs.headers {
		obs.letterhead = obs.headers[i].append(obs.letterhead)
		if obs.headers[i].name == "Cache-Control" {
			obs.cacheControl = 1 << i
			continue
		}
		obs.uncontrolled = obs.headers[i].append(obs.uncontrolled)
	}
	if o.Log != nil {
		obs.log = o.Log.Handler()
		obs.form = accessForm(obs.log)
	}
	return obs
}

type observer struct {
	next     http.Handler
	log      slog.Handler // nil for none
	form     *logs.Form   // nil if log has none
	trusted  []netip.Prefix
	hosts    map[string]bool
	headers  []header
	cors     *CORS // nil for none
	done     func(context.Context, Exchange)
	tracer   *trace.Tracer // nil for none
	peers    []netip.Prefix
	refusals *fault.Form // nil for problem documents

	letterhead   []byte // of all headers
	uncontrolled []byte // of all but Cache-Control, which operations replace
	cacheControl byte   // the bit of that one in response.ours
	date         date
}

func (o *observer) ServeHTTP(w http.ResponseWriter, r *http.Request) { o.serve(w, r, nil) }

// serve answers a request that came by the given connection, if that is known
// and w is net/http's own.
func (o *observer) serve(w http.ResponseWriter, r *http.Request, by *wire) {
	x := &response{ResponseWriter: w, obs: o, wire: by}
	x.scope.Begin = time.Now()
	x.scope.Request = r
	x.scope.Init(r.Context())
	var within *scope.Scope
	if by == nil {
		within = asking(w)
	} else {
		by.conn.fields.putBack(r.Header)
	}
	if within != nil {
		o.within(x, r, within)
	} else {
		o.identify(x, r)
		x.scope.Origin = access.Origin{
			Address: clientIP(by.host(r), r.Header["X-Forwarded-For"], o.trusted),
			Agent:   agent(r),
		}
	}
	x.problems = o.refusals == nil || fault.NamesProblem(r.Header["Accept"])
	if o.cors != nil && within == nil {
		o.cors.dress(x, r)
	}
	defer o.finish(x, r)

	if len(o.hosts) > 0 && !o.hosts[hostName(r.Host)] {
		scope.Refuse(x, fault.ErrMisdirected.Because("This service does not answer for the host that was asked."))
		return
	}
	if o.cors != nil && o.cors.preflight(x, r) {
		return
	}
	o.next.ServeHTTP(x, r)
}

// agent is r.UserAgent, which would look at each letter of the field's name.
func agent(r *http.Request) string {
	if said := r.Header["User-Agent"]; len(said) > 0 {
		return said[0]
	}
	return ""
}

// identify gives the request its place in a trace and its id.
func (o *observer) identify(x *response, r *http.Request) {
	s, h := &x.scope, r.Header
	var parent trace.Context
	if parents := h["Traceparent"]; len(parents) == 1 {
		var ok bool
		if parent, ok = trace.Parse(parents[0]); ok {
			s.Trace = parent.Child()
			s.Trace.State = trace.ParseState(h["Tracestate"])
		}
	}
	if !s.Trace.Valid() {
		s.Trace = trace.New()
	}
	s.Trace = s.Trace.WithSampled(o.tracer.Sample(s.Trace, parent.Valid(), o.follows(r.RemoteAddr)))
	o.tracer.Begin(&s.Spans, s.Trace, parent.SpanID, x.scope.Begin)
	s.TraceID = s.Trace.TraceIDString()
	s.RequestID = s.TraceID
	if ids := h["X-Request-Id"]; len(ids) == 1 && safeID(ids[0]) {
		s.RequestID = ids[0]
	}
}

// safeID reports whether a caller's request id can stand in headers and logs.
func safeID(id string) bool {
	if len(id) < 8 || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// WithScope returns a handler that gives next a request whose context carries
// what was observed, so that trace.From and access.From find it there. It is
// for handlers written against plain net/http; it costs a copy of the request.
// Without Observe in front it changes nothing.
func WithScope(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s := scope.From(w); s != nil {
			r = r.WithContext(s)
		}
		next.ServeHTTP(w, r)
	})
}
