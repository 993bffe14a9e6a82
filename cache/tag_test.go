package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/ashlar-go/ashlar/cache"
)

// tx is a transaction that a test commits.
type tx struct{ after []func() }

func (t *tx) AfterCommit(fn func()) { t.after = append(t.after, fn) }

func (t *tx) commit() {
	for _, fn := range t.after {
		fn()
	}
}

func TestInvalidateWorksFromTheCommitOn(t *testing.T) {
	t.Parallel()
	c := open(t, cache.Config{})
	v, s := view(t, c, cache.Rules[payment]{}), &source{tags: []string{"payment/pay_1", "merchant/m1"}}
	get(t, v, s)
	var write, undone tx
	for _, x := range []*tx{&write, &undone} {
		if err := c.Invalidate(t.Context(), x, "payment/pay_1"); err != nil {
			t.Fatal(err)
		}
	}
	s.amount.Store(1)
	if got := get(t, v, s); got != 0 {
		t.Errorf("got %d before the commit", got)
	}
	write.commit()
	if got := get(t, v, s); got != 1 {
		t.Errorf("got %d after the commit", got)
	}
	get(t, v, s)
	if n := s.loads.Load(); n != 2 {
		t.Errorf("%d loads", n)
	}
	c.Invalidate(t.Context(), nil, "another/tag", "merchant/m1")
	if get(t, v, s); s.loads.Load() != 3 {
		t.Error("the second tag does not count")
	}
	c.Invalidate(t.Context(), nil, "payment/pay_2")
	if get(t, v, s); s.loads.Load() != 3 {
		t.Error("another's tag counts")
	}
}

func TestALoadThatBeganBeforeIsNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, cache.Config{})
		v, s := view(t, c, cache.Rules[payment]{}), &source{}
		go func() {
			p, err := v.Get(t.Context(), "pay_1", func(ctx context.Context) (payment, error) {
				p, err := s.load(ctx) // reads now
				time.Sleep(time.Second)
				cache.Tag(ctx, "payment/pay_1")
				return p, err
			})
			if p.Amount != 0 || err != nil {
				t.Errorf("who asked before got %v, %v", p, err)
			}
		}()
		time.Sleep(time.Millisecond)
		s.amount.Store(1)
		c.Invalidate(t.Context(), nil, "payment/pay_1")
		// Who asks after that waits for the load, learns that it began before,
		// and begins another.
		if got := get(t, v, s); got != 1 {
			t.Errorf("got %d", got)
		}
		if got := get(t, v, s); got != 1 || s.loads.Load() != 2 {
			t.Errorf("got %d after %d loads", got, s.loads.Load())
		}
	})
}

func TestALoadThatSaidWhatItReadsIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, cache.Config{})
		v, s := view(t, c, cache.Rules[payment]{}), &source{tags: []string{"payment/pay_1"}}
		go v.Get(t.Context(), "pay_1", func(ctx context.Context) (payment, error) {
			cache.Tag(ctx, "payment/pay_1")
			time.Sleep(time.Second)
			return payment{}, nil
		})
		time.Sleep(time.Millisecond)
		c.Invalidate(t.Context(), nil, "payment/pay_1")
		began := time.Now()
		if get(t, v, s); time.Since(began) != 0 {
			t.Errorf("waited %v", time.Since(began))
		}
		time.Sleep(2 * time.Second) // the first one lands
		if get(t, v, s); s.loads.Load() != 1 {
			t.Errorf("the older load took the place of the newer: %d loads", s.loads.Load())
		}
	})
}

func TestWhatIsMadeOfKeptValuesGoesWithThem(t *testing.T) {
	t.Parallel()
	c := open(t, cache.Config{})
	inner := view(t, c, cache.Rules[int]{Name: "inner"})
	outer := view(t, c, cache.Rules[int]{Name: "outer"})
	other := view(t, open(t, cache.Config{}), cache.Rules[int]{Name: "other"})
	loads := 0
	sum := func(ctx context.Context) (int, error) {
		loads++
		for _, v := range []*cache.View[int]{inner, other} {
			for _, key := range []string{"a", "b"} {
				if _, err := v.Get(ctx, key, func(ctx context.Context) (int, error) {
					cache.Tag(ctx, fmt.Sprintf("%p/%s", v, key))
					return 1, nil
				}); err != nil {
					return 0, err
				}
			}
		}
		return loads, nil
	}
	for want, tag := range []string{"", fmt.Sprintf("%p/a", inner), fmt.Sprintf("%p/b", inner), "x", fmt.Sprintf("%p/a", other)} {
		if tag != "" {
			c.Invalidate(t.Context(), nil, tag)
		}
		outer.Get(t.Context(), "sum", sum)
		if want = min(want+1, 3); loads != want { // the last two do not matter
			t.Errorf("%d loads after %q, want %d", loads, tag, want)
		}
	}
}

func TestAValueWhoseTagsCannotBeTakenIsNotKept(t *testing.T) {
	t.Parallel()
	for name, tags := range map[string][]string{
		"an empty one": {""},
		"too many": func() (all []string) {
			for i := range cache.MaxTags + 1 {
				all = append(all, fmt.Sprint(i))
			}
			return all
		}(),
	} {
		v, s := view(t, open(t, cache.Config{}), cache.Rules[payment]{}), &source{tags: tags}
		get(t, v, s)
		if get(t, v, s); s.loads.Load() != 2 || v.Stats().Unkept != 2 {
			t.Errorf("%s: %d loads, %+v", name, s.loads.Load(), v.Stats())
		}
	}
	s := &source{}
	for range 2 { // the same ones again are no more
		for i := range cache.MaxTags {
			s.tags = append(s.tags, fmt.Sprint(i))
		}
	}
	v := view(t, open(t, cache.Config{}), cache.Rules[payment]{})
	get(t, v, s)
	if get(t, v, s); s.loads.Load() != 1 {
		t.Errorf("%d loads", s.loads.Load())
	}
	cache.Tag(t.Context(), "outside of a load")
}

func TestAnyTagCanBeInvalidated(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{"payment/pay_1", "\xff", strings.Repeat("a", 10_000), "a b\n{}"} {
		j := newJournal()
		c := open(t, cache.Config{Journal: j})
		v, s := view(t, c, cache.Rules[payment]{}), &source{tags: []string{tag}}
		get(t, v, s)
		if err := c.Invalidate(t.Context(), nil, tag); err != nil {
			t.Errorf("%.20q: %v", tag, err)
		}
		if get(t, v, s); s.loads.Load() != 2 {
			t.Errorf("%.20q: %d loads", tag, s.loads.Load())
		}
		if told := j.notes[0].Tags[0]; len(told) > cache.MaxTag || !utf8.ValidString(told) {
			t.Errorf("others are told %q", told)
		}
	}
}

// Somebody else's load that has read long ago, and a journal that starts anew
// while it is waited for.
func TestALoadIsAsOldAsWhatItWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		c := open(t, cache.Config{Journal: j, Bound: 5 * time.Second})
		inner := view(t, c, cache.Rules[payment]{Name: "inner"})
		outer := view(t, c, cache.Rules[payment]{Name: "outer"})
		tell := told(t, c, j)
		s := &source{}
		slowly := func(ctx context.Context) (payment, error) {
			p, err := s.load(ctx) // reads now
			time.Sleep(15 * time.Second)
			cache.Tag(ctx, "payment/pay_1")
			return p, err
		}
		of := func(ctx context.Context) (payment, error) { return inner.Get(ctx, "pay_1", slowly) }
		go inner.Get(t.Context(), "pay_1", slowly)
		time.Sleep(time.Second)
		s.amount.Store(1) // elsewhere
		time.Sleep(4 * time.Second)
		go outer.Get(t.Context(), "pay_1", of) // waits for the load, which may be five seconds old
		go func() {
			time.Sleep(3 * time.Second)
			tell(cache.Batch{Position: 2, AsOf: time.Now(), Reset: true})
		}()
		time.Sleep(2500 * time.Millisecond)
		if p, err := outer.Get(t.Context(), "pay_1", of); p.Amount != 1 || err != nil {
			t.Errorf("got %v, %v, of what was replaced 6.5s before the call", p, err)
		}
	})
}

func TestALoadThatAsksForItselfIsAnError(t *testing.T) {
	t.Parallel()
	c := open(t, cache.Config{})
	a, b := view(t, c, cache.Rules[int]{Name: "a"}), view(t, c, cache.Rules[int]{Name: "b"})
	var load func(ctx context.Context) (int, error)
	load = func(ctx context.Context) (int, error) {
		return b.Get(ctx, "key", func(ctx context.Context) (int, error) { return a.Get(ctx, "key", load) })
	}
	if _, err := a.Get(t.Context(), "key", load); err == nil || !strings.Contains(err.Error(), "itself") {
		t.Errorf("got %v", err)
	}
	if got, err := a.Get(t.Context(), "key", func(context.Context) (int, error) { return 7, nil }); got != 7 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
}

// journal is one that a test writes and tells by hand.
type journal struct {
	err   error
	notes []cache.Note
	told  chan func(cache.Batch)
	end   chan error
}

func newJournal() *journal {
	return &journal{told: make(chan func(cache.Batch), 1), end: make(chan error)}
}

func (j *journal) Append(_ context.Context, _ cache.Tx, note cache.Note) error {
	if j.err == nil {
		j.notes = append(j.notes, note)
	}
	return j.err
}

func (j *journal) Follow(ctx context.Context, told func(cache.Batch)) error {
	j.told <- told
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-j.end:
		return err
	}
}

func TestAJournalThatCannotBeWrittenFailsTheWrite(t *testing.T) {
	t.Parallel()
	j := newJournal()
	j.err = errors.New("another kind of transaction")
	c := open(t, cache.Config{Journal: j})
	v, s := view(t, c, cache.Rules[payment]{}), &source{tags: []string{"payment/pay_1"}}
	get(t, v, s)
	var write tx
	if err := c.Invalidate(t.Context(), &write, "payment/pay_1"); !errors.Is(err, j.err) || len(write.after) != 0 {
		t.Errorf("got %v", err)
	}
	// What is committed already is applied here, if nowhere else.
	s.amount.Store(1)
	if err := c.Invalidate(t.Context(), nil, "payment/pay_1"); !errors.Is(err, j.err) {
		t.Errorf("got %v", err)
	}
	if got := get(t, v, s); got != 1 {
		t.Errorf("got %d", got)
	}
}

func TestOwnInvalidationsDropNothingTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		c := open(t, cache.Config{Journal: j})
		v, s := view(t, c, cache.Rules[payment]{}), &source{tags: []string{"payment/pay_1"}}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		told := <-j.told

		var write, broken tx
		c.Invalidate(ctx, &write, "payment/pay_1")
		c.Invalidate(ctx, &broken, "payment/pay_1") // committed, and nobody knows
		write.commit()
		get(t, v, s)
		told(cache.Batch{Notes: j.notes[:1], Position: 1, AsOf: time.Now()})
		if get(t, v, s); s.loads.Load() != 1 {
			t.Errorf("%d loads: what was loaded after the commit was dropped", s.loads.Load())
		}
		told(cache.Batch{Notes: j.notes[1:], Position: 2, AsOf: time.Now()})
		if get(t, v, s); s.loads.Load() != 2 {
			t.Errorf("%d loads: a commit whose answer was lost is one", s.loads.Load())
		}
		told(cache.Batch{Notes: []cache.Note{{Position: 3, Origin: "another", Tags: []string{"payment/pay_1"}}}, Position: 3, AsOf: time.Now()})
		if get(t, v, s); s.loads.Load() != 3 {
			t.Errorf("%d loads: another's invalidation", s.loads.Load())
		}
		told(cache.Batch{Position: 4, AsOf: time.Now(), Reset: true})
		if get(t, v, s); s.loads.Load() != 4 || c.Stats().Resets != 1 {
			t.Errorf("%d loads: something may have been missed", s.loads.Load())
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestDropIsWhatAJournalTellsOfByItself: here at once, once, and for the tags
// that a note of a journal would have.
func TestDropIsWhatAJournalTellsOfByItself(t *testing.T) {
	t.Parallel()
	j := newJournal()
	c := open(t, cache.Config{Journal: j})
	tell := told(t, c, j)
	long := strings.Repeat("payment/", cache.MaxTag)
	v, s := view(t, c, cache.Rules[payment]{}), &source{tags: []string{"payment/pay_1", long}}
	loads := func(what string, want int64) {
		t.Helper()
		if get(t, v, s); s.loads.Load() != want {
			t.Errorf("%s: %d loads, want %d", what, s.loads.Load(), want)
		}
	}
	loads("at first", 1)
	c.Drop("another")
	loads("another tag", 1)
	c.Drop("payment/pay_1")
	loads("dropped", 2)
	tell(cache.Batch{Notes: []cache.Note{{Position: 2, Tags: []string{"payment/pay_1"}, Dropped: true}}, Position: 2, AsOf: time.Now()})
	loads("dropped already", 2)
	tell(cache.Batch{Notes: []cache.Note{{Position: 3, Tags: []string{"payment/pay_1"}}}, Position: 3, AsOf: time.Now()})
	loads("by another", 3)
	tell(cache.Batch{Notes: []cache.Note{{Position: 4, Tags: []string{long}}}, Position: 4, AsOf: time.Now()})
	loads("a long tag, by another", 4)
	c.Drop(long)
	loads("a long tag", 5)
	if len(j.notes) != 0 {
		t.Errorf("the journal was given %+v", j.notes)
	}
}

func TestRunEndsWithTheJournalsError(t *testing.T) {
	t.Parallel()
	j := newJournal()
	c := open(t, cache.Config{Journal: j})
	boom := errors.New("boom")
	go func() { j.end <- boom }()
	if err := c.Run(t.Context()); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
}

func TestRunLetsGoOfWhatHasExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, cache.Config{})
		short, long := view(t, c, cache.Rules[int]{Name: "short", TTL: time.Second}), view(t, c, cache.Rules[int]{Name: "long", TTL: time.Hour})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		for i := range 100 {
			short.Get(ctx, fmt.Sprint(i), func(context.Context) (int, error) { return i, nil })
			long.Get(ctx, fmt.Sprint(i), func(ctx context.Context) (int, error) {
				cache.Tag(ctx, fmt.Sprint(i%2))
				return i, nil
			})
		}
		c.Invalidate(ctx, nil, "1")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := c.Stats().Entries; n != 50 {
			t.Errorf("%d values are kept, not the 50 that can be served", n)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestASilentJournalMakesWhatHasTagsTooOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		c := open(t, cache.Config{Journal: j, Bound: 5 * time.Second})
		tagged, plain := &source{tags: []string{"payment/pay_1"}}, &source{}
		v, w := view(t, c, cache.Rules[payment]{Name: "tagged"}), view(t, c, cache.Rules[payment]{Name: "plain"})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		told := <-j.told
		for range 20 { // ten seconds
			told(cache.Batch{Position: 1, AsOf: time.Now()})
			get(t, v, tagged)
			get(t, w, plain)
			time.Sleep(500 * time.Millisecond)
		}
		if tagged.loads.Load() != 1 || plain.loads.Load() != 1 {
			t.Errorf("%d and %d loads while the journal spoke", tagged.loads.Load(), plain.loads.Load())
		}
		time.Sleep(4500 * time.Millisecond) // 5s after the last batch
		get(t, v, tagged)
		if behind := c.Stats().Behind; behind != 5*time.Second {
			t.Errorf("behind by %v", behind)
		}
		time.Sleep(time.Millisecond)
		for range 3 { // and then each value for as long again
			get(t, v, tagged)
			get(t, w, plain)
		}
		if tagged.loads.Load() != 2 || plain.loads.Load() != 1 || v.Stats().Late != 1 {
			t.Errorf("%d and %d loads once it was silent", tagged.loads.Load(), plain.loads.Load())
		}
		stop()
		<-ended
	})
}
