// The peer Fiber, with its own middlewares, its contributors' for access
// tokens and OpenTelemetry, and go-playground's validator as its validator.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/go-playground/validator/v10"
	jwtware "github.com/gofiber/contrib/v3/jwt"
	fiberotel "github.com/gofiber/contrib/v3/otel"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/cors"
	"github.com/gofiber/fiber/v3/middleware/helmet"
	"github.com/gofiber/fiber/v3/middleware/limiter"
	"github.com/gofiber/fiber/v3/middleware/logger"
	"github.com/gofiber/fiber/v3/middleware/recover"
	"github.com/gofiber/fiber/v3/middleware/requestid"
	"github.com/gofiber/fiber/v3/middleware/timeout"
	"github.com/golang-jwt/jwt/v5"
	"go.opentelemetry.io/otel"
	metrics "go.opentelemetry.io/otel/metric/noop"

	"github.com/ashlar-go/ashlar/bench/peers/shop"
	"github.com/ashlar-go/ashlar/bench/peers/stack"
)

func main() { shop.Main(serve) }

func serve(ctx context.Context, s shop.Settings, store *shop.Store, l net.Listener) (admin string, err error) {
	config := fiber.Config{StructValidator: check{stack.Validator()}, ErrorHandler: fail}
	if s.Bare {
		app := fiber.New(config)
		routes(app, handlers{store}, plain)
		listen(app, l)
		return "", nil
	}
	if err := stack.Tracing(ctx); err != nil {
		return "", err
	}
	config.BodyLimit, config.ReadBufferSize = shop.MaxBody, shop.MaxHeader
	config.ReadTimeout, config.WriteTimeout, config.IdleTimeout = shop.ReadTimeout, shop.WriteTimeout, shop.IdleTimeout
	app := fiber.New(config)
	app.Use(
		fiberotel.Middleware(fiberotel.WithTracerProvider(otel.GetTracerProvider()), fiberotel.WithMeterProvider(metrics.NewMeterProvider())),
		requestid.New(),
		logger.New(logger.Config{
			Format: `{"time":"${time}","request_id":"${respHeader:X-Request-Id}","method":"${method}","path":"${path}","status":${status},` +
				`"bytes":${bytesSent},"took":"${latency}","client":"${ip}"}` + "\n",
			TimeFormat: time.RFC3339Nano,
		}),
		instrument,
		recover.New(),
		helmet.New(helmet.Config{
			ContentTypeNosniff: "nosniff", XFrameOptions: "DENY", ReferrerPolicy: "no-referrer", ContentSecurityPolicy: "default-src 'none'",
			HSTSMaxAge: 63072000,
		}),
		cors.New(cors.Config{
			AllowOrigins: []string{shop.Origin}, AllowMethods: []string{"GET", "POST"}, AllowHeaders: []string{"Authorization", "Content-Type"},
		}),
		limiter.New(limiter.Config{Max: s.Limit, Expiration: shop.Window}),
	)
	signedIn := jwtware.New(jwtware.Config{
		SigningKey: jwtware.SigningKey{JWTAlg: jwtware.HS256, Key: s.Secret}, Claims: &claims{},
		ErrorHandler: func(fiber.Ctx, error) error { return fiber.ErrUnauthorized },
	})
	routes(app, handlers{store}, func(permission string, h fiber.Handler) []any {
		bounded := timeout.New(h, timeout.Config{Timeout: shop.Timeout, Next: func(c fiber.Ctx) bool { return c.Path() == "/v1/events" }})
		if permission == "" {
			return []any{bounded}
		}
		return []any{signedIn, allow(permission), bounded}
	})
	listen(app, l)
	return stack.ServeMetrics()
}

func listen(app *fiber.App, l net.Listener) {
	go func() { _ = app.Listener(l, fiber.ListenConfig{DisableStartupMessage: true}) }() // until the process ends
}

func plain(_ string, h fiber.Handler) []any { return []any{h} }

func routes(app *fiber.App, h handlers, guard func(permission string, h fiber.Handler) []any) {
	for _, r := range []struct {
		method, path, permission string
		handler                  fiber.Handler
	}{
		{"GET", "/v1/state", "", h.state},
		{"GET", "/v1/burn", "", h.burn},
		{"POST", "/v1/quotes", stack.Write, h.quote},
		{"POST", "/v1/payments", stack.Write, h.create},
		{"GET", "/v1/payments", stack.Read, h.list},
		{"GET", "/v1/payments/:id", stack.Read, h.get},
		{"GET", "/v1/cached/:id", stack.Read, h.cached},
		{"GET", "/v1/events", stack.Read, h.events},
	} {
		chain := guard(r.permission, r.handler)
		app.Add([]string{r.method}, r.path, chain[0], chain[1:]...)
	}
}

// claims are those of an access token, with what the middleware does not check.
type claims struct{ stack.Claims }

// Validate is called once the signature and the times are right.
func (c *claims) Validate() error {
	return jwt.NewValidator(jwt.WithExpirationRequired(), jwt.WithIssuer(shop.Issuer), jwt.WithAudience(shop.Audience)).Validate(c.Claims)
}

type check struct{ validate *validator.Validate }

func (c check) Validate(in any) error { return c.validate.Struct(in) }

// fail answers what is wrong.
func fail(c fiber.Ctx, err error) error {
	var (
		known     *fiber.Error
		invalid   validator.ValidationErrors
		malformed *json.SyntaxError
		mistyped  *json.UnmarshalTypeError
	)
	status := http.StatusInternalServerError
	switch {
	case errors.As(err, &invalid):
		status = http.StatusUnprocessableEntity
	case errors.As(err, &malformed), errors.As(err, &mistyped):
		status = http.StatusBadRequest
	case errors.As(err, &known):
		status = known.Code
	case errors.Is(err, shop.ErrNotFound):
		status = http.StatusNotFound
	}
	return c.Status(status).JSON(shop.ProblemOf(status))
}

type handlers struct{ store *shop.Store }

func (handlers) state(c fiber.Ctx) error { return c.JSON(shop.OK) }

func (handlers) burn(c fiber.Ctx) error {
	var in struct {
		Rounds int `query:"rounds" validate:"min=1,max=1000000000"`
	}
	if err := c.Bind().Query(&in); err != nil {
		return err
	}
	return c.JSON(shop.Burn(in.Rounds))
}

func (handlers) quote(c fiber.Ctx) error {
	var in shop.Order
	if err := c.Bind().JSON(&in); err != nil {
		return err
	}
	return c.Status(http.StatusCreated).JSON(shop.Quote(&in))
}

func (h handlers) create(c fiber.Ctx) error {
	var in shop.Order
	if err := c.Bind().JSON(&in); err != nil {
		return err
	}
	p, err := h.store.Insert(c.Context(), &in)
	if err != nil {
		return err
	}
	return c.Status(http.StatusCreated).JSON(p)
}

func (h handlers) get(c fiber.Ctx) error {
	p, err := h.store.Find(c.Context(), c.Params("id"))
	if err != nil {
		return err
	}
	return c.JSON(p)
}

// cached copies the key that the cache keeps: Fiber's strings live no longer
// than the request.
func (h handlers) cached(c fiber.Ctx) error {
	p, err := h.store.Cached(c.Context(), string([]byte(c.Params("id"))))
	if err != nil {
		return err
	}
	return c.JSON(p)
}

func (h handlers) list(c fiber.Ctx) error {
	var in struct {
		Limit  int    `query:"limit" validate:"min=1,max=100"`
		Cursor string `query:"cursor"`
	}
	if err := c.Bind().Query(&in); err != nil {
		return err
	}
	page, err := h.store.List(c.Context(), "mer_1", in.Cursor, in.Limit)
	if err != nil {
		return err
	}
	return c.JSON(page)
}

func (handlers) events(c fiber.Ctx) error {
	c.Set("Content-Type", "text/event-stream")
	c.Set("Cache-Control", "no-store")
	conn := c.RequestCtx().Conn()
	return c.SendStreamWriter(func(w *bufio.Writer) {
		_ = conn.SetWriteDeadline(time.Time{}) // a stream outlives the server's time-out
		shop.StreamTo(context.Background(), w) // ends with the connection
	})
}

func allow(permission string) fiber.Handler {
	return func(c fiber.Ctx) error {
		token := jwtware.FromContext(c)
		if token == nil {
			return fiber.ErrUnauthorized
		}
		if held, ok := token.Claims.(*claims); !ok || !stack.May(held.Role, permission) {
			return fiber.ErrForbidden
		}
		return c.Next()
	}
}

func instrument(c fiber.Ctx) error {
	start := time.Now()
	err := c.Next()
	status := c.Response().StatusCode()
	if known := new(fiber.Error); errors.As(err, &known) {
		status = known.Code
	}
	stack.Observe(c.Method(), c.FullPath(), status, time.Since(start))
	return err
}
