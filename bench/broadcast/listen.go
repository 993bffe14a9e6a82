package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const patience = 30 * time.Second

// listener is one who listens, over either protocol. It reads no more of it
// than it must: a dear client would hide what servers cost.
type listener struct {
	conn   net.Conn
	in     *bufio.Reader
	socket bool
}

func listen(ctx context.Context, addr string, socket bool) (*listener, error) {
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	l := &listener{conn, bufio.NewReaderSize(conn, 1<<10), socket}
	if err := l.begin(addr); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return l, nil
}

// begin asks, and reads up to the first message.
func (l *listener) begin(addr string) error {
	ask := "Accept: text/event-stream\r\n"
	want := http.StatusOK
	if l.socket {
		ask = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		want = http.StatusSwitchingProtocols
	}
	if err := l.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(l.conn, "GET /live HTTP/1.1\r\nHost: %s\r\n%s\r\n", addr, ask); err != nil {
		return err
	}
	status, err := l.in.ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.Contains(status, strconv.Itoa(want)) {
		return fmt.Errorf("answered %q", strings.TrimSpace(status))
	}
	for line := status; line != "\r\n"; {
		if line, err = l.in.ReadString('\n'); err != nil {
			return err
		}
	}
	if _, err := l.next(); err != nil {
		return err
	}
	return l.conn.SetDeadline(time.Time{})
}

// next returns when the next message was sent: zero if it does not say.
func (l *listener) next() (sent time.Time, err error) {
	for {
		var text []byte
		if l.socket {
			text, err = l.frame()
		} else if text, err = l.in.ReadSlice('\n'); err == nil && !bytes.HasPrefix(text, []byte("data:")) {
			continue
		}
		if err != nil {
			return sent, err
		}
		if text == nil {
			continue
		}
		_, rest, ok := bytes.Cut(text, []byte(`"at":"`))
		if !ok {
			return sent, nil
		}
		digits, _, _ := bytes.Cut(rest, []byte(`"`))
		n, err := strconv.ParseInt(string(digits), 10, 64)
		return time.Unix(0, n), err
	}
}

// frame reads a frame of RFC 6455 of a server, and returns the text that is in
// it, or nothing of another kind. A ping is answered.
func (l *listener) frame() ([]byte, error) {
	head, err := l.in.Peek(2)
	if err != nil {
		return nil, err
	}
	kind, size, skip := head[0]&0x0f, int(head[1]&0x7f), 2
	if size == 126 {
		if head, err = l.in.Peek(4); err != nil {
			return nil, err
		}
		size, skip = int(binary.BigEndian.Uint16(head[2:])), 4
	}
	all, err := l.in.Peek(skip + size)
	if err != nil {
		return nil, err
	}
	text := all[skip:]
	if _, err := l.in.Discard(skip + size); err != nil {
		return nil, err
	}
	switch kind {
	case 1:
		return text, nil
	case 8:
		return nil, io.EOF
	case 9:
		_, err = l.conn.Write(append([]byte{0x8a, 0x80 | byte(size), 0, 0, 0, 0}, text...)) // masked with zeros
	}
	return nil, err
}

// listenAll opens n connections.
func listenAll(ctx context.Context, addr string, socket bool, n int) (all []*listener, err error) {
	var (
		mu   sync.Mutex
		errs []error
		open sync.WaitGroup
		left = make(chan struct{}, n)
	)
	for range n {
		left <- struct{}{}
	}
	close(left)
	for range 64 {
		open.Go(func() {
			for range left {
				l, err := listen(ctx, addr, socket)
				mu.Lock()
				if err != nil {
					errs = append(errs, err)
				} else {
					all = append(all, l)
				}
				failed := len(errs) > 0
				mu.Unlock()
				if failed {
					return
				}
			}
		})
	}
	open.Wait()
	if len(errs) > 0 {
		closeAll(all)
		return nil, fmt.Errorf("after %d connections: %w", len(all), errs[0])
	}
	return all, nil
}

func closeAll(all []*listener) {
	for _, l := range all {
		_ = l.conn.Close()
	}
}
