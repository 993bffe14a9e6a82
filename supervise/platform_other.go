//go:build !linux

package supervise

import (
	"net"
	"os"
	"syscall"
	"time"
)

const (
	supported   = false
	packets     = 0
	stream      = 0
	rightsSpace = 0
)

func pair(int) (ours, theirs *os.File, err error) { return nil, nil, ErrUnsupported }

func rights(uintptr) []byte { return nil }

func received([]byte) (*os.File, error) { return nil, nil }

func duplicate(net.Listener) (*os.File, error) { return nil, ErrUnsupported }

func closeOnExec(*os.File) {}

type program struct {
	file *os.File
	path string
}

func openProgram(string) (*program, error) { return nil, ErrUnsupported }

func ownProgram() (*program, error) { return nil, ErrUnsupported }

func (p *program) place() string { return p.path }

func lookUp(string) (string, error) { return "", ErrUnsupported }

func apart() *syscall.SysProcAttr { return nil }

func usage(int) (resident int64, cpu time.Duration, err error) { return 0, 0, ErrUnsupported }

func showStacks(*os.Process) {}

func sameUser(*net.UnixConn) bool { return false }

func lock(*os.File) (taken bool, err error) { return false, ErrUnsupported }

func monotonic() time.Duration { return 0 }

type lean struct{}

func (*lean) keep() {}

func (*lean) pause() time.Duration { return 0 }
