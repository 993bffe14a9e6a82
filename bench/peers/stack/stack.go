// Package stack is what the full Go peers have in common because no framework
// brings it: the exporter of traces, the histogram, the rules of access tokens
// and roles, the log. Everything that a framework or its own middlewares offer
// is in the peer's folder.
package stack

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/go-playground/validator/v10"
	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/ashlar-go/ashlar/bench/peers/shop"
)

// Sampled is the share of requests that are traced.
const Sampled = 0.01

// Tracing sets OpenTelemetry up as its documentation shows: OTLP over HTTP in
// batches, the sampler parent-based. The endpoint is in the environment.
func Tracing(ctx context.Context) error {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return err
	}
	otel.SetTracerProvider(sdk.NewTracerProvider(
		sdk.WithBatcher(exporter),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(Sampled)))))
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return nil
}

var latency = promauto.NewHistogramVec(prometheus.HistogramOpts{
	Name: "http_request_duration_seconds", Help: "Time to answer, by route.",
}, []string{"method", "route", "status"})

// Observe counts a request in the histogram of its route.
func Observe(method, route string, status int, took time.Duration) {
	latency.WithLabelValues(method, route, strconv.Itoa(status)).Observe(took.Seconds())
}

// ServeMetrics serves /metrics on a port of its own.
func ServeMetrics() (addr string, err error) {
	l, err := shop.Listen()
	if err != nil {
		return "", err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.Handler())
	go func() { _ = (&http.Server{Handler: mux, ReadHeaderTimeout: shop.ReadHeaderTimeout}).Serve(l) }()
	return l.Addr().String(), nil
}

// Serve starts a server of net/http with the time-outs that it should have.
func Serve(l net.Listener, h http.Handler) {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: shop.ReadHeaderTimeout, ReadTimeout: shop.ReadTimeout,
		WriteTimeout: shop.WriteTimeout, IdleTimeout: shop.IdleTimeout, MaxHeaderBytes: shop.MaxHeader,
	}
	go func() { _ = server.Serve(l) }() // until the process ends
}

// Log is the access log.
func Log() *slog.Logger { return slog.New(slog.NewJSONHandler(os.Stdout, nil)) }

// Claims are those of an access token.
type Claims struct {
	jwt.RegisteredClaims

	Role string `json:"role"`
}

// Rules are what an access token has to satisfy.
func Rules() []jwt.ParserOption {
	return []jwt.ParserOption{
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired(),
		jwt.WithIssuer(shop.Issuer), jwt.WithAudience(shop.Audience),
	}
}

// Read and Write are what roles may do.
const (
	Read  = "payments:read"
	Write = "payments:write"
)

var roles = map[string]map[string]bool{"merchant": {Read: true, Write: true}, "auditor": {Read: true}}

// May reports whether a role has a permission.
func May(role, permission string) bool { return roles[role][permission] }

// Validator checks the tags of an order.
func Validator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	Extend(v)
	return v
}

// Extend adds the one rule that the library does not have.
func Extend(v *validator.Validate) {
	err := v.RegisterValidation("reference", func(f validator.FieldLevel) bool { return shop.Reference(f.Field().String()) })
	if err != nil {
		panic(err) // only for an empty name
	}
}
