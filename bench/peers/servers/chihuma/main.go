// The peer Huma on Chi: operations, validation and the roles by Huma; Chi's
// middlewares, httplog, httprate, otelhttp and golang-jwt around it.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/cors"
	"github.com/go-chi/httplog/v3"
	"github.com/go-chi/httprate"
	"github.com/golang-jwt/jwt/v5"
	"github.com/unrolled/secure"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/ashlar-go/ashlar/bench/peers/shop"
	"github.com/ashlar-go/ashlar/bench/peers/stack"
)

func main() { shop.Main(serve) }

func serve(ctx context.Context, s shop.Settings, store *shop.Store, l net.Listener) (admin string, err error) {
	r := chi.NewMux()
	config := huma.DefaultConfig("shop", "1.0.0")
	config.CreateHooks = nil // answers without a link to their schema, as all peers' are
	if s.Bare {
		api := humachi.New(r, config)
		routes(api, handlers{store}, func(string) huma.Middlewares { return nil })
		go func() { _ = http.Serve(l, r) }() //nolint:gosec // bare is without time-outs
		return "", nil
	}
	if err := stack.Tracing(ctx); err != nil {
		return "", err
	}
	headers := secure.New(secure.Options{
		ContentTypeNosniff: true, FrameDeny: true, ReferrerPolicy: "no-referrer", ContentSecurityPolicy: "default-src 'none'",
		STSSeconds: 63072000, STSIncludeSubdomains: true, ForceSTSHeader: true,
	})
	r.Use(
		otelhttp.NewMiddleware("shop"),
		middleware.RequestID,
		echoID,
		httplog.RequestLogger(stack.Log(), &httplog.Options{
			Level: slog.LevelInfo, Schema: httplog.SchemaECS.Concise(true), RecoverPanics: true, LogExtraAttrs: requestID,
		}),
		instrument,
		headers.Handler,
		cors.Handler(cors.Options{
			AllowedOrigins: []string{shop.Origin}, AllowedMethods: []string{"GET", "POST"}, AllowedHeaders: []string{"Authorization", "Content-Type"},
		}),
		httprate.LimitByIP(s.Limit, shop.Window),
		deadline,
	)
	api := humachi.New(r, config)
	routes(api, handlers{store}, func(permission string) huma.Middlewares {
		if permission == "" {
			return nil
		}
		return huma.Middlewares{authorize(api, s.Secret, permission)}
	})
	stack.Serve(l, r)
	return stack.ServeMetrics()
}

type (
	stateOut struct{ Body shop.State }
	burnIn   struct {
		Rounds int `query:"rounds" minimum:"1" maximum:"1000000000"`
	}
	burnOut    struct{ Body shop.Sum }
	orderIn    struct{ Body shop.Order }
	paymentOut struct{ Body shop.Payment }
	byID       struct {
		ID string `path:"id"`
	}
	listIn struct {
		Limit  int    `query:"limit" minimum:"1" maximum:"100"`
		Cursor string `query:"cursor"`
	}
	pageOut struct{ Body shop.Page }
)

func routes(api huma.API, h handlers, guard func(permission string) huma.Middlewares) {
	public, read, write := guard(""), guard(stack.Read), guard(stack.Write)
	huma.Register(api, huma.Operation{Method: "GET", Path: "/v1/state", OperationID: "state", Middlewares: public}, h.state)
	huma.Register(api, huma.Operation{Method: "GET", Path: "/v1/burn", OperationID: "burn", Middlewares: public}, h.burn)
	huma.Register(api, huma.Operation{Method: "POST", Path: "/v1/quotes", OperationID: "quote", DefaultStatus: http.StatusCreated, MaxBodyBytes: shop.MaxBody, Middlewares: write}, h.quote)
	huma.Register(api, huma.Operation{Method: "POST", Path: "/v1/payments", OperationID: "create", DefaultStatus: http.StatusCreated, MaxBodyBytes: shop.MaxBody, Middlewares: write}, h.create)
	huma.Register(api, huma.Operation{Method: "GET", Path: "/v1/payments", OperationID: "list", Middlewares: read}, h.list)
	huma.Register(api, huma.Operation{Method: "GET", Path: "/v1/payments/{id}", OperationID: "get", Middlewares: read}, h.get)
	huma.Register(api, huma.Operation{Method: "GET", Path: "/v1/cached/{id}", OperationID: "cached", Middlewares: read}, h.cached)
	huma.Register(api, huma.Operation{Method: "GET", Path: "/v1/events", OperationID: "events", Middlewares: read}, h.events)
}

type handlers struct{ store *shop.Store }

func (handlers) state(context.Context, *struct{}) (*stateOut, error) { return &stateOut{shop.OK}, nil }

func (handlers) burn(_ context.Context, in *burnIn) (*burnOut, error) {
	return &burnOut{shop.Burn(in.Rounds)}, nil
}

func (handlers) quote(_ context.Context, in *orderIn) (*paymentOut, error) {
	return &paymentOut{shop.Quote(&in.Body)}, nil
}

func (h handlers) create(ctx context.Context, in *orderIn) (*paymentOut, error) {
	p, err := h.store.Insert(ctx, &in.Body)
	return &paymentOut{p}, failure(err)
}

func (h handlers) get(ctx context.Context, in *byID) (*paymentOut, error) {
	p, err := h.store.Find(ctx, in.ID)
	return &paymentOut{p}, failure(err)
}

func (h handlers) cached(ctx context.Context, in *byID) (*paymentOut, error) {
	p, err := h.store.Cached(ctx, in.ID)
	return &paymentOut{p}, failure(err)
}

func (h handlers) list(ctx context.Context, in *listIn) (*pageOut, error) {
	page, err := h.store.List(ctx, "mer_1", in.Cursor, in.Limit)
	return &pageOut{page}, failure(err)
}

func (handlers) events(context.Context, *struct{}) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humachi.Unwrap(ctx)
		shop.Events(w, r)
	}}, nil
}

func failure(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, shop.ErrNotFound):
		return huma.Error404NotFound("no such payment")
	}
	return huma.Error500InternalServerError("")
}

// authorize lets in whose token is good and whose role has the permission.
func authorize(api huma.API, secret []byte, permission string) func(huma.Context, func(huma.Context)) {
	parser := jwt.NewParser(stack.Rules()...)
	key := func(*jwt.Token) (any, error) { return secret, nil }
	refuse := func(ctx huma.Context, status int) {
		_ = huma.WriteErr(api, ctx, status, http.StatusText(status)) // a client that is gone reads no error either
	}
	return func(ctx huma.Context, next func(huma.Context)) {
		token, ok := strings.CutPrefix(ctx.Header("Authorization"), "Bearer ")
		var claims stack.Claims
		if !ok {
			refuse(ctx, http.StatusUnauthorized)
			return
		}
		if _, err := parser.ParseWithClaims(token, &claims, key); err != nil {
			refuse(ctx, http.StatusUnauthorized)
			return
		}
		if !stack.May(claims.Role, permission) {
			refuse(ctx, http.StatusForbidden)
			return
		}
		next(ctx)
	}
}

// echoID answers the request's id.
func echoID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(middleware.RequestIDHeader, middleware.GetReqID(r.Context()))
		next.ServeHTTP(w, r)
	})
}

func requestID(r *http.Request, _ string, _ int) []slog.Attr {
	return []slog.Attr{slog.String("request_id", middleware.GetReqID(r.Context()))}
}

func instrument(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, seen := time.Now(), middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(seen, r)
		stack.Observe(r.Method, chi.RouteContext(r.Context()).RoutePattern(), seen.Status(), time.Since(start))
	})
}

// deadline bounds a request, but no stream.
func deadline(next http.Handler) http.Handler {
	bounded := middleware.Timeout(shop.Timeout)(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/events" {
			next.ServeHTTP(w, r)
			return
		}
		bounded.ServeHTTP(w, r)
	})
}
