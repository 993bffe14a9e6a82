package auth_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
)

// TestAStormOfSignInsIsRefusedAtOnce holds that 1 000 sign-ins at the same
// time cost no more hashes than the queue holds: the others learn at once when
// to come back, not all in the same second, and who is signed in goes on.
func TestAStormOfSignInsIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	const storm, queue = 1000, 8
	d := open(t)
	create(t, d)
	session, err := d.SignIn(t.Context(), auth.Credentials{Email: shop.Email, Password: shop.Password})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		p, release := auth.Occupied(t, queue) // the one hash that runs does not end before release
		accounts := auth.NewAccounts(auth.AccountsConfig{Store: auth.NewMemory(), Passwords: p, Tokens: d.tokens})
		var refused, answered atomic.Int64
		pauses := [4]atomic.Int64{}
		began := time.Now()
		for range storm {
			go func() {
				_, err := accounts.SignIn(t.Context(), auth.Credentials{Email: "nobody@storm.test", Password: "square-and-true"})
				switch {
				case errors.Is(err, auth.ErrBusy):
					refused.Add(1)
					if pause := fault.ProblemOf(err, "").RetryAfter; pause >= time.Second && pause <= 3*time.Second {
						pauses[pause/time.Second].Add(1)
					}
				case errors.Is(err, auth.ErrSignIn):
					answered.Add(1)
				default:
					t.Errorf("a sign-in: %v", err)
				}
			}()
		}
		synctest.Wait()
		if refused.Load() != storm-queue || answered.Load() != 0 || p.Hashes() != 0 || time.Since(began) > 0 {
			t.Errorf("%d of %d are refused, %d answered, after %d hashes and %v", refused.Load(), storm, answered.Load(), p.Hashes(), time.Since(began))
		}
		for seconds := 1; seconds <= 3; seconds++ {
			if n := pauses[seconds].Load(); n < 200 {
				t.Errorf("only %d are to come back in %d s", n, seconds)
			}
		}
		if _, err := d.tokens.Verify(t.Context(), session.AccessToken); err != nil {
			t.Errorf("who is signed in: %v", err)
		}
		release()
		synctest.Wait()
		if answered.Load() != queue || p.Hashes() != queue {
			t.Errorf("%d were answered after %d hashes, not those %d who waited", answered.Load(), p.Hashes(), queue)
		}
	})
}
