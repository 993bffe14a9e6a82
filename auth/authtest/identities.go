package authtest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/id"
)

// RunIdentities proves that a store keeps the promises of [auth.IdentityStore].
// open returns an empty one, and the accounts beside it.
func RunIdentities(t *testing.T, open func(t *testing.T) (auth.IdentityStore, auth.Store)) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *links){
		"an identity comes back as it was":        identityComesBack,
		"an identity has one account":             haveOneAccount,
		"a newcomer is kept whole or not at all":  admitWhole,
		"an identity is given up by its account":  areGivenUp,
		"of two links one is the last":            leaveOne,
		"a ticket is kept once and taken once":    areTakenOnce,
		"a ticket is another's without a browser": needTheirBrowser,
		"no ticket is forgotten before its time":  keepTheirTime,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, accounts := open(t)
			test(t, &links{store, accounts})
		})
	}
}

// links is a store under test.
type links struct {
	auth.IdentityStore
	accounts auth.Store
}

func (s *links) account(t *testing.T) auth.Account {
	t.Helper()
	a := newcomer()
	if err := s.accounts.Insert(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return a
}

func newcomer() auth.Account {
	name := id.New("usr_")
	return auth.Account{ID: name, Email: name + "@corp.test", Role: "clerk", CreatedAt: now()}
}

func linkOf(account, issuer, subject string) auth.LinkedIdentity {
	return auth.LinkedIdentity{
		ID: id.New("idn_"), Account: account, Provider: "corp", Issuer: issuer, Subject: subject, Email: "a@corp.test", LinkedAt: now(),
	}
}

func (s *links) link(t *testing.T, account, issuer, subject string) auth.LinkedIdentity {
	t.Helper()
	l := linkOf(account, issuer, subject)
	if err := s.Link(t.Context(), l, event(t)); err != nil {
		t.Fatal(err)
	}
	return l
}

func (s *links) of(t *testing.T, account string, want int) {
	t.Helper()
	if all, err := s.OfAccount(t.Context(), account); err != nil || len(all) != want {
		t.Errorf("the account has %+v, %v; want %d", all, err, want)
	}
}

func identityComesBack(t *testing.T, s *links) {
	t.Helper()
	a := s.account(t)
	one, two := s.link(t, a.ID, "https://one.test", "7"), s.link(t, a.ID, "https://two.test", "7")
	for _, want := range []auth.LinkedIdentity{one, two} {
		if got, err := s.BySubject(t.Context(), want.Issuer, want.Subject); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	for _, other := range [][2]string{{"https://one.test", "8"}, {"https://one.test/", "7"}, {"https://ONE.test", "7"}, {"", ""}} {
		if got, err := s.BySubject(t.Context(), other[0], other[1]); !errors.Is(err, auth.ErrNoIdentity) {
			t.Errorf("%q is %+v, %v", other, got, err)
		}
	}
	if all, err := s.OfAccount(t.Context(), a.ID); err != nil || len(all) != 2 || all[0] != one || all[1] != two {
		t.Errorf("the account has %+v, %v", all, err)
	}
}

func haveOneAccount(t *testing.T, s *links) {
	t.Helper()
	a, b := s.account(t), s.account(t)
	s.link(t, a.ID, "https://one.test", "7")
	for what, l := range map[string]auth.LinkedIdentity{
		"the same once more":               linkOf(a.ID, "https://one.test", "7"),
		"the same with another account":    linkOf(b.ID, "https://one.test", "7"),
		"another of this issuer with hers": linkOf(a.ID, "https://one.test", "8"),
	} {
		if err := s.Link(t.Context(), l, event(t)); !errors.Is(err, auth.ErrIdentityTaken) {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.link(t, b.ID, "https://one.test", "8")
	s.of(t, a.ID, 1)
	s.of(t, b.ID, 1)
}

func admitWhole(t *testing.T, s *links) {
	t.Helper()
	a := newcomer()
	l := linkOf(a.ID, "https://one.test", "7")
	if err := s.Admit(t.Context(), a, l, event(t)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.accounts.ByID(t.Context(), a.ID); err != nil || got.Email != a.Email {
		t.Errorf("the newcomer is %+v, %v", got, err)
	}
	again := newcomer()
	if err := s.Admit(t.Context(), again, linkOf(again.ID, "https://one.test", "7"), event(t)); !errors.Is(err, auth.ErrIdentityTaken) {
		t.Errorf("an identity with an account is admitted: %v", err)
	}
	if got, err := s.accounts.ByID(t.Context(), again.ID); !errors.Is(err, auth.ErrNoAccount) {
		t.Errorf("and half of it is kept: %+v, %v", got, err)
	}
	same := newcomer()
	same.Email = a.Email
	if err := s.Admit(t.Context(), same, linkOf(same.ID, "https://one.test", "8"), event(t)); !errors.Is(err, auth.ErrEmailTaken) {
		t.Errorf("an address with an account is admitted: %v", err)
	}
	if got, err := s.BySubject(t.Context(), "https://one.test", "8"); !errors.Is(err, auth.ErrNoIdentity) {
		t.Errorf("and half of it is kept: %+v, %v", got, err)
	}
}

func areGivenUp(t *testing.T, s *links) {
	t.Helper()
	a, b := s.account(t), s.account(t)
	l := s.link(t, a.ID, "https://one.test", "7")
	if err := s.Unlink(t.Context(), b.ID, l.ID, true, event(t)); !errors.Is(err, auth.ErrNoIdentity) {
		t.Errorf("another account gives it up: %v", err)
	}
	if err := s.Unlink(t.Context(), a.ID, l.ID, false, event(t)); !errors.Is(err, auth.ErrIdentityLast) {
		t.Errorf("the last one is given up: %v", err)
	}
	s.of(t, a.ID, 1)
	if err := s.Unlink(t.Context(), a.ID, l.ID, true, event(t)); err != nil {
		t.Error(err)
	}
	if err := s.Unlink(t.Context(), a.ID, l.ID, true, event(t)); !errors.Is(err, auth.ErrNoIdentity) {
		t.Errorf("what is gone is given up: %v", err)
	}
	s.of(t, a.ID, 0)
	s.link(t, b.ID, "https://one.test", "7") // it is free again
}

func leaveOne(t *testing.T, s *links) {
	t.Helper()
	for range 8 {
		a := s.account(t)
		both := []auth.LinkedIdentity{s.link(t, a.ID, "https://one.test", a.ID), s.link(t, a.ID, "https://two.test", a.ID)}
		var crowd sync.WaitGroup
		for _, l := range both {
			crowd.Go(func() {
				if err := s.Unlink(t.Context(), a.ID, l.ID, false, event(t)); err != nil && !errors.Is(err, auth.ErrIdentityLast) {
					t.Error(err)
				}
			})
		}
		crowd.Wait()
		s.of(t, a.ID, 1)
	}
}

func areTakenOnce(t *testing.T, s *links) {
	t.Helper()
	want := auth.Ticket{Key: "k", Browser: "b", Account: "usr_1", Factor: true, Until: now().Add(time.Minute)}
	var kept, taken atomic.Int32
	var crowd sync.WaitGroup
	for range 8 {
		crowd.Go(func() {
			fresh, err := s.KeepTicket(t.Context(), want)
			if err != nil {
				t.Error(err)
			}
			if fresh {
				kept.Add(1)
			}
		})
	}
	crowd.Wait()
	if got, err := s.Ticket(t.Context(), "k", "b"); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for range 8 {
		crowd.Go(func() {
			switch err := s.TakeTicket(t.Context(), "k", "b"); {
			case err == nil:
				taken.Add(1)
			case !errors.Is(err, auth.ErrSignInCode):
				t.Error(err)
			}
		})
	}
	crowd.Wait()
	if kept.Load() != 1 || taken.Load() != 1 {
		t.Errorf("it was kept %d times and taken %d times", kept.Load(), taken.Load())
	}
	if got, err := s.Ticket(t.Context(), "k", "b"); !errors.Is(err, auth.ErrSignInCode) {
		t.Errorf("what was taken is %+v, %v", got, err)
	}
}

func needTheirBrowser(t *testing.T, s *links) {
	t.Helper()
	if _, err := s.KeepTicket(t.Context(), auth.Ticket{Key: "k", Browser: "b", Until: now().Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	for _, browser := range []string{"", "B", "b "} {
		if got, err := s.Ticket(t.Context(), "k", browser); !errors.Is(err, auth.ErrSignInCode) {
			t.Errorf("%q finds %+v, %v", browser, got, err)
		}
		if err := s.TakeTicket(t.Context(), "k", browser); !errors.Is(err, auth.ErrSignInCode) {
			t.Errorf("%q takes it: %v", browser, err)
		}
	}
	if err := s.TakeTicket(t.Context(), "k", "b"); err != nil {
		t.Error(err)
	}
}

func keepTheirTime(t *testing.T, s *links) {
	t.Helper()
	for _, key := range []string{"old", "new", "newer"} {
		until := now().Add(time.Hour)
		if key == "old" {
			until = now().Add(-time.Hour)
		}
		if fresh, err := s.KeepTicket(t.Context(), auth.Ticket{Key: key, Browser: "b", Until: until}); err != nil || !fresh {
			t.Fatalf("%s: %v, %v", key, fresh, err)
		}
	}
	for _, key := range []string{"new", "newer"} {
		if _, err := s.Ticket(t.Context(), key, "b"); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}
