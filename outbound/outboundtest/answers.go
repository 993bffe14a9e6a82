package outboundtest

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Status answers with a status and no body.
func Status(code int) Answer {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// JSON answers 200 with a text that it calls JSON.
func JSON(text string) Answer {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	}
}

// Busy answers with a status and asks the client to come back so much later.
func Busy(code int, after time.Duration) Answer {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", strconv.Itoa(int(after/time.Second)))
		w.WriteHeader(code)
	}
}

// Redirect answers 302.
func Redirect(to string) Answer {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

// After answers a while later, unless the client goes before.
func After(d time.Duration, then Answer) Answer {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
			then(w, r)
		case <-r.Context().Done():
		}
	}
}

// Hang says nothing until the client goes.
func Hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// Drip sends a byte every 5 ms until the client goes.
func Drip(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := io.WriteString(w, "x"); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// Reset breaks the connection with an RST in place of an answer.
func Reset(w http.ResponseWriter, _ *http.Request) {
	with(w, func(c net.Conn) {
		if c, ok := c.(interface{ SetLinger(seconds int) error }); ok {
			_ = c.SetLinger(0)
		}
	})
}

// Garbage answers with what is no HTTP.
func Garbage(w http.ResponseWriter, _ *http.Request) {
	with(w, func(c net.Conn) { _, _ = io.WriteString(c, "\x00\xff!garbage\r\n\r\n") })
}

// Cut promises ten bytes and sends four.
func Cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "10")
	_, _ = io.WriteString(w, "half")
}

// Huge sends n bytes as fast as it can.
func Huge(n int) Answer {
	return func(w http.ResponseWriter, _ *http.Request) { pour(w, n) }
}

// Bomb sends n bytes of zeros, packed to a thousandth beforehand: what takes
// time is the client's affair.
func Bomb(n int) Answer {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	pour(z, n)
	_ = z.Close() // a buffer takes all
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes()) // the client may have gone
	}
}

func pour(w io.Writer, n int) {
	for piece := make([]byte, 64<<10); n > 0; n -= len(piece) {
		if _, err := w.Write(piece[:min(n, len(piece))]); err != nil {
			return
		}
	}
}

// with takes the connection away from the server, and closes it at the end.
func with(w http.ResponseWriter, do func(net.Conn)) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // the client has gone
	}
	do(c)
	_ = c.Close()
}
