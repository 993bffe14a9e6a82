package live_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/live"
	"github.com/ashlar-go/ashlar/op"
)

// news is an item that goes to many, and says how often it was encoded.
type news struct {
	N      int    `json:"n"`
	Secret string `json:"secret"`
	Text   loud   `json:"text"`

	same any
}

func (n news) EventID() string { return fmt.Sprint(n.N) }
func (n news) Same() any       { return n.same }

// loud is a text that counts.
type loud struct {
	text  string
	times *atomic.Int64
}

func (l loud) MarshalText() ([]byte, error) {
	l.times.Add(1)
	return []byte(l.text), nil
}

func (l *loud) UnmarshalText(b []byte) error { l.text = string(b); return nil }

// hub hands each item to all who listen.
type hub struct {
	mu      sync.Mutex
	all     map[chan news]bool
	changed func(ctx context.Context, n news) news
}

func (h *hub) listen(ctx context.Context, _ struct{}) iter.Seq2[news, error] {
	return func(yield func(news, error) bool) {
		c := make(chan news, 10)
		h.mu.Lock()
		h.all[c] = true
		h.mu.Unlock()
		op.Opened(ctx)
		for {
			select {
			case n := <-c:
				if h.changed != nil {
					n = h.changed(ctx, n)
				}
				if !yield(n, nil) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

func (h *hub) publish(n news) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.all {
		c <- n
	}
}

// What goes to many is encoded once for all who read events, and once for all
// who read messages.
func TestBroadcastIsEncodedOnce(t *testing.T) {
	t.Parallel()
	h := &hub{all: map[chan news]bool{}}
	s := newSite(t, live.Config{}, op.Stream("news", "GET /news", h.listen, op.Allow(read)))
	var (
		listeners []*listener
		wires     []*wire
		times     atomic.Int64
	)
	for range 20 {
		listeners, wires = append(listeners, s.listen("/news")), append(wires, s.dial("/news"))
	}
	for i := range 3 {
		h.publish(news{N: i, Text: loud{"x", &times}, same: new(int)})
		want := fmt.Sprintf(`{"n":%d,"secret":"","text":"x"}`, i)
		for _, l := range listeners {
			l.expect(event{fmt.Sprint(i), "", want})
		}
		for _, w := range wires {
			w.expect(fmt.Sprintf(`{"id":"%d","data":%s}`, i, want))
		}
	}
	if n := times.Load(); n != 6 {
		t.Errorf("three items were encoded %d times for 40 streams, want 6", n)
	}

	h.publish(news{N: 9, Text: loud{"x", &times}}) // nobody else's, as far as it says
	for _, l := range listeners {
		l.expect(event{"9", "", `{"n":9,"secret":"","text":"x"}`})
	}
}

// P10.2: an item that was changed for its caller is that caller's alone.
func TestBroadcastDoesNotMixUpCallers(t *testing.T) {
	t.Parallel()
	h := &hub{all: map[chan news]bool{}, changed: func(ctx context.Context, n news) news {
		if access.From(ctx).ID == "ann" {
			n.Secret = ""
		}
		return n
	}}
	s := newSite(t, live.Config{}, op.Stream("news", "GET /news", h.listen, op.Allow(read)))
	var anns, bobs []*listener
	for range 10 {
		anns, bobs = append(anns, s.listen("/news")), append(bobs, s.listen("/news", "Authorization", "bob"))
	}
	var times atomic.Int64
	h.publish(news{N: 1, Secret: "for bob", Text: loud{"x", &times}, same: new(int)})
	for i := range anns {
		if e, _ := anns[i].next(); strings.Contains(e.data, "for bob") {
			t.Fatalf("ann got %s", e.data)
		}
		if e, _ := bobs[i].next(); !strings.Contains(e.data, "for bob") {
			t.Fatalf("bob got %s", e.data)
		}
	}
	if n := times.Load(); n != 2 {
		t.Errorf("it was encoded %d times, want once for each of the two", n)
	}
}

// What two items have in common must be comparable to be compared.
func TestBroadcastOfSomethingOdd(t *testing.T) {
	t.Parallel()
	h := &hub{all: map[chan news]bool{}}
	s := newSite(t, live.Config{}, op.Stream("news", "GET /news", h.listen, op.Allow(read)))
	l := s.listen("/news")
	var times atomic.Int64
	h.publish(news{N: 1, Text: loud{"x", &times}, same: []int{1}})
	l.expect(event{"1", "", `{"n":1,"secret":"","text":"x"}`})
}
