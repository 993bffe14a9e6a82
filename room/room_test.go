package room_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-go/ashlar/room"
)

type person struct {
	Name string `json:"name"`
}

type line struct {
	Text string `json:"text"`
}

const chat room.Kind[person, line] = "chat"

func newHub(t *testing.T, change func(*room.Config)) *room.Hub {
	t.Helper()
	c := room.Config{}
	if change != nil {
		change(&c)
	}
	h, err := room.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// guest is somebody who listens to a room.
type guest struct {
	t    *testing.T
	next func() (room.Item[person, line], error, bool)
	stop func()
}

func follow(t *testing.T, items func(ctx context.Context) iter.Seq2[room.Item[person, line], error]) *guest {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	next, stop := iter.Pull2(items(ctx))
	g := &guest{t, next, sync.OnceFunc(func() { cancel(); stop() })}
	t.Cleanup(g.stop)
	return g
}

func join(t *testing.T, h *room.Hub, id, name string) *guest {
	t.Helper()
	return follow(t, func(ctx context.Context) iter.Seq2[room.Item[person, line], error] {
		return chat.Join(ctx, h, "lobby", id, person{name})
	})
}

func watch(t *testing.T, h *room.Hub) *guest {
	t.Helper()
	return follow(t, func(ctx context.Context) iter.Seq2[room.Item[person, line], error] {
		return chat.Watch(ctx, h, "lobby")
	})
}

// hears expects what comes next, in short.
func (g *guest) hears(want string) {
	g.t.Helper()
	item, err, ok := g.next()
	if got := short(item, err, ok); got != want {
		g.t.Fatalf("hears %q, want %q", got, want)
	}
}

func short(item room.Item[person, line], err error, ok bool) string {
	if err != nil || !ok {
		return fmt.Sprint("no item: ", err)
	}
	words := []string{string(item.What)}
	for _, m := range item.Members {
		words = append(words, m.ID+"="+m.About.Name)
	}
	if item.Member != nil {
		words = append(words, item.Member.ID+"="+item.Member.About.Name)
	}
	if item.Said != nil {
		words = append(words, item.From+": "+item.Said.Text)
	}
	return strings.Join(words, " ")
}

func names(h *room.Hub) (list []string) {
	for _, m := range chat.Members(h, "lobby") {
		list = append(list, m.ID+"="+m.About.Name)
	}
	return list
}

func TestARoomTellsWhoIsThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		seen := watch(t, h)
		seen.hears("here")
		ann := join(t, h, "ann", "Ann")
		ann.hears("here ann=Ann")
		seen.hears("joined ann=Ann")
		time.Sleep(time.Millisecond)
		bob := join(t, h, "bob", "Bob")
		bob.hears("here ann=Ann bob=Bob")
		ann.hears("joined bob=Bob")
		seen.hears("joined bob=Bob")

		if err := chat.Say(h, "lobby", "bob", line{"hello"}); err != nil {
			t.Fatal(err)
		}
		for _, g := range []*guest{ann, bob, seen} {
			g.hears("said bob: hello")
		}
		bob.stop()
		began := time.Now()
		ann.hears("left bob=Bob")
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("left after %s", took)
		}
		if got := names(h); !slices.Equal(got, []string{"ann=Ann"}) {
			t.Error(got)
		}
		if got := chat.Members(h, "elsewhere"); len(got) != 0 {
			t.Error(got)
		}
	})
}

func TestAReloadIsNotSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		seen := watch(t, h)
		seen.hears("here")
		page := join(t, h, "ann", "Ann")
		page.hears("here ann=Ann")
		seen.hears("joined ann=Ann")
		page.stop()
		time.Sleep(2900 * time.Millisecond)
		again := join(t, h, "ann", "Ann")
		again.hears("here ann=Ann")
		second := join(t, h, "ann", "Ann") // another window
		second.hears("here ann=Ann")
		again.stop()
		time.Sleep(10 * time.Second)
		third := join(t, h, "ann", "Ann B.") // known as something else now
		third.hears("here ann=Ann B.")
		seen.hears("joined ann=Ann B.")
		second.stop()
		third.stop()
		seen.hears("left ann=Ann B.")
	})
}

func TestWhoIsSlowIsToldAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, func(c *room.Config) { c.Linger = -1 })
		slow := watch(t, h)
		slow.hears("here")
		for n := range 400 {
			g := join(t, h, fmt.Sprintf("guest-%03d", n), "G")
			g.hears(short(room.Item[person, line]{What: room.Here, Members: []room.Member[person]{{ID: fmt.Sprintf("guest-%03d", n), About: person{"G"}}}}, nil, true))
			g.stop()
		}
		ann := join(t, h, "ann", "Ann")
		ann.hears("here ann=Ann")
		slow.hears("here ann=Ann")
		if s := h.Stats(); s.Behind != 1 || s.Listeners != 2 || s.Members != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestARoomRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, func(c *room.Config) { c.Most = 1 })
		join(t, h, "ann", "Ann").hears("here ann=Ann")
		join(t, h, "ann", "Ann").hears("here ann=Ann") // is in it already
		refused := func(want string, items iter.Seq2[room.Item[person, line], error]) {
			t.Helper()
			for item, err := range items {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%+v, %v; want an error that has %q", item, err, want)
				}
				return
			}
			t.Errorf("nothing is said of %s", want)
		}
		ctx := t.Context()
		refused("room_full", chat.Join(ctx, h, "lobby", "bob", person{}))
		refused("name of a room", chat.Join(ctx, h, "", "bob", person{}))
		refused("name of a room", chat.Watch(ctx, h, strings.Repeat("a", 201)))
		refused("id of a member", chat.Join(ctx, h, "lobby", "\xff", person{}))
		refused("1024", chat.Join(ctx, h, "lobby", "bob", person{strings.Repeat("a", 1024)}))
		if err := chat.Say(h, "lobby", "ann", line{strings.Repeat("a", 5000)}); err == nil || !strings.Contains(err.Error(), "4096") {
			t.Error(err)
		}
		if err := chat.Say(h, "lobby", "", line{}); err == nil {
			t.Error("nobody says something")
		}
		for _, err := range chat.Join(ctx, h, "lobby", "bob", person{}) {
			if !errors.Is(err, room.ErrFull) {
				t.Error(err)
			}
		}
		if s := h.Stats(); s.Refusals != 2 || s.Rooms != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAHubSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	if _, err := room.New(room.Config{Most: -1}); err == nil {
		t.Error("a room for less than nobody")
	}
}

func TestEveryCopyOfAnItemIsTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		a, b := watch(t, h), watch(t, h)
		a.hears("here")
		b.hears("here")
		if err := chat.Say(h, "lobby", "ann", line{"hello"}); err != nil {
			t.Fatal(err)
		}
		one, _, _ := a.next()
		two, _, _ := b.next()
		if one.Same() == nil || one.Same() != two.Same() || one.EventType() != "said" {
			t.Errorf("%v, %v", one.Same(), two.Same())
		}
		if diff := cmp.Diff(line{"hello"}, *one.Said); diff != "" {
			t.Error(diff)
		}
	})
}

var errAway = errors.New("the bus is away")
