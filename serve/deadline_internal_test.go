package serve

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// moved is a pipe that counts how often its deadlines are set.
type moved struct {
	net.Conn
	reads, writes int
}

func (m *moved) SetReadDeadline(at time.Time) error {
	m.reads++
	return m.Conn.SetReadDeadline(at)
}

func (m *moved) SetWriteDeadline(at time.Time) error {
	m.writes++
	return m.Conn.SetWriteDeadline(at)
}

// inTime runs a test on a connection whose other end is far, with a clock that
// moves only when all wait.
func inTime(t *testing.T, test func(t *testing.T, c *tracked, inner *moved, far net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		inner := &moved{Conn: near}
		c := &tracked{Conn: inner, set: new(conns)}
		defer func() { _, _ = far.Close(), c.Close() }()
		test(t, c, inner, far)
	})
}

func in(d time.Duration) time.Time { return time.Now().Add(d) }

// timesOut requires the call to end with a time-out after exactly that time.
func timesOut(t *testing.T, after time.Duration, call func([]byte) (int, error)) {
	t.Helper()
	began := time.Now()
	n, err := call(make([]byte, 1))
	if took := time.Since(began); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || took != after {
		t.Errorf("%d, %v after %s, want a time-out after %s", n, err, took, after)
	}
}

func TestDeadlinesComeWhenAsked(t *testing.T) {
	t.Parallel()
	past := time.Unix(1, 0)
	for _, asked := range []struct {
		name  string
		first func() time.Time // a call that ends by it precedes, if set
		then  []func() time.Time
		after time.Duration
	}{
		{"once", nil, []func() time.Time{func() time.Time { return in(time.Second) }}, time.Second},
		{"later", nil, []func() time.Time{
			func() time.Time { return in(time.Second) },
			func() time.Time { return in(time.Minute) },
		}, time.Minute},
		{"earlier", nil, []func() time.Time{
			func() time.Time { return in(time.Minute) },
			func() time.Time { return in(time.Second) },
		}, time.Second},
		{"past", nil, []func() time.Time{
			func() time.Time { return in(time.Minute) },
			func() time.Time { return past },
		}, 0},
		{"cleared between", nil, []func() time.Time{
			func() time.Time { return in(time.Minute) },
			func() time.Time { return time.Time{} },
			func() time.Time { return in(time.Hour) },
		}, time.Hour},
		{"after a time-out", func() time.Time { return in(time.Second) }, []func() time.Time{
			func() time.Time { return in(time.Minute) },
		}, time.Minute},
		{"after the past", func() time.Time { return past }, []func() time.Time{
			func() time.Time { return time.Time{} },
			func() time.Time { return in(time.Minute) },
		}, time.Minute},
		{"after a time-out, unchanged", func() time.Time { return in(time.Second) }, nil, 0},
	} {
		t.Run(asked.name, func(t *testing.T) {
			t.Parallel()
			inTime(t, func(t *testing.T, c *tracked, _ *moved, _ net.Conn) {
				for call, set := range map[string]func(time.Time) error{"read": c.SetReadDeadline, "write": c.SetWriteDeadline, "both": c.SetDeadline} {
					do := c.Read
					if call == "write" {
						do = c.Write
					}
					if asked.first != nil {
						at := asked.first()
						must(t, set(at))
						timesOut(t, max(0, time.Until(at)), do)
					}
					for _, at := range asked.then {
						must(t, set(at()))
					}
					timesOut(t, asked.after, do)
					must(t, set(time.Time{}))
				}
			})
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestDeadlinesReachCallsUnderWay is what net/http does to end a background
// read, and what a handler does that needs longer.
func TestDeadlinesReachCallsUnderWay(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, c *tracked, _ *moved, far net.Conn) {
		must(t, c.SetReadDeadline(in(time.Minute)))
		for _, to := range []time.Time{time.Unix(1, 0), in(2 * time.Second), in(time.Hour)} {
			time.AfterFunc(time.Second, func() { _ = c.SetReadDeadline(to) })
			timesOut(t, max(time.Second, time.Until(to)), c.Read)
			must(t, c.SetReadDeadline(time.Time{}))
		}
		// None at all: the read outlives what was set before, and brings data.
		must(t, c.SetReadDeadline(in(time.Minute)))
		time.AfterFunc(time.Second, func() { _ = c.SetReadDeadline(time.Time{}) })
		time.AfterFunc(time.Hour, func() { _, _ = far.Write([]byte("x")) })
		if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("Read = %d, %v", n, err)
		}
	})
}

// TestWriteGoesOnWhereItWoke has the reader take a little before and the rest
// after the deadline that was set first.
func TestWriteGoesOnWhereItWoke(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, c *tracked, inner *moved, far net.Conn) {
		must(t, c.SetWriteDeadline(in(time.Second)))
		go func() { _, _ = io.ReadFull(far, make([]byte, 1)) }()
		if _, err := c.Write([]byte("0")); err != nil {
			t.Fatal(err)
		}
		must(t, c.SetWriteDeadline(in(time.Minute)))
		text := bytes.Repeat([]byte("0123456789"), 100)
		got := make(chan []byte)
		go func() {
			read := make([]byte, len(text))
			_, _ = io.ReadFull(far, read[:10])
			time.Sleep(10 * time.Second)
			_, _ = io.ReadFull(far, read[10:])
			got <- read
		}()
		if n, err := c.Write(text); n != len(text) || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
		if read := <-got; !bytes.Equal(read, text) {
			t.Error("other bytes arrived")
		}
		if inner.writes != 2 {
			t.Errorf("the deadline was set %d times", inner.writes)
		}
	})
}

func TestDeadlinesAreExactForWhoReachesInside(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, c *tracked, inner *moved, far net.Conn) {
		must(t, c.SetDeadline(in(time.Second)))
		go func() { _, _ = io.Copy(far, far) }()
		if _, err := c.Write([]byte("0")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		must(t, c.SetDeadline(time.Time{}))
		c.release()
		time.AfterFunc(time.Hour, func() { _, _ = inner.Write([]byte("1")) })
		if n, err := inner.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("after release the inner Read = %d, %v", n, err)
		}
		must(t, c.SetReadDeadline(in(time.Second)))
		timesOut(t, time.Second, inner.Read)
		must(t, c.SetReadDeadline(in(time.Minute)))
		timesOut(t, time.Minute, inner.Read)
	})
}

// TestTimeoutsOfOthersPass leaves a connection its own reasons to time out.
func TestTimeoutsOfOthersPass(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, c *tracked, inner *moved, _ net.Conn) {
		time.AfterFunc(time.Second, func() { _ = inner.Conn.SetReadDeadline(time.Unix(1, 0)) })
		timesOut(t, time.Second, c.Read)
	})
}

// TestRequestsSeldomMoveDeadlines does what net/http does for ten requests.
func TestRequestsSeldomMoveDeadlines(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, c *tracked, inner *moved, far net.Conn) {
		go func() { _, _ = io.Copy(io.Discard, far) }()
		for range 10 {
			must(t, c.SetReadDeadline(in(75*time.Second)))
			go func() { _, _ = far.Write([]byte("request")) }()
			if _, err := c.Read(make([]byte, 7)); err != nil {
				t.Fatal(err)
			}
			must(t, c.SetReadDeadline(in(5*time.Second)))
			must(t, c.SetReadDeadline(in(10*time.Second)))
			must(t, c.SetWriteDeadline(in(30*time.Second)))
			must(t, c.SetReadDeadline(time.Time{}))
			ended := make(chan error)
			go func() {
				_, err := c.Read(make([]byte, 1))
				ended <- err
			}()
			if _, err := c.Write([]byte("response")); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			must(t, c.SetReadDeadline(time.Unix(1, 0)))
			if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			must(t, c.SetReadDeadline(time.Time{}))
			must(t, c.SetWriteDeadline(time.Time{}))
		}
		if inner.reads != 20 || inner.writes != 1 {
			t.Errorf("read deadlines set %d times, write deadlines %d times", inner.reads, inner.writes)
		}
	})
}

// TestCallsWithoutTimeNeverReachTheConnection is how most watches of net/http
// for the client's leaving end: the handler was quicker.
func TestCallsWithoutTimeNeverReachTheConnection(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T, c *tracked, inner *moved, _ net.Conn) {
		for range 10 {
			must(t, c.SetDeadline(time.Unix(1, 0)))
			timesOut(t, 0, c.Read)
			timesOut(t, 0, c.Write)
			must(t, c.SetDeadline(time.Time{}))
		}
		if inner.reads != 0 || inner.writes != 0 {
			t.Errorf("read deadlines set %d times, write deadlines %d times", inner.reads, inner.writes)
		}
	})
}
