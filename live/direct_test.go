package live_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ashlar-go/ashlar/fault"
	"github.com/ashlar-go/ashlar/live"
	"github.com/ashlar-go/ashlar/op"
)

// wire is a WebSocket as a client has it.
type wire struct {
	*websocket.Conn
	t *testing.T
}

// dial opens a WebSocket of ann's.
func (s *site) dial(path string, header ...string) *wire {
	s.t.Helper()
	c, res, err := s.handshake(path, header...)
	if err != nil {
		var body []byte
		if res != nil {
			body, _ = io.ReadAll(res.Body)
		}
		s.t.Fatalf("%s: %v: %s", path, err, body)
	}
	return &wire{c, s.t}
}

func (s *site) handshake(path string, header ...string) (*websocket.Conn, *http.Response, error) {
	s.t.Helper()
	h := http.Header{"Authorization": {"ann"}}
	for i := 0; i < len(header); i += 2 {
		if h.Set(header[i], header[i+1]); header[i+1] == "" {
			h.Del(header[i])
		}
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	c, res, err := websocket.Dial(ctx, s.URL+path, &websocket.DialOptions{HTTPHeader: h})
	if err == nil {
		c.SetReadLimit(4 << 20)
		s.t.Cleanup(func() { _ = c.CloseNow() })
	}
	return c, res, err
}

func (w *wire) send(text string) {
	w.t.Helper()
	if err := w.Write(w.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		w.t.Fatal(err)
	}
}

// next reads a message.
func (w *wire) next() map[string]any {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	_, text, err := w.Read(ctx)
	var m map[string]any
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
	return m
}

func (w *wire) expect(want ...string) {
	w.t.Helper()
	for _, text := range want {
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			w.t.Fatal(err)
		}
		if got := w.next(); !reflect.DeepEqual(got, m) {
			w.t.Fatalf("got %v, want %v", got, m)
		}
	}
}

// closed expects that the next thing is the end, with a code and reason.
func (w *wire) closed(code websocket.StatusCode, reason string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	_, text, err := w.Read(ctx)
	ended, ok := errors.AsType[websocket.CloseError](err)
	if !ok || ended.Code != code || ended.Reason != reason {
		w.t.Fatalf("got %s, %v, want %d %s", text, err, code, reason)
	}
}

// ends expects a last message of a kind and code, and the end.
func (w *wire) ends(kind, code string, status websocket.StatusCode) map[string]any {
	w.t.Helper()
	m := w.next()
	data, _ := m["data"].(map[string]any)
	if m["event"] != kind || data["code"] != code {
		w.t.Fatalf("the last message is %v, want %s %s", m, kind, code)
	}
	w.closed(status, code)
	return data
}

// payments.md: GET /v1/events/ws: a stream's own path speaks WebSocket too.
func TestAStreamOverAWebSocket(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{}, op.Stream("notes.watch", "GET /notes", counting(3), op.Allow(read)))
	w := s.dial("/notes?after=note_1")
	w.expect(`{"id":"note_2","event":"note","data":{"n":2}}`, `{"id":"note_3","event":"note","data":{"n":3}}`)
	w.ends("end", "completed", 1000)
	w = s.dial("/notes?after=note_1", "Last-Event-ID", "note_2")
	w.expect(`{"id":"note_3","event":"note","data":{"n":3}}`)
}

func TestFailuresOverAWebSocket(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{Grace: 10 * time.Second}, op.Stream("notes.watch", "GET /notes", obedient, op.Allow(read), op.Fails(errNoNote)))
	w := s.dial("/notes?how=late")
	w.expect(`{"id":"note_1","data":{"n":1}}`)
	w.ends("error", "note_not_found", 4404)
	w = s.dial("/notes?how=late+panics")
	w.expect(`{"id":"note_1","data":{"n":1}}`)
	if p := w.ends("error", "internal", 1011); strings.Contains(fmt.Sprint(p), "secret") {
		t.Errorf("the problem shows the inside: %v", p)
	}
	for name, c := range map[string]struct {
		path   string
		header []string
		status int
	}{
		"a bad token":        {"/notes", []string{"Authorization", "mallory"}, 401},
		"a token in the URL": {"/notes?access_token=ann", []string{"Authorization", ""}, 401},
		"no permission":      {"/notes", []string{"Authorization", "eve"}, 403},
		"an unknown member":  {"/notes?what=1", nil, 422},
		"a declared fault":   {"/notes?how=unknown", nil, 404},
		"a failure":          {"/notes?how=breaks", nil, 500},
	} {
		_, res, err := s.handshake(c.path, c.header...)
		if err == nil || res == nil || res.StatusCode != c.status || res.Header.Get("Content-Type") != fault.MediaType {
			t.Errorf("%s: %v, %v", name, res, err)
		}
	}
}

// P15.1: pages of other origins are let in where they are listed, and come with
// cookies where those may.
func TestOriginOfAWebSocket(t *testing.T) {
	t.Parallel()
	cookies := make(chan string, 1)
	watch := op.Stream("notes.watch", "GET /notes", silent, op.Allow(read))
	with := func(credentials bool) *site {
		return newSite(t, live.Config{Origins: []string{"https://app.example.com"}, OriginCredentials: credentials, Recheck: time.Hour}, watch)
	}
	s := with(false)
	for origin, want := range map[string]int{
		"":    101,
		s.URL: 101,
		strings.Replace(s.URL, "http:", "https:", 1): 101,
		"https://app.example.com":                    101,
		"http://app.example.com":                     403,
		"https://app.example.com.evil.test":          403,
		"https://evil.test":                          403,
		"null":                                       403,
		"https://app.example.com/":                   403,
		strings.ToUpper("https://evil.test"):         403,
		"file://" + s.Listener.Addr().String():       403,
	} {
		c, res, err := s.handshake("/notes", "Origin", origin)
		if res == nil || res.StatusCode != want {
			t.Errorf("%q: %v, %v, want %d", origin, res, err, want)
			continue
		}
		if want == 403 {
			if body, _ := io.ReadAll(res.Body); !strings.Contains(string(body), `"code":"permission_denied"`) {
				t.Errorf("%q: %s", origin, body)
			}
			continue
		}
		_ = c.CloseNow()
	}

	for credentials, want := range map[bool]string{true: "c=1", false: ""} {
		s := with(credentials)
		s.people.seen = func(r *http.Request) { cookies <- r.Header.Get("Cookie") }
		c, _, err := s.handshake("/notes", "Origin", "https://app.example.com", "Cookie", "c=1")
		if got := <-cookies; err != nil || got != want {
			t.Errorf("with credentials %t the cookie is %q, %v", credentials, got, err)
		}
		_ = c.CloseNow()
	}
}

// A browser cannot send a header with a handshake, so that it says who it is
// first of all.
func TestTokenInTheFirstMessage(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{TokenWait: 300 * time.Millisecond}, op.Stream("notes.watch", "GET /notes", counting(2), op.Allow(read)))
	w := s.dial("/notes?after=note_1", "Authorization", "")
	w.send(`{"type":"token","token":"ann"}`)
	w.expect(`{"id":"note_2","event":"note","data":{"n":2}}`)
	w.ends("end", "completed", 1000)

	for name, c := range map[string]struct {
		say  string
		code string
		end  websocket.StatusCode
	}{
		"a bad token":     {`{"type":"token","token":"mallory"}`, "token_invalid", 4401},
		"no permission":   {`{"type":"token","token":"eve"}`, "permission_denied", 4403},
		"nothing in time": {``, "unauthenticated", 4401},
		"something else":  {`{"type":"unsubscribe","id":"1"}`, "unauthenticated", 4401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := s.dial("/notes", "Authorization", "")
			w.t = t
			if c.say != "" {
				w.send(c.say)
			}
			w.ends("error", c.code, c.end)
		})
	}
	w = s.dial("/notes", "Authorization", "")
	w.send(`{"token":`)
	w.closed(4400, "malformed")
}

// P15.2, and a caller that renews its token in time goes on.
func TestRevocationClosesAWebSocket(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{Recheck: 10 * time.Millisecond}, op.Stream("notes.watch", "GET /notes", silent, op.Allow(read)))
	s.people.rename("ann-2", "ann")
	renewed, other := s.dial("/notes"), s.dial("/notes")
	renewed.send(`{"type":"token","token":"ann-2"}`)
	s.eventually("the new token is known", func() bool { return s.people.asked("ann-2") > 0 })
	s.people.revoke("ann", fault.ErrToken)
	other.ends("end", "token_invalid", 4401)
	s.people.revoke("ann-2", fault.ErrToken)
	renewed.ends("end", "token_invalid", 4401)

	w := s.dial("/notes", "Authorization", "bob")
	w.send(`{"type":"token","token":"eve"}`)
	w.ends("end", "token_invalid", 4401) // somebody else's
}

// P15.3: what a caller may not do has its code.
func TestViolations(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{MaxMessage: 1 << 10, MessageRate: 5}, op.Stream("notes.watch", "GET /notes", silent, op.Allow(read)))
	for name, c := range map[string]struct {
		do     func(w *wire)
		code   websocket.StatusCode
		reason string
	}{
		"too big":           {func(w *wire) { w.send(strings.Repeat("a", 1<<11)) }, 1009, ""},
		"binary":            {func(w *wire) { _ = w.Write(w.t.Context(), websocket.MessageBinary, []byte("{}")) }, 1003, "messages are texts"},
		"not UTF-8":         {func(w *wire) { w.send("\"\xff\"") }, 1007, "messages are UTF-8"},
		"no JSON":           {func(w *wire) { w.send("hello") }, 4400, "malformed"},
		"another message":   {func(w *wire) { w.send(`{"type":"subscribe","id":"1","op":"a"}`) }, 1008, "only a token is expected here"},
		"an unknown member": {func(w *wire) { w.send(`{"type":"token","token":"ann","what":1}`) }, 4422, "invalid"},
		"a missing member":  {func(w *wire) { w.send(`{"type":"token"}`) }, 4422, "invalid"},
		"a member too much": {func(w *wire) { w.send(`{"type":"token","token":"ann","id":"1"}`) }, 4422, "invalid"},
		"a flood": {func(w *wire) {
			for range 20 {
				_ = w.Write(w.t.Context(), websocket.MessageText, []byte(`{"type":"token","token":"ann"}`))
			}
		}, 1008, "rate_limited"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := s.dial("/notes")
			w.t = t
			c.do(w)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			_, text, err := w.Read(ctx)
			ended, _ := errors.AsType[websocket.CloseError](err)
			if ended.Code != c.code || c.reason != "" && ended.Reason != c.reason {
				t.Errorf("got %s %v", text, err)
			}
		})
	}
}

// P15.3: who answers no ping is dropped.
func TestPing(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{Beat: 20 * time.Millisecond, Recheck: 10 * time.Millisecond, Patience: 3 * time.Second},
		op.Stream("notes.watch", "GET /notes", func(ctx context.Context, _ struct{}) iter.Seq2[note, error] {
			return func(yield func(note, error) bool) {
				if yield(note{N: 1}, nil) {
					<-ctx.Done()
				}
			}
		}, op.Allow(read)))
	deaf := s.dial("/notes") // nobody reads it
	alive := s.dial("/notes")
	alive.next()
	failed := make(chan error, 1)
	go func() {
		_, _, err := alive.Read(context.Background())
		failed <- err
	}()
	s.eventually("the deaf one is dropped", func() bool { return strings.Contains(s.log.String(), "transport=websocket reason=slow") })
	select {
	case err := <-failed: // its pings are answered long after its last item
		t.Errorf("the other one: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	_ = deaf.CloseNow()
}

// P15.3: a reader that has stopped is dropped, and its memory is bounded.
func TestSlowWebSocket(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a", 64<<10)
	s := newSite(t, live.Config{Patience: 200 * time.Millisecond}, op.Stream("notes.flood", "GET /flood", func(ctx context.Context, _ struct{}) iter.Seq2[note, error] {
		return func(yield func(note, error) bool) {
			for i := 1; ; i++ {
				if !yield(note{N: i, Text: text}, nil) {
					return
				}
			}
		}
	}, op.Allow(read)))
	s.dial("/flood")
	s.eventually("it is dropped", func() bool { return strings.Contains(s.log.String(), "op=notes.flood transport=websocket reason=slow") })
}

func TestDrainOfWebSockets(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{}, op.Stream("notes.watch", "GET /notes", silent, op.Allow(read)))
	w, waiting := s.dial("/notes"), s.dial("/notes", "Authorization", "")
	s.eventually("both are let in", func() bool { return s.streams.Open() == 2 }) // which is after the handshake
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		s.streams.Drain(ctx)
	}()
	if data := w.ends("end", "draining", 1001); data["retry_ms"].(float64) < 2000 {
		t.Errorf("it was told %v", data)
	}
	waiting.ends("end", "draining", 1001)
	<-done
}

func TestHandshakes(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{}, op.Stream("notes.watch", "GET /notes", silent, op.Allow(read)))
	good := map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Authorization": "ann",
	}
	for name, c := range map[string]struct {
		header, value string
		want          int
	}{
		"as it should be":    {"Upgrade", "WebSocket", 101},
		"a list":             {"Connection", "keep-alive, upgrade", 101},
		"no connection":      {"Connection", "keep-alive", 400},
		"another version":    {"Sec-WebSocket-Version", "8", 400},
		"no version":         {"Sec-WebSocket-Version", "", 400},
		"a short key":        {"Sec-WebSocket-Key", "dGhl", 400},
		"no key":             {"Sec-WebSocket-Key", "", 400},
		"a key of no base64": {"Sec-WebSocket-Key", "!", 400},
	} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /notes HTTP/1.1\r\nHost: a\r\n")
		for header, value := range good {
			if header == c.header {
				value = c.value
			}
			if value != "" {
				fmt.Fprintf(conn, "%s: %s\r\n", header, value)
			}
		}
		fmt.Fprintf(conn, "\r\n")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != c.want || c.want == 400 && res.Header.Get("Content-Type") != fault.MediaType {
			t.Errorf("%s: %v, %v", name, res, err)
		}
		_ = conn.Close()
	}
}

// What comes with the handshake is read after it.
func TestEarlyMessages(t *testing.T) {
	t.Parallel()
	s := newSite(t, live.Config{}, op.Stream("notes.watch", "GET /notes", counting(1), op.Allow(read)))
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const token = `{"type":"token","token":"ann"}`
	frame := append([]byte{0x81, 0x80 | byte(len(token)), 0, 0, 0, 0}, token...)
	_, _ = conn.Write(append([]byte("GET /notes HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"), frame...))
	in := bufio.NewReader(conn)
	if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != 101 || res.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("%v, %v", res, err)
	}
	text := make([]byte, 44)
	if _, err := io.ReadFull(in, text); err != nil || !strings.Contains(string(text), `"id":"note_1"`) {
		t.Errorf("got %q, %v", text, err)
	}
	// A frame that is not masked is none (RFC 6455, section 5.1).
	raw, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	_, _ = io.WriteString(raw, "GET /notes HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x02{}")
	rest, _ := io.ReadAll(raw)
	if !strings.Contains(string(rest), "\x88\x10\x03\xeaprotocol error") {
		t.Errorf("an unmasked frame: %q", rest)
	}
}
