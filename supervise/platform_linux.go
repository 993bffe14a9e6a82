package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const supported = true

// pair returns the two ends of a new socket pair that keeps messages apart.
func pair(kind int) (ours, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, kind|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("supervise: make a socket pair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "parent"), os.NewFile(uintptr(fds[1]), "worker"), nil
}

const (
	packets = syscall.SOCK_SEQPACKET
	stream  = syscall.SOCK_STREAM
)

// rightsSpace holds one descriptor.
var rightsSpace = syscall.CmsgSpace(4)

func rights(fd uintptr) []byte { return syscall.UnixRights(int(fd)) }

// received returns the descriptor that came with a packet, nil for none.
func received(oob []byte) (*os.File, error) {
	if len(oob) == 0 {
		return nil, nil //nolint:nilnil // most packets come without one
	}
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for i := range messages {
		fds, err := syscall.ParseUnixRights(&messages[i])
		if err != nil {
			continue // of another kind
		}
		for _, fd := range fds[1:] {
			_ = syscall.Close(fd)
		}
		return os.NewFile(uintptr(fds[0]), "sent"), nil
	}
	return nil, nil //nolint:nilnil // as above
}

// duplicate returns another descriptor of a socket, for a child to inherit.
// Neither TCPListener.File nor its Fd will do: both switch the socket, which all
// processes share, to blocking, and an accept in a sibling then hangs.
func duplicate(l net.Listener) (*os.File, error) {
	c, ok := l.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("supervise: a %T has no descriptor that could be passed on", l)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var file *os.File
	var failed error
	if err := raw.Control(func(fd uintptr) { file, failed = highDuplicate(fd, 0) }); err != nil {
		return nil, err
	}
	return file, failed
}

func highDuplicate(fd, least uintptr) (*os.File, error) {
	n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_DUPFD_CLOEXEC, least)
	if errno != 0 {
		return nil, os.NewSyscallError("fcntl", errno)
	}
	return os.NewFile(n, "duplicate"), nil
}

// closeOnExec keeps what was inherited from being inherited on.
func closeOnExec(f *os.File) { syscall.CloseOnExec(int(f.Fd())) }

// program is a file that is kept open, so that it can be started again when
// another lies in its place.
type program struct {
	file *os.File
	path string
}

// aboveInherited is more descriptors than a child is given: those are put in
// their places before the program is opened through its own.
const aboveInherited = 256

func openProgram(path string) (*program, error) {
	f, err := os.Open(path) //nolint:gosec // the program that was started, or /proc/self/exe
	if err != nil {
		return nil, fmt.Errorf("supervise: the program: %w", err)
	}
	defer func() { _ = f.Close() }() // it was duplicated
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("supervise: the program: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return nil, fmt.Errorf("supervise: %s is no program that can be started (%s)", path, info.Mode())
	}
	high, err := highDuplicate(f.Fd(), aboveInherited)
	if err != nil {
		return nil, fmt.Errorf("supervise: keep the program open: %w", err)
	}
	return &program{high, path}, nil
}

// own is the program that this process runs, whatever lies at its place by now.
func ownProgram() (*program, error) { return openProgram("/proc/self/exe") }

// place is how the kernel finds the file that is kept open.
func (p *program) place() string { return "/proc/self/fd/" + strconv.Itoa(int(p.file.Fd())) }

// lookUp turns what was typed into a path that stays right.
func lookUp(typed string) (string, error) {
	found, err := exec.LookPath(typed)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return "", fmt.Errorf("supervise: find the program: %w", err)
	}
	return filepath.Abs(found)
}

// apart keeps the signals of a terminal from workers: the parent tells them.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// showStacks ends a process of Go so that it writes where its goroutines are.
func showStacks(p *os.Process) {
	_ = p.Signal(syscall.SIGQUIT)
	_ = p.Signal(syscall.SIGCONT) // one that is stopped could not write
}

// usage reads what a process holds and has used.
func usage(pid int) (resident int64, cpu time.Duration, err error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, err
	}
	// The name in parentheses may hold anything; what follows it may not.
	_, rest, ok := strings.Cut(string(stat[max(bytes.LastIndexByte(stat, ')'), 0):]), " ")
	fields := strings.Fields(rest)
	const user, system, pages = 11, 12, 21 // counted from the state
	if !ok || len(fields) <= pages {
		return 0, 0, fmt.Errorf("supervise: /proc/%d/stat has another form", pid)
	}
	var ticks [3]int64
	for i, at := range []int{user, system, pages} {
		if ticks[i], err = strconv.ParseInt(fields[at], 10, 64); err != nil {
			return 0, 0, err
		}
	}
	const perSecond = 100 // USER_HZ, the same on every architecture that Go knows
	return ticks[2] * int64(os.Getpagesize()), time.Duration(ticks[0]+ticks[1]) * time.Second / perSecond, nil
}

// sameUser reports whether the process at the other end may command us.
func sameUser(c *net.UnixConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var peer *syscall.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		peer, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil || failed != nil {
		return false
	}
	return peer.Uid == 0 || int(peer.Uid) == os.Geteuid()
}

// lock takes the file for this process, until that ends.
func lock(f *os.File) (taken bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// monotonic is the time of CLOCK_MONOTONIC, by which systemd tells a reload from
// the one before. The runtime has it and does not give it away.
func monotonic() time.Duration {
	var at unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &at) != nil {
		return 0
	}
	return time.Duration(at.Nano())
}
