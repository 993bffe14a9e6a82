package live_test

import (
	"context"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ashlar-go/ashlar/live"
	"github.com/ashlar-go/ashlar/op"
)

// fragile is an input whose own check panics.
type fragile struct {
	Text string `json:"text,omitzero"`
}

func (f fragile) Validate() error {
	if f.Text == "break" {
		panic("a secret of " + f.Text)
	}
	return nil
}

// What an application's functions panic with, off the goroutine of a request,
// ends what it concerns and nothing else, above all not the process.
func TestPanicsAreTheirOwn(t *testing.T) {
	t.Parallel()
	s := withSocket(t, live.Config{Recheck: 10 * time.Millisecond}, []op.Operation{
		op.Stream("notes.fragile", "GET /fragile", func(ctx context.Context, _ fragile) iter.Seq2[note, error] {
			return silent(ctx, struct{}{})
		}, op.Allow(read)),
	})
	s.people.seen = func(r *http.Request) {
		if strings.HasSuffix(r.Header.Get("Authorization"), "broken") {
			panic("a secret")
		}
	}
	w := s.dial("/ws")
	w.send(`{"type":"subscribe","id":"1","op":"notes.fragile","input":{"text":"break"}}`)
	m := w.next()
	data, _ := m["data"].(map[string]any)
	if m["type"] != "error" || m["id"] != "1" || data["code"] != "internal" {
		t.Errorf("got %v", m)
	}
	w.send(`{"type":"subscribe","id":"1","op":"notes.fragile","input":{"text":"hold"}}`) // the name is free again
	w.expect(`{"type":"open","id":"1"}`)

	// The first word, or a later one, of who it is.
	first := s.dial("/fragile", "Authorization", "")
	first.send(`{"type":"token","token":"broken"}`)
	first.ends("error", "internal", websocket.StatusInternalError)
	later := s.dial("/ws")
	later.send(`{"type":"token","token":"broken"}`)
	if m := later.next(); m["type"] != "end" && m["type"] != "error" || strings.Contains(s.log.String(), "panic=\"\"") {
		t.Errorf("got %v", m)
	}
	later.closed(websocket.StatusInternalError, "internal")

	// Who cannot be told whether it still may goes on.
	asked := s.people.asked("ann")
	s.people.mu.Lock()
	s.people.seen = func(*http.Request) { panic("a secret") }
	s.people.mu.Unlock()
	s.eventually("it was asked", func() bool { return strings.Count(s.log.String(), "msg=panic") > 20 })
	s.people.mu.Lock()
	s.people.seen = nil
	s.people.mu.Unlock()
	s.eventually("it is asked again", func() bool { return s.people.asked("ann") > asked })
	w.send(`{"type":"unsubscribe","id":"1"}`)
	w.expect(`{"type":"end","id":"1","data":{"code":"unsubscribed"}}`)
}
