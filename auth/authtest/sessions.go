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
