package auth

import (
	"context"

	"github.com/ashlar-go/ashlar/fault"
)

// A SecondFactor judges what someone gives beside the password: the code of an
// authenticator, or a recovery code. [Accounts.SignIn] asks it after the
// password was right and before a session is opened, so that neither answer
// tells anything to who does not have the password.
type SecondFactor interface {
	// Required reports whether account signs in with a second factor.
	Required(ctx context.Context, account string) (bool, error)
	// Check returns nil when code is good for account now, and uses it up: the
	// same code is good once. It returns ErrSecondFactor when it is not, and
	// bounds how often that may be tried.
	Check(ctx context.Context, account, code string) error
}

// The faults of a second factor. Both are answered only to who gave the right
// password.
const (
	// ErrSecondFactorRequired answers a sign-in that needs a code and has none.
	ErrSecondFactorRequired fault.Unauthenticated = "second_factor_required"
	// ErrSecondFactor answers a code that is wrong, old or used.
	ErrSecondFactor fault.Unauthenticated = "second_factor_wrong"
)
