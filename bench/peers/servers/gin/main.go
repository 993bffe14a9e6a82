// The peer Gin, with gin-contrib's middlewares, otelgin, golang-jwt and its
// own binding, which validates by go-playground's validator.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-contrib/cors"
	"github.com/gin-contrib/requestid"
	"github.com/gin-contrib/secure"
	"github.com/gin-gonic/gin"
	"github.com/gin-gonic/gin/binding"
	"github.com/go-playground/validator/v10"
	"github.com/golang-jwt/jwt/v5"
	"github.com/hashicorp/golang-lru/v2/expirable"
	"go.opentelemetry.io/contrib/instrumentation/github.com/gin-gonic/gin/otelgin"
	"golang.org/x/time/rate"

	"github.com/ashlar-go/ashlar/bench/peers/shop"
	"github.com/ashlar-go/ashlar/bench/peers/stack"
)

func main() { shop.Main(serve) }

func serve(ctx context.Context, s shop.Settings, store *shop.Store, l net.Listener) (admin string, err error) {
	gin.SetMode(gin.ReleaseMode)
	engine, ok := binding.Validator.Engine().(*validator.Validate)
	if !ok {
		return "", errors.New("gin binds with another validator")
	}
	engine.SetTagName("validate")
	stack.Extend(engine)

	r := gin.New()
	if s.Bare {
		routes(r, handlers{store}, func(string) gin.HandlersChain { return nil })
		go func() { _ = http.Serve(l, r) }() //nolint:gosec // bare is without time-outs
		return "", nil
	}
	if err := stack.Tracing(ctx); err != nil {
		return "", err
	}
	r.ContextWithFallback = true
	r.Use(
		otelgin.Middleware("shop"),
		requestid.New(),
		access(stack.Log()),
		instrument,
		gin.Recovery(),
		secure.New(secure.Config{
			ContentTypeNosniff: true, FrameDeny: true, ReferrerPolicy: "no-referrer", ContentSecurityPolicy: "default-src 'none'",
			STSSeconds: 63072000, STSIncludeSubdomains: true,
		}),
		cors.New(cors.Config{
			AllowOrigins: []string{shop.Origin}, AllowMethods: []string{"GET", "POST"}, AllowHeaders: []string{"Authorization", "Content-Type"},
			MaxAge: 12 * time.Hour,
		}),
		limit(s.Limit),
		deadline,
		func(c *gin.Context) { c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, shop.MaxBody) },
	)
	routes(r, handlers{store}, func(permission string) gin.HandlersChain {
		if permission == "" {
			return nil
		}
		return gin.HandlersChain{authorize(s.Secret, permission)}
	})
	stack.Serve(l, r)
	return stack.ServeMetrics()
}

func routes(r *gin.Engine, h handlers, guard func(permission string) gin.HandlersChain) {
	for _, e := range []struct {
		method, path, permission string
		handler                  gin.HandlerFunc
	}{
		{"GET", "/v1/state", "", h.state},
		{"GET", "/v1/burn", "", h.burn},
		{"POST", "/v1/quotes", stack.Write, h.quote},
		{"POST", "/v1/payments", stack.Write, h.create},
		{"GET", "/v1/payments", stack.Read, h.list},
		{"GET", "/v1/payments/:id", stack.Read, h.get},
		{"GET", "/v1/cached/:id", stack.Read, h.cached},
		{"GET", "/v1/events", stack.Read, gin.WrapF(shop.Events)},
	} {
		r.Handle(e.method, e.path, append(guard(e.permission), e.handler)...)
	}
}

type handlers struct{ store *shop.Store }

func (handlers) state(c *gin.Context) { c.JSON(http.StatusOK, shop.OK) }

func (handlers) burn(c *gin.Context) {
	var in struct {
		Rounds int `form:"rounds" validate:"min=1,max=1000000000"`
	}
	if err := c.ShouldBindQuery(&in); err != nil {
		refuse(c, http.StatusUnprocessableEntity)
		return
	}
	c.JSON(http.StatusOK, shop.Burn(in.Rounds))
}

func (h handlers) quote(c *gin.Context) {
	var in shop.Order
	if bind(c, &in) {
		c.JSON(http.StatusCreated, shop.Quote(&in))
	}
}

func (h handlers) create(c *gin.Context) {
	var in shop.Order
	if !bind(c, &in) {
		return
	}
	p, err := h.store.Insert(c, &in)
	answer(c, http.StatusCreated, p, err)
}

func (h handlers) get(c *gin.Context) {
	p, err := h.store.Find(c, c.Param("id"))
	answer(c, http.StatusOK, p, err)
}

func (h handlers) cached(c *gin.Context) {
	p, err := h.store.Cached(c, c.Param("id"))
	answer(c, http.StatusOK, p, err)
}

func (h handlers) list(c *gin.Context) {
	var in struct {
		Limit  int    `form:"limit" validate:"min=1,max=100"`
		Cursor string `form:"cursor"`
	}
	if err := c.ShouldBindQuery(&in); err != nil {
		refuse(c, http.StatusUnprocessableEntity)
		return
	}
	page, err := h.store.List(c, "mer_1", in.Cursor, in.Limit)
	answer(c, http.StatusOK, page, err)
}

func bind(c *gin.Context, in *shop.Order) bool {
	err := c.ShouldBindJSON(in)
	var (
		invalid  validator.ValidationErrors
		tooLarge *http.MaxBytesError
	)
	switch {
	case err == nil:
		return true
	case errors.As(err, &invalid):
		refuse(c, http.StatusUnprocessableEntity)
	case errors.As(err, &tooLarge):
		refuse(c, http.StatusRequestEntityTooLarge)
	default:
		refuse(c, http.StatusBadRequest)
	}
	return false
}

func answer(c *gin.Context, status int, body any, err error) {
	switch {
	case err == nil:
		c.JSON(status, body)
	case errors.Is(err, shop.ErrNotFound):
		refuse(c, http.StatusNotFound)
	default:
		refuse(c, http.StatusInternalServerError)
	}
}

func refuse(c *gin.Context, status int) { c.AbortWithStatusJSON(status, shop.ProblemOf(status)) }

func authorize(secret []byte, permission string) gin.HandlerFunc {
	parser := jwt.NewParser(stack.Rules()...)
	key := func(*jwt.Token) (any, error) { return secret, nil }
	return func(c *gin.Context) {
		token, ok := strings.CutPrefix(c.GetHeader("Authorization"), "Bearer ")
		var claims stack.Claims
		if !ok {
			refuse(c, http.StatusUnauthorized)
			return
		}
		if _, err := parser.ParseWithClaims(token, &claims, key); err != nil {
			refuse(c, http.StatusUnauthorized)
			return
		}
		if !stack.May(claims.Role, permission) {
			refuse(c, http.StatusForbidden)
			return
		}
		c.Set("claims", &claims)
	}
}

// limit counts by address; who has not come for a while is forgotten.
func limit(n int) gin.HandlerFunc {
	limiters := expirable.NewLRU[string, *rate.Limiter](100_000, nil, 2*shop.Window)
	return func(c *gin.Context) {
		address := c.ClientIP()
		limiter, ok := limiters.Get(address)
		if !ok {
			limiter = rate.NewLimiter(rate.Limit(float64(n)/shop.Window.Seconds()), n)
			limiters.Add(address, limiter)
		}
		if !limiter.Allow() {
			c.Header("Retry-After", strconv.Itoa(int(shop.Window.Seconds())/n+1))
			refuse(c, http.StatusTooManyRequests)
		}
	}
}

func access(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := time.Now()
		c.Next()
		log.LogAttrs(c, slog.LevelInfo, "request",
			slog.String("request_id", requestid.Get(c)), slog.String("method", c.Request.Method), slog.String("path", c.Request.URL.Path),
			slog.Int("status", c.Writer.Status()), slog.Int("bytes", c.Writer.Size()), slog.Duration("took", time.Since(start)),
			slog.String("client", c.ClientIP()))
	}
}

func instrument(c *gin.Context) {
	start := time.Now()
	c.Next()
	stack.Observe(c.Request.Method, c.FullPath(), c.Writer.Status(), time.Since(start))
}

// deadline bounds a request, but no stream.
func deadline(c *gin.Context) {
	if c.FullPath() == "/v1/events" {
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), shop.Timeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}
