package authtest

import (
	"errors"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/id"
)

// within tries accounts that are made and changed in transactions of others.
func within(t *testing.T, d *desk) {
	ctx := t.Context()
	rival := d.person(ctx, t)
	email := id.New("new_") + "@authtest.test"
	prepared, err := d.Prepare(ctx, auth.NewAccount{Email: email, Password: "square-and-true", Role: "clerk"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.store.ByEmail(ctx, email); !errors.Is(err, auth.ErrNoAccount) {
		t.Errorf("an account that is only prepared is there: %v", err)
	}
	add := func(a auth.Account, end error) error {
		return d.store.Change(ctx, func(tx auth.Tx) error {
			if err := d.Add(ctx, tx, a); err != nil {
				return err
			}
			return end
		})
	}
	broken := errors.New("what belongs to it failed")
	if err := add(prepared, broken); !errors.Is(err, broken) {
		t.Errorf("rolled back: %v", err)
	}
	if _, err := d.store.ByID(ctx, prepared.ID); !errors.Is(err, auth.ErrNoAccount) {
		t.Errorf("an account whose transaction failed is there: %v", err)
	}
	if err := add(prepared, nil); err != nil {
		t.Fatal(err)
	}
	twin := prepared
	twin.ID = id.New("usr_")
	if err := add(twin, nil); !errors.Is(err, auth.ErrEmailTaken) {
		t.Errorf("an address that is taken: %v", err)
	}

	session := open(ctx, t, d, prepared)
	change := func(id string, c auth.Changes) (a auth.Account, err error) {
		err = d.store.Change(ctx, func(tx auth.Tx) error {
			a, err = d.Change(ctx, tx, id, c)
			return err
		})
		return a, err
	}
	if _, err := change(prepared.ID, auth.Changes{Email: rival.Email}); !errors.Is(err, auth.ErrEmailTaken) {
		t.Errorf("the address of somebody else: %v", err)
	}
	if _, err := change(prepared.ID, auth.Changes{Email: "no address"}); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("no address: %v", err)
	}
	if _, err := change("usr_none", auth.Changes{Email: "a@authtest.test"}); !errors.Is(err, auth.ErrNoAccount) {
		t.Errorf("an unknown account: %v", err)
	}
	moved, err := change(prepared.ID, auth.Changes{Email: " Moved." + email})
	if err != nil || moved.Email != auth.NormalizeEmail("moved."+email) {
		t.Errorf("moved to %q, %v", moved.Email, err)
	}
	if _, err := d.Renew(as(ctx, moved.ID, session.id)); err != nil {
		t.Errorf("another address ended the session: %v", err)
	}
	hash, err := d.HashPassword(ctx, "another-and-true")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := change(moved.ID, auth.Changes{PasswordHash: hash}); err != nil {
		t.Error(err)
	}
	if _, err := d.Renew(as(ctx, moved.ID, session.id)); !errors.Is(err, auth.ErrToken) {
		t.Errorf("another password left the session open: %v", err)
	}
	if _, err := d.SignIn(ctx, auth.Credentials{Email: moved.Email, Password: "another-and-true"}); err != nil {
		t.Errorf("the new password at the new address: %v", err)
	}
	if _, err := d.HashPassword(ctx, "short"); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("a short password: %v", err)
	}
}

// renewal tries access tokens that come without a refresh token.
func renewal(t *testing.T, d *desk) {
	ctx := t.Context()
	a := d.person(ctx, t)
	first, second := open(ctx, t, d, a), open(ctx, t, d, a)
	grant, err := d.Renew(as(ctx, a.ID, first.id))
	if err != nil || grant.RefreshToken != "" {
		t.Fatalf("%+v, %v", grant, err)
	}
	claims, err := d.tokens.Verify(ctx, grant.AccessToken)
	if err != nil || claims.Session != first.id || claims.Subject != a.ID {
		t.Errorf("%+v, %v", claims, err)
	}
	for name, who := range map[string][2]string{
		"a session of somebody else": {d.person(ctx, t).ID, first.id},
		"a session that never was":   {a.ID, "ses_none"},
		"no session":                 {a.ID, ""},
		"nobody":                     {"", first.id},
	} {
		if _, err := d.Renew(as(ctx, who[0], who[1])); !errors.Is(err, auth.ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := d.EndSession(as(ctx, a.ID, second.id), first.id); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Renew(as(ctx, a.ID, first.id)); !errors.Is(err, auth.ErrToken) {
		t.Errorf("an ended session: %v", err)
	}
	d.advance(13 * 24 * time.Hour)
	if _, err := d.Renew(as(ctx, a.ID, second.id)); err != nil {
		t.Errorf("a session that was idle for 13 days: %v", err)
	}
	d.advance(13 * 24 * time.Hour) // it was used then
	if _, err := d.Renew(as(ctx, a.ID, second.id)); err != nil {
		t.Errorf("a session that was used meanwhile: %v", err)
	}
	d.advance(15 * 24 * time.Hour)
	if _, err := d.Renew(as(ctx, a.ID, second.id)); !errors.Is(err, auth.ErrToken) {
		t.Errorf("a session that was idle for 15 days: %v", err)
	}
}
