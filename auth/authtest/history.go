package authtest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ashlar-go/ashlar/auth"
)

// The defaults of auth.AccountsConfig and the bound of a retry, which the
// model holds them to.
const (
	idle  = 14 * 24 * time.Hour
	life  = 90 * 24 * time.Hour
	grace = 10 * time.Second
)

// family is what the model knows of a session: who has which token, and
// whether it should live.
type family struct {
	opened
	owner   int
	made    time.Time
	used    time.Time
	ended   bool
	good    string   // refresh token
	spent   []string // those before, oldest first
	key     string   // that the last was spent with
	spentAt time.Time
	access  string
	issued  time.Time
}

// histories compares random histories of sessions with the model (P11.7-P11.11).
func histories(t *testing.T, d *desk) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{d: d, ctx: context.Background()}
		m.people = []auth.Account{d.person(m.ctx, t), d.person(m.ctx, t)}
		t.Repeat(map[string]func(*rapid.T){
			"sign in":       m.signIn,
			"refresh":       m.refresh,
			"refresh more":  m.refresh, // most sessions should live for a while
			"use again":     m.reuse,
			"retry":         m.retry,
			"log out":       m.logout,
			"end":           m.end,
			"end others":    m.endOthers,
			"disable":       m.disable,
			"time goes by":  m.wait,
			"forged tokens": m.forge,
			"":              m.check,
		})
	})
}

type model struct {
	d        *desk
	ctx      context.Context
	people   []auth.Account
	families []*family
	seen     map[string]bool
}

func (m *model) signIn(t *rapid.T) {
	owner := rapid.IntRange(0, 1).Draw(t, "who")
	s := open(m.ctx, t, m.d, m.people[owner])
	now := m.d.clock()
	f := &family{opened: s, owner: owner, made: now}
	m.give(t, f, s.grant)
	m.families = append(m.families, f)
}

// give notes the tokens of an answer.
func (m *model) give(t *rapid.T, f *family, g auth.Grant) {
	if m.seen == nil {
		m.seen = map[string]bool{}
	}
	for _, token := range []string{g.RefreshToken, g.AccessToken} {
		if token == "" || m.seen[token] {
			t.Fatalf("token %q was given out before", token)
		}
		m.seen[token] = true
	}
	f.good, f.access, f.issued, f.used = g.RefreshToken, g.AccessToken, m.d.clock(), m.d.clock()
}

func (m *model) some(t *rapid.T) *family {
	if len(m.families) == 0 {
		t.Skip("nobody has signed in")
	}
	return rapid.SampledFrom(m.families).Draw(t, "session")
}

func (m *model) alive(f *family) bool {
	now := m.d.clock()
	return !f.ended && now.Before(f.made.Add(life)) && now.Before(f.used.Add(idle))
}

var keys = rapid.SampledFrom([]string{"", "", "key one, 16 long", "key two, 16 long"})

func (m *model) refresh(t *rapid.T) {
	f, key := m.some(t), keys.Draw(t, "key")
	g, err := m.d.Refresh(m.ctx, auth.Refresh{RefreshToken: f.good, RetryKey: key})
	if !m.alive(f) {
		refused(t, err)
		return
	}
	if err != nil {
		t.Fatalf("a good token: %v", err)
	}
	f.spent, f.key, f.spentAt = append(f.spent, f.good), key, m.d.clock()
	m.give(t, f, g)
}

// reuse presents a token that was spent, as a thief or a confused client does.
func (m *model) reuse(t *rapid.T) {
	f := m.some(t)
	if len(f.spent) == 0 {
		t.Skip("nothing is spent")
	}
	i := rapid.IntRange(0, len(f.spent)-1).Draw(t, "which")
	key := keys.Draw(t, "key")
	if i == len(f.spent)-1 && key != "" && key == f.key {
		t.Skip("that is a retry")
	}
	m.presentSpent(t, f, f.spent[i], key)
}

func (m *model) presentSpent(t *rapid.T, f *family, token, key string) {
	_, err := m.d.Refresh(m.ctx, auth.Refresh{RefreshToken: token, RetryKey: key})
	refused(t, err)
	if m.alive(f) {
		f.ended = true
	}
}

// retry repeats the last refresh with its key.
func (m *model) retry(t *rapid.T) {
	f := m.some(t)
	if len(f.spent) == 0 || f.key == "" {
		t.Skip("no refresh had a key")
	}
	last := f.spent[len(f.spent)-1]
	if m.d.clock().Sub(f.spentAt) > grace || !m.alive(f) {
		m.presentSpent(t, f, last, f.key)
		return
	}
	g, err := m.d.Refresh(m.ctx, auth.Refresh{RefreshToken: last, RetryKey: f.key})
	if err != nil || g.RefreshToken != f.good {
		t.Fatalf("a retry: %v, the same token: %t", err, g.RefreshToken == f.good)
	}
	f.access, f.issued = g.AccessToken, m.d.clock()
}

func refused(t *rapid.T, err error) {
	t.Helper()
	if !errors.Is(err, auth.ErrRefresh) {
		t.Fatalf("a token that is no good: %v", err)
	}
}

func (m *model) logout(t *rapid.T) {
	f := m.some(t)
	who := rapid.IntRange(0, 1).Draw(t, "who")
	token := rapid.SampledFrom(append([]string{f.good}, f.spent...)).Draw(t, "token")
	if err := m.d.Logout(as(m.ctx, m.people[who].ID, ""), auth.LogoutInput{RefreshToken: token}); err != nil {
		t.Fatalf("log out: %v", err)
	}
	f.ended = f.ended || who == f.owner
}

func (m *model) end(t *rapid.T) {
	f := m.some(t)
	who := rapid.IntRange(0, 1).Draw(t, "who")
	err := m.d.EndSession(as(m.ctx, m.people[who].ID, ""), f.id)
	if mine := who == f.owner && !f.ended; mine != (err == nil) || !mine && !errors.Is(err, auth.ErrNoSession) {
		t.Fatalf("end a session, my own and open: %t: %v", mine, err)
	}
	f.ended = f.ended || who == f.owner
}

func (m *model) endOthers(t *rapid.T) {
	f := m.some(t)
	if err := m.d.EndOtherSessions(as(m.ctx, m.people[f.owner].ID, f.id)); err != nil {
		t.Fatal(err)
	}
	for _, other := range m.families {
		other.ended = other.ended || other.owner == f.owner && other != f
	}
}

// disable disables an account and enables it again: its sessions do not come
// back.
func (m *model) disable(t *rapid.T) {
	who := rapid.IntRange(0, 1).Draw(t, "who")
	id := m.people[who].ID
	if err := errors.Join(m.d.Disable(m.ctx, id), m.d.Disable(m.ctx, id)); err != nil {
		t.Fatal(err)
	}
	disabled, err := m.d.ByID(m.ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.d.OpenSession(m.ctx, disabled); !errors.Is(err, auth.ErrSignIn) {
		t.Fatalf("a disabled account signs in: %v", err)
	}
	for _, f := range m.families {
		f.ended = f.ended || f.owner == who
	}
	m.check(t)
	if err := m.d.Enable(m.ctx, id); err != nil {
		t.Fatal(err)
	}
	if m.people[who], err = m.d.ByID(m.ctx, id); err != nil {
		t.Fatal(err)
	}
}

func (m *model) wait(t *rapid.T) {
	m.d.advance(rapid.SampledFrom([]time.Duration{
		time.Millisecond, time.Second, grace, grace + time.Millisecond, time.Minute, time.Hour, 5 * 24 * time.Hour, idle,
	}).Draw(t, "how long"))
}

// forge presents what was never given out.
func (m *model) forge(t *rapid.T) {
	f := m.some(t)
	half := f.good[:len(f.good)-44]
	for _, token := range []string{"", "rt_", f.good + "=", f.good[:len(f.good)-1], strings.ToUpper(f.good), half, f.access} {
		_, err := m.d.Refresh(m.ctx, auth.Refresh{RefreshToken: token})
		refused(t, err)
	}
}

// check compares what can be seen with the model.
func (m *model) check(t *rapid.T) {
	now := m.d.clock()
	for who, a := range m.people {
		var want []string
		for _, f := range m.families {
			if f.owner == who && m.alive(f) {
				want = append(want, f.id)
			}
		}
		slices.Sort(want)
		list, err := m.d.Sessions(as(m.ctx, a.ID, ""), "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range list {
			got = append(got, s.ID)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("open sessions (-model +store):\n%s", diff)
		}
		m.noSecrets(t, a)
	}
	for _, f := range m.families {
		if now.Sub(f.issued) > 14*time.Minute {
			continue // it may have expired
		}
		if _, err := m.d.tokens.Verify(m.ctx, f.access); (err == nil) == f.ended {
			t.Fatalf("the access token of a session that has ended (%t) is judged %v", f.ended, err)
		}
	}
}

// noSecrets looks for tokens in what is stored (P11.7).
func (m *model) noSecrets(t *rapid.T, a auth.Account) {
	rows, err := m.d.store.Sessions(m.ctx, a.ID, "", 1000, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range m.families {
		for _, part := range []string{f.good[3:40], f.good[len(f.good)-40:]} {
			if strings.Contains(string(text), part) {
				t.Fatalf("a refresh token is stored")
			}
		}
	}
}
