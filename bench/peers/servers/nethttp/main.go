// The peer net/http: ServeMux and the middlewares that teams put around it
// (rs/cors, unrolled/secure, httprate, otelhttp, golang-jwt, validator). Bare
// it is ServeMux, encoding/json and a check by hand: the limit of all others.
package main

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

func main() { shop.Main(serve) }

func serve(ctx context.Context, s shop.Settings, store *shop.Store, l net.Listener) (admin string, err error) {
	if s.Bare {
		mux := http.NewServeMux()
		routes(mux, shop.Handler{Store: store, Validate: (*shop.Order).Check}, func(_, _ string, h http.HandlerFunc) http.Handler { return h })
		go func() { _ = http.Serve(l, mux) }() //nolint:gosec // bare is without time-outs
		return "", nil
	}
	if err := stack.Tracing(ctx); err != nil {
		return "", err
	}
	validate := stack.Validator()
	mux := http.NewServeMux()
	routes(mux, shop.Handler{Store: store, Validate: func(in *shop.Order) error { return validate.Struct(in) }},
		func(pattern, permission string, h http.HandlerFunc) http.Handler {
			var routed http.Handler = h
			if permission != "" {
				routed = authorize(s.Secret, permission, routed)
			}
			return instrument(pattern, routed)
		})
	var h http.Handler = mux
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
	h = otelhttp.NewHandler(h, "http")
	stack.Serve(l, h)
	return stack.ServeMetrics()
}

func routes(mux *http.ServeMux, h shop.Handler, wrap func(pattern, permission string, h http.HandlerFunc) http.Handler) {
	for _, r := range []struct {
		pattern, permission string
		handler             http.HandlerFunc
	}{
		{"GET /v1/state", "", shop.State200},
		{"GET /v1/burn", "", shop.BurnCPU},
		{"POST /v1/quotes", stack.Write, h.Quote},
		{"POST /v1/payments", stack.Write, h.Create},
		{"GET /v1/payments", stack.Read, h.List},
		{"GET /v1/payments/{id}", stack.Read, h.Get},
		{"GET /v1/cached/{id}", stack.Read, h.Cached},
		{"GET /v1/events", stack.Read, shop.Events},
	} {
		mux.Handle(r.pattern, wrap(r.pattern, r.permission, r.handler))
	}
}

// authorize lets in whose token is good and whose role has the permission.
func authorize(secret []byte, permission string, next http.Handler) http.Handler {
	parser := jwt.NewParser(stack.Rules()...)
	key := func(*jwt.Token) (any, error) { return secret, nil }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		var claims stack.Claims
		if !ok {
			shop.Refuse(w, http.StatusUnauthorized)
			return
		}
		if _, err := parser.ParseWithClaims(token, &claims, key); err != nil {
			shop.Refuse(w, http.StatusUnauthorized)
			return
		}
		if !stack.May(claims.Role, permission) {
			shop.Refuse(w, http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
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
