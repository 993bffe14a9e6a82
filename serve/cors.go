package serve

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/internal/scope"
)

// CORSConfig says which pages of other origins may call this service, and read
// what it answers.
type CORSConfig struct {
	// Origins are the origins, as browsers send them: scheme://host, and :port
	// if it is not the scheme's own. There is no wildcard.
	Origins []string
	// Credentials lets those pages send cookies. Leave it off where tokens
	// travel in the Authorization header, which needs it not.
	Credentials bool
	// Headers are request headers that pages may send, and Expose answered
	// ones that they may read, beside those that every service here knows.
	Headers, Expose []string
	// MaxAge is how long a browser may keep the answer to a preflight. Zero
	// means 10 minutes; browsers cut what is above two hours.
	MaxAge time.Duration
	// Methods returns the methods that are answered at a request's path, none
	// if there is nothing: [Mux.Methods].
	Methods func(*http.Request) []string
}

// CORS is a compiled [CORSConfig], for [Observer]. An origin that is not
// listed, and "null", is answered as if CORS were unknown here.
type CORS struct {
	origins     map[string][]string // to the value of Access-Control-Allow-Origin
	credentials bool
	headers     []string
	expose      []string
	age         []string
	methods     func(*http.Request) []string
}

// The headers that the framework itself reads and answers.
var (
	readHeaders = []string{
		"Authorization", "Content-Encoding", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match",
		"Last-Event-ID", "Traceparent", "Tracestate", "X-Request-Id",
	}
	answeredHeaders = []string{
		"Content-Disposition", "Deprecation", "ETag", "Idempotency-Replayed", "Link", "Location",
		"RateLimit", "RateLimit-Policy", "Retry-After", "Sunset", "WWW-Authenticate", "X-Request-Id",
	}
)

// NewCORS compiles cfg. It returns an error for an origin that no browser
// sends, of all such origins.
func NewCORS(cfg CORSConfig) (*CORS, error) {
	c := &CORS{
		origins:     make(map[string][]string, len(cfg.Origins)),
		credentials: cfg.Credentials,
		headers:     one(strings.Join(slices.Concat(readHeaders, cfg.Headers), ", ")),
		expose:      one(strings.Join(slices.Concat(answeredHeaders, cfg.Expose), ", ")),
		methods:     cfg.Methods,
	}
	orDuration(&cfg.MaxAge, 10*time.Minute)
	c.age = one(strconv.Itoa(int(cfg.MaxAge.Seconds())))
	var errs []error
	for _, origin := range cfg.Origins {
		errs = append(errs, CheckOrigin(origin))
		c.origins[origin] = one(origin)
	}
	return c, errors.Join(errs...)
}

// CheckOrigin returns an error if no browser sends the origin in this form:
// anything but scheme://host[:port] of http or https in lower case, with the
// port if it is not the scheme's own, and a host of ASCII.
func CheckOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || origin == "null" || strings.Contains(origin, "*") {
		return fmt.Errorf("the origin %q has not the form scheme://host[:port]; there is no wildcard", origin)
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.String()
		if addr.Is6() {
			host = "[" + host + "]"
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err == nil && n > 0 {
		port = ":" + strconv.FormatUint(n, 10)
	}
	if u.Scheme == "http" && port == ":80" || u.Scheme == "https" && port == ":443" {
		port = ""
	}
	sent := u.Scheme + "://" + host + port
	switch {
	case u.Scheme != "http" && u.Scheme != "https", u.User != nil:
		return fmt.Errorf("the origin %q has not the form https://host[:port]", origin)
	case strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return fmt.Errorf("the origin %q has a host that is not ASCII; write it in its xn-- form", origin)
	case sent != origin:
		return fmt.Errorf("the origin %q is sent by browsers as %q", origin, sent)
	}
	return nil
}

func one(value string) []string { return []string{value}[:1:1] } // shared: Add copies it

var (
	varyOrigin    = one("Origin")
	varyPreflight = one("Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	yes           = one("true")
)

// dress gives an answer what lets a page read it. A cache must know that it
// differs by origin, even if this request has none.
func (c *CORS) dress(x *response, r *http.Request) {
	origin := r.Header["Origin"]
	if len(origin) == 0 && r.Method != http.MethodGet && r.Method != http.MethodHead {
		return // nothing that is kept
	}
	x.vary()
	if len(origin) != 1 {
		return
	}
	if allowed := c.origins[origin[0]]; allowed != nil {
		h := x.Fields()
		h["Access-Control-Allow-Origin"] = allowed
		h["Access-Control-Expose-Headers"] = c.expose
		if c.credentials {
			h["Access-Control-Allow-Credentials"] = yes
		}
	}
}

// preflight answers a browser that asks on a listed page's behalf what it may
// send, and reports whether the request was that. It says what is declared at
// the path, to anybody, because the question itself carries no credential.
func (c *CORS) preflight(x *response, r *http.Request) bool {
	if r.Method != http.MethodOptions || len(r.Header["Access-Control-Request-Method"]) != 1 {
		return false
	}
	h := x.Fields()
	if _, listed := h["Access-Control-Allow-Origin"]; !listed || c.methods == nil {
		return false
	}
	x.scope.Operation = "preflight"
	h["Vary"] = varyPreflight
	delete(h, "Access-Control-Expose-Headers")
	methods := c.methods(r)
	if len(methods) == 0 {
		scope.Refuse(x, fault.ErrNotFound.Because("There is nothing at this path."))
		return true
	}
	h["Access-Control-Allow-Methods"] = []string{strings.Join(methods, ", ")}
	h["Access-Control-Allow-Headers"] = c.headers
	h["Access-Control-Max-Age"] = c.age
	x.WriteHeader(http.StatusNoContent)
	return true
}
