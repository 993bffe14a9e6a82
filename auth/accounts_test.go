package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/rule"
)

// desk is an accounts service and all that it works with.
type desk struct {
	*auth.Accounts
	store     *counting
	passwords *auth.Passwords
	tokens    *auth.Tokens
}

// counting counts lookups, and fails on demand.
type counting struct {
	*auth.Memory
	lookups  int
	sessions int
	fail     error
}

func (c *counting) SessionBySecret(ctx context.Context, hash string) (auth.Session, error) {
	c.sessions++
	return c.Memory.SessionBySecret(ctx, hash)
}

func (c *counting) ByEmail(ctx context.Context, email string) (auth.Account, error) {
	c.lookups++
	if c.fail != nil {
		return auth.Account{}, c.fail
	}
	return c.Memory.ByEmail(ctx, email)
}

func open(t *testing.T) desk {
	t.Helper()
	d := desk{store: &counting{Memory: auth.NewMemory()}, passwords: passwords(), tokens: tokens(t, auth.GenerateKey(), newClock())}
	d.Accounts = d.with(d.passwords)
	return d
}

func (d desk) with(p *auth.Passwords) *auth.Accounts {
	return auth.NewAccounts(auth.AccountsConfig{
		Store: d.store, Passwords: p, Tokens: d.tokens, Now: newClock().now,
		Role: func(role string) bool { return role == "merchant" || role == "admin" },
	})
}

var shop = auth.NewAccount{Email: "Shop@Example.test", Password: "square-and-true", Role: "merchant", Tenant: "mer_1"}

func create(t *testing.T, d desk) auth.Account {
	t.Helper()
	a, err := d.Create(t.Context(), shop)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	d := open(t)
	a := create(t, d)
	for _, email := range []string{"shop@example.test", " SHOP@example.TEST\t"} {
		session, err := d.SignIn(t.Context(), auth.Credentials{Email: email, Password: shop.Password})
		if err != nil {
			t.Fatal(err)
		}
		if session.TokenType != "Bearer" || session.ExpiresIn != 900 {
			t.Errorf("session %+v", session)
		}
		c, err := d.tokens.Verify(t.Context(), session.AccessToken)
		if err != nil || c.Subject != a.ID || c.Role != "merchant" || c.Account != "mer_1" {
			t.Errorf("claims %+v, %v", c, err)
		}
	}
}

// TestRefusedSignInsAreAlike compares answers and work, not wall time, which
// other tests share.
func TestRefusedSignInsAreAlike(t *testing.T) {
	t.Parallel()
	d := open(t)
	a := create(t, d)
	disabled := a
	disabled.ID, disabled.Email, disabled.DisabledAt = a.ID+"x", "disabled@example.test", new(time.Now())
	elsewhere := auth.Account{ID: "usr_sso", Email: "sso@example.test", Role: "admin"}
	for _, account := range []auth.Account{disabled, elsewhere} {
		if err := d.store.Insert(t.Context(), account); err != nil {
			t.Fatal(err)
		}
	}
	for name, in := range map[string]auth.Credentials{
		"an unknown address":      {Email: "nobody@example.test", Password: shop.Password},
		"a wrong password":        {Email: a.Email, Password: "square-and-false"},
		"an empty password":       {Email: a.Email},
		"a disabled account":      {Email: disabled.Email, Password: shop.Password},
		"an account without one":  {Email: elsewhere.Email, Password: ""},
		"no address":              {Password: shop.Password},
		"an address that is none": {Email: "' OR 1=1 --", Password: shop.Password},
	} {
		hashes, lookups := d.passwords.Hashes(), d.store.lookups
		session, err := d.SignIn(t.Context(), in)
		if session != (auth.Grant{}) || !errors.Is(err, auth.ErrSignIn) {
			t.Errorf("%s: %+v, %v", name, session, err)
			continue
		}
		if diff := cmp.Diff(fault.Problem{Status: 401, Code: "credentials_wrong"}, fault.ProblemOf(err, "")); diff != "" {
			t.Errorf("%s: the caller learns more\n%s", name, diff)
		}
		if h, l := d.passwords.Hashes()-hashes, d.store.lookups-lookups; h != 1 || l != 1 {
			t.Errorf("%s: %d hashes and %d lookups, want one each", name, h, l)
		}
		if errors.Unwrap(err) == nil || strings.Contains(err.Error(), "@") {
			t.Errorf("%s: the log should learn why, and no address: %v", name, err)
		}
	}
}

func TestSignInRenewsAnOldHash(t *testing.T) {
	t.Parallel()
	d := open(t)
	a := create(t, d)
	stronger := passwords(func(c *auth.PasswordConfig) { c.Passes = 2 })
	for round, want := range []uint64{2, 3} { // verify and renew, then verify
		if _, err := d.with(stronger).SignIn(t.Context(), auth.Credentials{Email: a.Email, Password: shop.Password}); err != nil {
			t.Fatal(err)
		}
		if got := stronger.Hashes(); got != want {
			t.Errorf("round %d: %d hashes so far, want %d", round, got, want)
		}
	}
	now, err := d.ByID(t.Context(), a.ID)
	if err != nil || !strings.Contains(now.PasswordHash, ",t=2,") {
		t.Errorf("stored: %v, %v", now.PasswordHash, err)
	}
}

func TestSignInReportsTrouble(t *testing.T) {
	t.Parallel()
	d := open(t)
	broken := auth.Account{ID: "usr_1", Email: "a@b.test", PasswordHash: "$argon2id$canary"}
	if err := d.store.Insert(t.Context(), broken); err != nil {
		t.Fatal(err)
	}
	_, err := d.SignIn(t.Context(), auth.Credentials{Email: broken.Email, Password: "x"})
	if _, known := fault.Of(err); err == nil || known || strings.Contains(err.Error(), "canary") {
		t.Errorf("a broken hash: %v", err)
	}
	d.store.fail = errors.New("database is gone")
	if _, err := d.SignIn(t.Context(), auth.Credentials{Email: "a@b.test"}); !errors.Is(err, d.store.fail) || errors.Is(err, auth.ErrSignIn) {
		t.Errorf("a broken store: %v", err)
	}
	d.store.fail = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.SignIn(ctx, auth.Credentials{Email: "nobody@b.test"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who left: %v", err)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	d := open(t)
	a := create(t, d)
	if !strings.HasPrefix(a.ID, "usr_") || a.Email != "shop@example.test" || a.Role != "merchant" || a.Tenant != "mer_1" || a.DisabledAt != nil {
		t.Errorf("account %+v", a)
	}
	text, err := json.Marshal(a)
	if err != nil || strings.Contains(string(text), "argon2") {
		t.Errorf("on the wire: %s, %v", text, err)
	}
	again := shop
	again.Email = "SHOP@example.test "
	if _, err := d.Create(t.Context(), again); !errors.Is(err, auth.ErrEmailTaken) {
		t.Errorf("an address taken: %v", err)
	}
	if got, err := d.ByID(t.Context(), a.ID); err != nil || got.Email != a.Email {
		t.Errorf("ByID: %+v, %v", got, err)
	}
}

func TestCreateReportsEveryViolation(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, err := d.Create(t.Context(), auth.NewAccount{Email: "nobody", Password: "password1", Role: "king"})
	got, _ := errors.AsType[fault.Violations](err)
	var all []string
	for _, v := range got {
		all = append(all, v.Pointer+" "+v.Code)
	}
	if diff := cmp.Diff([]string{"/email format", "/role unknown", "/password too_common"}, all); diff != "" {
		t.Error(diff)
	}
	if d.passwords.Hashes() != 0 {
		t.Error("a refused account was hashed")
	}
	if rest, err := d.List(t.Context(), "", 10); err != nil || len(rest) != 0 {
		t.Errorf("kept: %+v, %v", rest, err)
	}
}

func TestListPages(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		in := shop
		in.Email = name + "@example.test"
		if _, err := d.Create(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	var seen, after string
	for range 4 {
		page, err := d.List(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page {
			seen, after = seen+a.Email[:1], a.ID
		}
		seen += "|"
	}
	if seen != "ab|cd|e||" {
		t.Errorf("pages %s", seen)
	}
	if _, err := d.ByID(t.Context(), "usr_none"); !errors.Is(err, auth.ErrNoAccount) {
		t.Errorf("an unknown id: %v", err)
	}
}

func TestMemoryKeepsTheQuickerHash(t *testing.T) {
	t.Parallel()
	m := auth.NewMemory()
	if err := m.Insert(t.Context(), auth.Account{ID: "usr_1", Email: "a@b.test", PasswordHash: "new"}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"usr_1", "usr_2"} {
		if err := m.SetPasswordHash(t.Context(), id, "old", "late"); err != nil {
			t.Error(err)
		}
	}
	if a, err := m.ByEmail(t.Context(), "a@b.test"); err != nil || a.PasswordHash != "new" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestWireTypesHaveRules(t *testing.T) {
	t.Parallel()
	for _, typ := range []reflect.Type{reflect.TypeFor[auth.Credentials](), reflect.TypeFor[auth.NewAccount]()} {
		described, err := rule.Describe(typ)
		if err != nil {
			t.Fatal(err)
		}
		if !described.Object.Field("password").Type.Secret || described.Object.Field("email").Type.Secret {
			t.Errorf("%v: the password, and only it, is secret", typ)
		}
	}
}
