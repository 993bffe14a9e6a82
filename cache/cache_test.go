package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/cache"
	"github.com/ashlar-go/ashlar/fault"
)

const errNoPayment fault.NotFound = "payment_not_found"

// payment is a value as an application has them.
type payment struct {
	ID     string
	Amount int64
	Notes  []string
}

func open(t testing.TB, c cache.Config) *cache.Cache {
	t.Helper()
	made, err := cache.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func view[T any](t testing.TB, c *cache.Cache, r cache.Rules[T]) *cache.View[T] {
	t.Helper()
	if r.Name == "" {
		r.Name = "payments"
	}
	if r.TTL == 0 {
		r.TTL = time.Minute
	}
	made, err := cache.Of(c, r)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// source is what values are loaded from.
type source struct {
	loads  atomic.Int64
	amount atomic.Int64
	err    atomic.Pointer[error]
	tags   []string
}

func (s *source) fail(err error) { s.err.Store(&err) }

func (s *source) load(ctx context.Context) (payment, error) {
	s.loads.Add(1)
	cache.Tag(ctx, s.tags...)
	if err := s.err.Load(); err != nil && *err != nil {
		return payment{}, *err
	}
	return payment{ID: "pay_1", Amount: s.amount.Load()}, nil
}

func get(t testing.TB, v *cache.View[payment], s *source) int64 {
	t.Helper()
	p, err := v.Get(t.Context(), "pay_1", s.load)
	if err != nil {
		t.Fatal(err)
	}
	return p.Amount
}

func TestAValueIsLoadedOnceUntilItsTimeIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := view(t, open(t, cache.Config{}), cache.Rules[payment]{TTL: time.Minute}), &source{}
		for i := range 10 {
			s.amount.Store(int64(i))
			if got := get(t, v, s); got != 0 {
				t.Fatalf("got %d, not what was kept", got)
			}
			time.Sleep(5 * time.Second) // 45s at last, below nine tenths of the TTL
		}
		time.Sleep(15 * time.Second)
		if got := get(t, v, s); got != 9 || s.loads.Load() != 2 {
			t.Errorf("got %d after %d loads", got, s.loads.Load())
		}
		if got := v.Stats(); got.Hits != 9 || got.Misses != 2 || got.Loads != 2 {
			t.Errorf("counted %+v", got)
		}
	})
}

func TestNoTwoValuesEndAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := view(t, open(t, cache.Config{}), cache.Rules[int]{TTL: 100 * time.Second})
		load := func(context.Context) (int, error) { return 1, nil }
		for i := range 1000 {
			v.Get(t.Context(), fmt.Sprint(i), load)
		}
		time.Sleep(90 * time.Second)
		kept := func() (n int) {
			for i := range 1000 {
				if _, found, _ := v.Look(fmt.Append(nil, i)); found != cache.Absent {
					n++
				}
			}
			return n
		}
		if n := kept(); n < 990 {
			t.Errorf("%d of 1000 are kept at nine tenths of their time", n)
		}
		time.Sleep(5 * time.Second)
		if n := kept(); n < 400 || n > 600 {
			t.Errorf("%d of 1000 are kept half a tenth later", n)
		}
		time.Sleep(5 * time.Second)
		if n := kept(); n != 0 {
			t.Errorf("%d of 1000 are kept beyond their time", n)
		}
	})
}

func TestColdCallersShareOneLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := view(t, open(t, cache.Config{}), cache.Rules[payment]{}), &source{}
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				p, err := v.Get(t.Context(), "pay_1", func(ctx context.Context) (payment, error) {
					time.Sleep(time.Second)
					return s.load(ctx)
				})
				if err != nil || p.ID != "pay_1" {
					t.Error(p, err)
				}
			})
		}
		all.Wait()
		if n := s.loads.Load(); n != 1 {
			t.Errorf("200 cold callers made %d loads", n)
		}
	})
}

func TestKeysAndViewsAreApart(t *testing.T) {
	t.Parallel()
	c := open(t, cache.Config{})
	one, two := view(t, c, cache.Rules[string]{Name: "one"}), view(t, c, cache.Rules[string]{Name: "two"})
	for _, v := range []*cache.View[string]{one, two} {
		for _, key := range []string{"", "a", "b", "a\x00", strings.Repeat("a", 10_000)} {
			want := fmt.Sprintf("%p %s", v, key)
			for range 2 {
				if got, err := v.Get(t.Context(), key, func(context.Context) (string, error) { return want, nil }); got != want || err != nil {
					t.Errorf("%.10q has %.30q, %v", key, got, err)
				}
			}
		}
	}
}

func TestTheCallerWhoLeavesEndsOnlyHisWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := view(t, open(t, cache.Config{}), cache.Rules[payment]{}), &source{}
		slow := func(ctx context.Context) (payment, error) {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return payment{}, ctx.Err()
			}
			return s.load(ctx)
		}
		impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() { // begins the load
			if _, err := v.Get(impatient, "pay_1", slow); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
		time.Sleep(50 * time.Millisecond)
		all.Go(func() {
			if _, err := v.Get(t.Context(), "pay_1", slow); err != nil {
				t.Errorf("the other one's wait ended the load: %v", err)
			}
		})
		all.Wait()
		if n := s.loads.Load(); n != 1 {
			t.Errorf("%d loads", n)
		}
	})
}

func TestALoadThatNobodyWaitsForEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := view(t, open(t, cache.Config{}), cache.Rules[int]{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			time.Sleep(time.Second)
			cancel()
		}()
		_, err := v.Get(ctx, "key", func(ctx context.Context) (int, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return 0, ctx.Err()
		})
		if !errors.Is(err, context.Canceled) || !errors.Is(<-ended, context.Canceled) {
			t.Errorf("got %v", err)
		}
		// Who comes then is not given what was abandoned.
		if got, err := v.Get(t.Context(), "key", func(context.Context) (int, error) { return 7, nil }); got != 7 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
		if got := v.Stats().Failures; got != 0 {
			t.Errorf("an abandoned load counts as %d failures", got)
		}
	})
}

func TestALoadHasADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := view(t, open(t, cache.Config{}), cache.Rules[int]{Timeout: 3 * time.Second})
		began := time.Now()
		_, err := v.Get(t.Context(), "key", func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 3*time.Second {
			t.Errorf("got %v after %v", err, took)
		}
	})
}

func TestErrorsAreNotKept(t *testing.T) {
	t.Parallel()
	v, s := view(t, open(t, cache.Config{}), cache.Rules[payment]{OnError: time.Minute}), &source{}
	for _, err := range []error{errors.New("boom"), errNoPayment, fault.ErrUnavailable} {
		s.fail(err)
		if _, got := v.Get(t.Context(), "pay_1", s.load); !errors.Is(got, err) {
			t.Errorf("got %v", got)
		}
	}
	s.fail(nil)
	if get(t, v, s); s.loads.Load() != 4 {
		t.Errorf("%d loads", s.loads.Load())
	}
	if got := v.Stats(); got.Failures != 2 {
		t.Errorf("a refusal is no failure: %+v", got)
	}
}

func TestAPanicGoesOnInWhoeverBeganTheLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := view(t, open(t, cache.Config{}), cache.Rules[int]{})
		boom := errors.New("boom")
		load := func(context.Context) (int, error) {
			time.Sleep(time.Second)
			panic(boom)
		}
		var all sync.WaitGroup
		all.Go(func() {
			defer func() {
				p, ok := recover().(*cache.Panic)
				if !ok || !errors.Is(p, boom) || !strings.Contains(string(p.Stack), "cache_test.go") {
					t.Errorf("recovered %v", p)
				}
			}()
			v.Get(t.Context(), "key", load)
		})
		time.Sleep(time.Millisecond)
		all.Go(func() {
			if _, err := v.Get(t.Context(), "key", load); !errors.Is(err, cache.ErrPanicked) {
				t.Errorf("got %v", err)
			}
		})
		all.Wait()
		if got, err := v.Get(t.Context(), "key", func(context.Context) (int, error) { return 7, nil }); got != 7 || err != nil {
			t.Errorf("a panic was kept: %d, %v", got, err)
		}
	})
}

func TestALoadThatEndsItsGoroutineIsAnError(t *testing.T) {
	t.Parallel()
	v := view(t, open(t, cache.Config{}), cache.Rules[int]{})
	never := &testing.T{}
	if _, err := v.Get(t.Context(), "key", func(context.Context) (int, error) {
		never.SkipNow() // as runtime.Goexit
		return 1, nil
	}); err == nil {
		t.Error("there is no value")
	}
}

func TestThatThereIsNoneIsKeptIfDeclared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, cache.Config{})
		v, s := view(t, c, cache.Rules[payment]{Missing: 10 * time.Second}), &source{tags: []string{"payment/pay_1"}}
		secret := errors.New("SELECT for a caller")
		s.fail(fmt.Errorf("store: %w", errNoPayment.Because("There is no such payment.").Wrap(secret)))
		for range 3 {
			_, err := v.Get(t.Context(), "pay_1", s.load)
			if !errors.Is(err, errNoPayment) || errors.Is(err, secret) {
				t.Errorf("got %v", err)
			}
		}
		if n := s.loads.Load(); n != 1 {
			t.Errorf("%d loads", n)
		}
		s.fail(nil)
		c.Invalidate(t.Context(), nil, "payment/pay_1") // by whoever made it
		if get(t, v, s); s.loads.Load() != 2 {
			t.Errorf("%d loads", s.loads.Load())
		}
		s.fail(errNoPayment)
		c.Invalidate(t.Context(), nil, "payment/pay_1")
		v.Get(t.Context(), "pay_1", s.load)
		time.Sleep(10 * time.Second)
		s.fail(nil)
		if get(t, v, s); s.loads.Load() != 4 {
			t.Errorf("%d loads", s.loads.Load())
		}
	})
}

func TestAStaleValueIsServedWhileOneCallLoadsAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := view(t, open(t, cache.Config{}), cache.Rules[payment]{TTL: time.Minute, Renew: time.Minute}), &source{}
		slow := func(ctx context.Context) (payment, error) {
			time.Sleep(time.Second)
			return s.load(ctx)
		}
		get := func() int64 {
			p, err := v.Get(t.Context(), "pay_1", slow)
			if err != nil {
				t.Fatal(err)
			}
			return p.Amount
		}
		get()
		s.amount.Store(1)
		time.Sleep(time.Minute)
		for range 10 {
			began := time.Now()
			if got := get(); got != 0 || time.Since(began) != 0 {
				t.Errorf("got %d after %v", got, time.Since(began))
			}
		}
		time.Sleep(2 * time.Second)
		if got := get(); got != 1 || s.loads.Load() != 2 {
			t.Errorf("got %d after %d loads", got, s.loads.Load())
		}
		time.Sleep(2 * time.Minute)
		s.amount.Store(2)
		if got := get(); got != 2 {
			t.Errorf("got %d, which is too old", got)
		}
	})
}

func TestAFailedRenewalIsTriedAgainAfterAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := view(t, open(t, cache.Config{}), cache.Rules[payment]{TTL: time.Minute, Renew: time.Minute}), &source{}
		get(t, v, s)
		time.Sleep(time.Minute)
		s.fail(errors.New("boom"))
		for range 40 { // four seconds
			if got := get(t, v, s); got != 0 {
				t.Fatalf("got %d", got)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := s.loads.Load() - 1; n < 3 || n > 5 {
			t.Errorf("%d attempts in four seconds", n)
		}
	})
}

func TestAPanicInTheBackgroundEndsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := view(t, open(t, cache.Config{}), cache.Rules[int]{TTL: time.Minute, Renew: time.Minute})
		v.Get(t.Context(), "key", func(context.Context) (int, error) { return 7, nil })
		time.Sleep(time.Minute)
		got, err := v.Get(t.Context(), "key", func(context.Context) (int, error) { panic("boom") })
		synctest.Wait()
		if got != 7 || err != nil || v.Stats().Failures != 1 {
			t.Errorf("got %d, %v, %+v", got, err, v.Stats())
		}
	})
}

func TestAnOldValueIsServedOnErrorIfDeclared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, cache.Config{})
		v, s := view(t, c, cache.Rules[payment]{TTL: time.Minute, OnError: time.Hour}), &source{tags: []string{"payment/pay_1"}}
		get(t, v, s)
		boom := errors.New("the database is down")
		s.fail(boom)
		time.Sleep(time.Minute)
		for range 20 { // two seconds
			get(t, v, s)
			time.Sleep(100 * time.Millisecond)
		}
		if n := s.loads.Load() - 1; n < 2 || n > 3 {
			t.Errorf("%d attempts in two seconds", n)
		}
		s.fail(errNoPayment) // is an answer, and no failure
		time.Sleep(time.Second)
		if _, err := v.Get(t.Context(), "pay_1", s.load); err != errNoPayment {
			t.Errorf("got %v", err)
		}
		s.fail(boom)
		time.Sleep(time.Hour)
		if _, err := v.Get(t.Context(), "pay_1", s.load); !errors.Is(err, boom) {
			t.Errorf("got %v beyond the declared time", err)
		}
	})
}

func TestAnInvalidValueIsNotServedOnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, cache.Config{})
		v, s := view(t, c, cache.Rules[payment]{TTL: time.Minute, Renew: time.Hour, OnError: time.Hour}), &source{tags: []string{"payment/pay_1"}}
		boom := errors.New("the database is down")
		for _, pass := range []time.Duration{0, time.Minute} {
			s.fail(nil)
			get(t, v, s)
			time.Sleep(pass)
			s.fail(boom)
			get(t, v, s) // excuses it, or begins to renew it
			synctest.Wait()
			c.Invalidate(t.Context(), nil, "payment/pay_1")
			if _, err := v.Get(t.Context(), "pay_1", s.load); !errors.Is(err, boom) {
				t.Errorf("after %v: got %v", pass, err)
			}
		}
	})
}

func TestTheMemoryIsBounded(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]cache.Config{
		"by bytes":  {MaxBytes: 1 << 20},
		"by number": {MaxEntries: 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := open(t, cfg)
			v := view(t, c, cache.Rules[[]byte]{})
			for i := range 5000 {
				v.Get(t.Context(), fmt.Sprint(i), func(context.Context) ([]byte, error) { return make([]byte, 2000), nil })
			}
			s := c.Stats()
			for n := 0; n < 1000 && (s.Bytes > s.MaxBytes || cfg.MaxEntries > 0 && s.Entries > cfg.MaxEntries); n++ {
				time.Sleep(time.Millisecond) // what is too much goes in the background
				s = c.Stats()
			}
			if s.Bytes > s.MaxBytes || s.Entries == 0 || s.Evictions < 4000 || cfg.MaxEntries > 0 && s.Entries > cfg.MaxEntries {
				t.Errorf("%+v", s)
			}
			if want := int64(500 * 2000); cfg.MaxBytes > 0 && s.Bytes < want/2 {
				t.Errorf("holds %d bytes of %d", s.Bytes, s.MaxBytes)
			}
		})
	}
}

func TestMistakesAreRefused(t *testing.T) {
	t.Parallel()
	for what, cfg := range map[string]cache.Config{
		"negative": {Bound: -1}, "no byte for each": {MaxBytes: 10, MaxEntries: 100},
	} {
		if _, err := cache.New(cfg); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	c := open(t, cache.Config{})
	view(t, c, cache.Rules[int]{Name: "taken"})
	encode := func(int) ([]byte, error) { return nil, nil }
	for what, r := range map[string]cache.Rules[int]{
		"TTL":       {Name: "a"},
		"negative":  {Name: "a", TTL: 1, Renew: -1},
		"the form":  {Name: "A b", TTL: 1},
		"together":  {Name: "a", TTL: 1, Encode: encode},
		"two views": {Name: "taken", TTL: 1},
	} {
		if _, err := cache.Of(c, r); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	for what, tags := range map[string][]string{
		"no tag": nil, "empty": {""}, "257 tags": make([]string, 257),
	} {
		if err := c.Invalidate(t.Context(), nil, tags...); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%.20q: %v", tags, err)
		}
	}
}

// A load may get another context than its caller has, with its own deadline all
// the same.
func TestLoadsGetTheContextThatIsMadeForThem(t *testing.T) {
	t.Parallel()
	type key struct{}
	c := open(t, cache.Config{Loading: func(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, "of a load") }})
	v := view(t, c, cache.Rules[string]{})
	got, err := v.Get(context.WithValue(t.Context(), key{}, "of a caller"), "k", func(ctx context.Context) (string, error) {
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("the load has no deadline")
		}
		said, _ := ctx.Value(key{}).(string)
		return said, nil
	})
	if got != "of a load" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
