//go:build !linux

package sqlite_test

import (
	"os"
	"testing"
)

// unprivileged calls fn as a user for whom the modes of files count.
func unprivileged(t *testing.T, _ string, fn func()) {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Skip("root may write to every file, and only Linux can change the user of a thread")
	}
	fn()
}
