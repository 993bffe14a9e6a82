//go:build !unix

package backing

import (
	"os"
	"testing"
)

func suspend(tb testing.TB, _ *os.Process) {
	tb.Helper()
	tb.Skip("this system cannot suspend a process")
}

func resume(testing.TB, *os.Process) {}
