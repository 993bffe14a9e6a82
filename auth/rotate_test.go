package auth_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/auth"
)

func keysOf(t testing.TB, all ...auth.Key) *auth.Keys {
	t.Helper()
	keys, err := auth.NewKeys(all...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func rotated(t testing.TB, keys *auth.Keys, next auth.Key, at time.Time) *auth.Keys {
	t.Helper()
	keys, err := keys.Rotated(next, at)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// P11.5: the old key signs until its time, the new one from then on; tokens of
// the old one are good for as long as they live, and not a moment longer.
func TestRotation(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.at.Store(time.Now().Unix())
	old, next := auth.GenerateKey(), key(t, auth.ES256)
	keys := keysOf(t, old)
	all, err := auth.NewTokens(auth.TokenConfig{Keys: keys, Issuer: "pay", Audience: "pay-api", Life: time.Hour, Skew: time.Minute, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	verify := func(token string, good bool) {
		t.Helper()
		for range 2 {
			if _, err := all.Verify(t.Context(), token); (err == nil) != good {
				t.Errorf("at %v: %v, should be good: %t", c.now(), err, good)
			}
		}
	}
	before := issue(t, all)
	verify(before, true)

	retires := c.now().Add(10 * time.Second)
	keys.Replace(rotated(t, keys, next, retires))
	if got := keys.Signer(c.now()); got.ID() != old.ID() {
		t.Errorf("%s signs too early", got)
	}
	verify(before, true)
	c.move(9 * time.Second)
	last := issue(t, all)
	c.move(time.Second)
	after := issue(t, all)
	if got := keys.Signer(c.now()); got.ID() != next.ID() {
		t.Errorf("%s signs too late", got)
	}
	for _, token := range []string{before, last, after} {
		verify(token, true)
	}
	forged := forge(t, object{"alg": "EdDSA", "kid": old.ID(), "typ": "at+jwt"},
		object{"iss": "pay", "aud": "pay-api", "sub": "usr_1", "iat": c.now().Unix(), "nbf": c.now().Unix(), "exp": c.now().Add(24 * time.Hour).Unix()}, signer(t, old))
	c.move(time.Hour + 58*time.Second)
	verify(last, true) // by a slow clock it lives
	verify(forged, true)
	c.move(2 * time.Second)
	verify(last, false)
	verify(forged, false) // the key is over, whatever its token says
}

// A key that is taken out, because somebody else has it, is refused at once,
// also where its tokens are remembered.
func TestARemovedKeyIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	c := newClock()
	keys := keysOf(t, auth.GenerateKey())
	all := tokens(t, auth.GenerateKey(), c, func(cfg *auth.TokenConfig) { cfg.Keys = keys })
	token := issue(t, all)
	if _, err := all.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	keys.Replace(keysOf(t, auth.GenerateKey()))
	if _, err := all.Verify(t.Context(), token); !errors.Is(err, auth.ErrToken) {
		t.Errorf("got %v", err)
	}
}

// Rotations that follow each other quickly hand over one after the other.
func TestRotationsOverlap(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	first, second, third := auth.GenerateKey(), key(t, auth.HS256), auth.GenerateKey()
	keys := rotated(t, rotated(t, keysOf(t, first), second, now.Add(10*time.Second)), third, now.Add(20*time.Second))
	for _, step := range []struct {
		after time.Duration
		want  auth.Key
	}{{0, first}, {9 * time.Second, first}, {10 * time.Second, second}, {19 * time.Second, second}, {20 * time.Second, third}, {time.Hour, third}} {
		if got := keys.Signer(now.Add(step.after)); got.ID() != step.want.ID() {
			t.Errorf("after %v %s signs, want %s", step.after, got, step.want)
		}
	}
	// One that is in a hurry does not wait for those before it.
	last := auth.GenerateKey()
	if got := rotated(t, keys, last, now).Signer(now); got.ID() != last.ID() {
		t.Errorf("%s signs, want %s", got, last)
	}
}

// P11.5: keys go when nothing that they signed is good any more.
func TestRotationDropsWhatIsOver(t *testing.T) {
	t.Parallel()
	now := time.Now()
	retired := func(k auth.Key, ago time.Duration) string {
		return k.Secret().Reveal() + ";retired=" + now.Add(-ago).UTC().Format(time.RFC3339)
	}
	current, recent, over, next := auth.GenerateKey(), auth.GenerateKey(), auth.GenerateKey(), auth.GenerateKey()
	keys, err := auth.ParseKeys(current.Secret().Reveal() + "," + retired(recent, time.Hour) + "," + retired(over, 62*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range rotated(t, keys, next, now).List() {
		got = append(got, k.ID())
	}
	if want := next.ID() + " " + current.ID() + " " + recent.ID(); strings.Join(got, " ") != want {
		t.Errorf("left are %v, want %s", got, want)
	}
}

// What is derived outlives every key: a fingerprint that is stored today is
// compared, and what is encrypted today is read, after any rotation.
func TestDerivedSecretsSurviveRotation(t *testing.T) {
	t.Parallel()
	for _, a := range auth.Algorithm("").Values() {
		keys := keysOf(t, key(t, auth.Algorithm(a)))
		secret, other := keys.Derive("a purpose"), keys.Derive("another")
		if len(secret) != 32 || bytes.Equal(secret, other) {
			t.Fatalf("%s: derived %d bytes, the same for all: %t", a, len(secret), bytes.Equal(secret, other))
		}
		running := keysOf(t, key(t, auth.EdDSA))
		before := running.Derive("a purpose")
		for range 3 {
			at := time.Now().Add(-2 * time.Hour) // so that the oldest is dropped the next time
			next, err := auth.ParseKeys(rotated(t, keys, key(t, auth.Algorithm(a)), at).Secret().Reveal())
			if err != nil {
				t.Fatal(err)
			}
			if keys = next; !bytes.Equal(keys.Derive("a purpose"), secret) {
				t.Fatalf("%s: another secret after a rotation", a)
			}
		}
		running.Replace(keys)
		if !bytes.Equal(running.Derive("a purpose"), before) {
			t.Errorf("%s: another secret while the program runs", a)
		}
	}
}

func TestRotateKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signing.key")
	if _, err := auth.RotateKeys(path, "", time.Now()); err == nil {
		t.Error("keys that are not there are rotated")
	}
	first, err := auth.LoadOrCreateKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	// Somebody who reads meanwhile always finds a list.
	stop := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := auth.LoadKeys(path); err != nil {
				t.Error(err)
			}
		}
	})
	for i, a := range []auth.Algorithm{"", auth.ES256, "", auth.HS256, auth.EdDSA} {
		want := []auth.Algorithm{auth.EdDSA, auth.ES256, auth.ES256, auth.HS256, auth.EdDSA}[i]
		made, err := auth.RotateKeys(path, a, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		read, err := auth.LoadKeys(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := read.List(); len(got) != i+2 || got[0].Algorithm() != want || got[0].ID() != made.List()[0].ID() {
			t.Errorf("rotation %d: %v, first with %s, want %s", i, got, got[0].Algorithm(), want)
		}
		if !bytes.Equal(read.Derive("x"), first.Derive("x")) {
			t.Error("another secret after a rotation")
		}
	}
	close(stop)
	reading.Wait()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := auth.RotateKeys(path, "RS256", time.Now()); err == nil {
		t.Error("a key for RS256 is made")
	}
}
