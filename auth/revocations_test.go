package auth_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/auth"
)

// judged returns the role that r leaves c with, or "refused".
func judged(r *auth.Revocations, c auth.Claims) string {
	if r.Judge(&c) != nil {
		return "refused"
	}
	return c.Role
}

// P11.10, P10.8: what is revoked counts at once, for who it concerns only.
func TestRevocationsJudge(t *testing.T) {
	t.Parallel()
	c := newClock()
	soon := c.now().Add(time.Minute)
	mine := auth.Claims{Subject: "usr_1", Session: "ses_1", Role: "merchant", Epoch: 2}
	for name, step := range map[string]struct {
		revoked []auth.Revocation
		claims  auth.Claims
		want    string
	}{
		"nothing":                        {nil, mine, "merchant"},
		"its session":                    {[]auth.Revocation{{Credential: "ses_1", Until: soon}}, mine, "refused"},
		"its session, of its subject":    {[]auth.Revocation{{Subject: "usr_1", Credential: "ses_1", Until: soon}}, mine, "refused"},
		"another session of the subject": {[]auth.Revocation{{Subject: "usr_1", Credential: "ses_2", Until: soon}}, mine, "merchant"},
		"an empty session":               {[]auth.Revocation{{Subject: "usr_1", Until: soon}}, auth.Claims{Subject: "usr_1", Role: "merchant"}, "merchant"},
		"a session named as the subject": {[]auth.Revocation{{Credential: "usr_1", Until: soon}}, mine, "merchant"},
		"an epoch after its own":         {[]auth.Revocation{{Subject: "usr_1", Epoch: 3, Until: soon}}, mine, "refused"},
		"its own epoch":                  {[]auth.Revocation{{Subject: "usr_1", Epoch: 2, Until: soon}}, mine, "merchant"},
		"an epoch before its own":        {[]auth.Revocation{{Subject: "usr_1", Epoch: 1, Until: soon}}, mine, "merchant"},
		"another's epoch":                {[]auth.Revocation{{Subject: "usr_2", Epoch: 3, Until: soon}}, mine, "merchant"},
		"its role":                       {[]auth.Revocation{{Subject: "usr_1", Role: "auditor", Until: soon}}, mine, "auditor"},
		"another's role":                 {[]auth.Revocation{{Subject: "usr_2", Role: "auditor", Until: soon}}, mine, "merchant"},
		"two roles":                      {[]auth.Revocation{{Seq: 1, Subject: "usr_1", Role: "auditor", Until: soon}, {Seq: 2, Subject: "usr_1", Role: "clerk", Until: soon}}, mine, "clerk"},
		"two roles, the newer one first": {[]auth.Revocation{{Seq: 2, Subject: "usr_1", Role: "clerk", Until: soon}, {Seq: 1, Subject: "usr_1", Role: "auditor", Until: soon}}, mine, "clerk"},
		"role and epoch":                 {[]auth.Revocation{{Seq: 1, Subject: "usr_1", Role: "clerk", Epoch: 3, Until: soon}}, mine, "refused"},
		"role, then a lower epoch":       {[]auth.Revocation{{Seq: 1, Subject: "usr_1", Role: "clerk", Until: soon}, {Seq: 2, Subject: "usr_1", Epoch: 2, Until: soon}}, mine, "clerk"},
		"a session, until now":           {[]auth.Revocation{{Credential: "ses_1", Until: c.now()}}, mine, "merchant"},
	} {
		r := auth.NewRevocations(c.now)
		r.Apply(step.revoked...)
		r.Apply(step.revoked...)
		if got := judged(r, step.claims); got != step.want {
			t.Errorf("%s: %s, want %s", name, got, step.want)
		}
	}
}

func TestRevocationsEnded(t *testing.T) {
	t.Parallel()
	var none *auth.Revocations
	if none.Ended("key_1") {
		t.Error("without revocations a key has ended")
	}
	r := auth.NewRevocations(nil)
	r.Apply(auth.Revocation{Credential: "key_1", Until: time.Now().Add(time.Minute)})
	if !r.Ended("key_1") || r.Ended("key_2") || r.Ended("") {
		t.Error("the wrong keys have ended")
	}
}

func TestRevocationsAreSwept(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := auth.NewRevocations(c.now)
	for i := range 100 {
		until := c.now().Add(time.Duration(1+i%2) * time.Minute)
		r.Apply(auth.Revocation{Seq: int64(i), Credential: fmt.Sprint("ses_", i), Until: until},
			auth.Revocation{Seq: int64(i), Subject: fmt.Sprint("usr_", i), Epoch: 1, Until: until})
	}
	for _, want := range []int{200, 100, 0} {
		r.Sweep()
		if r.Len() != want {
			t.Errorf("%d are left, want %d", r.Len(), want)
		}
		c.move(time.Minute)
	}
	if got := judged(r, auth.Claims{Subject: "usr_1", Session: "ses_1", Role: "clerk"}); got != "clerk" {
		t.Errorf("after its time a revocation leaves %s", got)
	}
}

// A process that reads the table, and its own, in whatever order and parts,
// judges like one that reads it once from start to end.
func TestRevocationsInAnyOrder(t *testing.T) {
	t.Parallel()
	c := newClock()
	one := rapid.Custom(func(t *rapid.T) auth.Revocation {
		return auth.Revocation{
			Subject:    rapid.SampledFrom([]string{"a", "b"}).Draw(t, "subject"),
			Credential: rapid.SampledFrom([]string{"", "s1", "s2"}).Draw(t, "credential"),
			Epoch:      rapid.Int64Range(0, 3).Draw(t, "epoch"),
			Role:       rapid.SampledFrom([]string{"", "r1", "r2"}).Draw(t, "role"),
			Until:      c.now().Add(time.Minute),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(one, 0, 12).Draw(t, "list")
		for i := range list {
			list[i].Seq = int64(i + 1)
		}
		inOrder, shuffled := auth.NewRevocations(c.now), auth.NewRevocations(c.now)
		inOrder.Apply(list...)
		for part := range slices.Chunk(slices.Concat(rapid.Permutation(list).Draw(t, "shuffled"), list[:len(list)/2]), 3) {
			shuffled.Apply(part...)
		}
		for _, subject := range []string{"a", "b", "c"} {
			for _, session := range []string{"", "s1", "s2", "s3"} {
				for epoch := range int64(4) {
					c := auth.Claims{Subject: subject, Session: session, Epoch: epoch, Role: "r0"}
					if a, b := judged(inOrder, c), judged(shuffled, c); a != b {
						t.Fatalf("%+v: %s in order, %s shuffled", c, a, b)
					}
				}
			}
		}
	})
}

func TestRevocationsConcurrently(t *testing.T) {
	t.Parallel()
	r := auth.NewRevocations(nil)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				name := fmt.Sprint(g, "-", i)
				r.Apply(auth.Revocation{Credential: name, Until: time.Now().Add(time.Minute)})
				if !r.Ended(name) {
					t.Errorf("%s has not ended", name)
				}
				if i%50 == 0 {
					r.Sweep()
				}
			}
		})
	}
	wg.Wait()
	if r.Len() != 800 {
		t.Errorf("%d are remembered, want 800", r.Len())
	}
}

// P10.8, P11.10: a token that is remembered is judged anew each time.
func TestRevocationReachesRememberedTokens(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := auth.NewRevocations(c.now)
	all := tokens(t, auth.GenerateKey(), c, func(cfg *auth.TokenConfig) { cfg.Revocations = r })
	token, err := all.Issue(t.Context(), auth.Claims{Subject: "usr_1", Role: "merchant", Session: "ses_1", Epoch: 1, AuthTime: c.now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := all.Verify(t.Context(), token)
	if err != nil || got.Session != "ses_1" || got.Epoch != 1 || !got.AuthTime.Equal(c.now().Add(-time.Hour)) {
		t.Fatalf("%+v, %v", got, err)
	}
	r.Apply(auth.Revocation{Seq: 1, Subject: "usr_1", Role: "auditor", Until: c.now().Add(time.Hour)})
	if got, err := all.Verify(t.Context(), token); err != nil || got.Role != "auditor" {
		t.Errorf("after a change of role: %+v, %v", got, err)
	}
	r.Apply(auth.Revocation{Seq: 2, Credential: "ses_1", Until: c.now().Add(time.Hour)})
	for range 2 {
		if got, err := all.Verify(t.Context(), token); !errors.Is(err, auth.ErrToken) || got != (auth.Claims{}) {
			t.Errorf("after the end of its session: %+v, %v", got, err)
		}
	}
}

// P10.8, P11.10: the life of tokens is a setting, and so another one in another
// process: after it was shortened, or in the shell of whoever disables an
// account by a command. The tokens of before must not come to life again.
func TestARevocationOutlivesTokensOfAnotherSetting(t *testing.T) {
	t.Parallel()
	c, key := newClock(), auth.GenerateKey()
	store := auth.NewMemory()
	store.Revocations = auth.NewRevocations(c.now)
	open := func(life time.Duration) (*auth.Accounts, *auth.Tokens) {
		all := tokens(t, key, c, func(cfg *auth.TokenConfig) { cfg.Life, cfg.Revocations = life, store.Revocations })
		return auth.NewAccounts(auth.AccountsConfig{Store: store, Passwords: passwords(), Tokens: all, Now: c.now}), all
	}
	server, long := open(time.Hour)
	command, _ := open(time.Minute)
	account, err := server.Create(t.Context(), shop)
	if err != nil {
		t.Fatal(err)
	}
	grant, err := server.SignIn(t.Context(), auth.Credentials{Email: shop.Email, Password: shop.Password})
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Disable(t.Context(), account.ID); err != nil {
		t.Fatal(err)
	}
	for range 7 {
		if got, err := long.Verify(t.Context(), grant.AccessToken); !errors.Is(err, auth.ErrToken) {
			t.Fatalf("at %s the token of a disabled account is good: %+v", c.now(), got)
		}
		c.move(10 * time.Minute)
		store.Revocations.Sweep()
	}
	if n := store.Revocations.Len(); n != 0 {
		t.Errorf("%d revocations are remembered when no token is left", n)
	}
}

func BenchmarkRevocationsJudge(b *testing.B) {
	for _, n := range []int{0, 10_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := auth.NewRevocations(nil)
			list := make([]auth.Revocation, n)
			for i := range list {
				list[i] = auth.Revocation{Seq: int64(i), Credential: fmt.Sprint("ses_", i), Until: time.Now().Add(time.Hour)}
				if i%2 == 0 {
					list[i] = auth.Revocation{Seq: int64(i), Subject: fmt.Sprint("usr_", i), Epoch: 1, Until: time.Now().Add(time.Hour)}
				}
			}
			r.Apply(list...)
			c := auth.Claims{Subject: "usr_019a1b2c", Session: "ses_019a1b2c", Role: "merchant"}
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Judge(&c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
