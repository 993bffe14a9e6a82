package serve

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestTheDateFollowsTheClock(t *testing.T) {
	t.Parallel()
	var d date
	at := time.Date(2026, 3, 1, 23, 59, 59, 999_999_999, time.FixedZone("", 3600))
	for _, now := range []time.Time{at, at.Add(1), at.Add(time.Second), at.Add(-time.Hour)} {
		if got, want := string(d.append(nil, now)), "Date: "+now.UTC().Format(http.TimeFormat)+"\r\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// full is a connection that takes so many bytes and no more.
type full struct {
	net.Conn
	left int
}

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.left)
	f.left -= n
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// TestABrokenHeadIsCounted holds what Write says of a head that was cut: never
// more than it was given, and the error.
func TestABrokenHeadIsCounted(t *testing.T) {
	t.Parallel()
	head := []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	o := Observe(http.NotFoundHandler(), Observer{}).(*observer)
	for left := range 600 {
		x := &response{obs: o, ours: 1<<len(o.headers) - 1 | ourID | ourDate}
		x.scope.RequestID = "an-id-of-some-length"
		c := &guarded{Conn: &full{left: left}}
		c.answer.Store(x)
		n, err := c.Write(head)
		switch whole := len(x.appendLetterhead(nil)) + len(head); {
		case left >= whole && (n != len(head) || err != nil):
			t.Fatalf("of %d bytes: %d, %v", whole, n, err)
		case left < whole && (n >= len(head) || n < 0 || err == nil):
			t.Fatalf("cut at %d: %d, %v", left, n, err)
		}
	}
}
