package job

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Permanent marks an error that another attempt would only repeat: the job is
// a dead letter at once. Permanent of nil is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanent{err}
}

type permanent struct{ cause error }

func (e *permanent) Error() string { return e.cause.Error() }
func (e *permanent) Unwrap() error { return e.cause }

// RetryAfter marks an error with the time to wait before the next attempt,
// instead of what [Backoff] would draw: what a service behind asked for. It
// counts as an attempt. RetryAfter of nil is nil.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &retryAfter{max(d, 0), err}
}

type retryAfter struct {
	pause time.Duration
	cause error
}

func (e *retryAfter) Error() string { return e.cause.Error() }
func (e *retryAfter) Unwrap() error { return e.cause }

// pause is how long to wait after a failed attempt.
func (s *spec) pause(attempt int, err error) time.Duration {
	if asked, ok := errors.AsType[*retryAfter](err); ok {
		return asked.pause
	}
	return jitter(attempt, s.base, s.most)
}

// jitter draws a pause between zero and a bound that doubles with each attempt.
func jitter(attempt int, base, most time.Duration) time.Duration {
	bound := base
	for range attempt - 1 {
		if bound >= most/2 {
			bound = most
			break
		}
		bound *= 2
	}
	return rand.N(min(bound, most) + 1) //nolint:gosec // no secret
}

// panicked is what a handler's panic becomes. The stack is for the log alone.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }
