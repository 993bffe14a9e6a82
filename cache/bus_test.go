package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/cache"
)

// bus is one in memory.
type bus struct {
	mu        sync.Mutex
	broken    bool
	deaf      bool // it takes messages and carries none
	listeners map[*listener]bool
	longest   int
}

type listener struct{ messages chan []byte }

func (b *bus) Publish(_ context.Context, channel string, message []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.longest = max(b.longest, len(message))
	switch {
	case b.broken:
		return errors.New("the bus is broken")
	case b.deaf:
		return nil
	}
	for l := range b.listeners {
		l.messages <- append([]byte(channel+"\n"), message...)
	}
	return nil
}

func (b *bus) Subscribe(ctx context.Context, channel string, receive func([]byte)) error {
	l := &listener{make(chan []byte, 1000)}
	b.mu.Lock()
	if b.listeners == nil {
		b.listeners = map[*listener]bool{}
	}
	b.listeners[l] = true
	b.mu.Unlock()
	receive(nil)
	for {
		select {
		case m := <-l.messages:
			if m == nil {
				receive(nil)
			} else if body, ok := strings.CutPrefix(string(m), channel+"\n"); ok {
				receive([]byte(body))
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *bus) set(broken, deaf bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken, b.deaf = broken, deaf
}

// pair is two instances on a bus, which know one payment each.
type pair struct {
	*bus

	caches  [2]*cache.Cache
	views   [2]*cache.View[payment]
	sources [2]*source
}

func onBus(t *testing.T, test func(t *testing.T, p *pair)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &pair{bus: &bus{}}
		ctx, stop := context.WithCancel(context.Background())
		var running sync.WaitGroup
		for i := range p.caches {
			p.sources[i] = &source{tags: []string{"payment/pay_1"}}
			p.caches[i] = open(t, cache.Config{Journal: cache.OverBus(p.bus), Bound: 5 * time.Second})
			p.views[i] = view(t, p.caches[i], cache.Rules[payment]{TTL: time.Hour})
			running.Go(func() { p.caches[i].Run(ctx) })
		}
		synctest.Wait()
		for i := range p.caches {
			get(t, p.views[i], p.sources[i])
		}
		test(t, p)
		stop()
		running.Wait()
	})
}

// loads returns how often an instance has loaded, when it is asked once more.
func (p *pair) loads(t *testing.T, i int) int64 {
	t.Helper()
	synctest.Wait()
	get(t, p.views[i], p.sources[i])
	return p.sources[i].loads.Load()
}

func TestInvalidationsTravelOverABus(t *testing.T) {
	t.Parallel()
	onBus(t, func(t *testing.T, p *pair) {
		time.Sleep(10 * time.Minute)
		if a, b := p.loads(t, 0), p.loads(t, 1); a != 1 || b != 1 {
			t.Errorf("%d and %d loads while nothing happens", a, b)
		}
		var write, undone tx
		p.caches[0].Invalidate(t.Context(), &write, "payment/pay_1")
		p.caches[0].Invalidate(t.Context(), &undone, "payment/pay_1")
		if b := p.loads(t, 1); b != 1 {
			t.Errorf("%d loads before the commit", b)
		}
		write.commit()
		if a, b := p.loads(t, 0), p.loads(t, 1); a != 2 || b != 2 {
			t.Errorf("%d and %d loads after the commit", a, b)
		}
		if a := p.loads(t, 0); a != 2 {
			t.Errorf("%d loads: its own message dropped what it had loaded since", a)
		}
	})
}

func TestManyTagsAreSeveralMessages(t *testing.T) {
	t.Parallel()
	onBus(t, func(t *testing.T, p *pair) {
		tags := make([]string, cache.MaxTags)
		for i := range tags {
			tags[i] = fmt.Sprint(i, strings.Repeat("\x01", 240)) // six bytes each
		}
		tags[cache.MaxTags-1] = "payment/pay_1"
		if err := p.caches[0].Invalidate(t.Context(), nil, tags...); err != nil {
			t.Error(err)
		}
		if b := p.loads(t, 1); b != 2 || p.longest > 8000 {
			t.Errorf("%d loads, a message of %d bytes", b, p.longest)
		}
	})
}

func TestWhatABusDidNotTakeDropsEverythingOnceItDoes(t *testing.T) {
	t.Parallel()
	onBus(t, func(t *testing.T, p *pair) {
		p.set(true, false)
		var write tx
		p.caches[0].Invalidate(t.Context(), &write, "payment/pay_1")
		write.commit()
		if err := p.caches[0].Invalidate(t.Context(), nil, "payment/pay_1"); err == nil {
			t.Error("the caller is not told")
		}
		if a, b := p.loads(t, 0), p.loads(t, 1); a != 2 || b != 1 {
			t.Errorf("%d and %d loads", a, b)
		}
		time.Sleep(2 * time.Second)
		p.set(false, false)
		time.Sleep(2 * time.Second)
		if b := p.loads(t, 1); b != 2 {
			t.Errorf("%d loads: the other instance still has the old value", b)
		}
	})
}

func TestASilentBusMakesWhatHasTagsTooOld(t *testing.T) {
	t.Parallel()
	onBus(t, func(t *testing.T, p *pair) {
		p.set(false, true)
		p.caches[0].Invalidate(t.Context(), nil, "payment/pay_1")
		if b := p.loads(t, 1); b != 1 {
			t.Errorf("%d loads", b)
		}
		time.Sleep(5*time.Second + time.Millisecond)
		if b := p.loads(t, 1); b != 2 {
			t.Errorf("%d loads beyond the bound", b)
		}
	})
}

func TestWhatMayHaveBeenMissedDropsEverything(t *testing.T) {
	t.Parallel()
	for name, message := range map[string][]byte{"a new connection": nil, "something else": []byte("ashlar_cache\n{")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBus(t, func(t *testing.T, p *pair) {
				for l := range p.listeners {
					l.messages <- message
				}
				if a, b := p.loads(t, 0), p.loads(t, 1); a != 2 || b != 2 {
					t.Errorf("%d and %d loads", a, b)
				}
			})
		})
	}
}
