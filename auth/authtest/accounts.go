package authtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/auth"
)

func accounts(t *testing.T, d *desk) {
	ctx := t.Context()
	a := d.person(ctx, t)
	for name, find := range map[string]func() (auth.Account, error){
		"by address": func() (auth.Account, error) { return d.store.ByEmail(ctx, a.Email) },
		"by id":      func() (auth.Account, error) { return d.store.ByID(ctx, a.ID) },
	} {
		got, err := find()
		if diff := cmp.Diff(a, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	if _, err := d.store.ByEmail(ctx, "nobody@authtest.test"); !errors.Is(err, auth.ErrNoAccount) {
		t.Errorf("an unknown address: %v", err)
	}
	twin := a
	twin.ID += "x"
	if err := d.store.Insert(ctx, twin); !errors.Is(err, auth.ErrEmailTaken) {
		t.Errorf("an address that is taken: %v", err)
	}
	for _, old := range []string{"other", "$"} {
		if err := d.store.SetPasswordHash(ctx, a.ID, old, "$renewed from "+old); err != nil {
			t.Error(err)
		}
	}
	if got, err := d.store.ByID(ctx, a.ID); err != nil || got.PasswordHash != "$renewed from $" {
		t.Errorf("hash %q, %v: only the one that was read may be renewed", got.PasswordHash, err)
	}

	want := a
	want.PasswordHash, want.Role, want.Epoch, want.DisabledAt = "$new", "admin", 7, new(d.clock())
	err := d.store.Change(ctx, func(tx auth.Tx) error {
		locked, err := tx.LockAccount(ctx, a.ID)
		if err != nil || locked.Email != a.Email {
			t.Errorf("locked %+v, %v", locked, err)
		}
		return tx.SaveAccount(ctx, want)
	})
	got, found := d.store.ByID(ctx, a.ID)
	if diff := cmp.Diff(want, got); err != nil || found != nil || diff != "" {
		t.Errorf("saved: %v, %v\n%s", err, found, diff)
	}
	err = d.store.Change(ctx, func(tx auth.Tx) error {
		_, err := tx.LockAccount(ctx, "usr_none")
		return err
	})
	if !errors.Is(err, auth.ErrNoAccount) {
		t.Errorf("an unknown account was locked: %v", err)
	}
}

func rollback(t *testing.T, d *desk) {
	ctx := t.Context()
	a := d.person(ctx, t)
	first := open(ctx, t, d, a)
	failure := errors.New("the end of it")
	err := d.store.Change(ctx, func(tx auth.Tx) error {
		changed := a
		changed.Role = "admin"
		steps := []error{
			tx.SaveAccount(ctx, changed),
			tx.Record(ctx, auth.NewEvent(ctx, "rolled_back", auth.Succeeded)),
			tx.Revoke(ctx, auth.Revocation{Subject: a.ID, Credential: first.id, Until: d.clock().Add(time.Hour)}),
		}
		ended, err := tx.EndSessions(ctx, a.ID, "", "", d.clock())
		if len(ended) != 1 || errors.Join(append(steps, err)...) != nil {
			t.Errorf("inside: ended %v, %v, %v", ended, err, steps)
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("the error became %v", err)
	}
	if got, err := d.store.ByID(ctx, a.ID); err != nil || got.Role != a.Role {
		t.Errorf("the role became %q, %v", got.Role, err)
	}
	if _, err := d.tokens.Verify(ctx, first.grant.AccessToken); err != nil {
		t.Errorf("a revocation outlived its transaction: %v", err)
	}
	if _, err := d.Refresh(ctx, auth.Refresh{RefreshToken: first.grant.RefreshToken}); err != nil {
		t.Errorf("a session ended all the same: %v", err)
	}
}

// opened is a session with what its sign-in answered.
type opened struct {
	id    string
	grant auth.Grant
}

func open(ctx context.Context, t fataler, d *desk, a auth.Account) opened {
	t.Helper()
	grant, err := d.OpenSession(ctx, a)
	if err != nil {
		t.Fatalf("sign in: %v", err)
	}
	claims, err := d.tokens.Verify(ctx, grant.AccessToken)
	if err != nil {
		t.Fatalf("the access token of a sign-in: %v", err)
	}
	return opened{claims.Session, grant}
}
