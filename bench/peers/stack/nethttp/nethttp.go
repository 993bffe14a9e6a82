// Package nethttp is the stack of the peers that are built of net/http alone:
// ServeMux and the middlewares that teams put around it (rs/cors,
// unrolled/secure, httprate, otelhttp, golang-jwt, validator). Bare it is
// ServeMux, encoding/json and a check by hand: the limit of all others.
package nethttp

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/httprate"
	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/cors"
	"github.com/unrolled/secure"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/ashlar-go/ashlar/bench/peers/shop"
	"github.com/ashlar-go/ashlar/bench/peers/stack"
)

// Route is one of ServeMux. Without a permission it is public, unless it is
// Signed: then everybody with a good token is let in, and RoleOf tells the
// handler whom it has before it.
type Route struct {
	Pattern    string
	Permission string
	Signed     bool
	Handler    http.HandlerFunc
}

// Serve serves the shop, and what a peer has beside it, at l.
func Serve(ctx context.Context, s shop.Settings, store *shop.Store, l net.Listener, beside ...Route) (admin string, err error) {
	mux := http.NewServeMux()
	if s.Bare {
		for _, r := range append(routes(shop.Handler{Store: store, Validate: (*shop.Order).Check}), beside...) {
			mux.Handle(r.Pattern, r.Handler)
		}
		go func() { _ = http.Serve(l, mux) }() //nolint:gosec // bare is without time-outs
		return "", nil
	}
	if err := stack.Tracing(ctx); err != nil {
		return "", err
	}
	validate := stack.Validator()
	all := routes(shop.Handler{Store: store, Validate: func(in *shop.Order) error { return validate.Struct(in) }})
	for _, r := range append(all, beside...) {
		var routed http.Handler = r.Handler
		switch {
		case r.Signed:
			routed = authenticate(s.Secret, routed)
		case r.Permission != "":
			routed = authorize(s.Secret, r.Permission, routed)
		}
		mux.Handle(r.Pattern, instrument(r.Pattern, routed))
	}
	stack.Serve(l, around(s, mux))
	return stack.ServeMetrics()
}

// around is what every request passes.
func around(s shop.Settings, h http.Handler) http.Handler {
	h = http.MaxBytesHandler(h, shop.MaxBody)
	h = deadline(h)
	h = httprate.LimitByIP(s.Limit, shop.Window)(h)
	h = cors.New(cors.Options{
		AllowedOrigins: []string{shop.Origin}, AllowedMethods: []string{"GET", "POST"}, AllowedHeaders: []string{"Authorization", "Content-Type"},
	}).Handler(h)
	h = secure.New(secure.Options{
		ContentTypeNosniff: true, FrameDeny: true, ReferrerPolicy: "no-referrer", ContentSecurityPolicy: "default-src 'none'",
		STSSeconds: 63072000, STSIncludeSubdomains: true, ForceSTSHeader: true,
	}).Handler(h)
	h = recovery(h)
	h = access(stack.Log(), h)
	return otelhttp.NewHandler(h, "http")
}

func routes(h shop.Handler) []Route {
	return []Route{
		{Pattern: "GET /v1/state", Handler: shop.State200},
		{Pattern: "GET /v1/burn", Handler: shop.BurnCPU},
		{Pattern: "POST /v1/quotes", Permission: stack.Write, Handler: h.Quote},
		{Pattern: "POST /v1/payments", Permission: stack.Write, Handler: h.Create},
		{Pattern: "GET /v1/payments", Permission: stack.Read, Handler: h.List},
		{Pattern: "GET /v1/payments/{id}", Permission: stack.Read, Handler: h.Get},
		{Pattern: "GET /v1/cached/{id}", Permission: stack.Read, Handler: h.Cached},
		{Pattern: "GET /v1/events", Permission: stack.Read, Handler: shop.Events},
	}
}

// verifier reads the token of a request.
type verifier struct {
	parser *jwt.Parser
	secret []byte
}

func newVerifier(secret []byte) verifier {
	return verifier{jwt.NewParser(stack.Rules()...), secret}
}

func (v verifier) claims(r *http.Request) (claims stack.Claims, ok bool) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return claims, false
	}
	_, err := v.parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return v.secret, nil })
	return claims, err == nil
}

// authorize lets in whose token is good and whose role has the permission.
func authorize(secret []byte, permission string, next http.Handler) http.Handler {
	v := newVerifier(secret)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, ok := v.claims(r)
		switch {
		case !ok:
			shop.Refuse(w, http.StatusUnauthorized)
		case !stack.May(claims.Role, permission):
			shop.Refuse(w, http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

type roleKey struct{}

// authenticate lets in whose token is good, and notes the role.
func authenticate(secret []byte, next http.Handler) http.Handler {
	v := newVerifier(secret)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, ok := v.claims(r)
		if !ok {
			shop.Refuse(w, http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), roleKey{}, claims.Role)))
	})
}

// RoleOf is the role of who asks for a Signed route, none where the peer is bare.
func RoleOf(ctx context.Context) string {
	role, _ := ctx.Value(roleKey{}).(string)
	return role
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter

	status int
	bytes  int
}

func (w *recorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.bytes += n
	return n, err
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// instrument counts the requests of a route.
func instrument(pattern string, next http.Handler) http.Handler {
	method, route, _ := strings.Cut(pattern, " ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, seen := time.Now(), &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		stack.Observe(method, route, seen.status, time.Since(start))
	})
}

// access gives each request an id and a line in the log.
func access(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, seen := time.Now(), &recorder{ResponseWriter: w, status: http.StatusOK}
		id := r.Header.Get("X-Request-Id")
		if id == "" {
			id = rand.Text()
		}
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(seen, r)
		log.LogAttrs(r.Context(), slog.LevelInfo, "request",
			slog.String("request_id", id), slog.String("method", r.Method), slog.String("path", r.URL.Path),
			slog.Int("status", seen.status), slog.Int("bytes", seen.bytes), slog.Duration("took", time.Since(start)),
			slog.String("client", r.RemoteAddr))
	})
}

func recovery(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				shop.Refuse(w, http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// deadline bounds a request, but no stream.
func deadline(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/events" {
			next.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), shop.Timeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
