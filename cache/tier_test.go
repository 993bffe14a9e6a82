package cache_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

// told has a cache with a journal know what was committed up to now.
func told(t *testing.T, c *cache.Cache, j *journal) (tell func(cache.Batch)) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	tell = <-j.told
	tell(cache.Batch{Position: 1, AsOf: time.Now(), Reset: true})
	return tell
}

func TestInstancesShareTheRemoteTier(t *testing.T) {
	t.Parallel()
	for name, tags := range map[string][]string{"tagged": {"payment/pay_1"}, "plain": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				remote, s := newStore(), &source{tags: tags}
				var all [2]*cache.Cache
				var views [2]*cache.View[payment]
				var tell [2]func(cache.Batch)
				var journals [2]*journal
				for i := range all {
					journals[i] = newJournal()
					all[i] = open(t, cache.Config{Remote: remote, Journal: journals[i], Version: "1"})
					views[i] = view(t, all[i], cache.Rules[payment]{TTL: time.Hour, Renew: time.Hour})
					tell[i] = told(t, all[i], journals[i])
				}
				get(t, views[0], s)
				synctest.Wait() // the remote tier gets it after the caller
				if get(t, views[1], s); s.loads.Load() != 1 {
					t.Errorf("%d loads by two instances", s.loads.Load())
				}
				if got := all[1].Stats(); got.RemoteHits != 1 || got.Loads != 0 {
					t.Errorf("%+v", got)
				}
				time.Sleep(30 * time.Minute)
				tell[1](cache.Batch{Position: 2, AsOf: time.Now(), Reset: true})
				get(t, views[1], s)
				if want := map[string]int64{"tagged": 2, "plain": 1}[name]; s.loads.Load() != want {
					t.Errorf("%d loads, want %d", s.loads.Load(), want)
				}
			})
		})
	}
}

func TestTheRemoteTierHasNoPersonsData(t *testing.T) {
	t.Parallel()
	remote := newStore()
	v := view(t, open(t, cache.Config{Remote: remote}), cache.Rules[int]{Name: "by.person"})
	v.Get(t.Context(), "jane@example.com", func(context.Context) (int, error) { return 1, nil })
	eventually(t, func() bool { return len(remote.keys()) == 1 })
	for _, key := range remote.keys() {
		if strings.Contains(key, "jane") || len(key) > cache.MaxRemoteKey || strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_:") != "" {
			t.Errorf("the key is %s", key)
		}
	}
}

func (s *store) keys() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.values {
		all = append(all, key)
	}
	return all
}

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come to pass")
		}
	}
}

func TestReleasesAndTypesDoNotReadEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		remote := newStore()
		loads := 0
		load := func(context.Context) (int, error) { loads++; return loads, nil }
		for _, version := range []string{"1", "2"} {
			c := open(t, cache.Config{Remote: remote, Version: version})
			view(t, c, cache.Rules[int]{Name: "a"}).Get(t.Context(), "key", load)
			view(t, c, cache.Rules[int]{Name: "b"}).Get(t.Context(), "key", load)
			type int2 int
			view(t, open(t, cache.Config{Remote: remote, Version: version}), cache.Rules[int2]{Name: "a"}).
				Get(t.Context(), "key", func(context.Context) (int2, error) { loads++; return 0, nil })
			synctest.Wait()
		}
		if loads != 6 {
			t.Errorf("%d loads for six values that have nothing to do with each other", loads)
		}
	})
}

func TestWhatHasTagsNeedsAJournalToBeShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		remote, s := newStore(), &source{tags: []string{"payment/pay_1"}}
		for range 2 {
			get(t, view(t, open(t, cache.Config{Remote: remote}), cache.Rules[payment]{}), s)
			synctest.Wait()
		}
		if remote.sets != 0 || s.loads.Load() != 2 {
			t.Errorf("%d values were sent", remote.sets)
		}
		get(t, view(t, open(t, cache.Config{Remote: remote}), cache.Rules[payment]{Local: true}), &source{})
		synctest.Wait()
		if remote.sets != 0 || remote.gets != 2 {
			t.Errorf("a local view asked: %d and %d", remote.sets, remote.gets)
		}
	})
}

func TestOldValuesOfTheRemoteTierAreNotUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		remote, s := newStore(), &source{tags: []string{"payment/pay_1"}}
		j := newJournal()
		c := open(t, cache.Config{Remote: remote, Journal: j, Version: "1"})
		v := view(t, c, cache.Rules[payment]{})
		tell := told(t, c, j)
		get(t, v, s)
		synctest.Wait()
		old := maps.Clone(remote.values)
		put := func() {
			remote.mu.Lock()
			defer remote.mu.Unlock()
			maps.Copy(remote.values, old)
		}

		s.amount.Store(1)
		c.Invalidate(t.Context(), nil, "payment/pay_1")
		for _, when := range []string{"the journal has not told", "it has told"} {
			put()
			if got := get(t, v, s); got != 1 {
				t.Errorf("%s: got %d", when, got)
			}
			note := j.notes[0]
			note.Position = 2
			time.Sleep(time.Millisecond)
			tell(cache.Batch{Notes: []cache.Note{note}, Position: 2, AsOf: time.Now()})
			tell(cache.Batch{Notes: []cache.Note{{Position: 3, Tags: []string{"payment/pay_1"}}}, Position: 3, AsOf: time.Now()})
		}
		// One that comes up knows nothing of what was before.
		j2 := newJournal()
		fresh := open(t, cache.Config{Remote: remote, Journal: j2, Version: "1"})
		put()
		w := view(t, fresh, cache.Rules[payment]{})
		tell2 := told(t, fresh, j2)
		tell2(cache.Batch{Position: 3, AsOf: time.Now(), Reset: true})
		if got := get(t, w, s); got != 1 {
			t.Errorf("got %d", got)
		}
	})
}

func TestABrokenRemoteTierCostsLittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		remote := &hanging{store: newStore()}
		c := open(t, cache.Config{Remote: remote, RemoteTimeout: 100 * time.Millisecond})
		v := view(t, c, cache.Rules[int]{TTL: time.Hour})
		n := 0
		ask := func() (took time.Duration) {
			began := time.Now()
			n++
			if got, err := v.Get(t.Context(), fmt.Sprint(n), func(context.Context) (int, error) { return n, nil }); got != n || err != nil {
				t.Errorf("got %d, %v", got, err)
			}
			took = time.Since(began)
			synctest.Wait()
			return took
		}
		if took := ask(); took != 0 {
			t.Fatalf("a good one takes %v", took)
		}
		remote.hang(true)
		var slow time.Duration
		for range 50 {
			slow += ask()
		}
		if slow > 300*time.Millisecond {
			t.Errorf("fifty callers waited %v in all", slow)
		}
		slow = 0
		for range 120 { // two minutes: it is asked now and then
			time.Sleep(time.Second)
			slow += ask()
		}
		if slow > time.Second || c.Stats().RemoteSkipped == 0 {
			t.Errorf("callers waited %v in two minutes, %+v", slow, c.Stats())
		}
		remote.hang(false)
		time.Sleep(30 * time.Second)
		before := c.Stats()
		ask()
		ask()
		if after := c.Stats(); after.RemoteErrors != before.RemoteErrors || after.RemoteMisses < before.RemoteMisses+2 {
			t.Errorf("it did not heal: %+v then %+v", before, after)
		}
	})
}

// hanging is a store that can be made to answer nothing.
type hanging struct {
	*store

	mu    sync.Mutex
	hangs bool
}

func (h *hanging) hang(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hangs = on
}

func (h *hanging) wait(ctx context.Context) error {
	h.mu.Lock()
	hangs := h.hangs
	h.mu.Unlock()
	if hangs {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (h *hanging) Get(ctx context.Context, key string) ([]byte, error) {
	if err := h.wait(ctx); err != nil {
		return nil, err
	}
	return h.store.Get(ctx, key)
}

func (h *hanging) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := h.wait(ctx); err != nil {
		return err
	}
	return h.store.Set(ctx, key, value, ttl)
}

func TestTheCallerWhoLeavesDoesNotShutTheRemoteTier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		remote := &hanging{store: newStore(), hangs: true}
		c := open(t, cache.Config{Remote: remote, RemoteTimeout: time.Minute})
		v := view(t, c, cache.Rules[int]{})
		for i := range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			v.Get(ctx, fmt.Sprint(i), func(context.Context) (int, error) { return 0, nil })
			cancel()
		}
		synctest.Wait()
		remote.hang(false)
		if v.Get(t.Context(), "key", func(context.Context) (int, error) { return 0, nil }); c.Stats().RemoteSkipped != 0 {
			t.Errorf("%+v", c.Stats())
		}
	})
}

func TestWhatCannotBeSentStaysHere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		remote := newStore()
		c := open(t, cache.Config{Remote: remote})
		large := view(t, c, cache.Rules[string]{Name: "large"})
		odd := view(t, c, cache.Rules[func()]{Name: "odd"})
		for range 2 {
			got, err := large.Get(t.Context(), "key", func(context.Context) (string, error) { return strings.Repeat("a", cache.MaxRemoteValue), nil })
			if len(got) != cache.MaxRemoteValue || err != nil {
				t.Error(err)
			}
			if fn, err := odd.Get(t.Context(), "key", func(context.Context) (func(), error) { return func() {}, nil }); fn == nil || err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		if got := c.Stats(); got.Unsent != 2 || remote.sets != 0 || got.Hits != 2 {
			t.Errorf("%+v, %d sent", got, remote.sets)
		}
	})
}

func TestAnExpiredValueOfTheRemoteTierServesOnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		remote, s := newStore(), &source{}
		rules := cache.Rules[payment]{TTL: time.Minute, OnError: time.Hour}
		get(t, view(t, open(t, cache.Config{Remote: remote}), rules), s)
		synctest.Wait()
		time.Sleep(2 * time.Minute)
		s.fail(errors.New("the database is down"))
		v := view(t, open(t, cache.Config{Remote: remote}), rules)
		if get(t, v, s); v.Stats().Excused != 1 {
			t.Errorf("%+v", v.Stats())
		}
	})
}

func TestClocksMayDiffer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		remote, s := newStore(), &source{}
		ahead := func() time.Time { return time.Now().Add(time.Hour) }
		get(t, view(t, open(t, cache.Config{Remote: remote, Now: ahead}), cache.Rules[payment]{TTL: time.Minute}), s)
		synctest.Wait()
		v := view(t, open(t, cache.Config{Remote: remote}), cache.Rules[payment]{TTL: time.Minute})
		if get(t, v, s); s.loads.Load() != 1 {
			t.Errorf("%d loads", s.loads.Load())
		}
		remote.pass(time.Hour) // whatever the clocks say, it ends with its time there
		time.Sleep(61 * time.Second)
		if get(t, v, s); s.loads.Load() != 2 {
			t.Errorf("%d loads: a clock that is ahead makes values last", s.loads.Load())
		}
	})
}

func TestWhatIsInvalidatedWhileItIsDecodedIsNotUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		remote, s := newStore(), &source{tags: []string{"payment/pay_1"}}
		rules := cache.Rules[payment]{
			Encode: func(payment) ([]byte, error) { return nil, nil },
			Decode: func([]byte) (payment, error) { time.Sleep(time.Second); return payment{}, nil },
		}
		var c *cache.Cache
		var v *cache.View[payment]
		for range 2 {
			j := newJournal()
			c = open(t, cache.Config{Remote: remote, Journal: j, Version: "1"})
			v = view(t, c, rules)
			told(t, c, j)
			go v.Get(t.Context(), "pay_1", s.load)
			synctest.Wait() // the first gives it to the remote tier, the second decodes it
		}
		s.amount.Store(1)
		c.Invalidate(t.Context(), nil, "payment/pay_1")
		if got := get(t, v, s); got != 1 {
			t.Errorf("got %d, which had been invalidated before the call", got)
		}
	})
}
