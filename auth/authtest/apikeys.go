package authtest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/id"
)

// now is a moment as a store keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// RunAPIKeys proves that a store keeps the promises of [auth.APIKeyStore]. open
// returns an empty one.
func RunAPIKeys(t *testing.T, open func(t *testing.T) auth.APIKeyStore) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, auth.APIKeyStore){
		"a key comes back as it was":            comesBack,
		"an owner's keys are listed by page":    isListed,
		"a key ends with its line, and once":    endsWithItsLine,
		"a line reaches no further than itself": staysInItsLine,
		"an ended key has no more children":     hasNoHeirs,
		"an owner has only so many":             isBounded,
		"a use is noted once a minute":          isNoted,
		"ending and making at once leaves none": endsWhileMaking,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func keyOf(owner, parent string) auth.APIKey {
	return auth.APIKey{
		ID: id.New("key_"), Owner: owner, Name: "tills", Permissions: []access.Permission{"a:read", "b:write"}, Parent: parent,
		Digest: slices.Repeat([]byte{7, 0, 255, 1}, 8), CreatedAt: now(),
	}
}

func insert(t *testing.T, s auth.APIKeyStore, owner, parent string) auth.APIKey {
	t.Helper()
	k := keyOf(owner, parent)
	if err := s.InsertAPIKey(t.Context(), k, event(t)); err != nil {
		t.Fatal(err)
	}
	return k
}

func event(t *testing.T) auth.SecurityEvent {
	return auth.NewEvent(t.Context(), auth.EventAPIKeyCreated, auth.Succeeded)
}

func comesBack(t *testing.T, s auth.APIKeyStore) {
	k := keyOf("usr_1", "")
	expires := now().Add(time.Hour)
	k.ExpiresAt = &expires
	if err := s.InsertAPIKey(t.Context(), k, event(t)); err != nil {
		t.Fatal(err)
	}
	got, err := s.APIKey(t.Context(), k.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != k.ID || got.Owner != k.Owner || got.Name != k.Name || !slices.Equal(got.Permissions, k.Permissions) || got.Parent != "" ||
		!slices.Equal(got.Digest, k.Digest) || !got.CreatedAt.Equal(k.CreatedAt) || got.ExpiresAt == nil || !got.ExpiresAt.Equal(expires) ||
		got.LastUsedAt != nil || got.EndedAt != nil {
		t.Errorf("got %+v, want %+v", got, k)
	}
	if _, err := s.APIKey(t.Context(), "key_none"); !errors.Is(err, auth.ErrNoAPIKey) {
		t.Errorf("a key that never was: %v", err)
	}
}

func isListed(t *testing.T, s auth.APIKeyStore) {
	var want []string
	for range 5 {
		want = append(want, insert(t, s, "usr_1", "").ID)
		insert(t, s, "usr_2", "")
	}
	end(t, s, "", want[1])
	want = slices.Delete(want, 1, 2)
	var got []string
	for after := ""; ; {
		page, err := s.APIKeys(t.Context(), "usr_1", "", after, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range page {
			got, after = append(got, k.ID), k.ID
		}
		if len(page) < 3 {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	if page, err := s.APIKeys(t.Context(), "usr_3", "", "", 3); err != nil || len(page) != 0 {
		t.Errorf("an owner without keys has %v, %v", page, err)
	}
}

// end ends a key of usr_1.
func end(t *testing.T, s auth.APIKeyStore, line, id string) []string {
	t.Helper()
	ended, err := s.EndAPIKey(t.Context(), "usr_1", line, id, now(), event(t))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ended)
	return ended
}

// live lists the keys of usr_1.
func live(t *testing.T, s auth.APIKeyStore, line string) []string {
	t.Helper()
	page, err := s.APIKeys(t.Context(), "usr_1", line, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, k := range page {
		ids = append(ids, k.ID)
	}
	return ids
}

func endsWithItsLine(t *testing.T, s auth.APIKeyStore) {
	other := insert(t, s, "usr_1", "").ID
	first := insert(t, s, "usr_1", "").ID
	second := insert(t, s, "usr_1", first).ID
	third := insert(t, s, "usr_1", second).ID
	beside := insert(t, s, "usr_1", first).ID

	if _, err := s.EndAPIKey(t.Context(), "usr_2", "", second, now(), event(t)); !errors.Is(err, auth.ErrNoAPIKey) {
		t.Errorf("somebody else ended it: %v", err)
	}
	if _, err := s.EndAPIKey(t.Context(), "usr_1", "", "key_none", now(), event(t)); !errors.Is(err, auth.ErrNoAPIKey) {
		t.Errorf("a key that never was: %v", err)
	}
	if got := end(t, s, "", second); !slices.Equal(got, []string{second, third}) {
		t.Errorf("ended %v, want %v", got, []string{second, third})
	}
	for _, gone := range []string{second, third} {
		if k, err := s.APIKey(t.Context(), gone); err != nil || k.EndedAt == nil {
			t.Errorf("after its end a key is %+v, %v", k, err)
		}
		if _, err := s.EndAPIKey(t.Context(), "usr_1", "", gone, now(), event(t)); !errors.Is(err, auth.ErrNoAPIKey) {
			t.Errorf("a key ended twice: %v", err)
		}
	}
	if got := end(t, s, "", first); !slices.Equal(got, []string{first, beside}) {
		t.Errorf("ended %v, want %v", got, []string{first, beside})
	}
	if got := live(t, s, ""); !slices.Equal(got, []string{other}) {
		t.Errorf("left are %v, want %v", got, other)
	}
}

func staysInItsLine(t *testing.T, s auth.APIKeyStore) {
	first := insert(t, s, "usr_1", "").ID
	second := insert(t, s, "usr_1", first).ID
	third := insert(t, s, "usr_1", second).ID
	other := insert(t, s, "usr_1", "").ID

	if got, want := live(t, s, second), []string{second, third}; !slices.Equal(got, want) {
		t.Errorf("the line of the second is %v, want %v", got, want)
	}
	for _, foreign := range []string{first, other} {
		if _, err := s.EndAPIKey(t.Context(), "usr_1", second, foreign, now(), event(t)); !errors.Is(err, auth.ErrNoAPIKey) {
			t.Errorf("a key ended one that is not of its line: %v", err)
		}
	}
	if got := end(t, s, second, third); !slices.Equal(got, []string{third}) {
		t.Errorf("ended %v", got)
	}
	if got := end(t, s, second, second); !slices.Equal(got, []string{second}) {
		t.Errorf("a key did not end itself but %v", got)
	}
}

func hasNoHeirs(t *testing.T, s auth.APIKeyStore) {
	k := insert(t, s, "usr_1", "")
	end(t, s, "", k.ID)
	for _, parent := range []string{k.ID, "key_none"} {
		if err := s.InsertAPIKey(t.Context(), keyOf("usr_1", parent), event(t)); !errors.Is(err, auth.ErrNoAPIKey) {
			t.Errorf("a key was made by one that is gone: %v", err)
		}
	}
	if got := live(t, s, ""); len(got) != 0 {
		t.Errorf("there is %v", got)
	}
}

func isBounded(t *testing.T, s auth.APIKeyStore) {
	var last auth.APIKey
	for range auth.MaxAPIKeys {
		last = insert(t, s, "usr_1", "")
	}
	if err := s.InsertAPIKey(t.Context(), keyOf("usr_1", ""), event(t)); !errors.Is(err, auth.ErrAPIKeys) {
		t.Errorf("one key more than the most: %v", err)
	}
	insert(t, s, "usr_2", "")
	end(t, s, "", last.ID)
	insert(t, s, "usr_1", "")
}

func isNoted(t *testing.T, s auth.APIKeyStore) {
	k, other := insert(t, s, "usr_1", ""), insert(t, s, "usr_1", "")
	at := now()
	for _, c := range []struct{ use, want time.Duration }{
		{0, 0}, {59 * time.Second, 0}, {time.Minute, time.Minute}, {30 * time.Second, time.Minute}, {3 * time.Minute, 3 * time.Minute},
	} {
		if err := s.UsedAPIKeys(t.Context(), map[string]time.Time{k.ID: at.Add(c.use), "key_none": at}); err != nil {
			t.Fatal(err)
		}
		got, err := s.APIKey(t.Context(), k.ID)
		if err != nil || got.LastUsedAt == nil || !got.LastUsedAt.Equal(at.Add(c.want)) {
			t.Errorf("used at %s, noted %v, want %s (%v)", at.Add(c.use), got.LastUsedAt, at.Add(c.want), err)
		}
	}
	if got, err := s.APIKey(t.Context(), other.ID); err != nil || got.LastUsedAt != nil {
		t.Errorf("another key was used: %+v, %v", got, err)
	}
}

// endsWhileMaking has a line grow at its ends while its first key is ended.
func endsWhileMaking(t *testing.T, s auth.APIKeyStore) {
	first := insert(t, s, "usr_1", "").ID
	var makers sync.WaitGroup
	began := make(chan struct{}, 40)
	for range 4 {
		makers.Go(func() {
			parent := first
			for range 10 {
				k := keyOf("usr_1", parent)
				err := s.InsertAPIKey(t.Context(), k, event(t))
				began <- struct{}{}
				switch {
				case errors.Is(err, auth.ErrNoAPIKey):
					return
				case err != nil:
					t.Error(err)
					return
				}
				parent = k.ID
			}
		})
	}
	for range 5 {
		<-began
	}
	if _, err := s.EndAPIKey(t.Context(), "usr_1", "", first, now(), event(t)); err != nil {
		t.Error(err)
	}
	makers.Wait()
	if got := live(t, s, ""); len(got) != 0 {
		t.Errorf("%d keys outlived the first: %v", len(got), got)
	}
}
