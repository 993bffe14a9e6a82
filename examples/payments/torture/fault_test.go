package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// A fault is something that goes wrong and is over when do returns.
type fault struct {
	name string
	do   func(ctx context.Context, random *rand.Rand) error
}

// A storm is faults, one after the other and sometimes two at once, until its
// ctx ends. It counts them.
type storm struct {
	faults []fault
	calm   time.Duration // the longest pause between two

	mu       sync.Mutex
	injected map[string]int
	failed   []string // what could not be undone
}

// rage injects faults until ctx ends and waits for the last ones to be over.
// Those that have begun are finished, so that at the end all is whole again.
func (s *storm) rage(ctx context.Context, random *rand.Rand) {
	var winds sync.WaitGroup
	// No two faults hit the same thing at once: each wind has its own.
	for wind := range 2 {
		own := rand.New(rand.NewPCG(random.Uint64(), uint64(wind)))
		var faults []fault
		for i, f := range s.faults {
			if i%2 == wind {
				faults = append(faults, f)
			}
		}
		if len(faults) == 0 {
			continue
		}
		winds.Go(func() {
			for _, f := range deal(ctx, own, faults) {
				s.count(f.name, f.do(context.WithoutCancel(ctx), own))
				pause(ctx, time.Duration(own.Int64N(int64(s.calm))))
			}
		})
	}
	winds.Wait()
}

// deal yields the faults in random order, each once before any comes again.
func deal(ctx context.Context, random *rand.Rand, faults []fault) func(func(int, fault) bool) {
	return func(yield func(int, fault) bool) {
		for n := 0; ; {
			hand := slices.Clone(faults)
			random.Shuffle(len(hand), func(i, j int) { hand[i], hand[j] = hand[j], hand[i] })
			for _, f := range hand {
				if ctx.Err() != nil || !yield(n, f) {
					return
				}
				n++
			}
		}
	}
}

func (s *storm) count(name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.injected == nil {
		s.injected = map[string]int{}
	}
	s.injected[name]++
	if err != nil {
		s.failed = append(s.failed, fmt.Sprintf("%s: %v", name, err))
	}
}

// between is a random duration.
func between(random *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(random.Int64N(int64(most-least)))
}

// crash kills an instance and starts it again.
func crash(i *instance) fault {
	return fault{"SIGKILL of an instance", func(ctx context.Context, random *rand.Rand) error {
		i.turn.Lock()
		defer i.turn.Unlock()
		i.kill()
		time.Sleep(between(random, 0, 300*time.Millisecond))
		return again(ctx, i)
	}}
}

// roll ends an instance in order and starts it again, as a deployment does.
func roll(i *instance) fault {
	return fault{"SIGTERM of an instance, in order", func(ctx context.Context, _ *rand.Rand) error {
		i.turn.Lock()
		defer i.turn.Unlock()
		if err := i.stop(); err != nil {
			return err
		}
		return again(ctx, i)
	}}
}

// again starts an instance. What it needs may be away as well, so it is tried
// for a minute, as whoever supervises it would.
func again(ctx context.Context, i *instance) error {
	began := time.Now()
	for {
		err := i.start(ctx)
		if err == nil || time.Since(began) > time.Minute {
			return err
		}
		i.kill()
		time.Sleep(100 * time.Millisecond)
	}
}

// freezing stops an instance for longer than some of its leases.
func freezing(i *instance) fault {
	return fault{"SIGSTOP of an instance", func(_ context.Context, random *rand.Rand) error {
		i.turn.Lock()
		defer i.turn.Unlock()
		return i.freeze(between(random, 100*time.Millisecond, 3*time.Second))
	}}
}

// breaks are the ways in which a piece of network fails.
func breaks(name string, p *proxy) []fault {
	return []fault{
		{"connections cut: " + name, func(context.Context, *rand.Rand) error { p.cut(); return nil }},
		{"silence: " + name, func(_ context.Context, random *rand.Rand) error {
			p.hush()
			time.Sleep(between(random, 100*time.Millisecond, 3*time.Second))
			p.speak()
			return nil
		}},
		{"silence, then cut: " + name, func(_ context.Context, random *rand.Rand) error {
			p.hush()
			time.Sleep(between(random, 50*time.Millisecond, time.Second))
			p.cut()
			p.speak()
			return nil
		}},
		{"delays: " + name, func(_ context.Context, random *rand.Rand) error {
			p.slow(between(random, time.Millisecond, 100*time.Millisecond))
			time.Sleep(between(random, 200*time.Millisecond, 2*time.Second))
			p.slow(0)
			return nil
		}},
	}
}

// jump sets the clock of an instance wrong for a while, by up to two hours.
func jump(i *instance) fault {
	return fault{"clock set wrong", func(_ context.Context, random *rand.Rand) error {
		file := clockOf(i.dir, i.name)
		if err := setClock(file, between(random, -2*time.Hour, 2*time.Hour)); err != nil {
			return err
		}
		time.Sleep(between(random, 200*time.Millisecond, 4*time.Second))
		return setClock(file, 0)
	}}
}

// table prints what was injected.
func (s *storm) table() string {
	var b strings.Builder
	names := make([]string, 0, len(s.injected))
	total := 0
	for name, n := range s.injected {
		names = append(names, name)
		total += n
	}
	slices.Sort(names)
	fmt.Fprintf(&b, "%-52s %6s\n", "fault injected", "times")
	for _, name := range names {
		fmt.Fprintf(&b, "%-52s %6d\n", name, s.injected[name])
	}
	fmt.Fprintf(&b, "%-52s %6d\n", "all", total)
	return b.String()
}
