package live_test

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/live"
	"github.com/ashlar-go/ashlar/op"
	"github.com/ashlar-go/ashlar/rest"
)

// edit is the input of a call, with a member in each place.
type edit struct {
	ID   string `json:"id"`
	Text string `json:"text,omitzero"`
}

// search is the input of a query, with a list.
type search struct {
	ID   string   `json:"id"`
	Tags []string `json:"tag,omitzero"`
}

// withSocket puts a socket in front of all operations of a site.
func withSocket(t *testing.T, cfg live.Config, streams []op.Operation, calls ...op.Operation) *site {
	t.Helper()
	s := newSite(t, cfg, streams...)
	for _, o := range calls {
		h, err := rest.New(o, rest.Config{Policy: &s.people.policy, Authenticate: s.people.authenticate, Log: s.cfg.Log})
		if err != nil {
			t.Fatal(err)
		}
		s.mux.Handle(o.Spec().Pattern(), h)
	}
	socket, err := s.streams.Socket(s.handlers, calls, s.mux)
	if err != nil {
		t.Fatal(err)
	}
	s.mux.Handle("GET /ws", socket)
	return s
}

func standard(t *testing.T, cfg live.Config) *site {
	t.Helper()
	return withSocket(t, cfg,
		[]op.Operation{
			op.Stream("notes.watch", "GET /notes", counting(3), op.Allow(read)),
			op.Stream("notes.fail", "GET /fail", obedient, op.Allow(read), op.Fails(errNoNote)),
			op.Stream("notes.silent", "GET /silent", silent, op.Allow(read)),
			op.Stream("notes.of", "GET /notes/{id}/of", func(ctx context.Context, in edit) iter.Seq2[note, error] {
				return func(yield func(note, error) bool) {
					if in.ID != access.From(ctx).ID {
						yield(note{}, errNoNote)
						return
					}
					yield(note{N: 7, Text: in.Text}, nil)
				}
			}, op.Allow(read), op.Fails(errNoNote)),
		},
		op.Command("notes.edit", "PUT /notes/{id}", func(ctx context.Context, in edit) (note, error) {
			if in.ID == "none" {
				return note{}, errNoNote.Because("There is no such note.")
			}
			return note{N: len(in.Text), Text: access.From(ctx).ID + ": " + in.Text}, nil
		}, op.Allow(read), op.Fails(errNoNote)),
		op.Query("notes.search", "GET /search/{id}", func(_ context.Context, in search) (note, error) {
			return note{N: len(in.Tags), Text: in.ID + strings.Join(in.Tags, "+")}, nil
		}, op.Allow(read)),
		op.Command("notes.delete", "DELETE /notes/{id}", func(context.Context, edit) (struct{}, error) { return struct{}{}, nil }, op.Allow("notes:write")),
		op.Query("notes.file", "GET /file", func(context.Context, struct{}) (op.File, error) { return op.File{}, nil }, op.Allow(read)),
		op.Query("notes.panic", "GET /panic", func(context.Context, struct{}) (note, error) { panic(http.ErrAbortHandler) }, op.Allow(read)),
	)
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	s := standard(t, live.Config{})
	w := s.dial("/ws")
	w.send(`{"type":"subscribe","id":"1","op":"notes.watch","after":"note_2"}`)
	w.expect(`{"type":"open","id":"1"}`,
		`{"type":"item","id":"1","item":{"id":"note_3","event":"note","data":{"n":3}}}`,
		`{"type":"end","id":"1","data":{"code":"completed"}}`)
	w.send(`{"type":"subscribe","id":"1","op":"notes.of","input":{"id":"ann","text":"\"quoted\" ✓"}}`) // the name is free again
	w.expect(`{"type":"open","id":"1"}`,
		`{"type":"item","id":"1","item":{"id":"note_7","data":{"n":7,"text":"\"quoted\" ✓"}}}`,
		`{"type":"end","id":"1","data":{"code":"completed"}}`)

	w.send(`{"type":"subscribe","id":"quiet","op":"notes.silent"}`)
	w.expect(`{"type":"open","id":"quiet"}`)
	w.send(`{"type":"unsubscribe","id":"quiet"}`)
	w.expect(`{"type":"end","id":"quiet","data":{"code":"unsubscribed"}}`)
	s.eventually("only the socket is open", func() bool { return s.streams.Open() == 1 })
	_ = w.Close(websocket.StatusNormalClosure, "")
	s.eventually("nothing is open", func() bool { return s.streams.Open() == 0 && s.streams.SocketStats().Open == 0 })
	stats := s.streams.SocketStats()
	if stats.Received != 4 || stats.Calls != 0 || stats.Ended[live.Left] != 1 {
		t.Errorf("%+v", stats)
	}
}

// P15.4: each subscription is judged by itself, and what is refused says
// nothing of what is there. The socket goes on.
func TestRefusedSubscriptions(t *testing.T) {
	t.Parallel()
	s := standard(t, live.Config{Grace: 10 * time.Second, MostEach: 4})
	w := s.dial("/ws")
	refused := func(text, code string, status float64) {
		t.Helper()
		w.send(text)
		m := w.next()
		data := m["data"].(map[string]any)
		if m["type"] != "error" || data["code"] != code || data["status"] != status || strings.Contains(fmt.Sprint(data), "secret") {
			t.Errorf("%s: %v", text, m)
		}
	}
	refused(`{"type":"subscribe","id":"1","op":"notes.nothing"}`, "not_found", 404)
	refused(`{"type":"subscribe","id":"1","op":"notes.edit","input":{"id":"1"}}`, "not_found", 404)
	refused(`{"type":"subscribe","id":"1","op":"notes.of","input":{"id":"bob"}}`, "note_not_found", 404)
	refused(`{"type":"subscribe","id":"1","op":"notes.watch","input":{"what":1}}`, "invalid", 422)
	refused(`{"type":"subscribe","id":"1","op":"notes.watch","input":{"after":7}}`, "invalid", 422)
	refused(`{"type":"subscribe","id":"1","op":"notes.watch","after":"x","input":{"after":"y"}}`, "invalid", 422)
	refused(`{"type":"subscribe","id":"1","op":"notes.watch","input":[]}`, "invalid", 422)
	refused(`{"type":"subscribe","id":"1","op":"notes.fail","input":{"how":"breaks"}}`, "internal", 500)
	refused(`{"type":"subscribe","id":"1","op":"notes.fail","input":{"how":"panics"}}`, "internal", 500)
	refused(`{"type":"unsubscribe","id":"1"}`, "not_found", 404)
	for _, id := range []string{"1", "2", "3"} { // beside the socket itself
		w.send(`{"type":"subscribe","id":"` + id + `","op":"notes.silent"}`)
		w.expect(`{"type":"open","id":"` + id + `"}`)
	}
	refused(`{"type":"subscribe","id":"1","op":"notes.silent"}`, "malformed", 400)
	refused(`{"type":"subscribe","id":"4","op":"notes.silent"}`, "too_many_streams", 429)
	w.send(`{"type":"unsubscribe","id":"1"}`)
	w.next()
	s.eventually("there is room", func() bool { return s.streams.Open() == 3 })
	w.send(`{"type":"subscribe","id":"late","op":"notes.fail","input":{"how":"late"}}`)
	w.expect(`{"type":"open","id":"late"}`, `{"type":"item","id":"late","item":{"id":"note_1","data":{"n":1}}}`)
	if m := w.next(); m["type"] != "error" || m["id"] != "late" {
		t.Errorf("got %v", m)
	}
	eve := s.dial("/ws", "Authorization", "eve")
	eve.send(`{"type":"subscribe","id":"1","op":"notes.silent"}`)
	if m := eve.next(); m["data"].(map[string]any)["code"] != "permission_denied" {
		t.Errorf("got %v", m)
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	s := standard(t, live.Config{})
	w := s.dial("/ws")
	for _, c := range []struct{ say, want string }{
		{`{"type":"call","id":"1","op":"notes.edit","input":{"id":"a/b c","text":"hello"}}`, `{"type":"answer","id":"1","status":200,"data":{"n":5,"text":"ann: hello"}}`},
		{`{"type":"call","id":"1","op":"notes.search","input":{"id":"x","tag":["1","a b"]}}`, `{"type":"answer","id":"1","status":200,"data":{"n":2,"text":"x1+a b"}}`},
		{`{"type":"call","id":"1","op":"notes.search","input":{"id":"x","tag":null}}`, `{"type":"answer","id":"1","status":200,"data":{"n":0,"text":"x"}}`},
	} {
		w.send(c.say)
		w.expect(c.want)
	}
	for say, code := range map[string]string{
		`{"type":"call","id":"1","op":"notes.edit","input":{"id":"none","text":"x"}}`:   "note_not_found",
		`{"type":"call","id":"1","op":"notes.edit","input":{"id":"1","what":1}}`:        "invalid",
		`{"type":"call","id":"1","op":"notes.edit","input":[1]}`:                        "malformed",
		`{"type":"call","id":"1","op":"notes.edit","key":"k","input":{"id":"1"}}`:       "",
		`{"type":"call","id":"1","op":"notes.edit","match":"\"1\"","input":{"id":"1"}}`: "malformed",
		`{"type":"call","id":"1","op":"notes.delete","input":{"id":"1"}}`:               "permission_denied",
		`{"type":"call","id":"1","op":"notes.file"}`:                                    "not_acceptable",
		`{"type":"call","id":"1","op":"notes.watch"}`:                                   "not_found",
		`{"type":"call","id":"1","op":"notes.panic"}`:                                   "internal",
	} {
		w.send(say)
		m := w.next()
		data, _ := m["data"].(map[string]any)
		if got, _ := data["code"].(string); m["type"] != "answer" || m["id"] != "1" || got != code || code != "" && data["status"] != m["status"] {
			t.Errorf("%s: %v, want %s", say, m, code)
		}
	}
}

// What a call does ends with the socket, as a request ends with its connection.
func TestCallsEndWithTheSocket(t *testing.T) {
	t.Parallel()
	began, ended := make(chan bool), make(chan bool)
	s := withSocket(t, live.Config{}, nil, op.Query("notes.wait", "GET /wait", func(ctx context.Context, _ struct{}) (note, error) {
		began <- true
		<-ctx.Done()
		ended <- true
		return note{}, nil
	}, op.Allow(read)))
	w := s.dial("/ws")
	for range 17 {
		w.send(`{"type":"call","id":"1","op":"notes.wait"}`)
	}
	for range 16 {
		<-began
	}
	if m := w.next(); m["status"] != 429.0 {
		t.Errorf("one more than may be under way: %v", m)
	}
	_ = w.CloseNow()
	for range 16 {
		<-ended
	}
}

func TestHandshakeOfASocket(t *testing.T) {
	t.Parallel()
	s := standard(t, live.Config{TokenWait: 200 * time.Millisecond, Origins: []string{"https://app.example.com"}})
	for name, c := range map[string]struct {
		path   string
		header []string
		status int
	}{
		"a foreign origin":   {"/ws", []string{"Origin", "https://evil.test"}, 403},
		"a bad token":        {"/ws", []string{"Authorization", "mallory"}, 401},
		"a token in the URL": {"/ws?access_token=ann", nil, 400},
		"a listed origin":    {"/ws", []string{"Origin", "https://app.example.com"}, 101},
	} {
		c2, res, _ := s.handshake(c.path, c.header...)
		if res == nil || res.StatusCode != c.status {
			t.Errorf("%s: %v", name, res)
		}
		if c2 != nil {
			_ = c2.CloseNow()
		}
	}
	if res := s.get("/ws"); res.StatusCode != 400 || res.Header.Get("Upgrade") != "websocket" {
		t.Errorf("no handshake: %v", res)
	}

	w := s.dial("/ws", "Authorization", "")
	w.send(`{"type":"token","token":"ann"}`)
	w.send(`{"type":"subscribe","id":"1","op":"notes.silent"}`)
	w.expect(`{"type":"open","id":"1"}`)

	for say, want := range map[string]string{
		``:                                   "unauthenticated",
		`{"type":"token","token":"mallory"}`: "token_invalid",
		`{"type":"unsubscribe","id":"1"}`:    "unauthenticated",
	} {
		w := s.dial("/ws", "Authorization", "")
		if say != "" {
			w.send(say)
		}
		m := w.next()
		if data := m["data"].(map[string]any); m["type"] != "error" || data["code"] != want {
			t.Errorf("%s: %v", say, m)
		}
		w.closed(4401, want)
	}
}

// P15.2: other permissions end what needs them and let the socket go on; no
// right at all ends it.
func TestRevocationOfASocket(t *testing.T) {
	t.Parallel()
	s := standard(t, live.Config{Recheck: 10 * time.Millisecond})
	w := s.dial("/ws")
	w.send(`{"type":"subscribe","id":"1","op":"notes.silent"}`)
	w.expect(`{"type":"open","id":"1"}`)
	s.people.grant("ann", read, "notes:write")
	if m := w.next(); m["type"] != "end" || m["id"] != "1" || m["data"].(map[string]any)["code"] != "permissions_changed" {
		t.Errorf("got %v", m)
	}
	w.send(`{"type":"call","id":"2","op":"notes.delete","input":{"id":"1"}}`)
	w.expect(`{"type":"answer","id":"2","status":204}`)
	s.people.rename("ann-2", "ann")
	w.send(`{"type":"token","token":"ann-2"}`)
	s.eventually("the new token is known", func() bool { return s.people.asked("ann-2") > 0 })
	s.people.revoke("ann", fault.ErrToken)
	w.send(`{"type":"subscribe","id":"1","op":"notes.silent"}`)
	w.expect(`{"type":"open","id":"1"}`)
	s.people.revoke("ann-2", fault.ErrToken)
	for m := w.next(); m["id"] != nil; m = w.next() { // its subscription may be told first
		if m["data"].(map[string]any)["code"] != "token_invalid" {
			t.Errorf("got %v", m)
		}
	}
	w.closed(4401, "token_invalid")

	w = s.dial("/ws", "Authorization", "bob")
	w.send(`{"type":"token","token":"eve"}`)
	if m := w.next(); m["type"] != "end" || m["data"].(map[string]any)["code"] != "token_invalid" {
		t.Errorf("got %v", m)
	}
}

func TestDrainOfASocket(t *testing.T) {
	t.Parallel()
	s := standard(t, live.Config{})
	w := s.dial("/ws")
	w.send(`{"type":"subscribe","id":"1","op":"notes.silent"}`)
	w.expect(`{"type":"open","id":"1"}`)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		s.streams.Drain(ctx)
	}()
	if m := w.next(); m["type"] != "end" || m["id"] != nil || m["data"].(map[string]any)["code"] != "draining" {
		t.Errorf("got %v", m)
	}
	w.closed(1001, "draining")
	s.eventually("all have left", func() bool { return s.streams.Open() == 0 })
	if !strings.Contains(s.log.String(), "transport=socket reason=draining") || !strings.Contains(s.log.String(), `msg="socket ended" reason=draining`) {
		t.Errorf("the log says %s", s.log)
	}
}

func TestSlowSocket(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a", 64<<10)
	s := withSocket(t, live.Config{Patience: 200 * time.Millisecond}, []op.Operation{
		op.Stream("notes.flood", "GET /flood", func(ctx context.Context, _ struct{}) iter.Seq2[note, error] {
			return func(yield func(note, error) bool) {
				for i := 1; ; i++ {
					if !yield(note{N: i, Text: text}, nil) {
						return
					}
				}
			}
		}, op.Allow(read)), op.Stream("notes.silent", "GET /silent", silent, op.Allow(read)),
	})
	w := s.dial("/ws")
	w.send(`{"type":"subscribe","id":"0","op":"notes.silent"}`)
	w.send(`{"type":"subscribe","id":"1","op":"notes.flood"}`)
	s.eventually("all of it is dropped", func() bool { return s.streams.Open() == 0 })
	if !strings.Contains(s.log.String(), `msg="socket ended" reason=slow`) {
		t.Errorf("the log says %s", s.log)
	}
}

func TestMistakesOfASocket(t *testing.T) {
	t.Parallel()
	one, other := live.New(live.Config{}), live.New(live.Config{})
	h, err := one.Handler(op.Stream("notes.watch", "GET /notes", silent, op.Public()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Socket([]*live.Handler{h}, nil, nil); err == nil || !strings.Contains(err.Error(), "another server") {
		t.Errorf("got %v", err)
	}
	if _, err := one.Socket(nil, []op.Operation{{}}, nil); err == nil {
		t.Error("the zero operation can be called")
	}
}

// Where all is public, so is the socket.
func TestSocketOfNobody(t *testing.T) {
	t.Parallel()
	streams := live.New(live.Config{Recheck: 5 * time.Millisecond, Beat: 10 * time.Millisecond})
	h, err := streams.Handler(op.Stream("notes.watch", "GET /notes", counting(1), op.Public()))
	if err != nil {
		t.Fatal(err)
	}
	socket, err := streams.Socket([]*live.Handler{h}, nil, http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, live.Config{})
	s.mux.Handle("GET /ws", socket)
	w := s.dial("/ws", "Authorization", "")
	w.send(`{"type":"token","token":"whatever"}`)
	w.send(`{"type":"subscribe","id":"1","op":"notes.watch"}`)
	w.expect(`{"type":"open","id":"1"}`, `{"type":"item","id":"1","item":{"id":"note_1","event":"note","data":{"n":1}}}`, `{"type":"end","id":"1","data":{"code":"completed"}}`)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	go func() {
		for {
			if _, _, err := w.Read(ctx); err != nil {
				return
			}
		}
	}()
	streams.Drain(ctx)
}
