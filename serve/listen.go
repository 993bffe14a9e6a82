package serve

import (
	"context"
	"errors"
	"net"
	"syscall"
)

// ListenError says which address could not be listened on, and who has it if
// that can be seen. Test the cause with errors.Is: syscall.EADDRINUSE,
// syscall.EACCES, syscall.EADDRNOTAVAIL.
type ListenError struct {
	Addr   string
	Holder string // such as "process 4711 (/srv/shop)"; empty if unknown
	Err    error
}

func (e *ListenError) Error() string {
	text := e.Err.Error()
	var op *net.OpError
	if errors.As(e.Err, &op) && op.Err != nil {
		text = op.Err.Error()
	}
	if e.Holder != "" {
		text += " by " + e.Holder
	}
	return "serve: listen on " + e.Addr + ": " + text
}

func (e *ListenError) Unwrap() error { return e.Err }

// Listen opens a listening TCP socket at host:port; a failure is a
// [*ListenError].
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err == nil {
		return l, nil
	}
	failed := &ListenError{Addr: addr, Err: err}
	if errors.Is(err, syscall.EADDRINUSE) {
		failed.Holder = holder(ctx, addr)
	}
	return nil, failed
}
