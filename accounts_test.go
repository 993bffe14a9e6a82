package ashlar_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ashlar-go/ashlar"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
)

// office is an app with one account, ann@b.test.
func office(t *testing.T, env ...string) *ashlartest.App {
	t.Helper()
	app := ashlartest.Open(t, env...)
	furnish(t, app)
	return app
}

func furnish(t *testing.T, app *ashlartest.App) {
	t.Helper()
	app.Grant("clerk", "greetings:read")
	app.Mount(ashlar.SignIn(app.App))
	app.Mount(greetings())
	app.Migrate()
	if _, err := app.Accounts.Create(t.Context(), auth.NewAccount{Email: "Ann@B.test", Password: "square-and-true", Role: "clerk", Tenant: "t1"}); err != nil {
		t.Fatal(err)
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	app := office(t)
	signIn := func(email, password string) ashlartest.Result[auth.Grant] {
		return ashlartest.Call[auth.Grant](app.Anonymous(), "auth.login", auth.Credentials{Email: email, Password: password})
	}
	session := signIn("ann@b.test", "square-and-true").OK()
	if session.TokenType != "Bearer" || session.ExpiresIn != 900 {
		t.Errorf("got %s for %d s", session.TokenType, session.ExpiresIn)
	}
	bearer := app.Anonymous().With("Authorization", "Bearer "+session.AccessToken)
	ashlartest.Call[greeting](bearer, "greetings.private", name{"ann"}).OK()
	ashlartest.Call[greeting](bearer, "greetings.locked", name{"ann"}).Denied()
	ashlartest.Call[greeting](app.Anonymous().With("Authorization", "Bearer x"), "greetings.private", name{"ann"}).Fails(auth.ErrToken)

	wrong := signIn("ann@b.test", "square-and-false").Fails(auth.ErrSignIn)
	nobody := signIn("bob@b.test", "square-and-true").Fails(auth.ErrSignIn)
	if wrong.Detail != nobody.Detail || wrong.Title != nobody.Title {
		t.Errorf("%+v tells more than %+v", wrong, nobody)
	}
	signIn("ann", "").Invalid("/email", "/password")
}

// P6.12: hashing is bounded, so that sign-in cannot exhaust the processor.
func TestSignInIsBounded(t *testing.T) {
	t.Parallel()
	// Each comes from an address of its own, so that no limit stops it before.
	app := office(t, "ASHLAR_TRUSTED_PROXIES", "192.0.2.0/24")
	var busy, refused atomic.Int32
	var crowd sync.WaitGroup
	for i := range 200 {
		crowd.Go(func() {
			from := app.Anonymous().With("X-Forwarded-For", fmt.Sprint("198.51.100.", i))
			r := ashlartest.Call[auth.Grant](from, "auth.login", auth.Credentials{Email: "ann@b.test", Password: "square-and-false"})
			switch r.Status() {
			case http.StatusServiceUnavailable:
				r.Fails(auth.ErrBusy)
				if r.Header("Retry-After") == "" {
					t.Error("503 does not say when to come back")
				}
				busy.Add(1)
			case http.StatusUnauthorized:
				refused.Add(1)
			default:
				t.Errorf("got %d %s", r.Status(), r.Body())
			}
		})
	}
	crowd.Wait()
	if busy.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d were told to come back, %d were answered", busy.Load(), refused.Load())
	}
}

func TestAccountsTable(t *testing.T) {
	t.Parallel()
	app := office(t)
	_, err := app.Accounts.Create(t.Context(), auth.NewAccount{Email: "ANN@b.test", Password: "square-and-true", Role: "clerk"})
	if f, ok := fault.Of(err); !ok || f.Code() != auth.ErrEmailTaken.Code() {
		t.Errorf("a second account for one address: %v", err)
	}
	list, err := app.Accounts.List(t.Context(), "", 10)
	if err != nil || len(list) != 1 || list[0].Email != "ann@b.test" || list[0].Tenant != "t1" || list[0].DisabledAt != nil {
		t.Errorf("got %+v, %v", list, err)
	}
	if got, err := app.Accounts.ByID(t.Context(), list[0].ID); err != nil || !got.CreatedAt.Equal(list[0].CreatedAt) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := app.Accounts.ByID(t.Context(), "usr_none"); err == nil {
		t.Error("an account that is not there was found")
	}
}

// TestTheAppKnowsBreachedPasswords: what the app says of a new password counts
// wherever one is chosen (P11.16).
func TestTheAppKnowsBreachedPasswords(t *testing.T) {
	t.Parallel()
	app := ashlartest.Open(t)
	app.Grant("clerk", "notes:read")
	app.Breached = func(_ context.Context, password string) (bool, error) { return password == "well known phrase", nil }
	app.Migrate()
	_, err := app.Accounts.Create(t.Context(), auth.NewAccount{Email: "a@b.test", Password: "well known phrase", Role: "clerk"})
	if v, ok := errors.AsType[fault.Violations](err); !ok || len(v) != 1 || v[0].Pointer != "/password" {
		t.Errorf("got %v, want one violation of /password", err)
	}
	if _, err := app.Accounts.Create(t.Context(), auth.NewAccount{Email: "a@b.test", Password: "hardly known phrase", Role: "clerk"}); err != nil {
		t.Error(err)
	}
}
