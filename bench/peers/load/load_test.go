package load_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/bench/peers/load"
)

func serve(t *testing.T, h http.HandlerFunc) (addr string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// TestAStallIsChargedToAllWhoCame has a server that stands still once, for
// half of the time. The closed loop hardly sees it: its clients stand still
// too. The open loop charges it for everybody who came meanwhile.
func TestAStallIsChargedToAllWhoCame(t *testing.T) {
	t.Parallel()
	const whole, stall = 1200 * time.Millisecond, 600 * time.Millisecond
	stalling := func() http.HandlerFunc {
		var gate sync.RWMutex
		var once sync.Once
		return func(w http.ResponseWriter, _ *http.Request) {
			once.Do(func() {
				gate.Lock()
				time.AfterFunc(stall, gate.Unlock)
			})
			gate.RLock()
			defer gate.RUnlock()
			fmt.Fprint(w, "ok")
		}
	}
	call := load.NewCall("GET", "/", http.StatusOK, "")
	closed, err := load.Closed(t.Context(), serve(t, stalling()), call, 4, whole)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := load.Open(t.Context(), serve(t, stalling()), call, 400, 4, whole, 1)
	if err != nil {
		t.Fatal(err)
	}
	if closed.Answered < 20 || closed.Percentile(0.75) > stall/4 {
		t.Errorf("closed: %d answered, p75 %s", closed.Answered, closed.Percentile(0.75))
	}
	if opened.Percentile(0.75) < stall/4 || opened.Percentile(1) < stall*9/10 {
		t.Errorf("open: p75 %s, longest %s", opened.Percentile(0.75), opened.Percentile(1))
	}
}

// TestWhatIsNotAnsweredCounts has a server that never answers.
func TestWhatIsNotAnsweredCounts(t *testing.T) {
	t.Parallel()
	end := make(chan struct{})
	addr := serve(t, func(http.ResponseWriter, *http.Request) { <-end })
	t.Cleanup(func() { close(end) })
	const whole = 200 * time.Millisecond
	r, err := load.Open(t.Context(), addr, load.NewCall("GET", "/", http.StatusOK, ""), 500, 2, whole, 1)
	if err != nil {
		t.Fatal(err)
	}
	if r.Answered != 0 || r.Missed < 50 || r.Percentile(0) < whole/8 {
		t.Errorf("answered %d, missed %d, p0 %s", r.Answered, r.Missed, r.Percentile(0))
	}
}

func TestAWrongAnswerIsAnError(t *testing.T) {
	t.Parallel()
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusServiceUnavailable) })
	call := load.NewCall("GET", "/", http.StatusOK, "")
	if _, err := load.Closed(t.Context(), addr, call, 1, time.Second); err == nil || !strings.Contains(err.Error(), "answered 503, not 200: no") {
		t.Errorf("%v", err)
	}
	r, err := load.Closed(t.Context(), addr, call.OrBusy(), 1, 500*time.Millisecond)
	if err != nil || r.Refused == 0 || r.Answered > 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestBodiesOfEveryKind are read to their end, or the next answer would not be
// understood.
func TestBodiesOfEveryKind(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"none":  func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "0") },
		"short": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") },
		"long": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "50000")
			fmt.Fprint(w, strings.Repeat("a", 50000))
		},
		"chunked": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("a", 50000)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := load.Closed(t.Context(), serve(t, h), load.NewCall("GET", "/", http.StatusOK, ""), 2, 500*time.Millisecond)
			if err != nil || r.Answered < 3 {
				t.Errorf("%d answered, %v", r.Answered, err)
			}
		})
	}
}

func TestStreamsAreHeldAndCounted(t *testing.T) {
	t.Parallel()
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Short") != "" {
			w.Header().Set("Connection", "close")
		}
		fmt.Fprint(w, ": here\n\n")
		_ = http.NewResponseController(w).Flush()
		if r.Header.Get("Short") == "" {
			<-r.Context().Done()
		}
	})
	for want, header := range map[int][]string{100: nil, 0: {"Short", "yes"}} {
		release, err := load.Streams(t.Context(), addr, load.NewCall("GET", "/", http.StatusOK, "", header...), 100)
		if err != nil {
			t.Fatal(err)
		}
		if got := release(); got != want {
			t.Errorf("%d alive, not %d", got, want)
		}
	}
}

// TestHeadsInEveryForm has heads that come in pieces, in another spelling,
// without a length, and one whose length is another field's.
func TestHeadsInEveryForm(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	answers := []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nok",
		"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nCONTENT-LENGTH:2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nX-Content-Length: 9\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nContent-", "Length: 2\r\n\r", "\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno",
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		in := bufio.NewReader(c)
		for _, text := range answers {
			if strings.HasPrefix(text, "HTTP") {
				if _, err := http.ReadRequest(in); err != nil {
					return
				}
			}
			_, _ = io.WriteString(c, text)
			time.Sleep(time.Millisecond) // so that pieces come as pieces
		}
	}()
	_, err = load.Closed(t.Context(), l.Addr().String(), load.NewCall("GET", "/", http.StatusOK, ""), 1, time.Minute)
	if err == nil || !strings.Contains(err.Error(), "answered 503, not 200: no") {
		t.Errorf("it should end at the last answer, and not with %v", err)
	}
}
