package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/live"
	"github.com/ashlar-go/ashlar/op"
)

// torrent sends items for as long as it may.
func torrent(context.Context, struct{}) iter.Seq2[note, error] {
	return func(yield func(note, error) bool) {
		for i := 1; ; i++ {
			if !yield(note{N: i}, nil) {
				return
			}
		}
	}
}

// The end is the last that is heard of a stream, however many items wait to be
// sent at that moment.
func TestNothingFollowsTheEnd(t *testing.T) {
	t.Parallel()
	const rounds = 30
	watch := op.Stream("notes.flood", "GET /flood", torrent, op.Allow(read))

	t.Run("unsubscribed", func(t *testing.T) {
		t.Parallel()
		s := withSocket(t, live.Config{MessageRate: 10_000}, []op.Operation{watch}, op.Query("notes.get", "GET /get", func(context.Context, struct{}) (note, error) { return note{}, nil }, op.Allow(read)))
		w := s.dial("/ws")
		for n := range rounds {
			id := fmt.Sprint(n)
			w.send(`{"type":"subscribe","id":"` + id + `","op":"notes.flood"}`)
			for range 20 {
				w.next()
			}
			w.send(`{"type":"unsubscribe","id":"` + id + `"}`)
			w.send(`{"type":"call","id":"call","op":"notes.get"}`)
			ended := false
			for {
				m := w.next()
				if m["id"] == id {
					if ended {
						t.Fatalf("after the end comes %v", m)
					}
					ended = m["type"] == "end"
				}
				if m["type"] == "answer" && ended {
					break
				}
			}
		}
	})

	for name, compress := range map[string]bool{"WebSocket": false, "compressed WebSocket": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range rounds {
				s := newSite(t, live.Config{Compress: compress}, watch)
				c, _, err := websocket.Dial(t.Context(), s.URL+"/flood", &websocket.DialOptions{
					HTTPHeader: map[string][]string{"Authorization": {"ann"}}, CompressionMode: websocket.CompressionNoContextTakeover,
				})
				if err != nil {
					t.Fatal(err)
				}
				drained := make(chan bool)
				ended := ""
				for n := 0; ; n++ {
					if n == 20 {
						go func() { s.streams.Drain(t.Context()); close(drained) }()
					}
					_, text, err := c.Read(t.Context())
					if err != nil {
						if e, ok := errors.AsType[websocket.CloseError](err); !ok || e.Reason != "draining" || ended == "" {
							t.Fatalf("after %q: %v", ended, err)
						}
						break
					}
					if ended != "" {
						t.Fatalf("after %s comes %s", ended, text)
					}
					var m struct{ Event string }
					if json.Unmarshal(text, &m) == nil && m.Event == "end" {
						ended = string(text)
					}
				}
				<-drained
				_ = c.CloseNow()
			}
		})
	}

	t.Run("events", func(t *testing.T) {
		t.Parallel()
		for range rounds {
			s := newSite(t, live.Config{}, watch)
			l := s.listen("/flood")
			for n := 0; n < 20; {
				line, err := l.in.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(line, "data:") {
					n++
				}
			}
			go s.streams.Drain(t.Context())
			ended := false
			for {
				line, err := l.in.ReadString('\n')
				if err != nil {
					break
				}
				if ended && strings.HasPrefix(line, "id:") {
					t.Fatalf("after the end comes %q", line)
				}
				ended = ended || line == "event: end\n"
			}
			if !ended {
				t.Fatal("no end was heard")
			}
		}
	})
}

// Who may no more what it might hears and gets nothing any more, also if it does
// not read: what is being written to it has little time then, however patient
// the server is otherwise.
func TestASlowCallerIsRevoked(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a", 64<<10)
	watch := op.Stream("notes.flood", "GET /flood", func(context.Context, struct{}) iter.Seq2[note, error] {
		return func(yield func(note, error) bool) {
			for i := 1; ; i++ {
				if !yield(note{N: i, Text: text}, nil) {
					return
				}
			}
		}
	}, op.Allow(read))
	for name, open := range map[string]func(*site){
		"events":    func(s *site) { s.listen("/flood") },
		"WebSocket": func(s *site) { s.dial("/flood") },
		"socket":    func(s *site) { s.dial("/ws").send(`{"type":"subscribe","id":"1","op":"notes.flood"}`) },
	} {
		for _, compress := range []bool{false, true} {
			t.Run(fmt.Sprint(name, compress), func(t *testing.T) {
				t.Parallel()
				s := withSocket(t, live.Config{Patience: time.Hour, Recheck: 10 * time.Millisecond, Compress: compress}, []op.Operation{watch})
				open(s)
				s.eventually("it does not read any more", func() bool {
					before := s.handlers[0].Stats().Messages
					time.Sleep(50 * time.Millisecond)
					return before > 0 && s.handlers[0].Stats().Messages == before
				})
				s.people.revoke("ann", fault.ErrToken)
				s.eventually("nothing is open", func() bool { return s.streams.Open() == 0 })
			})
		}
	}
}
