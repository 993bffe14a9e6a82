// The peer Echo, with its own middlewares, echo-jwt, echoprometheus, otelecho
// and go-playground's validator, which its documentation names.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"

	"github.com/go-playground/validator/v10"
	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo-contrib/echoprometheus"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"go.opentelemetry.io/contrib/instrumentation/github.com/labstack/echo/otelecho"
	"golang.org/x/time/rate"

	"github.com/ashlar-go/ashlar/bench/peers/shop"
	"github.com/ashlar-go/ashlar/bench/peers/stack"
)

func main() { shop.Main(serve) }

func serve(ctx context.Context, s shop.Settings, store *shop.Store, l net.Listener) (admin string, err error) {
	e := echo.New()
	e.Validator = check{stack.Validator()}
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		status := http.StatusInternalServerError
		if known := new(echo.HTTPError); errors.As(err, &known) {
			status = known.Code
		}
		if !c.Response().Committed {
			_ = c.JSON(status, shop.ProblemOf(status)) // a client that is gone reads no error either
		}
	}
	if s.Bare {
		routes(e, handlers{store}, func(string) []echo.MiddlewareFunc { return nil })
		go func() { _ = http.Serve(l, e) }() //nolint:gosec // bare is without time-outs
		return "", nil
	}
	if err := stack.Tracing(ctx); err != nil {
		return "", err
	}
	stream := func(c echo.Context) bool { return c.Path() == "/v1/events" }
	e.IPExtractor = echo.ExtractIPDirect()
	e.Use(
		otelecho.Middleware("shop"),
		middleware.RequestID(),
		access(stack.Log()),
		echoprometheus.NewMiddleware("shop"),
		middleware.Recover(),
		middleware.SecureWithConfig(middleware.SecureConfig{
			ContentTypeNosniff: "nosniff", XFrameOptions: "DENY", ReferrerPolicy: "no-referrer", ContentSecurityPolicy: "default-src 'none'",
			HSTSMaxAge: 63072000,
		}),
		middleware.CORSWithConfig(middleware.CORSConfig{
			AllowOrigins: []string{shop.Origin}, AllowMethods: []string{"GET", "POST"}, AllowHeaders: []string{"Authorization", "Content-Type"},
		}),
		middleware.RateLimiterWithConfig(middleware.RateLimiterConfig{
			Store: middleware.NewRateLimiterMemoryStoreWithConfig(middleware.RateLimiterMemoryStoreConfig{
				Rate: rate.Limit(float64(s.Limit) / shop.Window.Seconds()), Burst: s.Limit, ExpiresIn: 2 * shop.Window,
			}),
		}),
		middleware.ContextTimeoutWithConfig(middleware.ContextTimeoutConfig{Timeout: shop.Timeout, Skipper: stream}),
		middleware.BodyLimit("1M"),
	)
	signedIn := echojwt.WithConfig(echojwt.Config{ParseTokenFunc: parse(s.Secret)})
	routes(e, handlers{store}, func(permission string) []echo.MiddlewareFunc {
		if permission == "" {
			return nil
		}
		return []echo.MiddlewareFunc{signedIn, allow(permission)}
	})
	stack.Serve(l, e)
	return stack.ServeMetrics()
}

func routes(e *echo.Echo, h handlers, guard func(permission string) []echo.MiddlewareFunc) {
	for _, r := range []struct {
		method, path, permission string
		handler                  echo.HandlerFunc
	}{
		{"GET", "/v1/state", "", h.state},
		{"GET", "/v1/burn", "", h.burn},
		{"POST", "/v1/quotes", stack.Write, h.quote},
		{"POST", "/v1/payments", stack.Write, h.create},
		{"GET", "/v1/payments", stack.Read, h.list},
		{"GET", "/v1/payments/:id", stack.Read, h.get},
		{"GET", "/v1/cached/:id", stack.Read, h.cached},
		{"GET", "/v1/events", stack.Read, echo.WrapHandler(http.HandlerFunc(shop.Events))},
	} {
		e.Add(r.method, r.path, r.handler, guard(r.permission)...)
	}
}

type check struct{ validate *validator.Validate }

func (c check) Validate(in any) error {
	if err := c.validate.Struct(in); err != nil {
		return echo.NewHTTPError(http.StatusUnprocessableEntity).SetInternal(err)
	}
	return nil
}

type handlers struct{ store *shop.Store }

func (handlers) state(c echo.Context) error { return c.JSON(http.StatusOK, shop.OK) }

func (handlers) burn(c echo.Context) error {
	var in struct {
		Rounds int `query:"rounds" validate:"min=1,max=1000000000"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, shop.Burn(in.Rounds))
}

func (h handlers) quote(c echo.Context) error {
	var in shop.Order
	if err := bind(c, &in); err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, shop.Quote(&in))
}

func (h handlers) create(c echo.Context) error {
	var in shop.Order
	if err := bind(c, &in); err != nil {
		return err
	}
	p, err := h.store.Insert(c.Request().Context(), &in)
	return answer(c, http.StatusCreated, p, err)
}

func (h handlers) get(c echo.Context) error {
	p, err := h.store.Find(c.Request().Context(), c.Param("id"))
	return answer(c, http.StatusOK, p, err)
}

func (h handlers) cached(c echo.Context) error {
	p, err := h.store.Cached(c.Request().Context(), c.Param("id"))
	return answer(c, http.StatusOK, p, err)
}

func (h handlers) list(c echo.Context) error {
	var in struct {
		Limit  int    `query:"limit" validate:"min=1,max=100"`
		Cursor string `query:"cursor"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	page, err := h.store.List(c.Request().Context(), "mer_1", in.Cursor, in.Limit)
	return answer(c, http.StatusOK, page, err)
}

func bind(c echo.Context, in any) error {
	if err := c.Bind(in); err != nil {
		return err
	}
	return c.Validate(in)
}

func answer(c echo.Context, status int, body any, err error) error {
	if errors.Is(err, shop.ErrNotFound) {
		return echo.ErrNotFound
	}
	if err != nil {
		return err
	}
	return c.JSON(status, body)
}

func parse(secret []byte) func(echo.Context, string) (any, error) {
	parser := jwt.NewParser(stack.Rules()...)
	key := func(*jwt.Token) (any, error) { return secret, nil }
	return func(_ echo.Context, token string) (any, error) {
		return parser.ParseWithClaims(token, &stack.Claims{}, key)
	}
}

func allow(permission string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			token, ok := c.Get("user").(*jwt.Token)
			if !ok {
				return echo.ErrUnauthorized
			}
			if claims, ok := token.Claims.(*stack.Claims); !ok || !stack.May(claims.Role, permission) {
				return echo.ErrForbidden
			}
			return next(c)
		}
	}
}

func access(log *slog.Logger) echo.MiddlewareFunc {
	return middleware.RequestLoggerWithConfig(middleware.RequestLoggerConfig{
		LogRequestID: true, LogMethod: true, LogURIPath: true, LogStatus: true, LogResponseSize: true, LogLatency: true, LogRemoteIP: true,
		HandleError: true,
		LogValuesFunc: func(c echo.Context, v middleware.RequestLoggerValues) error {
			log.LogAttrs(c.Request().Context(), slog.LevelInfo, "request",
				slog.String("request_id", v.RequestID), slog.String("method", v.Method), slog.String("path", v.URIPath),
				slog.Int("status", v.Status), slog.Int64("bytes", v.ResponseSize), slog.Duration("took", v.Latency),
				slog.String("client", v.RemoteIP))
			return nil
		},
	})
}
