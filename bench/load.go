package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A call is one request that is sent again and again.
type call struct {
	raw    []byte
	status int // what must be answered
	// serial is where in raw a number of serialDigits digits stands that every
	// request increases, or 0 for none.
	serial int
}

const (
	serialDigits = 16
	serialZero   = "0000000000000000"
)

// newCall writes the request once, as a client sends it on a kept connection.
// The first header value that has serialZero in it becomes the serial.
func newCall(method, path string, status int, body string, headers ...string) call {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", method, path)
	for i := 0; i+1 < len(headers); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", headers[i], headers[i+1])
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	fmt.Fprintf(&b, "\r\n%s", body)
	c := call{raw: b.Bytes(), status: status}
	if at := bytes.Index(c.raw, []byte(serialZero)); at > 0 {
		c.serial = at
	}
	return c
}

// load is how hard a call is driven: by clients that each wait for an answer
// before they ask again, until either bound is met.
type load struct {
	clients int
	limit   time.Duration
	count   int64
	serial  *atomic.Int64 // shared by all loads of one server
}

// driven is what came of it.
type driven struct {
	requests  int64
	wall      time.Duration
	latencies []time.Duration
}

// drive runs the load against addr. Any answer but the expected one ends it.
func (l load) drive(addr string, c call) (driven, error) {
	clients := make([]*client, l.clients)
	defer func() {
		for _, each := range clients {
			if each != nil {
				_ = each.conn.Close()
			}
		}
	}()
	for i := range clients {
		each, err := connect(addr, c)
		if err != nil {
			return driven{}, err
		}
		clients[i], each.serial = each, l.serial
	}
	var (
		left    atomic.Int64
		running sync.WaitGroup
		errs    = make([]error, l.clients)
	)
	left.Store(l.count)
	start := time.Now()
	for i, each := range clients {
		running.Go(func() { errs[i] = each.run(start.Add(l.limit), &left) })
	}
	running.Wait()
	d := driven{wall: time.Since(start)}
	for _, each := range clients {
		d.requests += int64(len(each.latencies))
		d.latencies = append(d.latencies, each.latencies...)
	}
	return d, errors.Join(errs...)
}

// client is one connection. It speaks just enough HTTP to be cheap: what the
// client costs is taken from the server it measures.
type client struct {
	conn      net.Conn
	in        *bufio.Reader
	call      call
	raw       []byte
	serial    *atomic.Int64
	latencies []time.Duration
	later     time.Duration // what the last answer asked to wait
}

func connect(addr string, c call) (*client, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, in: bufio.NewReaderSize(conn, 8<<10), call: c, raw: bytes.Clone(c.raw)}, nil
}

func (c *client) run(end time.Time, left *atomic.Int64) error {
	for now := time.Now(); now.Before(end) && left.Add(-1) >= 0; {
		if at := c.call.serial; at > 0 {
			digits := strconv.AppendInt(nil, c.serial.Add(1), 10)
			copy(c.raw[at+serialDigits-len(digits):], digits)
		}
		if err := c.ask(); err != nil {
			return err
		}
		then := now
		now = time.Now()
		c.latencies = append(c.latencies, now.Sub(then))
	}
	return nil
}

func (c *client) ask() error {
	status, length, err := c.send()
	if err != nil {
		return err
	}
	if status != c.call.status {
		body, _ := io.ReadAll(io.LimitReader(c.in, int64(length)))
		return fmt.Errorf("answered %d, not %d: %s", status, c.call.status, body)
	}
	_, err = c.in.Discard(length)
	return err
}

// send sends the request and reads the answer up to its body, of which it
// returns the length.
func (c *client) send() (status, length int, err error) {
	if _, err := c.conn.Write(c.raw); err != nil {
		return 0, 0, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, 0, fmt.Errorf("read an answer: %w", err)
	}
	if len(line) < len("HTTP/1.1 200") {
		return 0, 0, fmt.Errorf("answered %q", line)
	}
	status, err = strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, 0, fmt.Errorf("answered %q", line)
	}
	length, err = c.head()
	return status, length, err
}

// any asks without expecting an answer, and returns its status.
func (c *client) any() (status int, err error) {
	status, length, err := c.send()
	if err != nil {
		return 0, err
	}
	_, err = c.in.Discard(length)
	return status, err
}

// head reads the header and returns the length of the body.
func (c *client) head() (length int, err error) {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, fmt.Errorf("read a header: %w", err)
		}
		if len(line) <= len("\r\n") {
			return length, nil
		}
		if value, ok := bytes.CutPrefix(line, []byte("Retry-After: ")); ok {
			seconds, err := strconv.Atoi(string(bytes.TrimSpace(value)))
			if err != nil {
				return 0, err
			}
			c.later = time.Duration(seconds) * time.Second
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		}
	}
}
