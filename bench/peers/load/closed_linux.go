package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Closed drives a server with clients that each wait for an answer before
// they ask again, for a time. Any answer but the expected one is an error.
//
// Each processor has its share of the clients, and one thread that asks the
// kernel itself which of them have an answer. A goroutine for each client would
// cost as much as a quick server, and more for a slower one: the less there is
// to do at once, the more often Go's scheduler looks for something.
func Closed(ctx context.Context, addr string, c Call, clients int, limit time.Duration) (Result, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return Result{}, err
	}
	crowds := make([]*crowd, min(runtime.GOMAXPROCS(0), clients))
	defer func() {
		for _, each := range crowds {
			each.close()
		}
	}()
	for i := range crowds {
		crowds[i] = &crowd{poll: -1}
		if err := crowds[i].connect(to, c, clients/len(crowds)+min(1, max(0, clients%len(crowds)-i))); err != nil {
			return Result{}, err
		}
	}
	parts, errs := make([]Result, len(crowds)), make([]error, len(crowds))
	start := time.Now()
	var running sync.WaitGroup
	for i, each := range crowds {
		running.Go(func() { parts[i], errs[i] = each.drive(ctx, start.Add(limit)) })
	}
	running.Wait()
	return merge(parts, time.Since(start)), errors.Join(errs...)
}

// crowd is some clients of one thread.
type crowd struct {
	poll    int
	clients []*polled
	asking  int // clients that wait for an answer
}

// polled is a client whose socket is not Go's to wait for.
type polled struct {
	socket int
	call   Call
	in     []byte // what has come of an answer
	asked  time.Time
}

func (w *crowd) connect(to netip.AddrPort, c Call, n int) (err error) {
	if w.poll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create", err)
	}
	for range n {
		p := &polled{call: c, in: make([]byte, 0, 16<<10)}
		if p.socket, err = dial(to); err != nil {
			return err
		}
		w.clients = append(w.clients, p)
		event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(len(w.clients) - 1)}
		if err := syscall.EpollCtl(w.poll, syscall.EPOLL_CTL_ADD, p.socket, &event); err != nil {
			return os.NewSyscallError("epoll_ctl", err)
		}
	}
	return nil
}

func dial(to netip.AddrPort) (socket int, err error) {
	var address syscall.Sockaddr = &syscall.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	family := syscall.AF_INET6
	if to.Addr().Is4() {
		address, family = &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}, syscall.AF_INET
	}
	if socket, err = syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0); err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = errors.Join(
		os.NewSyscallError("connect", syscall.Connect(socket, address)),
		os.NewSyscallError("setsockopt", syscall.SetsockoptInt(socket, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)),
		os.NewSyscallError("set nonblock", syscall.SetNonblock(socket, true)))
	if err != nil {
		_ = syscall.Close(socket)
		return -1, fmt.Errorf("dial %s: %w", to, err)
	}
	return socket, nil
}

func (w *crowd) close() {
	if w == nil {
		return
	}
	for _, p := range w.clients {
		_ = syscall.Close(p.socket)
	}
	if w.poll >= 0 {
		_ = syscall.Close(w.poll)
	}
}

// drive has each client ask until the end, and takes the last answers.
func (w *crowd) drive(ctx context.Context, end time.Time) (r Result, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now := time.Now()
	for _, p := range w.clients {
		if err := w.ask(p, now); err != nil {
			return r, err
		}
	}
	events := make([]syscall.EpollEvent, len(w.clients))
	for w.asking > 0 {
		n, err := syscall.EpollWait(w.poll, events, 100)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return r, os.NewSyscallError("epoll_wait", err)
		}
		if n <= 0 && time.Since(end) > patience {
			return r, fmt.Errorf("read an answer: %w", os.ErrDeadlineExceeded)
		}
		for _, event := range events[:max(n, 0)] {
			p := w.clients[event.Fd]
			answered, err := p.hear(&r)
			if err != nil {
				return r, err
			}
			if !answered {
				continue
			}
			w.asking--
			now := time.Now()
			if len(r.latency) < r.Answered { // and not refused
				r.latency = append(r.latency, now.Sub(p.asked))
			}
			if now.Before(end) && ctx.Err() == nil {
				if err := w.ask(p, now); err != nil {
					return r, err
				}
			}
		}
	}
	return r, nil
}

func (w *crowd) ask(p *polled, now time.Time) error {
	p.asked = now
	w.asking++
	for raw := p.call.raw; len(raw) > 0; {
		n, err := syscall.Write(p.socket, raw)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil: // EAGAIN too: a request is shorter than what a socket holds
			return os.NewSyscallError("send", err)
		default:
			raw = raw[n:]
		}
	}
	return nil
}

// hear takes what has come, and reports whether that is the whole answer.
func (p *polled) hear(r *Result) (answered bool, err error) {
	if len(p.in) == cap(p.in) {
		p.in = append(p.in, make([]byte, len(p.in))...)[:len(p.in)]
	}
	n, err := syscall.Read(p.socket, p.in[len(p.in):cap(p.in)])
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return false, nil
	case err != nil:
		return false, os.NewSyscallError("read an answer", err)
	case n == 0:
		return false, fmt.Errorf("read an answer: %w", io.ErrUnexpectedEOF)
	}
	p.in = p.in[:len(p.in)+n]
	status, body, whole, err := parse(p.in)
	if err != nil || !whole {
		return false, err
	}
	p.in = p.in[:0]
	switch {
	case status == p.call.status:
		r.Answered++
	case status == 503 && p.call.busy:
		r.Refused++
	default:
		return false, fmt.Errorf("answered %d, not %d: %.200s", status, p.call.status, body)
	}
	return true, nil
}

// parse looks for a whole answer in what has come. What comes behind it is an
// error, as nobody has asked for that.
func parse(in []byte) (status int, body []byte, whole bool, err error) {
	end := bytes.Index(in, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil, false, nil
	}
	head, rest := in[:end+len("\r\n")], in[end+len("\r\n\r\n"):]
	if status, err = statusOf(head); err != nil {
		return 0, nil, false, err
	}
	length, chunked, err := framing(head)
	if err != nil {
		return 0, nil, false, err
	}
	if chunked {
		if length, whole, err = chunks(rest); err != nil || !whole {
			return status, nil, false, err
		}
	}
	switch {
	case len(rest) < length:
		return status, nil, false, nil
	case len(rest) > length:
		return status, nil, false, fmt.Errorf("%d bytes follow the answer", len(rest)-length)
	}
	return status, rest, true, nil
}

// framing says how long a body is, as its head does.
func framing(head []byte) (length int, chunked bool, err error) {
	if value, ok := lengthOf(head); ok {
		length, err = strconv.Atoi(string(value))
		return length, false, err
	}
	for line := range bytes.Lines(head) {
		if value, ok := cut(line, "content-length:"); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, false, err
			}
		}
		if value, ok := cut(line, "transfer-encoding:"); ok {
			chunked = bytes.EqualFold(value, []byte("chunked"))
		}
	}
	return length, chunked, nil
}

// chunks returns how long a chunked body is, when its end has come.
func chunks(in []byte) (length int, whole bool, err error) {
	for {
		line, _, found := bytes.Cut(in[length:], []byte("\n"))
		if !found {
			return 0, false, nil
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return 0, false, err
		}
		length += len(line) + len("\n") + int(size) + len("\r\n")
		if length > len(in) {
			return 0, false, nil
		}
		if size == 0 {
			return length, true, nil
		}
	}
}
