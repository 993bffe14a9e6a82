package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/ashlar-go/ashlar/trace"
)

// New returns a client that calls what cfg allows. It is safe for concurrent
// use and keeps connections: make one for each purpose and keep it. Its
// Timeout field is not set, because the guard bounds the time itself; its
// other fields are the guard, so leave them as they are.
func New(cfg Config) *http.Client {
	cfg = cfg.withDefaults()
	g := cfg.guard()
	dialer := &net.Dialer{
		Timeout: cfg.DialTimeout, Resolver: cfg.Resolver, ControlContext: g.control,
	}
	secure := &tls.Config{}
	if cfg.TLS != nil {
		secure = cfg.TLS.Clone()
	}
	secure.InsecureSkipVerify = false
	secure.MinVersion = max(secure.MinVersion, tls.VersionTLS12)
	c := &http.Client{
		Transport: &transport{
			guard: g, timeout: cfg.Timeout, maxBody: cfg.MaxBody,
			next: &http.Transport{
				Proxy:                  cfg.Proxy,
				DialContext:            dialer.DialContext,
				TLSClientConfig:        secure,
				TLSHandshakeTimeout:    cfg.DialTimeout,
				ForceAttemptHTTP2:      true,
				MaxIdleConns:           256,
				MaxIdleConnsPerHost:    16,
				MaxConnsPerHost:        max(cfg.MaxConnsPerHost, 0),
				IdleConnTimeout:        60 * time.Second,
				MaxResponseHeaderBytes: cfg.MaxHeader,
			},
		},
		CheckRedirect: redirects(cfg.Redirects),
	}
	return c
}

// transport judges each request, of a redirect too, and bounds its answer.
type transport struct {
	guard   guard
	timeout time.Duration
	maxBody int64
	next    *http.Transport
}

// CloseIdleConnections makes http.Client's method of that name work.
func (t *transport) CloseIdleConnections() { t.next.CloseIdleConnections() }

// errLate is the cause of a context that our own time limit ended.
var errLate = errors.New("the time limit of the exchange passed")

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if refusal := t.guard.url(req.URL); refusal != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as the interface demands
		}
		return nil, ErrRefused.Wrap(refusal)
	}
	ctx, cancel := req.Context(), context.CancelFunc(func() {})
	if t.timeout > 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, t.timeout, errLate)
		req = req.WithContext(ctx)
	}
	req, span := traced(req)
	res, err := t.next.RoundTrip(req)
	if err != nil {
		err = failure(ctx, err) // which looks at ctx, so it comes first
		cancel()
		span.Fail(err)
		span.End()
		return nil, err
	}
	answered(span, res.StatusCode)
	if res.StatusCode == http.StatusSwitchingProtocols {
		// The body is the connection itself, whose user knows its own bounds.
		_ = res.Body.Close()
		cancel()
		span.End()
		return nil, ErrUnreachable.Wrap(errors.New("the answer changes the protocol"))
	}
	if t.maxBody > 0 && res.ContentLength > t.maxBody && req.Method != http.MethodHead {
		_ = res.Body.Close()
		cancel()
		span.Fail(ErrTooLarge)
		span.End()
		return nil, ErrTooLarge
	}
	res.Body = &body{from: res.Body, ctx: ctx, cancel: cancel, left: t.maxBody, bounded: t.maxBody > 0, span: span}
	return res, nil
}

// failure says what an error of the transport means. That the request's own
// context ended is said as it is: it is the caller's doing.
func failure(ctx context.Context, err error) error {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return ErrRefused.Wrap(refusal)
	}
	switch cause := context.Cause(ctx); {
	case cause == nil:
		return ErrUnreachable.Wrap(err)
	case errors.Is(cause, errLate):
		return ErrSlow.Wrap(err)
	default:
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
}

// body is an answer's body, bounded in size and time.
type body struct {
	from    io.ReadCloser
	ctx     context.Context //nolint:containedctx // a reader has no other way to be told
	cancel  context.CancelFunc
	left    int64
	bounded bool
	span    trace.Span
}

func (b *body) Read(p []byte) (int, error) {
	if b.bounded && b.left < 0 {
		return 0, ErrTooLarge
	}
	if b.bounded && int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one more than there may be shows that there is more
	}
	n, err := b.from.Read(p)
	if b.bounded {
		if b.left -= int64(n); b.left < 0 {
			b.span.Fail(ErrTooLarge)
			return n - 1, ErrTooLarge
		}
	}
	if err != nil && err != io.EOF { //nolint:errorlint // io.EOF is never wrapped
		err = failure(b.ctx, err)
		b.span.Fail(err)
	}
	return n, err
}

func (b *body) Close() error {
	defer b.cancel()
	defer b.span.End()
	return b.from.Close()
}
