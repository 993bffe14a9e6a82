// Package cachetest proves that what is put behind a cache keeps its promises:
// [RunRemote] those of a [cache.Remote].
package cachetest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

// RunRemote checks the Remote behind open, which returns one that nobody else
// has keys in, and pass, which lets d pass by its clock: by moving that clock,
// or by waiting. All that the suite lets pass is less than a second.
func RunRemote(t *testing.T, open func(testing.TB) (remote cache.Remote, pass func(d time.Duration))) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, remote){
		"a key that was not set has nothing":        absent,
		"what was set comes back":                   comesBack,
		"the last one set counts":                   replaced,
		"keys are told apart":                       apart,
		"a value ends with its time":                expires,
		"a new value has a time of its own":         expiresAnew,
		"a value that was replaced stays replaced":  shortens,
		"the bytes are copied on the way in":        copiedIn,
		"the bytes are the caller's on the way out": copiedOut,
		"the largest value under the longest key":   largest,
		"an ended context ends the call":            ended,
		"many at once get whole values":             crowd,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, pass := open(t)
			test(t, remote{r, pass})
		})
	}
}

type remote struct {
	cache.Remote

	pass func(time.Duration)
}

func (r remote) get(t *testing.T, key string) []byte {
	t.Helper()
	value, err := r.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	return value
}

func (r remote) set(t *testing.T, key string, value []byte, ttl time.Duration) {
	t.Helper()
	if err := r.Set(t.Context(), key, value, ttl); err != nil {
		t.Fatalf("set %q: %v", key, err)
	}
}

func absent(t *testing.T, r remote) {
	if value := r.get(t, "payments:nobody"); len(value) != 0 {
		t.Errorf("got %q", value)
	}
}

// every is all bytes that there are, so that nothing that is text or a number
// to somebody comes back as something else.
func every() []byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return all
}

func comesBack(t *testing.T, r remote) {
	for key, value := range map[string][]byte{
		"zero": {0}, "all": every(), "number": []byte("007"), "text": []byte("\r\n$-1\r\n"), "not-utf8": {0xff, 0xfe},
	} {
		r.set(t, key, value, time.Minute)
		for range 2 { // reading takes nothing away
			if got := r.get(t, key); !bytes.Equal(got, value) {
				t.Errorf("%s: %q came back as %q", key, value, got)
			}
		}
	}
}

func replaced(t *testing.T, r remote) {
	for _, value := range []string{"first, and longer", "second", "third"} {
		r.set(t, "key", []byte(value), time.Minute)
		if got := r.get(t, "key"); string(got) != value {
			t.Errorf("got %q after %q was set", got, value)
		}
	}
}

func apart(t *testing.T, r remote) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_:"
	keys := []string{"a:b", "a:", "a", ":a", "a:b:", "ab", "AB", "a-b", "a_b", alphabet}
	for _, c := range alphabet {
		keys = append(keys, "k"+string(c))
	}
	for _, key := range keys {
		r.set(t, key, []byte("of "+key), time.Minute)
	}
	for _, key := range keys {
		if got := r.get(t, key); string(got) != "of "+key {
			t.Errorf("%q has %q", key, got)
		}
	}
}

func expires(t *testing.T, r remote) {
	r.set(t, "short", []byte("short"), 50*time.Millisecond)
	r.set(t, "long", []byte("long"), time.Minute)
	r.pass(60 * time.Millisecond)
	if got := r.get(t, "short"); len(got) != 0 {
		t.Errorf("%q outlived its time", got)
	}
	if got := r.get(t, "long"); string(got) != "long" {
		t.Errorf("got %q before its time was over", got)
	}
}

func expiresAnew(t *testing.T, r remote) {
	r.set(t, "key", []byte("first"), 50*time.Millisecond)
	r.set(t, "key", []byte("second"), time.Minute)
	r.pass(60 * time.Millisecond)
	if got := r.get(t, "key"); string(got) != "second" {
		t.Errorf("got %q: the time of the first value ended the second", got)
	}
}

func shortens(t *testing.T, r remote) {
	r.set(t, "key", []byte("first"), time.Minute)
	r.set(t, "key", []byte("second"), 50*time.Millisecond)
	r.pass(60 * time.Millisecond)
	if got := r.get(t, "key"); len(got) != 0 {
		t.Errorf("got %q: the time of the first value lengthened the second", got)
	}
}

func copiedIn(t *testing.T, r remote) {
	value := []byte("as it was set")
	r.set(t, "key", value, time.Minute)
	copy(value, "XXXXXXXXXXXXX")
	if got := r.get(t, "key"); string(got) != "as it was set" {
		t.Errorf("got %q: the caller's buffer was kept", got)
	}
}

func copiedOut(t *testing.T, r remote) {
	r.set(t, "key", []byte("as it was set"), time.Minute)
	copy(r.get(t, "key"), "XXXXXXXXXXXXX")
	if got := r.get(t, "key"); string(got) != "as it was set" {
		t.Errorf("got %q: a reader's buffer is the store's", got)
	}
}

func largest(t *testing.T, r remote) {
	value := make([]byte, cache.MaxRemoteValue)
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same at each run
	for i := range value {
		value[i] = byte(random.Uint32())
	}
	key := strings.Repeat("k", cache.MaxRemoteKey)
	r.set(t, key, value, time.Minute)
	if got := r.get(t, key); !bytes.Equal(got, value) {
		t.Errorf("%d bytes came back as %d others", len(value), len(got))
	}
	if got := r.get(t, key[1:]); len(got) != 0 {
		t.Errorf("a key one byte shorter has %d bytes", len(got))
	}
}

func ended(t *testing.T, r remote) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Get(ctx, "key"); err == nil {
		t.Error("Get went on")
	}
	if err := r.Set(ctx, "key", []byte("value"), time.Minute); err == nil {
		t.Error("Set went on")
	}
}

func crowd(t *testing.T, r remote) {
	const side, turns = 8, 50
	var all sync.WaitGroup
	for i := range side {
		all.Go(func() {
			for turn := range turns {
				key := fmt.Sprint("key-", turn%5)
				value := bytes.Repeat([]byte{byte('a' + i)}, 1000+turn)
				if err := r.Set(t.Context(), key, value, time.Minute); err != nil {
					t.Error(err)
				}
				got, err := r.Get(t.Context(), key)
				if err != nil {
					t.Error(err)
				}
				if len(got) < 1000 || len(bytes.Trim(got, string(got[:1]))) != 0 {
					t.Errorf("%s has %d bytes of several writers", key, len(got))
				}
			}
		})
	}
	all.Wait()
}
