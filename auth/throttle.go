package auth

import (
	"context"
	"errors"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
)

// ErrThrottled answers a sign-in that comes after too many that failed: 429,
// with the time to wait in Retry-After. It is the same whether or not there is
// such an account.
const ErrThrottled fault.Limited = "sign_in_throttled"

// A Throttle bounds how often credentials can be guessed. It must be safe for
// concurrent use.
type Throttle interface {
	// Try is asked before any password is hashed, with the address of the
	// account, normalised, and that of the client. It counts the attempt, so
	// that attempts side by side cannot pass together, and returns
	// [ErrThrottled] if there were too many.
	Try(ctx context.Context, email, address string) error
	// Succeeded is told that the attempt which Try counted was none of a
	// guesser: what was counted against the pair is forgotten.
	Succeeded(ctx context.Context, email, address string)
	// Untried is told that the attempt which Try counted does not count after
	// all: there was no capacity to hash, or the password was right and the code
	// of a second factor is still to come.
	Untried(ctx context.Context, email, address string)
}

// spare gives an attempt back that was no failure of whoever made it.
func (a *Accounts) spare(ctx context.Context, email string, err error) {
	if a.throttle != nil && (errors.Is(err, ErrBusy) || errors.Is(err, ErrSecondFactorRequired)) {
		a.throttle.Untried(ctx, email, access.OriginOf(ctx).Address)
	}
}
