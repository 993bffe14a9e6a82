package authtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/id"
)

// desk is the service on the store under test, with a clock of its own.
type desk struct {
	*auth.Accounts
	store  auth.Store
	tokens *auth.Tokens

	mu  sync.Mutex
	now time.Time
}

func newDesk(t *testing.T, open func(*testing.T) (auth.Store, *auth.Revocations)) *desk {
	t.Helper()
	store, revocations := open(t)
	d := &desk{store: store, now: time.Now().UTC().Truncate(time.Millisecond)}
	keys, err := auth.NewKeys(auth.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	d.tokens, err = auth.NewTokens(auth.TokenConfig{Keys: keys, Issuer: "authtest", Audience: "authtest", Now: d.clock, Revocations: revocations})
	if err != nil {
		t.Fatal(err)
	}
	passwords, err := auth.NewPasswords(auth.PasswordConfig{Memory: 8 << 10, Passes: 1})
	if err != nil {
		t.Fatal(err)
	}
	d.Accounts = auth.NewAccounts(auth.AccountsConfig{Store: store, Passwords: passwords, Tokens: d.tokens, Now: d.clock})
	return d
}

func (d *desk) clock() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *desk) advance(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(by)
}

// fataler is a test, or one run of a property.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// person is somebody new.
func (d *desk) person(ctx context.Context, t fataler) auth.Account {
	t.Helper()
	key := id.New("usr_")
	a := auth.Account{ID: key, Email: key + "@authtest.test", PasswordHash: "$", Role: "clerk", Tenant: "t1", CreatedAt: d.clock()}
	if err := d.store.Insert(ctx, a); err != nil {
		t.Fatal(err)
	}
	return a
}

// as is a request of an account's session.
func as(ctx context.Context, account, session string) context.Context {
	return access.With(ctx, access.Principal{ID: account, Credential: session})
}
