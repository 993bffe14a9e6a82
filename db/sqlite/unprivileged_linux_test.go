package sqlite_test

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// unprivileged calls fn as a user for whom the modes of files count. For root
// that is another user, who is given the file and its directories, on a thread
// of its own, which ends with fn. It must not call t.FailNow.
func unprivileged(t *testing.T, file string, fn func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		fn()
		return
	}
	const nobody = 65534
	dir := filepath.Dir(file)
	for _, f := range []string{file, dir, filepath.Dir(dir)} { // the last is t.TempDir's own
		if err := os.Chown(f, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: nobody else may get this thread
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Error(err)
			return
		}
		if f, err := os.OpenFile(file, os.O_WRONLY, 0); err == nil {
			_ = f.Close()
			t.Error("the other user may write to the file")
			return
		}
		fn()
	}()
	<-done
}
