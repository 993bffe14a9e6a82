package auth_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/ashlar-go/ashlar/auth"
)

// A sign-in that found no capacity to hash is none that failed: a crowd must
// not lock out the accounts whose owners it keeps waiting.
func TestABusySignInDoesNotCount(t *testing.T) {
	t.Parallel()
	p, release := auth.Occupied(t, -1)
	defer release()
	s := &steps{Memory: auth.NewMemory()}
	accounts := auth.NewAccounts(auth.AccountsConfig{
		Store: s, Passwords: p, Tokens: tokens(t, auth.GenerateKey(), newClock()), Throttle: s, Audit: s,
	})
	_, err := accounts.SignIn(from(t.Context()), auth.Credentials{Email: "Ann@example.test", Password: "square-and-true"})
	if want := []string{"try 192.0.2.7", "lookup", "untried ann@example.test 192.0.2.7"}; !errors.Is(err, auth.ErrBusy) || !slices.Equal(s.order, want) {
		t.Errorf("%v after %v, not %v", err, s.order, want)
	}
}

// Whoever gave the right password and is asked for a code has not failed: two
// requests are one sign-in, and a house of a hundred people who have second
// factors must not be locked out for a day by it.
func TestBeingAskedForACodeDoesNotCount(t *testing.T) {
	t.Parallel()
	accounts, s, _, a := openSteps(t)
	s.second[a.ID] = "123456"
	_, err := accounts.SignIn(from(t.Context()), auth.Credentials{Email: a.Email, Password: shop.Password})
	if !errors.Is(err, auth.ErrSecondFactorRequired) || !slices.Contains(s.order, "untried "+a.Email+" 192.0.2.7") {
		t.Errorf("%v after %v", err, s.order)
	}
	s.order = nil
	_, err = accounts.SignIn(from(t.Context()), auth.Credentials{Email: a.Email, Password: shop.Password, Code: "654321"})
	if !errors.Is(err, auth.ErrSecondFactor) || slices.Contains(s.order, "untried "+a.Email+" 192.0.2.7") {
		t.Errorf("a wrong code does not count: %v after %v", err, s.order)
	}
}
