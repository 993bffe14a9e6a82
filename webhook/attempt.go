package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/trace"
)

// attempt sends what is claimed once. It continues the trace of whoever
// enqueued the message. Working ends when the process must.
func (h *Hooks) attempt(working context.Context, c *claim) result {
	r := result{at: h.cfg.Now()}
	if parent, ok := trace.Parse(c.delivery.Traceparent); ok {
		working = trace.With(working, parent.Child())
	}
	began := time.Now()
	_ = trace.Do(working, "webhook.deliver", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
		defer cancel()
		r.cause = h.send(ctx, c, &r)
		return r.cause
	})
	r.took = time.Since(began)
	if working.Err() != nil && r.outcome != Success {
		r.broken = true
	}
	return r
}

// send fills r in. The error is for the log and the trace.
func (h *Hooks) send(ctx context.Context, c *claim, r *result) error {
	r.outcome = NoAnswer
	req, err := h.request(ctx, c, r.at)
	if err != nil {
		return err
	}
	res, err := h.cfg.Client.Do(req)
	if err != nil {
		r.outcome = named(ctx, err)
		return err
	}
	defer func() { _ = res.Body.Close() }()
	start, err := io.ReadAll(io.LimitReader(res.Body, maxResponse))
	r.status, r.response = res.StatusCode, readable(start)
	r.retryAfter = retryAfter(res.Header, r.at)
	switch res.StatusCode / 100 {
	case 2:
		// The head says that the message was taken. What follows is of no use.
		r.outcome = Success
		return nil
	case 3:
		r.outcome = Redirect
	default:
		r.outcome = Refused
	}
	if err != nil {
		return fmt.Errorf("the answer is %d, and broke off: %w", res.StatusCode, err)
	}
	return fmt.Errorf("the answer is %d", res.StatusCode)
}

// request is the message as Standard Webhooks has it: the same body and id each
// time, a timestamp of now, and a signature for each secret.
func (h *Hooks) request(ctx context.Context, c *claim, at time.Time) (*http.Request, error) {
	secrets, _, err := h.vault.open(c.endpoint, c.delivery.Secrets, at)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.delivery.URL, bytes.NewReader(c.delivery.Payload))
	if err != nil {
		return nil, err
	}
	signatures := make([]string, len(secrets))
	for i, s := range secrets {
		signatures[i] = s.Sign(c.delivery.Message, at, c.delivery.Payload)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", h.cfg.UserAgent)
	req.Header.Set(HeaderID, c.delivery.Message)
	req.Header.Set(HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	req.Header.Set(HeaderSignature, strings.Join(signatures, " "))
	return req, nil
}

// named is what an error means. Its text is not shown to owners of endpoints:
// it may name what lies inside.
func named(ctx context.Context, err error) Outcome {
	code := ""
	if coded, ok := fault.Of(err); ok {
		code = coded.Code()
	}
	switch {
	case code == "upstream_refused":
		return Forbidden
	case code == "upstream_timeout", errors.Is(ctx.Err(), context.DeadlineExceeded):
		return Timeout
	}
	return NoAnswer
}

// retryAfter reads the field of that name.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := header.Get("Retry-After")
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
