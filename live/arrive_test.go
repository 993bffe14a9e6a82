package live_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/live"
)

// rawSocket is a WebSocket that is written byte by byte.
type rawSocket struct {
	net.Conn

	t  *testing.T
	in *bufio.Reader
}

const upgrade = "Host: a\r\nAuthorization: ann\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// raw opens a WebSocket, and sends something together with the handshake.
func (s *site) raw(path, early string) *rawSocket {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	_, _ = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\n"+upgrade+early)
	w := &rawSocket{conn, s.t, bufio.NewReader(conn)}
	if res, err := http.ReadResponse(w.in, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		s.t.Fatalf("%v, %v", res, err)
	}
	return w
}

// frame is a frame of a client, masked with zeros.
func frame(first byte, payload string) string {
	b := []byte{first, 0x80 | byte(len(payload))}
	if len(payload) > 125 {
		b = binary.BigEndian.AppendUint16([]byte{first, 0x80 | 126}, uint16(len(payload)))
	}
	return string(append(b, 0, 0, 0, 0)) + payload
}

// next reads a frame of the server.
func (w *rawSocket) next() (first byte, payload string) {
	w.t.Helper()
	head := make([]byte, 2)
	_, err := io.ReadFull(w.in, head)
	size := int(head[1])
	if err == nil && size == 126 {
		long := make([]byte, 2)
		_, err = io.ReadFull(w.in, long)
		size = int(binary.BigEndian.Uint16(long))
	}
	text := make([]byte, size)
	if err == nil {
		_, err = io.ReadFull(w.in, text)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return head[0], string(text)
}

const (
	textFrame, firstFrame, moreFrame, lastFrame   = 0x81, 0x01, 0x00, 0x80
	pingFrame, pongFrame, closeFrame, binaryFrame = 0x89, 0x8a, 0x88, 0x82
)

// A message arrives however the network cuts it: with the handshake, together
// with others, byte by byte, in fragments with other frames between them.
func TestMessagesArrive(t *testing.T) {
	t.Parallel()
	s := standard(t, live.Config{MessageRate: 1000})
	ask := func(id, text string) string {
		b, err := json.Marshal(map[string]any{"type": "call", "id": id, "op": "notes.edit", "input": map[string]string{"id": "1", "text": text}})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	long := strings.Repeat("long ", 800)
	w := s.raw("/ws", frame(textFrame, ask("0", "early"))+frame(textFrame, ask("1", long)))
	answers := map[string]int{}
	answered := func(n int) {
		t.Helper()
		for range n {
			first, text := w.next()
			var m struct {
				Type, ID string
				Status   int
				Data     struct{ N int }
			}
			if err := json.Unmarshal([]byte(text), &m); err != nil || first != textFrame || m.Status != http.StatusOK {
				t.Fatalf("%x %s: %v", first, text, err)
			}
			answers[m.ID] = m.Data.N
		}
	}
	answered(2)
	_, _ = io.WriteString(w, frame(textFrame, ask("2", "a"))+frame(textFrame, ask("3", long))+frame(textFrame, ask("4", "b")))
	answered(3)
	for _, b := range []byte(frame(textFrame, ask("5", "slowly"))) {
		_, _ = w.Write([]byte{b})
	}
	answered(1)
	whole := ask("6", "in pieces")
	_, _ = io.WriteString(w, frame(firstFrame, whole[:10])+frame(pingFrame, "here?")+frame(moreFrame, "")+frame(moreFrame, whole[10:40]))
	if first, text := w.next(); first != pongFrame || text != "here?" {
		t.Fatalf("a ping between fragments got %x %q", first, text)
	}
	time.Sleep(10 * time.Millisecond) // it waits for the rest
	_, _ = io.WriteString(w, frame(pongFrame, "")+frame(lastFrame, whole[40:])+frame(pingFrame, ""))
	first, text := w.next()
	if first == pongFrame && text == "" { // whichever is first
		answered(1)
	} else {
		answers["6"] = len("in pieces")
		if first, text = w.next(); first != pongFrame || text != "" {
			t.Fatalf("a ping got %x %q", first, text)
		}
	}
	for id, want := range map[string]int{"0": 5, "1": len(long), "2": 1, "3": len(long), "4": 1, "5": 6, "6": 9} {
		if answers[id] != want {
			t.Errorf("call %s was answered with %d, want %d", id, answers[id], want)
		}
	}
	// A caller that closes hears the close of the other side.
	_, _ = io.WriteString(w, frame(closeFrame, "\x03\xe8bye"))
	if first, text := w.next(); first != closeFrame || text != "\x03\xe8bye" {
		t.Errorf("a close got %x %q", first, text)
	}
	s.eventually("nothing is open", func() bool { return s.streams.Open() == 0 && s.streams.SocketStats().Ended[live.Left] == 1 })
}

// After our close nothing follows, whatever is said meanwhile, and a caller that
// answers it is rid of the connection.
func TestNothingFollowsTheClose(t *testing.T) {
	t.Parallel()
	s := standard(t, live.Config{})
	w := s.raw("/ws", frame(textFrame, `{"type":"subscribe","id":"1","op":"notes.silent"}`))
	if _, text := w.next(); !strings.Contains(text, "open") {
		t.Fatal(text)
	}
	go s.streams.Drain(t.Context())
	var said []string
	for {
		first, text := w.next()
		if said = append(said, text); first == closeFrame {
			break
		}
	}
	if len(said) != 2 || !strings.Contains(said[0], "draining") || said[1] != "\x03\xe9draining" {
		t.Errorf("it said %q", said)
	}
	_, _ = io.WriteString(w, frame(textFrame, `{"type":"call","id":"1","op":"notes.edit","input":{"id":"1","text":"x"}}`)+frame(closeFrame, "\x03\xe9"))
	if rest, err := io.ReadAll(w.in); len(rest) > 0 || err != nil {
		t.Errorf("after the close it said %q, %v", rest, err)
	}
}

// Frames that carry nothing count as messages, whoever they answer.
func TestControlFramesAreLimited(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]byte{"pings": pingFrame, "pongs": pongFrame} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := standard(t, live.Config{MessageRate: 2})
			w := s.raw("/ws", "")
			_, _ = io.WriteString(w, strings.Repeat(frame(first, ""), 500))
			for {
				if first, text := w.next(); first == closeFrame {
					if text != "\x03\xf0rate_limited" {
						t.Errorf("it ended with %q", text)
					}
					return
				}
			}
		})
	}
}

// No goroutine outlives its connection, however that ends.
func TestNothingIsLeftBehind(t *testing.T) { //nolint:paralleltest // it counts goroutines
	s := standard(t, live.Config{Recheck: 5 * time.Millisecond, Beat: 10 * time.Millisecond, MostEach: 1000})
	s.eventually("nothing runs", func() bool { return s.streams.Open() == 0 })
	http.DefaultClient.CloseIdleConnections()
	before := runtime.NumGoroutine()
	for n := range 20 {
		w := s.raw("/ws", frame(textFrame, `{"type":"subscribe","id":"1","op":"notes.silent"}`)+frame(textFrame, `{"type":"subscribe","id":"2","op":"notes.watch"}`))
		d := s.raw("/silent", "")
		plain, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(plain, "GET /silent HTTP/1.1\r\nHost: a\r\nAuthorization: ann\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(plain), nil); err != nil {
			t.Fatal(err)
		}
		w.next()
		switch n % 4 {
		case 0: // it goes
		case 1: // it says so
			_, _ = io.WriteString(w, frame(closeFrame, "\x03\xe8"))
			_, _ = io.WriteString(d, frame(closeFrame, "\x03\xe8"))
		case 2: // in the middle of a message, or of what should not come
			_, _ = io.WriteString(w, frame(firstFrame, "{")[:5])
			_, _ = io.WriteString(d, "\x81")
			_, _ = io.WriteString(plain, "what?")
		case 3: // it is wrong
			_, _ = io.WriteString(w, frame(binaryFrame, "{}"))
			_, _ = io.WriteString(d, "\x81\x02{}")
		}
		for _, c := range []net.Conn{w, d, plain} {
			_ = c.Close()
		}
	}
	s.eventually("all streams have ended", func() bool { return s.streams.Open() == 0 && s.streams.SocketStats().Open == 0 })
	s.eventually("all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
	if s.streams.Drain(context.Background()); s.streams.Open() != 0 {
		t.Error("something is open")
	}
}
