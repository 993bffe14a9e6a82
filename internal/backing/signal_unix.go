//go:build unix

package backing

import (
	"os"
	"syscall"
	"testing"
)

func suspend(tb testing.TB, p *os.Process) {
	tb.Helper()
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		tb.Fatal(err)
	}
}

func resume(tb testing.TB, p *os.Process) {
	tb.Helper()
	if err := p.Signal(syscall.SIGCONT); err != nil {
		tb.Fatal(err)
	}
}
