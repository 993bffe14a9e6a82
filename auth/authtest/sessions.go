package authtest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/id"
)

func sessions(t *testing.T, d *desk) {
	ctx := t.Context()
	a, b := d.person(ctx, t), d.person(ctx, t)
	var all []auth.Session
	for _, owner := range []auth.Account{a, b, a, a, a} {
		s := auth.Session{
			ID: id.New("ses_"), Account: owner.ID, Epoch: owner.Epoch, CreatedAt: d.clock(), UsedAt: d.clock().Add(time.Minute),
			Address: "192.0.2.1", Agent: "authtest", SecretHash: "secret of " + owner.ID + id.New("x"), TokenHash: "token",
		}
		if err := d.store.Change(ctx, func(tx auth.Tx) error { return tx.InsertSession(ctx, s) }); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
		d.advance(time.Hour)
	}
	got, err := d.store.SessionBySecret(ctx, all[0].SecretHash)
	if diff := cmp.Diff(all[0], got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := d.store.SessionBySecret(ctx, "unknown"); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("an unknown secret: %v", err)
	}
	list := func(before string, limit int, made, used time.Time) (ids []string) {
		t.Helper()
		found, err := d.store.Sessions(ctx, a.ID, before, limit, made, used)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range found {
			ids = append(ids, s.ID)
		}
		return ids
	}
	// Ids are in the order of time, but those of one millisecond are not.
	newest := []string{all[0].ID, all[2].ID, all[3].ID, all[4].ID}
	slices.Sort(newest)
	slices.Reverse(newest)
	never := time.Time{}
	for name, c := range map[string]struct{ got, want []string }{
		"all of one account":   {list("", 10, never, never), newest},
		"a page":               {list("", 2, never, never), newest[:2]},
		"the next page":        {list(newest[1], 10, never, never), newest[2:]},
		"those made since":     {list("", 10, all[3].CreatedAt, never), []string{all[4].ID}},
		"those used since":     {list("", 10, never, all[3].UsedAt), []string{all[4].ID}},
		"of nobody's, nothing": {list("", 0, never, never), nil},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}

	// The account comes into another epoch, and takes one session along.
	if err := d.store.TouchSession(ctx, all[0].ID, d.clock()); err != nil {
		t.Fatal(err)
	}
	err = d.store.Change(ctx, func(tx auth.Tx) error {
		ended, err := tx.EndSessions(ctx, a.ID, all[2].ID, "", d.clock())
		if err != nil || !slices.Equal(ended, []string{all[2].ID}) {
			t.Errorf("one ended: %v, %v", ended, err)
		}
		a.Epoch++
		return errors.Join(tx.SaveAccount(ctx, a), tx.CarrySession(ctx, a.ID, all[0].ID, a.Epoch), tx.CarrySession(ctx, b.ID, all[3].ID, a.Epoch))
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{all[0].ID}, list("", 10, never, d.clock().Add(-time.Second))); diff != "" {
		t.Errorf("in the new epoch:\n%s", diff)
	}
}

// rotation holds the conditions of a rotation one by one, which a race only
// meets by chance.
func rotation(t *testing.T, d *desk) {
	ctx := t.Context()
	a := d.person(ctx, t)
	s := auth.Session{ID: id.New("ses_"), Account: a.ID, CreatedAt: d.clock(), UsedAt: d.clock(), SecretHash: "secret of " + a.ID, TokenHash: "one"}
	if err := d.store.Change(ctx, func(tx auth.Tx) error { return tx.InsertSession(ctx, s) }); err != nil {
		t.Fatal(err)
	}
	d.advance(time.Minute)
	step := auth.Rotation{Spent: "one", Next: "two", At: d.clock(), Sealed: "sealed", Address: "192.0.2.2", Agent: "next"}
	rotate := func(id string, r auth.Rotation) (won bool) {
		t.Helper()
		err := d.store.Change(ctx, func(tx auth.Tx) (err error) {
			won, err = tx.Rotate(ctx, id, r)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return won
	}
	if rotate("ses_none", step) || !rotate(s.ID, step) || rotate(s.ID, step) {
		t.Error("a token must be spent once, in its own session")
	}
	s.TokenHash, s.SpentHash, s.SpentAt, s.Sealed = "two", "one", &step.At, "sealed"
	s.UsedAt, s.Address, s.Agent = step.At, "192.0.2.2", "next"
	got, err := d.store.SessionBySecret(ctx, s.SecretHash)
	if diff := cmp.Diff(s, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	err = d.store.Change(ctx, func(tx auth.Tx) error {
		_, err := tx.EndSessions(ctx, a.ID, s.ID, "", d.clock())
		return err
	})
	if err != nil || rotate(s.ID, auth.Rotation{Spent: "two", Next: "three", At: d.clock()}) {
		t.Errorf("a session that has ended goes on: %v", err)
	}
}

// lifetimes are those of auth.AccountsConfig's defaults (P11.9).
func lifetimes(t *testing.T, d *desk) {
	ctx := t.Context()
	a := d.person(ctx, t)
	token := open(ctx, t, d, a).grant.RefreshToken
	refresh := func() error {
		g, err := d.Refresh(ctx, auth.Refresh{RefreshToken: token})
		if err == nil {
			token = g.RefreshToken
		}
		return err
	}
	for range 6 { // 84 days in all, never idle for too long
		d.advance(idle - time.Millisecond)
		if err := refresh(); err != nil {
			t.Fatal(err)
		}
	}
	d.advance(life - 6*idle)
	if err := refresh(); err != nil {
		t.Errorf("just before its 90 days are over: %v", err)
	}
	d.advance(6 * time.Millisecond)
	if err := refresh(); !errors.Is(err, auth.ErrRefresh) {
		t.Errorf("after 90 days: %v", err)
	}
	token = open(ctx, t, d, a).grant.RefreshToken
	d.advance(idle)
	if err := refresh(); !errors.Is(err, auth.ErrRefresh) {
		t.Errorf("after 14 idle days: %v", err)
	}
	if list, err := d.Sessions(as(ctx, a.ID, ""), "", 10); err != nil || len(list) != 0 {
		t.Errorf("both are listed still: %+v, %v", list, err)
	}
}

// epochs has a sign-in read its account, and open its session after the account
// was disabled and enabled: it was not there to be ended, and is dead.
func epochs(t *testing.T, d *desk) {
	ctx := t.Context()
	a := d.person(ctx, t)
	if err := errors.Join(d.Disable(ctx, a.ID), d.Enable(ctx, a.ID)); err != nil {
		t.Fatal(err)
	}
	grant, err := d.OpenSession(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.tokens.Verify(ctx, grant.AccessToken); !errors.Is(err, auth.ErrToken) {
		t.Errorf("its access token: %v", err)
	}
	if _, err := d.Refresh(ctx, auth.Refresh{RefreshToken: grant.RefreshToken}); !errors.Is(err, auth.ErrRefresh) {
		t.Errorf("its refresh token: %v", err)
	}
	if list, err := d.Sessions(as(ctx, a.ID, ""), "", 10); err != nil || len(list) != 0 {
		t.Errorf("it is listed: %+v, %v", list, err)
	}
}

// race uses one token from several goroutines (P11.8).
func race(t *testing.T, d *desk) {
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		a := d.person(ctx, t)
		s := open(ctx, t, d, a)
		in := auth.Refresh{RefreshToken: s.grant.RefreshToken}
		keyed := rapid.Bool().Draw(t, "keyed")
		if keyed {
			in.RetryKey = "the same for all of them"
		}
		grants := make([]auth.Grant, rapid.IntRange(2, 8).Draw(t, "at once"))
		var crowd sync.WaitGroup
		for i := range grants {
			crowd.Go(func() {
				var err error
				if grants[i], err = d.Refresh(ctx, in); err != nil && !errors.Is(err, auth.ErrRefresh) {
					t.Errorf("a loser is told %v", err)
				}
			})
		}
		crowd.Wait()
		won := slices.DeleteFunc(slices.Clone(grants), func(g auth.Grant) bool { return g == auth.Grant{} })
		if keyed {
			for _, g := range won {
				if g.RefreshToken != won[0].RefreshToken {
					t.Fatal("a session has two good refresh tokens")
				}
			}
			if len(won) != len(grants) {
				t.Fatalf("%d of %d retries of one request were answered", len(won), len(grants))
			}
		} else if len(won) != 1 {
			t.Fatalf("%d of %d got a token", len(won), len(grants))
		}
		_, err := d.Refresh(ctx, auth.Refresh{RefreshToken: won[0].RefreshToken})
		if lives := err == nil; lives != keyed {
			t.Fatalf("afterwards the winner is told %v", err)
		}
		if _, err := d.tokens.Verify(ctx, won[0].AccessToken); (err == nil) != keyed {
			t.Fatalf("afterwards the winner's access token is judged %v", err)
		}
	})
}
