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
