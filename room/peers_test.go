package room_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashlar-go/ashlar/db/postgres"
	"github.com/ashlar-go/ashlar/id"
	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/redis"
	"github.com/ashlar-go/ashlar/room"
)

// wire is a bus in memory that can be cut, and loses one message in so many.
type wire struct {
	mu   sync.Mutex
	away bool
	lose func() bool
	subs map[*subscriber]struct{}
}

type subscriber struct{ inbox chan []byte }

func newWire() *wire { return &wire{subs: map[*subscriber]struct{}{}} }

func (w *wire) Publish(_ context.Context, _ string, message []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(message) > 8000 {
		panic(fmt.Sprintf("a message of %d bytes", len(message)))
	}
	if w.away {
		return errAway
	}
	for s := range w.subs {
		if w.lose == nil || !w.lose() {
			s.inbox <- slices.Clone(message)
		}
	}
	return nil
}

func (w *wire) Subscribe(ctx context.Context, _ string, receive func([]byte)) error {
	s := &subscriber{make(chan []byte, 1<<16)}
	w.mu.Lock()
	w.subs[s] = struct{}{}
	w.mu.Unlock()
	receive(nil)
	for {
		select {
		case <-ctx.Done():
			w.mu.Lock()
			delete(w.subs, s)
			w.mu.Unlock()
			return nil
		case m := <-s.inbox:
			receive(m)
		}
	}
}

func (w *wire) set(away bool, lose func() bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away, w.lose = away, lose
}

// runs starts a hub. It ends as a process that is stopped, or killed.
func runs(t *testing.T, bus room.Bus) (h *room.Hub, end func()) {
	t.Helper()
	h = newHub(t, func(c *room.Config) { c.Bus = bus })
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return h, end
}

func TestARoomIsThatOfAllProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := newWire()
		one, _ := runs(t, bus)
		two, end := runs(t, bus)
		synctest.Wait()
		seen := watch(t, one)
		seen.hears("here")
		ann := join(t, two, "ann", "Ann")
		ann.hears("here ann=Ann")
		seen.hears("joined ann=Ann")
		if err := chat.Say(two, "lobby", "ann", line{"hello"}); err != nil {
			t.Fatal(err)
		}
		seen.hears("said ann: hello")
		ann.hears("said ann: hello")

		other := join(t, one, "ann", "Ann") // in both
		other.hears("here ann=Ann")
		ann.stop()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := names(two); !slices.Equal(got, []string{"ann=Ann"}) {
			t.Error(got)
		}
		other.stop()
		seen.hears("left ann=Ann")
		time.Sleep(time.Second) // so that it has left everywhere

		join(t, two, "bob", "Bob").hears("here bob=Bob")
		seen.hears("joined bob=Bob")
		end() // whoever was there may come back elsewhere
		began := time.Now()
		seen.hears("left bob=Bob")
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("left after %s", took)
		}
	})
}

func TestAllThatAProcessHasIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := newWire()
		one, _ := runs(t, bus)
		for n := range 300 { // more than one message has room for
			g := join(t, one, fmt.Sprintf("guest-%03d", n), strings.Repeat("G", 900))
			if _, err, ok := g.next(); err != nil || !ok {
				t.Fatal(err)
			}
		}
		two, _ := runs(t, bus)
		time.Sleep(time.Second)
		synctest.Wait()
		if got, want := names(two), names(one); len(got) != 300 || !slices.Equal(got, want) {
			t.Errorf("%d are known, of %d", len(got), len(want))
		}
	})
}

func TestTheDeadLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := newWire()
		one, _ := runs(t, bus)
		two, _ := runs(t, bus)
		synctest.Wait()
		seen := watch(t, one)
		seen.hears("here")
		join(t, two, "ann", "Ann").hears("here ann=Ann")
		seen.hears("joined ann=Ann")
		bus.set(true, nil) // as if it had died: nothing is heard of it
		began := time.Now()
		seen.hears("left ann=Ann")
		if took := time.Since(began); took < 20*time.Second || took > 30*time.Second {
			t.Errorf("left after %s", took)
		}
		bus.set(false, nil) // it lives
		began = time.Now()
		seen.hears("joined ann=Ann")
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("is back after %s", took)
		}
		if s := two.Stats(); s.Peers != 1 || s.Unsent == 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestWhateverIsLost has three processes whose bus loses messages and is cut,
// and whose members come and go. When it works again all know the same.
func TestWhateverIsLost(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			bus := newWire()
			var hubs [3]*room.Hub
			var ends [3]func()
			for i := range hubs {
				hubs[i], ends[i] = runs(t, bus)
			}
			type place struct{ hub, who int }
			in := map[place][]*guest{}
			for range 80 {
				at := place{r.IntN(3), r.IntN(6)}
				switch r.IntN(8) {
				case 0, 1, 2:
					g := join(t, hubs[at.hub], fmt.Sprint("g", at.who), fmt.Sprint("G", r.IntN(2)))
					if _, err, ok := g.next(); err != nil || !ok {
						t.Fatal(err)
					}
					in[at] = append(in[at], g)
				case 3, 4:
					if n := len(in[at]); n > 0 {
						in[at][n-1].stop()
						in[at] = in[at][:n-1]
					}
				case 5:
					chance := rand.New(rand.NewPCG(seed, r.Uint64())) // the bus's own, under its lock
					bus.set(r.IntN(3) == 0, func() bool { return chance.IntN(3) == 0 })
				case 6: // a process ends and another begins
					for p, list := range in {
						if p.hub == at.hub {
							for _, g := range list {
								g.stop()
							}
							delete(in, p)
						}
					}
					ends[at.hub]()
					hubs[at.hub], ends[at.hub] = runs(t, bus)
				default:
					time.Sleep(time.Duration(r.IntN(8000)) * time.Millisecond)
				}
			}
			bus.set(false, nil)
			time.Sleep(40 * time.Second)
			synctest.Wait()
			want := map[string]bool{}
			for p, list := range in {
				if len(list) > 0 {
					want[fmt.Sprint("g", p.who)] = true
				}
			}
			for i, h := range hubs {
				got := map[string]bool{}
				for _, m := range chat.Members(h, "lobby") {
					got[m.ID] = true
				}
				if !maps.Equal(got, want) {
					t.Errorf("seed %d: hub %d knows %v, there are %v", seed, i, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
				}
			}
			for _, list := range in {
				for _, g := range list {
					g.stop()
				}
			}
			for _, end := range ends {
				end()
			}
		})
	}
}

// TestBuses has two processes tell each other through what they will have.
func TestBuses(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) (one, two room.Bus){
		"redis": func(t *testing.T) (room.Bus, room.Bus) {
			url, prefix := backing.Redis(t)
			open := func() room.Bus {
				c, err := redis.Open(t.Context(), redis.Config{URL: url, Prefix: prefix})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(c.Close)
				return c
			}
			return open(), open()
		},
		"postgres": func(t *testing.T) (room.Bus, room.Bus) {
			url := backing.Postgres(t)
			open := func() room.Bus {
				b, err := postgres.NewBus(postgres.Config{URL: url})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = b.Close() })
				return b
			}
			return open(), open()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b1, b2 := open(t)
			one, _ := runs(t, b1)
			two, _ := runs(t, b2)
			who := id.New("usr_")
			join(t, one, who, "Ann").hears("here " + who + "=Ann")
			within := time.Now().Add(2 * time.Minute)
			for !slices.Contains(names(two), who+"=Ann") {
				if time.Now().After(within) {
					t.Fatalf("the other process knows %v", names(two))
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}
