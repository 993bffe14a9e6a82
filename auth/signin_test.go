package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
)

// steps are the seams of sign-in: they write down the order in which they are
// asked, and answer as they are told.
type steps struct {
	*auth.Memory
	order     []string
	throttled bool
	second    map[string]string // account: code
	breached  func(string) (bool, error)
	broken    error
}

func (s *steps) note(step string) { s.order = append(s.order, step) }

func (s *steps) ByEmail(ctx context.Context, email string) (auth.Account, error) {
	s.note("lookup")
	return s.Memory.ByEmail(ctx, email)
}

func (s *steps) Try(_ context.Context, email, address string) error {
	s.note("try " + address)
	if s.throttled {
		return auth.ErrThrottled
	}
	return nil
}

func (s *steps) Succeeded(_ context.Context, email, address string) {
	s.note("succeeded " + email + " " + address)
}

func (s *steps) Untried(_ context.Context, email, address string) {
	s.note("untried " + email + " " + address)
}

func (s *steps) Required(_ context.Context, account string) (bool, error) {
	s.note("required")
	return s.second[account] != "", s.broken
}

func (s *steps) Check(_ context.Context, account, code string) error {
	s.note("check")
	if code != s.second[account] {
		return auth.ErrSecondFactor
	}
	return nil
}

func (s *steps) Record(ctx context.Context, events ...auth.SecurityEvent) error {
	for _, e := range events {
		s.note(fmt.Sprintf("%s %s", e.Kind, e.Outcome))
	}
	return s.Memory.Record(ctx, events...)
}

func openSteps(t *testing.T) (*auth.Accounts, *steps, *auth.Passwords, auth.Account) {
	t.Helper()
	s := &steps{Memory: auth.NewMemory(), second: map[string]string{}}
	p := passwords()
	accounts := auth.NewAccounts(auth.AccountsConfig{
		Store: s, Passwords: p, Tokens: tokens(t, auth.GenerateKey(), newClock()), Now: newClock().now,
		Throttle: s, SecondFactor: s, Audit: s,
		Breached: func(_ context.Context, password string) (bool, error) {
			if s.breached == nil {
				return false, nil
			}
			return s.breached(password)
		},
	})
	a, err := accounts.Create(t.Context(), shop)
	if err != nil {
		t.Fatal(err)
	}
	return accounts, s, p, a
}

func from(ctx context.Context) context.Context {
	return access.WithOrigin(ctx, access.Origin{Address: "192.0.2.7", Agent: "test"})
}

// P11.17: whoever does not have the password gets the same work in the same
// order, whoever the account is, with a throttle and a second factor in play.
func TestRefusedSignInsTakeTheSameSteps(t *testing.T) {
	t.Parallel()
	accounts, s, p, a := openSteps(t)
	guarded, disabled := shop, shop
	guarded.Email, disabled.Email = "guarded@example.test", "disabled@example.test"
	g, err := accounts.Create(t.Context(), guarded)
	if err != nil {
		t.Fatal(err)
	}
	s.second[g.ID] = "123456"
	d, err := accounts.Create(t.Context(), disabled)
	if err != nil {
		t.Fatal(err)
	}
	if err := accounts.Disable(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	want := []string{"try 192.0.2.7", "lookup", "sign_in failed"}
	for name, in := range map[string]auth.Credentials{
		"an unknown address":                    {Email: "nobody@example.test", Password: shop.Password},
		"an unknown address and a code":         {Email: "nobody@example.test", Password: shop.Password, Code: "123456"},
		"a wrong password":                      {Email: a.Email, Password: "square-and-false"},
		"a wrong password before a second one":  {Email: g.Email, Password: "square-and-false"},
		"a wrong password and the right code":   {Email: g.Email, Password: "square-and-false", Code: "123456"},
		"a disabled account":                    {Email: d.Email, Password: shop.Password},
		"a disabled account's wrong password":   {Email: d.Email, Password: "square-and-false"},
		"a disabled account's password, a code": {Email: d.Email, Password: shop.Password, Code: "123456"},
	} {
		s.order = nil
		before := p.Hashes()
		_, err := accounts.SignIn(from(t.Context()), in)
		if diff := cmp.Diff(fault.Problem{Status: 401, Code: "credentials_wrong"}, fault.ProblemOf(err, "")); diff != "" {
			t.Errorf("%s: the caller learns more\n%s", name, diff)
		}
		if diff := cmp.Diff(want, s.order); diff != "" || p.Hashes()-before != 1 {
			t.Errorf("%s: %d hashes and other steps\n%s", name, p.Hashes()-before, diff)
		}
	}
}

func TestSignInWithASecondFactor(t *testing.T) {
	t.Parallel()
	accounts, s, _, a := openSteps(t)
	s.second[a.ID] = "123456"
	for _, c := range []struct {
		code string
		want error
		last string
	}{
		{"", auth.ErrSecondFactorRequired, "sign_in failed"},
		{"000000", auth.ErrSecondFactor, "sign_in failed"},
		{"123456", nil, "succeeded shop@example.test 192.0.2.7"},
	} {
		grant, err := accounts.SignIn(from(t.Context()), auth.Credentials{Email: a.Email, Password: shop.Password, Code: c.code})
		if !errors.Is(err, c.want) || (c.want == nil) != (grant.RefreshToken != "") || s.order[len(s.order)-1] != c.last {
			t.Errorf("code %q: %v, %v", c.code, err, s.order)
		}
	}
	s.broken = errors.New("the database is gone")
	if _, err := accounts.SignIn(from(t.Context()), auth.Credentials{Email: a.Email, Password: shop.Password}); !errors.Is(err, s.broken) {
		t.Errorf("a broken second factor: %v", err)
	}
}

// P6.12: a sign-in that is throttled costs no hash, and a flood of them is a
// few lines in the audit log.
func TestThrottledSignIns(t *testing.T) {
	t.Parallel()
	accounts, s, p, a := openSteps(t)
	s.throttled = true
	before := p.Hashes()
	for range 50 {
		for _, email := range []string{a.Email, "nobody@example.test"} {
			if _, err := accounts.SignIn(from(t.Context()), auth.Credentials{Email: email, Password: shop.Password}); !errors.Is(err, auth.ErrThrottled) {
				t.Fatal(err)
			}
		}
	}
	for i := range 1000 {
		_, _ = accounts.SignIn(t.Context(), auth.Credentials{Email: fmt.Sprint(i, "@example.test")})
	}
	if p.Hashes() != before || slices.Contains(s.order, "lookup") {
		t.Error("a throttled sign-in was tried all the same")
	}
	var refused int
	for _, e := range s.Events() {
		if e.Kind == auth.EventSignIn && e.Outcome == auth.Refused {
			refused++
		}
	}
	if refused < 3 || refused > 256 {
		t.Errorf("%d events for 1100 refusals", refused)
	}
}

func TestSignInOpensASession(t *testing.T) {
	t.Parallel()
	accounts, s, _, a := openSteps(t)
	seen := map[string]bool{}
	for range 2 { // P11.24
		grant, err := accounts.SignIn(from(t.Context()), auth.Credentials{Email: a.Email, Password: shop.Password})
		if err != nil || !strings.HasPrefix(grant.RefreshToken, "rt_") || len(grant.RefreshToken) < 3+86 || seen[grant.RefreshToken] {
			t.Fatalf("%+v, %v", grant, err)
		}
		seen[grant.RefreshToken] = true
	}
	list, err := accounts.Sessions(access.With(t.Context(), access.Principal{ID: a.ID}), "", 10)
	if err != nil || len(list) != 2 || list[0].Address != "192.0.2.7" || list[0].Agent != "test" || list[0].Current {
		t.Errorf("%+v, %v", list, err)
	}
	events := s.Events()
	last := events[len(events)-1]
	if last.Subject != a.ID || last.Credential != list[0].ID && last.Credential != list[1].ID || last.Outcome != auth.Succeeded {
		t.Errorf("event %+v", last)
	}
}

// What the audit log cannot keep must not happen.
func TestSignInWithoutATrace(t *testing.T) {
	t.Parallel()
	gone := errors.New("the disk is full")
	m := auth.NewMemory()
	accounts := auth.NewAccounts(auth.AccountsConfig{
		Store: m, Passwords: passwords(), Tokens: tokens(t, auth.GenerateKey(), newClock()), Audit: noAudit{gone},
	})
	_, err := accounts.SignIn(t.Context(), auth.Credentials{Email: "a@b.test", Password: "x"})
	if !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
}

type noAudit struct{ error }

func (n noAudit) Record(context.Context, ...auth.SecurityEvent) error { return n.error }

func TestBreachedPasswords(t *testing.T) {
	t.Parallel()
	accounts, s, _, a := openSteps(t)
	s.breached = func(password string) (bool, error) { return strings.HasPrefix(password, "leaked"), nil }
	in := auth.NewAccount{Email: "new@example.test", Password: "leaked-but-long", Role: "merchant"}
	mine := access.With(t.Context(), access.Principal{ID: a.ID, Credential: "ses_1"})
	for pointer, err := range map[string]error{
		"/password": func() error { _, err := accounts.Create(t.Context(), in); return err }(),
		"/new":      accounts.ChangePassword(mine, auth.PasswordChange{Current: shop.Password, New: in.Password}),
	} {
		v, _ := errors.AsType[fault.Violations](err)
		if len(v) != 1 || v[0].Pointer != pointer || v[0].Code != "breached" || strings.Contains(v.Error(), in.Password) {
			t.Errorf("%s: %v", pointer, err)
		}
	}
	if err := accounts.SetPassword(t.Context(), a.ID, in.Password); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("set: %v", err)
	}
	// A service that is down keeps nobody out.
	s.breached = func(string) (bool, error) { return false, errors.New("no route to host") }
	if _, err := accounts.Create(t.Context(), in); err != nil {
		t.Error(err)
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	accounts, s, p, a := openSteps(t)
	mine := access.With(from(t.Context()), access.Principal{ID: a.ID, Credential: "ses_1"})
	const next = "quarry-and-chisel"
	for name, c := range map[string]struct {
		in   auth.PasswordChange
		want string
	}{
		"a wrong current one": {auth.PasswordChange{Current: "square-and-false", New: next}, "/current wrong"},
		"a common new one":    {auth.PasswordChange{Current: shop.Password, New: "password1"}, "/new too_common"},
		"a short new one":     {auth.PasswordChange{Current: shop.Password, New: "short"}, "/new too_short"},
	} {
		v, _ := errors.AsType[fault.Violations](accounts.ChangePassword(mine, c.in))
		if len(v) != 1 || v[0].Pointer+" "+v[0].Code != c.want {
			t.Errorf("%s: %v", name, v)
		}
	}
	s.throttled = true
	before := p.Hashes()
	if err := accounts.ChangePassword(mine, auth.PasswordChange{Current: shop.Password, New: next}); !errors.Is(err, auth.ErrThrottled) || p.Hashes() != before {
		t.Errorf("guessing by way of a change: %v", err)
	}
	s.throttled = false
	if err := accounts.ChangePassword(mine, auth.PasswordChange{Current: shop.Password, New: next}); err != nil {
		t.Fatal(err)
	}
	now, err := accounts.ByID(t.Context(), a.ID)
	if err != nil || now.Epoch != a.Epoch+1 {
		t.Errorf("%+v, %v", now, err)
	}
	if _, err := accounts.SignIn(from(t.Context()), auth.Credentials{Email: a.Email, Password: next}); err != nil {
		t.Error(err)
	}
	nobody := access.With(t.Context(), access.Principal{ID: "usr_none"})
	if err := accounts.ChangePassword(nobody, auth.PasswordChange{Current: shop.Password, New: next}); !errors.Is(err, auth.ErrNoAccount) {
		t.Errorf("nobody: %v", err)
	}
	var kinds []string
	for _, e := range s.Events() {
		kinds = append(kinds, fmt.Sprintf("%s %s", e.Kind, e.Outcome))
	}
	for _, want := range []string{"password_changed failed", "password_changed succeeded"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("no event %q among %v", want, kinds)
		}
	}
}

// Every change of an account leaves its line, and none where nothing changed.
func TestAccountEvents(t *testing.T) {
	t.Parallel()
	accounts, s, _, a := openSteps(t)
	ctx := t.Context()
	for _, err := range []error{
		accounts.SetRole(ctx, a.ID, "admin"), accounts.SetRole(ctx, a.ID, "admin"),
		accounts.Disable(ctx, a.ID), accounts.Disable(ctx, a.ID),
		accounts.Enable(ctx, a.ID), accounts.Enable(ctx, a.ID),
		accounts.SetPassword(ctx, a.ID, "quarry-and-chisel"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, e := range s.Events() {
		got = append(got, strings.TrimSpace(string(e.Kind)+" "+e.Detail))
		if e.Subject != a.ID {
			t.Errorf("%s is about %q", e.Kind, e.Subject)
		}
	}
	want := []string{"role_changed merchant to admin", "account_disabled", "account_enabled", "password_changed"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, err := range map[string]error{
		"role": accounts.SetRole(ctx, "usr_none", "admin"), "disable": accounts.Disable(ctx, "usr_none"),
		"enable": accounts.Enable(ctx, "usr_none"), "password": accounts.SetPassword(ctx, "usr_none", "quarry-and-chisel"),
	} {
		if !errors.Is(err, auth.ErrNoAccount) {
			t.Errorf("%s of nobody: %v", name, err)
		}
	}
	if err := accounts.SetRole(ctx, a.ID, ""); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("no role: %v", err)
	}
}

// P11.8: a retry is the same request, soon, with its key.
func TestRetryOfARefresh(t *testing.T) {
	t.Parallel()
	const key = "sixteen or more."
	same := func(*auth.Session) {}
	for name, c := range map[string]struct {
		with   string
		after  time.Duration
		change func(*auth.Session)
		want   bool
	}{
		"the same request":          {key, 10 * time.Second, same, true},
		"another key":               {key + "x", 0, same, false},
		"no key":                    {"", 0, same, false},
		"too late":                  {key, 10*time.Second + time.Millisecond, same, false},
		"an ended session":          {key, 0, func(s *auth.Session) { s.EndedAt = s.SpentAt }, false},
		"a successor that was used": {key, 0, func(s *auth.Session) { s.TokenHash = "another" }, false},
		"a token before the last":   {key, 0, func(s *auth.Session) { s.SpentHash = "another" }, false},
		"nothing sealed":            {key, 0, func(s *auth.Session) { s.Sealed = "" }, false},
		"what another one sealed":   {key, 0, func(s *auth.Session) { s.Sealed = auth.SealedFor(key) }, false},
		"a seal moved elsewhere":    {key, 0, func(s *auth.Session) { s.ID = "ses_2" }, false},
		"a changed seal":            {key, 0, func(s *auth.Session) { s.Sealed = "A" + s.Sealed[1:] + "A" }, false},
	} {
		if got := auth.Retries(key, c.with, c.after, c.change); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// The cookie is remembered, and what ends its session still counts at once.
func TestByCookie(t *testing.T) {
	t.Parallel()
	m, clock := auth.NewMemory(), newClock()
	m.Revocations = auth.NewRevocations(clock.now)
	store := &counting{Memory: m}
	keys, err := auth.NewKeys(auth.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := auth.NewTokens(auth.TokenConfig{Keys: keys, Issuer: "pay", Audience: "pay", Now: clock.now, Revocations: m.Revocations})
	if err != nil {
		t.Fatal(err)
	}
	accounts := auth.NewAccounts(auth.AccountsConfig{Store: store, Passwords: passwords(), Tokens: issuer, Now: clock.now})
	a, err := accounts.Create(t.Context(), shop)
	if err != nil {
		t.Fatal(err)
	}
	signIn := func() *http.Request {
		t.Helper()
		s, err := accounts.SignInCookie(t.Context(), auth.Credentials{Email: a.Email, Password: shop.Password})
		if err != nil {
			t.Fatal(err)
		}
		r := &http.Request{Header: http.Header{}}
		r.AddCookie(s.Cookies()[0])
		return r
	}
	r := signIn()
	for range 3 {
		c, present, err := accounts.ByCookie(r)
		if err != nil || !present || c.Subject != a.ID || c.Account != "mer_1" || c.Role != "merchant" || c.Session == "" {
			t.Fatalf("%+v, %v", c, err)
		}
	}
	if store.sessions != 1 {
		t.Errorf("%d lookups for three requests", store.sessions)
	}
	if err := accounts.SetRole(t.Context(), a.ID, "admin"); err != nil {
		t.Fatal(err)
	}
	if c, _, err := accounts.ByCookie(r); err != nil || c.Role != "admin" {
		t.Errorf("a new role: %+v, %v", c, err)
	}
	mine := access.With(t.Context(), access.Principal{ID: a.ID})
	if err := accounts.EndOtherSessions(mine); err != nil {
		t.Fatal(err)
	}
	if _, _, err := accounts.ByCookie(r); !errors.Is(err, auth.ErrToken) {
		t.Errorf("an ended session: %v", err)
	}

	// P11.9: it goes on while it is used, and ends when it is not.
	r = signIn()
	for range 20 {
		clock.move(13 * 24 * time.Hour)
		_, _, err = accounts.ByCookie(r)
		if err != nil {
			break
		}
	}
	if list, _ := accounts.Sessions(mine, "", 10); err == nil || len(list) != 0 {
		t.Errorf("after 90 days: %v, %+v", err, list)
	}
	r = signIn()
	clock.move(14 * 24 * time.Hour)
	if _, _, err := accounts.ByCookie(r); !errors.Is(err, auth.ErrToken) {
		t.Errorf("after 14 idle days: %v", err)
	}
	if _, present, err := accounts.ByCookie(&http.Request{Header: http.Header{"Cookie": {"a=b"}}}); present || err != nil {
		t.Errorf("no cookie of ours: %t, %v", present, err)
	}
}
