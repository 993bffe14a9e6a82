package outbound

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/ashlar-go/ashlar/trace"
)

// transport judges each request, of a redirect too, sends it by the policy, and
// bounds its answer.
type transport struct {
	guard       guard
	policy      *Policy
	maxBody     int64
	headTimeout time.Duration
	next        *http.Transport
	inner       *inner // nil where all hosts are the network's
}

// CloseIdleConnections makes http.Client's method of that name work.
func (t *transport) CloseIdleConnections() {
	t.next.CloseIdleConnections()
	if t.inner != nil {
		t.inner.next.CloseIdleConnections()
	}
}

// carrier is what carries a request to its host.
func (t *transport) carrier(u *url.URL) *http.Transport {
	if t.inner.plays(u) {
		return t.inner.next
	}
	return t.next
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	what := describe(req)
	if refusal := t.guard.url(req.URL); refusal != nil {
		closeBody(req) // as the interface demands
		return nil, t.policy.failure(what, 0, false, ErrRefused.Wrap(refusal))
	}
	ctx, cancel := t.policy.bound(req.Context())
	c, err := t.policy.enter(ctx, what)
	if err != nil {
		closeBody(req)
		cancel()
		return nil, err
	}
	tries := 1
	if repeatable(req) {
		tries = t.policy.retry.Tries
	}
	x := &exchange{transport: t, passage: c, request: req, limit: t.limit(tries), cancel: cancel}
	err = c.run(ctx, tries, x.try)
	if err != nil {
		if c.tries == 0 {
			closeBody(req)
		}
		x.discard()
		c.leave()
		cancel()
		return nil, err
	}
	x.answer.Body.(*body).handOver()
	return x.answer, nil
}

// limit is how long a try may take to the head of its answer.
func (t *transport) limit(tries int) time.Duration {
	switch {
	case t.headTimeout != 0:
		return t.headTimeout
	case tries > 1:
		return t.policy.tryTimeout
	}
	return 0
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// describe says what was asked without what may be a secret.
func describe(req *http.Request) string {
	if req.URL == nil {
		return req.Method
	}
	if req.Method == "" {
		return http.MethodGet + " " + req.URL.Host
	}
	return req.Method + " " + req.URL.Host
}

// An exchange is a request with its tries.
type exchange struct {
	*transport
	passage *passage
	request *http.Request
	limit   time.Duration
	cancel  context.CancelFunc
	sent    atomic.Bool
	answer  *http.Response
}

// discard ends an answer that nobody will read, so that its connection can be
// used again if there was little of it.
func (x *exchange) discard() {
	if x.answer == nil {
		return
	}
	_, _ = io.CopyN(io.Discard, x.answer.Body, 4<<10)
	_ = x.answer.Body.Close()
	x.answer = nil
}

// try sends the request once.
func (x *exchange) try(ctx context.Context, t *ticket) outcome {
	x.discard()
	whole := ctx
	ctx, cancel := context.WithCancelCause(whole)
	req := x.request.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { x.sent.Store(true) }, // from here on bytes may leave
	}))
	if x.passage.tries > 1 && x.request.GetBody != nil {
		again, err := x.request.GetBody()
		if err != nil {
			cancel(nil)
			x.passage.settle(whole, t, nothing)
			return outcome{err: ErrUnreachable.Wrap(err)}
		}
		req.Body = again
	}
	req, span := traced(req)
	stop := func() bool { return true }
	if x.limit > 0 {
		stop = time.AfterFunc(x.limit, func() { cancel(errLate) }).Stop
	}
	res, err := x.carrier(req.URL).RoundTrip(req)
	inTime := stop()
	if err == nil && !inTime {
		_ = res.Body.Close()
		err = errLate
	}
	if err == nil {
		err = x.unfit(res)
	}
	if err != nil {
		o := outcome{err: x.failure(whole, ctx, err), sent: x.sent.Load()}
		cancel(nil)
		span.Fail(o.err)
		span.End()
		v := bad
		switch {
		case ended(whole), errors.Is(o.err, ErrRefused):
			v = nothing
		case !errors.Is(o.err, ErrTooLarge):
			o.again = true
		}
		x.passage.settle(whole, t, v)
		return o
	}
	noted(span, res.StatusCode)
	b := &body{
		from: res.Body, ctx: ctx, cancel: func() { cancel(nil) }, left: x.maxBody, bounded: x.maxBody > 0, span: span,
		exchange: x, ticket: t,
	}
	res.Body = b
	x.answer = res
	if res.StatusCode >= http.StatusInternalServerError {
		x.passage.settle(whole, t, bad)
	}
	return outcome{again: worthRepeating(res.StatusCode), after: retryAfter(res.Header), sent: true}
}

// unfit closes an answer that nobody must read, and says why.
func (x *exchange) unfit(res *http.Response) error {
	switch {
	case res.StatusCode == http.StatusSwitchingProtocols:
		// The body is the connection itself, whose user knows its own bounds.
		_ = res.Body.Close()
		return errors.New("the answer changes the protocol")
	case x.maxBody > 0 && res.ContentLength > x.maxBody && x.request.Method != http.MethodHead:
		_ = res.Body.Close()
		return ErrTooLarge
	}
	return nil
}

// failure says what an error of a try means. That the request's own context
// ended is said as it is: it is the caller's doing.
func (x *exchange) failure(whole, try context.Context, err error) error {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return ErrRefused.Wrap(refusal)
	}
	if ended(whole) {
		return byCaller(whole, err)
	}
	return meaning(try, err)
}

// body is an answer's body, bounded in size and time.
type body struct {
	from     io.ReadCloser
	ctx      context.Context //nolint:containedctx // a reader has no other way to be told
	cancel   context.CancelFunc
	left     int64
	bounded  bool
	span     trace.Span
	exchange *exchange
	ticket   *ticket
	unwatch  func() bool
}

// handOver is called when the answer goes to the caller, and not before: one
// that is tried again ends without the call.
func (b *body) handOver() {
	// Whoever never closes a body must not hold its place for ever.
	b.unwatch = context.AfterFunc(b.ctx, func() {
		b.exchange.passage.settle(b.ctx, b.ticket, b.broken())
		b.exchange.passage.leave()
	})
}

// broken is the verdict on a body that did not come to its end.
func (b *body) broken() verdict {
	if ended(b.exchange.passage.ctx) {
		return nothing
	}
	return bad
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
			b.fail(ErrTooLarge)
			return n - 1, ErrTooLarge
		}
	}
	if err != nil && err != io.EOF { //nolint:errorlint // io.EOF is never wrapped
		err = b.exchange.failure(b.exchange.passage.ctx, b.ctx, err)
		b.fail(err)
	}
	return n, err
}

// fail says that the body did not come to its end.
func (b *body) fail(err error) {
	b.span.Fail(err)
	b.exchange.passage.settle(b.ctx, b.ticket, b.broken())
}

func (b *body) Close() error {
	x := b.exchange
	if b.unwatch != nil {
		b.unwatch()
		defer x.cancel()
		defer x.passage.leave()
	}
	defer b.cancel()
	defer b.span.End()
	x.passage.settle(b.ctx, b.ticket, good)
	return b.from.Close()
}

// triesOf returns how many tries an answer took.
func triesOf(res *http.Response) int {
	if b, ok := res.Body.(*body); ok {
		return b.exchange.passage.tries
	}
	return 1
}
