// Package load drives a server, closed-loop (who waits for an answer before
// asking again) and open-loop (who asks at times that were set before).
package load

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"
)

// A Call is one request that is sent again and again.
type Call struct {
	raw    []byte
	status int
	busy   bool
}

// NewCall writes a request once, as a client sends it on a kept connection.
// status is what must be answered.
func NewCall(method, path string, status int, body string, headers ...string) Call {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", method, path)
	if !slices.Contains(headers, "Accept") {
		b.WriteString("Accept: application/json\r\n")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", headers[i], headers[i+1])
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	fmt.Fprintf(&b, "\r\n%s", body)
	return Call{raw: b.Bytes(), status: status}
}

// OrBusy is the call of somebody who takes 503 for an answer; it is counted
// apart.
func (c Call) OrBusy() Call {
	c.busy = true
	return c
}

// client is one connection. It speaks just enough HTTP to be cheap: what the
// client costs is taken from the server that it measures.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	call Call
}

func connect(addr string, c Call) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	return newClient(conn, c, 16<<10), nil
}

func newClient(conn net.Conn, c Call, buffer int) *client {
	return &client{conn: conn, in: bufio.NewReaderSize(conn, buffer), call: c}
}

func connectAll(addr string, c Call, n int) ([]*client, error) {
	all := make([]*client, 0, n)
	for range n {
		each, err := connect(addr, c)
		if err != nil {
			closeAll(all)
			return nil, err
		}
		all = append(all, each)
	}
	return all, nil
}

func closeAll(all []*client) {
	for _, c := range all {
		_ = c.conn.Close()
	}
}

// ask sends the request and reads the answer. refused says that it was 503,
// where the call allows that.
func (c *client) ask() (refused bool, err error) {
	if _, err := c.conn.Write(c.call.raw); err != nil {
		return false, fmt.Errorf("send: %w", err)
	}
	status, length, chunked, err := c.head()
	if err != nil {
		return false, fmt.Errorf("read an answer: %w", err)
	}
	body, err := c.body(length, chunked)
	if err != nil {
		return false, fmt.Errorf("read a body: %w", err)
	}
	switch {
	case status == c.call.status:
		return false, nil
	case status == 503 && c.call.busy:
		return true, nil
	}
	return false, fmt.Errorf("answered %d, not %d: %.200s", status, c.call.status, body)
}

// head reads a head. One that has come as a whole and states a length, as
// nearly all do, is not read line by line: an answer with many fields would
// otherwise be charged to its server twice.
func (c *client) head() (status, length int, chunked bool, err error) {
	if _, err := c.in.Peek(1); err != nil {
		return 0, 0, false, err
	}
	buf, _ := c.in.Peek(c.in.Buffered()) // what is buffered is there
	if end := bytes.Index(buf, []byte("\r\n\r\n")); end > 0 {
		if at, ok := lengthOf(buf[:end+len("\r\n")]); ok {
			if status, err = statusOf(buf); err == nil {
				if length, err = strconv.Atoi(string(at)); err == nil {
					_, err = c.in.Discard(end + len("\r\n\r\n"))
				}
			}
			return status, length, false, err
		}
	}
	line, err := c.in.ReadSlice('\n')
	if err == nil {
		if status, err = statusOf(line); err == nil {
			length, chunked, err = c.header()
		}
	}
	return status, length, chunked, err
}

func statusOf(line []byte) (int, error) {
	if len(line) < len("HTTP/1.1 200") {
		return 0, fmt.Errorf("status line %q", line)
	}
	return strconv.Atoi(string(line[9:12]))
}

// lengthOf returns the length that a head states, if it does so as servers do.
func lengthOf(head []byte) (value []byte, ok bool) {
	for _, name := range [...]string{"\r\nContent-Length: ", "\r\ncontent-length: "} {
		if at := bytes.Index(head, []byte(name)); at > 0 {
			value, _, ok = bytes.Cut(head[at+len(name):], []byte("\r"))
			return value, ok
		}
	}
	return nil, false
}

// body reads the rest of the answer, and returns what it has of a short one.
func (c *client) body(length int, chunked bool) ([]byte, error) {
	if !chunked {
		return c.discard(length)
	}
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return nil, err
		}
		if _, err := c.discard(int(size) + len("\r\n")); err != nil || size == 0 {
			return nil, err
		}
	}
}

func (c *client) discard(n int) (start []byte, err error) {
	if n <= 200 { // an error's body is worth a look
		start, err = c.in.Peek(n)
		if err != nil {
			return nil, err
		}
	}
	_, err = c.in.Discard(n)
	return start, err
}

func (c *client) header() (length int, chunked bool, err error) {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, false, err
		}
		if len(line) <= len("\r\n") {
			return length, chunked, nil
		}
		switch line[0] | 0x20 {
		case 'c':
			if value, ok := cut(line, "content-length:"); ok {
				if length, err = strconv.Atoi(string(value)); err != nil {
					return 0, false, err
				}
			}
		case 't':
			if value, ok := cut(line, "transfer-encoding:"); ok {
				chunked = bytes.EqualFold(value, []byte("chunked"))
			}
		}
	}
}

func cut(line []byte, name string) (value []byte, ok bool) {
	if len(line) < len(name) || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name):]), true
}
